"""A figurine that moves: it turns a little to one side and the other, and comes back to the still.

Camera, lamps and table go around the figure, which stays: its meshes are made once. What one sees
is a figure on a turntable in a studio that stands still.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np

from figurine import kits
from figurine.engines.sculpt import backend, compose, engraving, guide, meshes, scene
from figurine.engines.sculpt.subjects import Subject
from figurine.types import Array, Box, Pixels

LENGTH_S: Final = 4.0
FPS: Final = 24
SPP: Final = 4
_MOST_PX: Final = 220_000
"""Denoised at a time."""
_SHADE_PX, _SHADE_SPP, _SHADE_CELL = (216, 270), 16, 0.015
"""The table with the figure's shadow: soft, so small and of large triangles."""
_TOUCHED, _DARK, _SOFT = 0.01, 0.02, 1.0
"""Coverage from which a pixel is the figure's; least brightness divided by; blur in those."""


@dataclass(frozen=True)
class Sway:
    """A loop's poses, and in which order frames show them."""

    turns_deg: tuple[float, ...]
    order: tuple[int, ...]
    """An index into `turns_deg` for each frame."""


def sway(reach_deg: float, *, fps: int) -> Sway:
    """From the middle so far to one side, back, to the other side and back.

    It starts from rest, so that a still can become the clip: a sine's cube has no speed where it is
    nought. Each side's way back is its way there.
    """
    count = round(LENGTH_S * fps / 4) * 4
    phase = np.arange(count) / count * 2 * np.pi
    turns = np.round(reach_deg * np.sin(phase) ** 3, 1) + 0.0
    poses, order = np.unique(turns, return_inverse=True)
    return Sway(tuple(poses.tolist()), tuple(order.tolist()))


def film(
    subject: Subject,
    *,
    name: str,
    turns_deg: Sequence[float],
    spp: int,
    seed: int,
    progress: Callable[[float], None],
) -> Iterator[Pixels]:
    """The pictures (H, W, 3) of the subject in these turns, with the name on its plaque, before its
    backdrop. `progress` hears the share done, and may raise to stop. Raises BadPlaque."""
    # 1. The figurines, in light and without, and their shadow.
    kit, finish, size_px, box = subject.kit, subject.finish, subject.size_px, subject.crop_px
    heads = {
        f"head{number}": meshes.head_shape(made.clay, made.albedo, finish, gloss=made.gloss)
        for number, made in enumerate(subject.busts)
    }
    guides = guide.of(subject)
    shade = _shade(subject, heads, guides, max(turns_deg), seed=seed, step=lambda: progress(0.0))
    shapes = dict(heads)
    for number, solid in enumerate(subject.solids):
        shapes[f"body{number}"] = meshes.body_shape(solid.body, solid.finish, cover=solid.cover)
    subject = replace(subject, solids=(), busts=())  # they are large, and no longer needed

    # 2. Pictures of it, all of the same seed: grain that stands still is less seen than grain that
    # dances.
    for number, turn_deg in enumerate(turns_deg):

        def step(done: float, number: int = number) -> None:
            progress((number + done) / len(turns_deg))

        turn = subject.turn(turn_deg)
        known, alpha = guides.seen(kit.camera.turned(turn), size_px=size_px, crop_px=box, seed=seed)
        backend.give_back()
        stage = scene.stage(
            shapes,
            kit.camera,
            size_px=size_px,
            crop_px=box,
            sampler="multijitter",
            turn=turn,
            scale=subject.scale,
        )
        shown = scene.exposed(stage, spp=spp, seed=seed, guide=known)
        del stage, known  # with the denoiser at its side it would be too large
        step(0.8)
        traced = scene.cleaned(shown, finish=finish, quality="fast", most_px=_MOST_PX)
        step(1.0)
        figure = _set(traced, alpha, box, size_px)
        turned = replace(kit, camera=kit.camera.turned(turn))
        figure = engraving.engrave(figure, name, turned, finish)
        shaded = _shaded(subject.backdrop, shade, turn_deg)
        behind = compose.room(shaded, figure.light, figure.alpha, finish)
        yield compose.still(figure, behind, seed=seed)[0]


def _shade(
    subject: Subject,
    heads: Mapping[str, Any],
    guides: guide.Guide,
    reach_deg: float,
    *,
    seed: int,
    step: Callable[[], None],
) -> dict[float, Array]:
    """How much brighter the backdrop is than the still's, (h, w, 3) at a few turns; `step` is
    called before each. The figure, which is not seen, goes without its second coat."""
    whole = (0, 0, *_SHADE_PX)
    shapes = dict(heads)
    for number, solid in enumerate(subject.solids):
        every = np.ones(len(solid.body.faces), np.bool_)
        coarse = solid.body.coarser(every, cell=_SHADE_CELL * subject.scale)
        shapes[f"body{number}"] = meshes.body_shape(coarse, replace(solid.finish, layer=None))
    seen = {}
    for turn_deg in (0.0, -reach_deg, -reach_deg / 2, reach_deg / 2, reach_deg):
        step()
        turn = subject.turn(turn_deg)
        camera = subject.kit.camera.turned(turn)
        known, alpha = guides.seen(camera, size_px=_SHADE_PX, crop_px=whole, seed=seed)
        del known
        stage = scene.stage(
            shapes,
            subject.kit.camera,
            size_px=_SHADE_PX,
            table=kits.linear(kits.TABLE),
            sampler="multijitter",
            turn=turn,
            scale=subject.scale,
        )
        picture = scene.trace(stage, spp=_SHADE_SPP, seed=seed, step=lambda done: None)[..., :3]
        seen[turn_deg] = compose.filled(compose.develop(picture), alpha > _TOUCHED)
    return {turn: shown / np.maximum(seen[0.0], _DARK) for turn, shown in seen.items()}


def _shaded(backdrop: Array, shade: Mapping[float, Array], turn_deg: float) -> Array:
    """The still's backdrop with the shadow of a figure turned so far."""
    turns = sorted(shade)
    above = min(bisect_left(turns, turn_deg), len(turns) - 1)
    below = max(above - 1, 0)
    span = turns[above] - turns[below]
    share = (turn_deg - turns[below]) / span if span else 0.0
    small = shade[turns[below]] * (1 - share) + shade[turns[above]] * share
    size = backdrop.shape[1::-1]
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), _SOFT), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(backdrop * soft, 0, 1), np.float32)


def _set(traced: Array, outline: Array, box: Box, size_px: tuple[int, int]) -> compose.Figure:
    """A traced crop (h, w, 4), premultiplied, in a picture of this width and height, cut out along
    a finer outline (h, w)."""
    x, y, w, h = box
    light = np.zeros((size_px[1], size_px[0], 3), np.float32)
    alpha = np.zeros(light.shape[:2], np.float32)
    alpha[y : y + h, x : x + w] = outline
    light[y : y + h, x : x + w] = compose.bled(traced[..., :3], traced[..., 3])
    return compose.Figure(light=light, alpha=alpha)
