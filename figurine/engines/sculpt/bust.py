"""A visitor's head in clay and paint, before any light: what pictures, clips and prints share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from figurine.engines.sculpt import coating, gaze, paint, relief, surface
from figurine.kits import Finish, Kit
from figurine.types import Array, Face, Selfie

CLAY: surface.Grid = surface.Grid(step_deg=0.5)
PAINT: surface.Grid = surface.Grid(step_deg=0.25)
_SKETCH = 2
"""How much coarser both are for a preview, half as large."""


@dataclass(frozen=True)
class Bust:
    clay: Array
    """(rows, columns, 3) float32 points in the kit's units, on the CLAY grid; half of it in a
    sketch."""
    albedo: Array
    """(h, w, 3) linear RGB 0..1, on the PAINT grid: row 0 is the chin's end, as in the clay."""
    gloss: Array
    """(h, w) strength of the highlight, like the albedo's grid; 1 is plastic."""
    skin: Array
    """(3,) linear RGB of ears, neck and hands."""


@cache
def _rays(grid: surface.Grid) -> Array:
    return surface.directions(grid.degrees())


def template(kit: Kit) -> Array:
    """The kit's own head on the coarse grid. Raises MissingModel."""
    return np.asarray(np.load(kit.baked("head.npy")))


def measure(face: Face, kit: Kit) -> surface.Head:
    """The mesh as a head in the kit's place."""
    return surface.sculpt(face, template(kit), kit.face)


def make(
    selfie: Selfie, head: surface.Head, kit: Kit, finish: Finish, *, sketch: bool = False
) -> Bust:
    """Carve the selfie's detail into the head, and paint it in the finish.

    A `sketch` is half as fine, in a quarter of the time.
    """
    # 1. Relief.
    shrink = _SKETCH if sketch else 1
    clay_grid, paint_grid = (surface.Grid(grid.step_deg * shrink) for grid in (CLAY, PAINT))
    hand = relief.PAINTER if finish.face == "paint" else relief.CASTER
    portrait = relief.flatten(selfie, head, grid=paint_grid.face, hand=hand)
    drawn = gaze.draw(portrait)
    radius, _ = head.sampled(clay_grid)
    radius[clay_grid.part(clay_grid.face)] += cv2.resize(
        relief.displacement(portrait, drawn.opening, drawn.lids),
        clay_grid.face.shape[::-1],
        interpolation=cv2.INTER_AREA,
    )

    # 2. Paint.
    base = finish.palette[kit.materials.index("skin")]
    if finish.face == "paint":
        coat = paint.paint(portrait, drawn)
        painted = coat.albedo
    else:
        coat = paint.wash(portrait, drawn, base)
        painted = coating.toned(coat.albedo, base, finish)

    # 3. All around, plain skin, and the strap over it.
    here = paint_grid.part(paint_grid.face)
    albedo = np.broadcast_to(coat.skin, (*paint_grid.shape, 3)).astype(np.float32)
    albedo[here] = painted
    gloss = np.ones(paint_grid.shape, np.float32)
    gloss[here] = coat.gloss
    if kit.face.strap:
        strap = relief.strap(head.points_deg, paint_grid)
        webbing = finish.palette[kit.materials.index(kit.face.strap)]
        albedo += strap[..., None] * (webbing - albedo)
        radius += relief.STRAP_HEIGHT * cv2.resize(
            strap, clay_grid.shape[::-1], interpolation=cv2.INTER_AREA
        )
    clay = kit.face.centre + _rays(clay_grid) * radius[..., None]
    return Bust(
        clay=clay.astype(np.float32),
        albedo=albedo.astype(np.float32),
        gloss=gloss * finish.specular[kit.materials.index("skin")],
        skin=coat.skin,
    )
