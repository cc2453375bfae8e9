"""A bust's clay as a closed head: its back rounded off, the gap up to a helmet filled.

The clay is a sheet from ear to ear. Seen from the head's centre it goes on in rings to straight
behind, in the shape of the kit's own head. Where a helmet or hood hangs close above it, it swells
up to it like a liner, so that a print is one piece and nobody looks into a hollow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

import cv2
import numpy as np

from figurine.engines.sculpt import bust, surface
from figurine.engines.sculpt.geometry.meshes import Mesh, from_solid, normals, solid, thinned
from figurine.kits import Kit, casting, load
from figurine.kits.body import Body
from figurine.kits.solids import Solid
from figurine.types import Array

_RINGS = 24
_RIM = (0.95, 1.25)
"""Of the oval where head and kit agree: from and to here the clay turns into the kit's own head.
Beyond it the spline swings, unseen from the front."""
_LINER_STEP_DEG = 2.0
_LINER_FROM = 0.6
"""Units from the head's centre within which a helmet is looked for."""
_LINER_REACH = 0.10
"""Largest gap, in units, that a liner fills; the soldier's helmet leaves 0.05."""
_LINER_BITE = 0.006
"""How far it reaches into the helmet: overlapping solids join, touching ones may not."""
_LINER_RAMP_DEG = (5.0, 13.0)
"""From and to this far under the helmet it swells: hidden by the brim from the front."""
_LINER_LOWEST = -0.12
"""Height of a direction under which it is a collar that is near, not a helmet."""
_FACING = -0.25
"""Cosine between normal and ray of a surface that looks at the head."""


_SLIVER = 0.0002
"""Units (6 um): where the rings meet behind, triangles so narrow that none of them can be dropped
for its neighbours' sake are closed up first."""


@dataclass(frozen=True)
class Liner:
    """What hangs over the head, on a square map of all directions (degrees from straight up)."""

    radius: Array
    """(N, N) distance of its inner side from the centre."""
    cover: Array
    """(N, N) 0..1: 0 outside, 1 well under it."""
    material: int
    """Index into the kit's materials, of what is over the head; -1 where nothing is."""


@dataclass(frozen=True)
class Skull:
    mesh: Mesh
    degrees: Array
    """(V, 2) direction of each vertex."""
    lined: Array
    """(V,) 0..1: how much of it is liner."""


def liner(body: Body, kit: Kit) -> Liner:
    """The inner side of whatever hangs close over the head."""
    # 1. Surfaces that look at the centre from near by.
    offsets = body.vertices - kit.face.centre
    near = np.linalg.norm(offsets, axis=1) < _LINER_FROM
    faces = body.faces[near[body.faces].all(axis=1)]
    facing = normals(Mesh(body.vertices, faces))[near]
    radius = np.linalg.norm(offsets[near], axis=1)
    rays = offsets[near] / radius[:, None]
    inner = (np.einsum("ij,ij->i", facing, rays) < _FACING) & (rays[:, 1] > _LINER_LOWEST)
    template = np.median(bust.template(kit))
    inner &= (radius > 0.8 * template) & (radius < 2.0 * template)
    inner &= body.material[near] != kit.materials.index("skin")  # a hand raised to the brim

    # 2. The nearest of them in each direction.
    size = round(360 / _LINER_STEP_DEG) + 1
    cells = np.round(_from_above(rays[inner])).astype(int)
    nearest = np.full((size, size), np.inf, np.float32)
    np.minimum.at(nearest, (cells[:, 1], cells[:, 0]), radius[inner])
    found = np.isfinite(nearest).astype(np.uint8)
    whole = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, patches, stats, _ = cv2.connectedComponentsWithStats(whole)
    if count < 2 or not inner.any():
        return Liner(np.zeros((size, size), np.float32), np.zeros((size, size), np.float32), -1)
    largest = patches == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())

    # 3. Smooth, and fading in from the rim.
    known = (largest & np.isfinite(nearest)).astype(np.float32)
    spread = cv2.GaussianBlur(np.where(known > 0, nearest, 0).astype(np.float32), (0, 0), 1.2)
    smooth = np.asarray(spread / np.maximum(cv2.GaussianBlur(known, (0, 0), 1.2), 1e-3))
    depth = cv2.distanceTransform(largest.astype(np.uint8), cv2.DIST_L2, 5)
    cover = _ramp(depth * _LINER_STEP_DEG, *_LINER_RAMP_DEG) * largest.astype(np.float32)
    return Liner(smooth, cover, int(np.bincount(body.material[near][inner]).argmax()))


def skull(clay: Array, kit: Kit, over: Liner) -> Skull:
    """The clay (rows, columns, 3) as a closed, star-shaped mesh in the kit's units."""
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - heavy, and only in a worker

    # 1. The clay, and rings outside its rim up to the point straight behind, in the kit's shape.
    rows, columns = clay.shape[:2]
    index, rim, degrees = _directions()
    rays = surface.directions(degrees)
    own = _own_radius(kit.name)
    apart = np.linalg.norm((clay - kit.face.centre).reshape(-1, 3), axis=1) - own[: rows * columns]
    around = len(degrees) - rows * columns - 1
    apart = np.concatenate([apart, np.tile(apart[rim], around // len(rim)), [0]])
    radius = own + apart * (1 - _ramp(_reach(degrees), *_RIM))

    # 2. Triangles: the clay's squares, the rings' squares, and a fan behind.
    square = (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
    first = rows * columns
    loops = np.concatenate([rim[None], first + np.arange(around).reshape(-1, len(rim))])
    after = np.roll(loops, -1, axis=1)
    between = (loops[1:], after[1:], after[:-1], loops[:-1])
    last = np.full(len(rim), len(degrees) - 1)
    faces = np.concatenate(
        [*_halves(*square), *_halves(*between), np.stack([last, after[-1], loops[-1]], axis=1)]
    )

    # 3. Up to the helmet.
    at = _from_above(rays)[:, ::-1].T
    gap = map_coordinates(over.radius, at, order=1) + _LINER_BITE - radius
    cover = map_coordinates(over.cover, at, order=1)
    cover = cover * ((gap > 0) & (gap < _LINER_REACH + _LINER_BITE))
    points = kit.face.centre + rays * (radius + cover * gap)[:, None]
    return Skull(Mesh(points.astype(np.float32), faces.astype(np.int64)), degrees, cover)


def _from_above(rays: Array) -> Array:
    """Column and row (N, 2) of directions on a Liner's map."""
    degrees, _ = surface.to_degrees(rays[:, [0, 2, 1]])
    return np.asarray((degrees + 180) / _LINER_STEP_DEG)


@cache
def _directions() -> tuple[Array, Array, Array]:
    """The clay's indices (rows, columns), those of its rim in a loop, and the direction (N, 2) of
    every point in degrees: the clay's, the rings' and the one straight behind."""
    front = bust.CLAY.degrees().reshape(-1, 2)
    index = np.arange(len(front)).reshape(bust.CLAY.shape)
    rim = np.concatenate([index[0, :-1], index[:-1, -1], index[-1, :0:-1], index[:0:-1, 0]])
    away = np.linalg.norm(front[rim], axis=1)
    steps = np.arange(1, _RINGS)[:, None] / _RINGS
    rings = front[rim][None] * (1 + (180 / away - 1)[None] * steps)[..., None]
    return index, rim, np.concatenate([front, rings.reshape(-1, 2), [[0, 180]]]).astype(np.float32)


def _reach(degrees: Array) -> Array:
    """(N,) 1 on the oval where the fitted head is pinned to the kit's own; see surface.sculpt."""
    _, bottom, right, top = surface.SPAN_DEG
    tall = np.where(degrees[:, 1] < 0, -bottom, top)
    return np.asarray(np.hypot(degrees[:, 0] / right, degrees[:, 1] / tall))


def _ramp(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@cache
def _own_radius(name: str) -> Array:
    """(N,) the kit's own head, what every face is sculpted onto, in all directions."""
    sculpted: Solid = import_module(f"figurine.kits.{name}.sculpt").head()
    rays = surface.directions(_directions()[2])
    return casting.radial_map(sculpted, origin=load(name).face.centre, directions=rays, reach=1.0)


def light(whole: Mesh, *, faces: int) -> Mesh:
    """A skull's mesh with about so many triangles, most of them in the face."""
    return thinned(from_solid(solid(whole).simplify(_SLIVER)), faces=faces)


def _halves(a: Array, b: Array, c: Array, d: Array) -> list[Array]:
    return [
        np.stack([a, b, c], axis=-1).reshape(-1, 3),
        np.stack([a, c, d], axis=-1).reshape(-1, 3),
    ]
