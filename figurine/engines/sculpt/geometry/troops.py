"""A squad's figures without their own plinths, and the wide base under them, as closed meshes.

What depends on nobody's face; kept between visitors, the figures by pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from figurine.engines.sculpt import lineup, terrain
from figurine.engines.sculpt.geometry import bodies, heads, walls
from figurine.engines.sculpt.geometry.bodies import CRUMB, KEPT, Coloured
from figurine.engines.sculpt.geometry.meshes import (
    Mesh,
    Stored,
    closed,
    joined,
    lumps,
    normals,
    solid,
    spread,
    stored,
    thinned,
)
from figurine.engines.sculpt.terrain import Place, Plan
from figurine.kits import Kit, body, load
from figurine.kits.body import Body
from figurine.types import Array

FOOT = bodies.SAWN
"""Height of the table: a wide plinth begins at 0."""
_SCREEN_FACES = 41_000
"""On screens, of all poses of a squad: figures in the same pose share them."""
_MOST_A_FIGURE = 41_000
_BASE_FACES = (2_000, 9_000, 1_200)
"""On screens: of plinth, ground and plaque."""
_LONGEST = 0.08
"""Units: of the plaque longer edges are split, into 4 500 triangles."""
_SHELLS = ("plinth", "ground", "plaque")
PLAQUE = 2
"""Which of a base's shells the name is on."""
_ACCESSORY_FACES, _ACCESSORY_SHARE = 500, 25
"""At least, and of how many baked triangles one: with fewer, stalks of ferns are torn off."""
_PRINT_FACES, _PRINT_BASE_FACES = 72_000, 30_000
_FINE_MM, _FINE_ROCK_MM = 0.025, 0.05
"""How far a squad's print may be from its shape for the sake of fewer triangles: a
printer's finest layer. It holds six bodies, and as a file must stay one that programs open."""
_ROOT = 0.06
"""Units that feet and stalks reach into the ground: it is rebuilt, and may lie a little lower."""
_PLAQUE_ROOT = 0.1
"""Units that the plaque reaches into the plinth, behind its curved ends."""


@dataclass(frozen=True)
class Accessory:
    """What stands on a figure's ground."""

    baked: Body
    print: Mesh
    coloured: tuple[Coloured, ...]


@dataclass(frozen=True)
class Figure:
    """A kit in a pose without its plinth and ground, in the kit's units: closed under its feet."""

    kit: Kit
    baked: Body
    print: Mesh
    accessories: tuple[Accessory, ...]
    liner: heads.Liner


@dataclass(frozen=True)
class LineUp:
    """A squad without faces."""

    stances: tuple[Kit, ...]
    plan: Plan
    staying: tuple[tuple[int, ...], ...]
    """Of each figure, which of its accessories have room."""
    shells: tuple[Mesh, ...]
    """Plinth, ground and plaque, closed."""
    base: tuple[Coloured, ...]
    """The same for screens."""
    fine_base: Body


@lru_cache(maxsize=KEPT)
def figure(name: str, pose: str) -> Figure:
    """Raises MissingModel, NotSolid."""
    kit = load(name).posed(pose)
    baked = body.load(kit.baked("body.xz"))
    pieces = terrain.parted(kit, baked)
    return Figure(
        kit=kit,
        baked=pieces.figure,
        print=_rooted(pieces.figure, faces=_PRINT_FACES),
        accessories=tuple(_accessory(each, kit) for each in pieces.accessories),
        liner=heads.liner(baked, kit),
    )


def _accessory(own: Body, kit: Kit) -> Accessory:
    whole = _rooted(own, faces=max(_ACCESSORY_FACES, len(own.faces) // _ACCESSORY_SHARE))
    return Accessory(own, whole, bodies.painted(whole, own, kit) if len(whole.faces) else ())


def _rooted(own: Body, *, faces: int) -> Mesh:
    """A body cut off at the ground, reaching into it; empty where it is but dust."""
    whole = closed(Mesh(own.vertices, own.faces), root=(0, -_ROOT, 0))
    kept = lumps(thinned(whole, faces=faces), least_volume=CRUMB)
    return joined(kept) if kept else Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64))


@lru_cache(maxsize=KEPT)
def coloured(name: str, pose: str, count: int) -> tuple[Coloured, ...]:
    """A figure for screens, a mesh a material, light enough for a squad of so many."""
    made = figure(name, pose)
    poses = min(count, max(1, len(made.kit.poses)))
    light = thinned(made.print, faces=min(_MOST_A_FIGURE, _SCREEN_FACES // poses))
    return bodies.painted(light, made.baked, made.kit)


@lru_cache(maxsize=KEPT)
def sturdy_figure(name: str, pose: str) -> tuple[Stored, tuple[Stored, ...]]:
    """Figure and accessories as solids with no wall under what a printer makes."""
    made = figure(name, pose)
    scale_mm = bodies.make(name, pose).scale_mm

    def sturdy(mesh: Mesh) -> Stored:
        parts = [solid(lump) for lump in lumps(mesh, least_volume=0)] or [solid(mesh)]
        whole = walls.reinforced(sum(parts[1:], parts[0]), least=bodies.WALL_MM / scale_mm)
        return stored(whole.simplify(_FINE_MM / scale_mm))

    return sturdy(made.print), tuple(sturdy(each.print) for each in made.accessories)


@lru_cache(maxsize=KEPT)
def line_up(name: str, pose: str, count: int) -> LineUp:
    """Raises MissingModel."""
    stances, loaded, plan = lineup.lined_up(load(name).posed(pose), count)
    pieces = {each: terrain.parted(load(name).posed(each), whole) for each, whole in loaded.items()}
    open_shells = terrain.shells(plan, stances, [loaded[stance.pose] for stance in stances])
    roots = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, -_PLAQUE_ROOT * plan.plaque_scale))
    shells = tuple(
        closed(Mesh(shell.vertices, shell.faces), root=root)
        for shell, root in zip(open_shells, roots, strict=True)
    )
    return LineUp(
        fine_base=terrain.joined(open_shells),
        stances=stances,
        plan=plan,
        staying=tuple(
            terrain.staying(plan, number, pieces[stance.pose])
            for number, stance in enumerate(stances)
        ),
        shells=shells,
        base=tuple(
            _shown(shell, own, faces=faces, name=name)
            for shell, own, faces, name in zip(
                shells, open_shells, _BASE_FACES, _SHELLS, strict=True
            )
        ),
    )


def _shown(shell: Mesh, own: Body, *, faces: int, name: str) -> Coloured:
    """For screens, with normals of the fine shell."""
    light = thinned(shell, faces=faces)
    if name == _SHELLS[PLAQUE]:  # the others are uneven, or seen from far
        light = spread(light, longest=_LONGEST)
    fine = normals(Mesh(own.vertices, own.faces))
    return Coloured(
        int(own.material[0]), light, bodies.facing(light.vertices, own.vertices, fine), name=name
    )


@lru_cache(maxsize=KEPT)
def sturdy_base(name: str, pose: str, count: int) -> Stored:
    """The wide base as a solid, its foot flat, with no wall too thin to print."""
    row = line_up(name, pose, count)
    parts = [solid(thinned(shell, faces=_PRINT_BASE_FACES)) for shell in row.shells]
    scale_mm = bodies.make(name, pose).scale_mm
    # A face of rock has fins.
    whole = walls.reinforced(sum(parts[1:], parts[0]), least=bodies.WALL_MM / scale_mm)
    return stored(whole.simplify(_FINE_ROCK_MM / scale_mm).trim_by_plane((0, 1, 0), FOOT))


def standing(row: LineUp, number: int) -> list[Stored]:
    """A figure without its head, and what stands on its ground, in their places.

    Raises MissingModel, NotSolid.
    """
    stance, turn = row.stances[number], matrix(row.plan.places[number])
    whole, accessories = sturdy_figure(stance.name, stance.pose)
    own = (whole, *(accessories[index] for index in row.staying[number]))
    return [each.moved(turn) for each in own]


def matrix(place: Place) -> Array:
    """(3, 4), for points in a figure's own place."""
    return np.column_stack([place.turn(), [place.x, place.y, place.z]]).astype(np.float64)
