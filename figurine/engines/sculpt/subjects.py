"""The subject of a clip: a figurine or a squad, as bodies and heads for every view of the sway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from figurine.engines.sculpt import coating, compose, lineup, meshes, squad
from figurine.engines.sculpt.bust import Bust
from figurine.kits import Camera, Finish, Kit, Turn, body
from figurine.kits.body import Body
from figurine.types import Array, Box, Selfie

SKETCH_WIDTH_PX: Final = 540
"""Up to this width a body is a sketch: finer detail would not be seen."""
_SKETCH_CELL = 0.009
"""Of its triangles, in units: a pixel and a half."""
_SWAY_DEG = 20.0
"""To either side, of a figurine alone."""
_SOME, _VIEWS, _MARGIN = 7, 9, 0.006
"""To find where a figure reaches: every so many vertices, from so many sides; and so much, of the
picture's width, around what that found."""
_GRAIN_PX = 2.6
"""How large a squad's triangles are where they are seen, for memory."""


@dataclass(frozen=True)
class Solid:
    body: Body
    finish: Finish
    """With its wearer's skin in the palette."""
    cover: Array | None
    """(V,) of the finish's layer, where it has one."""


@dataclass(frozen=True)
class Subject:
    kit: Kit
    """With the subject's camera and plaque."""
    finish: Finish
    solids: tuple[Solid, ...]
    busts: tuple[Bust, ...]
    """Their clay in its place."""
    backdrop: Array
    """(H, W, 3) display sRGB: the still's, in full light."""
    crop_px: Box
    """All of the picture that it takes on its way."""
    sway_deg: float
    axis_z: float
    """Of the turntable."""
    scale: float
    """Of the studio's lamps and table."""

    @property
    def size_px(self) -> tuple[int, int]:
        return self.backdrop.shape[1], self.backdrop.shape[0]

    def turn(self, deg: float) -> Turn:
        return Turn(deg, self.axis_z)


def alone(made: Bust, kit: Kit, finish: Finish, *, width_px: int) -> Subject:
    """A figurine. Raises MissingModel."""
    backdrop = compose.load_studio(kit, width_px=width_px)
    size_px = backdrop.shape[1], backdrop.shape[0]
    whole = body.load(kit.baked("body.xz"))
    if width_px <= SKETCH_WIDTH_PX:
        whole = sketched(whole)
    views = [kit.camera.turned(Turn(deg)) for deg in _between(_SWAY_DEG)]
    box = _box([_reach(whole, views, size_px)], size_px)
    return Subject(
        kit=kit,
        finish=finish,
        solids=(_solid(meshes.thinned(whole, views, size_px, box), _worn(finish, kit, made)),),
        busts=(made,),
        backdrop=backdrop,
        crop_px=box,
        sway_deg=_SWAY_DEG,
        axis_z=0.0,
        scale=1.0,
    )


def together(
    selfie: Selfie, kit: Kit, finish: Finish, *, width_px: int, step: Callable[[float], None]
) -> Subject:
    """A squad of all the selfie's faces. `step` hears the share done, and may raise to stop.

    Heads are sketches: beside a still's nobody sees it, and in a squad of three they would take
    250 MB more. Raises MissingModel.
    """
    count = len(selfie.faces)
    step(0.0)
    formation, bodies = lineup.form(kit, count, width_px=width_px)
    size_px = formation.size_px
    views = [formation.turned(deg) for deg in _between(lineup.SWAY_DEG)]
    grain = min(_GRAIN_PX / formation.unit_px(), squad.UNSEEN_CELL)
    shadow = squad.Shadow(formation.kit.camera, size_px)
    busts = []
    for number, face in enumerate(selfie.faces):
        step((1 + number) / (3 + 2 * count))
        busts.append(squad.bust_of(formation, number, selfie.pixels, face, finish, is_sketch=True))
    solids, reaches = [], []
    for number, (made, placed) in enumerate(zip([None, *busts], bodies, strict=True)):
        step((1 + count + number) / (3 + 2 * count))
        shadow.add(placed, finish)
        reaches.append(_reach(placed, views, size_px))
        thin = meshes.thinned(placed, views, size_px, (0, 0, *size_px), cell=squad.UNSEEN_CELL)
        thin = thin.coarser(np.ones(len(thin.faces), np.bool_), cell=grain)
        solids.append(_solid(thin, finish if made is None else _worn(finish, kit, made)))
        del placed, thin
    step((2 + 2 * count) / (3 + 2 * count))
    return Subject(
        kit=formation.kit,
        finish=finish,
        solids=tuple(solids),
        busts=tuple(busts),
        backdrop=squad.backdrop_of(formation, finish, shadow),
        crop_px=_box(reaches, size_px),
        sway_deg=lineup.SWAY_DEG,
        axis_z=formation.plan.middle_z,
        scale=formation.scale,
    )


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


def _between(sway_deg: float) -> list[float]:
    """Some of the turns that a clip shows, the furthest among them."""
    return list(np.linspace(-sway_deg, sway_deg, _VIEWS).tolist())


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
