"""What a clip films: a figurine or a squad, as bodies and heads for every view of the sway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from figurine.engines.sculpt import coating, compose, lineup, meshes, squad
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.lineup import Formation
from figurine.kits import Camera, Finish, Kit, Turn, body
from figurine.kits.body import Body
from figurine.types import Array, Box, Selfie

SKETCH_WIDTH_PX: Final = 540
"""Up to this width a body is a sketch: finer detail would not be seen."""
_SKETCH_CELL = 0.009
"""Of its triangles, in units: a pixel and a half."""
_SWAY_DEG, _SQUAD_SWAY_DEG = 20.0, 12.0
"""To either side. Those at the ends of a squad go far already; and further round, the first row
would hide the others."""
_SOME, _VIEWS, _MARGIN = 7, 9, 0.006
"""To find where a figure reaches: every so many vertices, from so many sides; and so much, of the
picture's width, around what that found."""
_GRAIN_PX, _UNSEEN_CELL = 2.6, 0.012
"""How large a squad's triangles are where they are seen; and at most, in units, which is what they
are where they are not: larger ones would poke through thin straps."""
_FINE_PX = 200
"""Faces of a squad narrower than this are sketched: less than in a still is seen of what moves."""


@dataclass(frozen=True)
class Solid:
    body: Body
    finish: Finish
    """With its wearer's skin in the palette."""
    cover: Array | None
    """(V,) of the finish's layer, where it has one."""


@dataclass(frozen=True)
class Cast:
    kit: Kit
    """With the camera and plaque of what is filmed."""
    finish: Finish
    solids: tuple[Solid, ...]
    busts: tuple[Bust, ...]
    """Their clay in its place."""
    studio: Array
    """(H, W, 3) display sRGB: the still's backdrop in full light."""
    crop_px: Box
    """All of the picture that it takes on its way."""
    sway_deg: float
    axis_z: float
    """Of the turntable."""
    scale: float
    """Of the studio."""

    @property
    def size_px(self) -> tuple[int, int]:
        return self.studio.shape[1], self.studio.shape[0]

    def turn(self, deg: float) -> Turn:
        return Turn(deg, self.axis_z)


def alone(made: Bust, kit: Kit, finish: Finish, *, width_px: int) -> Cast:
    """A figurine. Raises MissingModel."""
    studio = compose.load_studio(kit, width_px=width_px)
    size_px = studio.shape[1], studio.shape[0]
    whole = body.load(kit.baked("body.xz"))
    if width_px <= SKETCH_WIDTH_PX:
        whole = sketched(whole)
    seen_from = _views(kit.camera, Turn(_SWAY_DEG))
    box = _box([_reach(whole, seen_from, size_px)], size_px)
    return Cast(
        kit=kit,
        finish=finish,
        solids=(_solid(meshes.thinned(whole, seen_from, size_px, box), _worn(finish, kit, made)),),
        busts=(made,),
        studio=studio,
        crop_px=box,
        sway_deg=_SWAY_DEG,
        axis_z=0.0,
        scale=1.0,
    )


def together(selfie: Selfie, kit: Kit, finish: Finish, *, width_px: int) -> Cast:
    """A squad of all the selfie's faces. Raises MissingModel."""
    formation, bodies = lineup.form(kit, len(selfie.faces), width_px=width_px)
    camera, size_px = formation.kit.camera, formation.size_px
    seen_from = views(formation)
    grain = min(_GRAIN_PX / formation.unit_px(), _UNSEEN_CELL)
    shadow = squad.Shadow(camera, size_px)
    busts = [
        squad.bust_of(formation, number, selfie.pixels, face, finish, fine_px=_FINE_PX)
        for number, face in enumerate(selfie.faces)
    ]
    solids, reaches = [], []
    for made, placed in zip([None, *busts], bodies, strict=True):
        shadow.add(placed, finish)
        reaches.append(_reach(placed, seen_from, size_px))
        thin = meshes.thinned(placed, seen_from, size_px, (0, 0, *size_px), cell=_UNSEEN_CELL)
        thin = thin.coarser(np.ones(len(thin.faces), np.bool_), cell=grain)
        coated = finish if made is None else _worn(finish, kit, made)
        solids.append(_solid(thin, coated))
        del placed, thin
    return Cast(
        kit=formation.kit,
        finish=finish,
        solids=tuple(solids),
        busts=tuple(busts),
        studio=squad.backdrop_of(formation, finish, shadow),
        crop_px=_box(reaches, size_px),
        sway_deg=_SQUAD_SWAY_DEG,
        axis_z=formation.plan.middle_z,
        scale=formation.scale,
    )


def views(formation: Formation) -> list[Camera]:
    """A squad from some of the sides that its clip shows, the furthest among them."""
    return _views(formation.kit.camera, Turn(_SQUAD_SWAY_DEG, formation.plan.middle_z))


def sketched(whole: Body) -> Body:
    """A body as fine as a picture up to SKETCH_WIDTH_PX wide shows it."""
    return whole.coarser(np.ones(len(whole.faces), np.bool_), cell=_SKETCH_CELL)


def _solid(thin: Body, finish: Finish) -> Solid:
    cover = None
    if finish.layer is not None:
        cover = coating.on_body(thin, meshes.normals_of(thin), finish.layer)
    return Solid(thin, finish, cover)


def _worn(finish: Finish, kit: Kit, made: Bust) -> Finish:
    """The finish with the wearer's skin."""
    palette = finish.palette.copy()
    palette[kit.materials.index("skin")] = made.skin
    return replace(finish, palette=palette)


def _views(camera: Camera, furthest: Turn) -> list[Camera]:
    degrees = np.linspace(-furthest.deg, furthest.deg, _VIEWS).tolist()
    return [camera.turned(replace(furthest, deg=deg)) for deg in degrees]


def _reach(whole: Body, views: Sequence[Camera], size_px: tuple[int, int]) -> Array:
    """Where in the picture a body is in one of these views, (2, 2): lowest and highest x and y."""
    some = whole.vertices[::_SOME]
    seen = np.concatenate([view.project(some, size_px) for view in views])
    return np.stack([seen.min(axis=0), seen.max(axis=0)])


def _box(reaches: Sequence[Array], size_px: tuple[int, int]) -> Box:
    """The part of the picture that all of them take."""
    margin = _MARGIN * size_px[0]
    lowest = np.min([reach[0] for reach in reaches], axis=0)
    highest = np.max([reach[1] for reach in reaches], axis=0)
    low = np.clip(np.floor(lowest - margin), 0, size_px).astype(int)
    high = np.clip(np.ceil(highest + margin), 0, size_px).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
