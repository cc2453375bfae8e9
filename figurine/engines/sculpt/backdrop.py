"""What is behind a figurine: a table of card with its shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from figurine import kits
from figurine.engines.sculpt import compose, meshes, scene, surface
from figurine.kits import Camera, Finish, Kit
from figurine.types import Array

_VIGNETTE = 0.22
"""How much darker the corners are."""


def plain_head(
    kit: Kit, finish: Finish, template: Array, *, put: Callable[[Array], Array] | None = None
) -> Any:
    """The kit's own head, nobody's, as a shape; `put` moves its points."""
    grid = surface.Grid(step_deg=1.0)
    radius = surface.resized(template, grid)
    points = kit.face.centre + surface.directions(grid.degrees()) * radius[..., None]
    skin = np.broadcast_to(finish.palette[kit.materials.index("skin")], (4, 4, 3))
    return meshes.head_shape(
        points if put is None else put(points),
        skin,
        finish,
        gloss=np.full(skin.shape[:2], 0.5, np.float32),
    )


def lit(
    shapes: dict[str, Any],
    camera: Camera,
    *,
    size_px: tuple[int, int],
    spp: int,
    alpha: Array,
    scale: float = 1.0,
) -> Array:
    """The table with the shapes' shadow, display sRGB; they themselves are filled in.

    alpha: (H, W) their outline at any size. scale: of the studio.
    """
    picture = scene.trace(
        scene.stage(shapes, camera, size_px=size_px, table=kits.linear(kits.TABLE), scale=scale),
        spp=spp,
        seed=1,
        step=lambda done: None,
    )[..., :3]
    width, height = size_px
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    falloff = 1 - _VIGNETTE * np.clip(x**2 * 0.7 + (y + 0.1) ** 2 * 0.7, 0, 1.2)
    shown = compose.develop(picture) * falloff[..., None].astype(np.float32)
    hidden = cv2.resize(alpha, size_px, interpolation=cv2.INTER_AREA) > 0.01
    return compose.filled(shown, hidden)
