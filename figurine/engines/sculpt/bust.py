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


@dataclass(frozen=True)
class Bust:
    clay: Array
    """(rows, columns, 3) float32 points in the kit's units, on the CLAY grid."""
    albedo: Array
    """(h, w, 3) linear RGB 0..1, on the PAINT grid: row 0 is the chin's end, as in the clay."""
    gloss: Array
    """(h, w) strength of the highlight, like the albedo's grid; 1 is plastic."""
    skin: Array
    """(3,) linear RGB of ears, neck and hands."""


@cache
def _rays() -> Array:
    return surface.directions(CLAY.degrees())


def template(kit: Kit) -> Array:
    """The kit's own head on the coarse grid. Raises MissingModel."""
    return np.asarray(np.load(kit.baked("head.npy")))


def measure(face: Face, kit: Kit) -> surface.Head:
    """The mesh as a head in the kit's place."""
    return surface.sculpt(face, template(kit), kit.face)


def make(selfie: Selfie, head: surface.Head, kit: Kit, finish: Finish) -> Bust:
    """Carve the selfie's detail into the head, and paint it in the finish."""
    # 1. Relief.
    portrait = relief.flatten(selfie, head, grid=PAINT)
    drawn = gaze.draw(portrait)
    strap = relief.strap(portrait) if kit.face.strap else np.zeros(PAINT.shape, np.float32)
    radius, _ = head.sampled(CLAY)
    raised = _coarser(
        relief.displacement(portrait, drawn.opening, drawn.lids)
    ) + relief.STRAP_HEIGHT * _coarser(strap)
    clay = kit.face.centre + _rays() * (radius + raised)[..., None]

    # 2. Paint.
    base = finish.palette[kit.materials.index("skin")]
    if finish.face == "paint":
        coat = paint.paint(portrait, drawn)
        albedo = coat.albedo
    else:
        coat = paint.wash(portrait, drawn, base)
        albedo = coating.toned(coat.albedo, base, finish)
    if kit.face.strap:
        webbing = finish.palette[kit.materials.index(kit.face.strap)]
        albedo = albedo + strap[..., None] * (webbing - albedo)
    return Bust(
        clay=clay.astype(np.float32),
        albedo=albedo.astype(np.float32),
        gloss=coat.gloss * finish.specular[kit.materials.index("skin")],
        skin=coat.skin,
    )


def _coarser(painted: Array) -> Array:
    return cv2.resize(painted, CLAY.shape[::-1], interpolation=cv2.INTER_AREA)
