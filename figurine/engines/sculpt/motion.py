"""A figurine that moves: it turns a little to one side and the other, and comes back to the still.

Camera, lamps and table go around the figure, which stays: its meshes are made once. What one sees
is a figure on a turntable in a studio that stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from figurine.engines.sculpt import compose, engraving, scene
from figurine.engines.sculpt.bust import Bust
from figurine.kits import Finish, Kit
from figurine.kits.body import Body
from figurine.types import Array, Pixels

LENGTH_S: Final = 4.0
FPS: Final = 24
SWAY_DEG: Final = 20.0
"""To either side."""
SPP: Final = 4
_SOME, _VIEWS, _MARGIN = 7, 9, 0.006
"""To find where the figure reaches: every so many vertices, from so many sides; and so much, of the
picture's width, around what that found."""


@dataclass(frozen=True)
class Sway:
    """A loop's poses, and in which order frames show them."""

    turns_deg: tuple[float, ...]
    order: tuple[int, ...]
    """An index into `turns_deg` for each frame."""


def sway(*, fps: int) -> Sway:
    """From the middle to one side, back, to the other side and back.

    It starts from rest, so that a still can become the clip: a sine's cube has no speed where it is
    nought. Each side's way back is its way there.
    """
    count = round(LENGTH_S * fps / 4) * 4
    phase = np.arange(count) / count * 2 * np.pi
    turns = np.round(SWAY_DEG * np.sin(phase) ** 3, 3) + 0.0
    poses, order = np.unique(turns, return_inverse=True)
    return Sway(tuple(poses.tolist()), tuple(order.tolist()))


def film(
    made: Bust,
    body: Body,
    plates: compose.Plates,
    kit: Kit,
    finish: Finish,
    *,
    name: str,
    turns_deg: Sequence[float],
    spp: int,
    seed: int,
    progress: Callable[[float], None],
) -> Iterator[Pixels]:
    """The pictures (H, W, 3) of a figurine in these turns, with the name on its plaque."""
    # 1. The figurine, as fine as it is seen from somewhere.
    box = _reach(body, kit, plates.size_px, turns_deg)
    views = [kit.camera.turned(turn) for turn in (min(turns_deg), 0.0, max(turns_deg))]
    palette = finish.palette.copy()
    palette[kit.materials.index("skin")] = made.skin
    coated = replace(finish, palette=palette)
    shapes = {
        "body": scene.body_shape(scene.thinned(body, views, plates.size_px, box), coated),
        "head": scene.head_shape(made.clay, made.albedo, finish, gloss=made.gloss),
    }

    # 2. Pictures of it.
    for number, turn_deg in enumerate(turns_deg):

        def step(done: float, number: int = number) -> None:
            progress((number + done) / len(turns_deg))

        studio = scene.stage(
            shapes,
            kit.camera,
            size_px=plates.size_px,
            crop_px=box,
            sampler="multijitter",
            turn_deg=turn_deg,
        )
        # The same seed: grain that stands still is less seen than grain that dances.
        traced = scene.trace(studio, spp=spp, seed=seed, step=step, finish=finish, quality="fast")
        figure = _set(traced, box, plates.size_px)
        turned = replace(kit, camera=kit.camera.turned(turn_deg))
        figure = engraving.engrave(figure, name, turned, finish)
        yield compose.still(figure, plates.backdrop, seed=seed)[0]


def _set(traced: Array, box: scene.Box, size_px: tuple[int, int]) -> compose.Figure:
    """A traced crop (h, w, 4), premultiplied, in a picture of this width and height."""
    x, y, w, h = box
    light = np.zeros((size_px[1], size_px[0], 3), np.float32)
    alpha = np.zeros(light.shape[:2], np.float32)
    alpha[y : y + h, x : x + w] = traced[..., 3]
    light[y : y + h, x : x + w] = compose.bled(traced[..., :3], traced[..., 3])
    return compose.Figure(light=light, alpha=alpha)


def _reach(body: Body, kit: Kit, size_px: tuple[int, int], turns_deg: Sequence[float]) -> scene.Box:
    """The part of the picture that the figure is in at some turn."""
    some = body.vertices[::_SOME]
    views = [
        kit.camera.turned(turn) for turn in np.linspace(min(turns_deg), max(turns_deg), _VIEWS)
    ]
    seen = np.concatenate([view.project(some, size_px) for view in views])
    margin = _MARGIN * size_px[0]
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, size_px).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin), 0, size_px).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
