"""The wide base under a squad: plinth, ground and plaque, made out of the kit's own narrow one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from figurine.kits import Kit
from figurine.kits.body import Body
from figurine.types import Array

ROUND = (0.6, 0.4615)
"""Half axes of a kit's plinth: the corners of the wide one."""
SIDE = 0.13
"""Height of a plinth's side."""
_GROUND_AT, _INSET, _ROUNDING = 0.145, 0.04, 0.022
"""Level ground of a kit, how far inside the plinth's edge it ends, and both edges' radius."""
_STEP = 0.011
"""Between the ground's vertices, in units: the grain takes four."""
_CELL = 0.012
"""Of the height map of a kit's ground."""
_REACH = 0.86
"""Of a kit's ground ellipse, how much a figure brings with it; beyond, all grounds blend."""
_SLOPE = 0.14
"""How far back the hill takes to rise by a row."""
_BLOCK, _STEEP = 0.19, 3.2
"""Size of the hill's blocks of rock, and how much higher than deep its slope is."""
_SHELF = 0.30
"""How far around its middle a figure on the hill needs level ground."""
_PLAQUE_BOX = (0.348, 0.425, 0.124, 0.464)
"""A kit's plaque lies within this |x|, beyond this z and, below this height, beyond that z."""
_PROUD = 0.003
"""How far the plaque's back stands off the plinth, so that no two surfaces coincide."""
_RISING = 0.25
"""Pieces that begin higher over a figure's zero are worn: helmets, not grass."""
_CRUMB = 40
"""Triangles: pieces of fewer are what is left of moss or dust on the ground."""
_UNEVEN = 0.03
"""How much higher or lower than a figure the ground under its accessories may be."""
_FAR, _TALL, _ELBOW = 0.34, 0.30, 0.62
"""A figure's accessories stay where they are this far from every other's middle; where they are
taller than that, only beyond this, at an end of the squad."""


@dataclass(frozen=True)
class Place:
    """Where a figure stands: its middle, the ground under it, and which way it turns."""

    x: float
    y: float
    z: float
    yaw_deg: float

    def turn(self) -> Array:
        c, s = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        return np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)

    def put(self, points: Array) -> Array:
        """Points (…, 3) of a figure, in its place."""
        at = np.asarray([self.x, self.y, self.z], np.float32)
        return np.asarray(points @ self.turn().T + at, np.float32)


@dataclass(frozen=True)
class Plan:
    """A wide plinth's measures, in units: a rectangle of half width and depth around a middle,
    rounded by a kit's plinth."""

    places: tuple[Place, ...]
    half_width: float
    half_depth: float
    middle_z: float
    side: float
    """Height of its side."""
    plaque_scale: float
    rise: float
    """How much higher each row stands than the one before it."""

    @property
    def front_z(self) -> float:
        return self.middle_z + self.half_depth

    def lifted(self) -> float:
        return self.side - SIDE

    def plaque(self, corners: Array) -> Array:
        """Points of a kit's plaque (…, 3), in its place on the wide plinth."""
        scale = self.plaque_scale
        about = np.asarray([0, 0, ROUND[1]], np.float32)
        to = np.asarray([0, 0, ROUND[1] + self.front_z + _PROUD], np.float32)
        return np.asarray((corners - about) * scale + to, np.float32)


def base(plan: Plan, kits: Sequence[Kit], bodies: Sequence[Body]) -> Body:
    """Plinth, ground and plaque under the bodies, each from its kit, as one mesh of many shells."""
    return joined(shells(plan, kits, bodies))


def shells(plan: Plan, kits: Sequence[Kit], bodies: Sequence[Body]) -> tuple[Body, Body, Body]:
    """Plinth, ground and plaque, each open where another is behind it."""
    kit = kits[0]
    soil, stand = kit.materials.index("ground"), kit.materials.index("base")
    maps = {each.pose: _heights(body, soil) for each, body in zip(kits, bodies, strict=True)}
    ground = _ground(plan, [maps[each.pose] for each in kits])
    plaque, plaque_faces = _plaque(bodies[0], stand)
    return (
        _plain(*_plinth(plan), stand),
        _plain(*ground, soil),
        _plain(plan.plaque(plaque), plaque_faces, stand),
    )


def _plain(points: Array, faces: Array, material: int) -> Body:
    row = np.full(len(points), material, np.uint8)
    return Body(
        vertices=points.astype(np.float32),
        faces=faces.astype(np.int32),
        material=row,
        other_material=row,
        share=np.full(len(points), 255, np.uint8),
    )


@dataclass(frozen=True)
class Pieces:
    """A kit's body taken apart, without its plinth and ground."""

    figure: Body
    accessories: tuple[Body, ...]
    """What stands beside it on its ground: grass, stones, a flag."""


def parted(kit: Kit, whole: Body) -> Pieces:
    """Take a body apart: what rises from the ground beside the figure is an accessory."""
    own = [kit.materials.index("ground"), kit.materials.index("base")]
    under = np.isin(whole.material, own) & (whole.share > 127)
    faces = whole.faces[~under[whole.faces].all(axis=1)]
    count = len(whole.vertices)
    pairs = np.concatenate([faces[:, :2], faces[:, 1:]]).T
    links = coo_matrix((np.ones(len(pairs[0]), np.bool_), pairs), shape=(count, count))
    number, piece = connected_components(links, directed=False)
    of_face = piece[faces[:, 0]]
    sizes = np.bincount(of_face, minlength=number)
    lowest = np.full(number, np.inf, np.float32)
    np.minimum.at(lowest, piece, whole.vertices[:, 1])
    rising = (lowest < _RISING) & (sizes > _CRUMB)
    rising[sizes.argmax()] = False
    worn = (lowest >= _RISING) | (np.arange(number) == sizes.argmax())
    return Pieces(
        figure=whole.part(faces[worn[of_face]]),
        accessories=tuple(whole.part(faces[of_face == each]) for each in np.flatnonzero(rising)),
    )


def standing(plan: Plan, number: int, pieces: Pieces) -> Body:
    """A figure in its place, with what of its accessories has room there."""
    own = [pieces.accessories[index] for index in staying(plan, number, pieces)]
    whole = joined([pieces.figure, *own])
    return replace(whole, vertices=plan.places[number].put(whole.vertices))


def staying(plan: Plan, number: int, pieces: Pieces) -> tuple[int, ...]:
    """Which of a figure's accessories have room in its place: indices."""
    place = plan.places[number]
    others = [(each.x, each.z) for each in plan.places if each is not place]
    found = []
    for index, each in enumerate(pieces.accessories):
        points = place.put(each.vertices)
        low, high = points.min(axis=0), points.max(axis=0)
        x, z = np.meshgrid([low[0], high[0]], [low[2], high[2]])
        rise, _ = _hill(plan, x.ravel(), z.ravel(), _inside(plan, x.ravel(), z.ravel()))
        on_level = bool((np.abs(rise - (place.y - plan.lifted())) < _UNEVEN).all())
        tall = high[1] - place.y > _TALL
        if on_level and min(_away(low, high, other) for other in others) > (
            _ELBOW if tall else _FAR
        ):
            found.append(index)
    return tuple(found)


def joined(bodies: Sequence[Body]) -> Body:
    """Bodies of one kit as one."""
    first = np.cumsum([0, *(len(each.vertices) for each in bodies)])
    return Body(
        vertices=np.concatenate([each.vertices for each in bodies]),
        faces=np.concatenate(
            [each.faces + start for each, start in zip(bodies, first, strict=False)]
        ).astype(np.int32),
        material=np.concatenate([each.material for each in bodies]),
        other_material=np.concatenate([each.other_material for each in bodies]),
        share=np.concatenate([each.share for each in bodies]),
    )


def _away(low: Array, high: Array, point: tuple[float, float]) -> float:
    """From a point on the ground (x, z) to a box."""
    x, z = point
    return float(np.hypot(max(low[0] - x, x - high[0], 0), max(low[2] - z, z - high[2], 0)))


def outline(plan: Plan) -> tuple[Array, Array]:
    """The plinth seen from above: its edge (K, 2) as x, z, and the points (K, 2) on its spine that
    face them. Evenly spaced along the edge."""
    a, b = ROUND
    quarter = np.linspace(0, np.pi / 2, 160)
    corner = np.stack([a * np.cos(quarter), b * np.sin(quarter)], axis=1)
    w, d = plan.half_width, plan.half_depth
    right = corner + np.asarray([w, d])
    half = np.concatenate([right, (right * [-1, 1])[::-1]])
    edge = np.concatenate([half, (half * [1, -1])[::-1]])
    edge = np.concatenate([edge, edge[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(edge, axis=0), axis=1))])
    at = np.linspace(0, along[-1], int(along[-1] / _STEP), endpoint=False)
    even = np.stack([np.interp(at, along, edge[:, i]) for i in range(2)], axis=1)
    # The spine is short of the rounded ends, so that spokes fan out there.
    spine = np.stack([np.clip(even[:, 0], -w, w), np.zeros(len(even))], axis=1)
    shift = (0, plan.middle_z)
    return (even + shift).astype(np.float32), (spine + shift).astype(np.float32)


def _plinth(plan: Plan) -> tuple[Array, Array]:
    bend = np.linspace(0, np.pi / 2, 6)
    r, top = _ROUNDING, plan.side
    profile = [
        *((r * (1 - np.sin(t)), r * (1 - np.cos(t))) for t in bend),
        *((r * (1 - np.cos(t)), top - r * (1 - np.sin(t))) for t in bend),
        (0.2, top),
    ]
    edge, _ = outline(plan)
    rings = []
    for inset, y in profile:
        x, z = _shrunk(plan, edge, inset).T
        rings.append(np.stack([x, np.full(len(x), y), z], axis=1))
    return _lofted(rings)


def _shrunk(plan: Plan, edge: Array, inset: float) -> Array:
    """An edge moved inwards: exactly on straight sides, and as the ellipse shrinks in corners."""
    shift = np.asarray([0, plan.middle_z], np.float32)
    local = edge - shift
    core = np.clip(local, (-plan.half_width, -plan.half_depth), (plan.half_width, plan.half_depth))
    a, b = ROUND
    round_ = (local - core) * ((a - inset) / a, (b - inset) / b)
    return np.asarray(core + round_ + shift, np.float32)


def _lofted(rings: Sequence[Array]) -> tuple[Array, Array]:
    """A skin through rings of equally many points, from below to above."""
    count, points = len(rings), len(rings[0])
    index = np.arange(count * points).reshape(count, points)
    here, there = index, np.roll(index, -1, axis=1)
    a, b, c, d = here[:-1], there[:-1], here[1:], there[1:]
    faces = [np.stack(each, -1).reshape(-1, 3) for each in ((a, c, b), (b, c, d))]
    return np.concatenate(rings), np.concatenate(faces)


def _inside(plan: Plan, x: Array, z: Array) -> Array:
    """About how far points lie inside the ground's edge, at the least."""
    a, b = ROUND
    u = np.maximum(np.abs(x) - plan.half_width, 0) / a
    v = np.maximum(np.abs(z - plan.middle_z) - plan.half_depth, 0) / b
    return np.asarray((1 - np.hypot(u, v)) * b - _INSET, np.float32)


def _ground(plan: Plan, maps: Sequence[Array]) -> tuple[Array, Array]:
    edge, spine = outline(plan)
    edge = _shrunk(plan, edge, _INSET)
    reach = np.linalg.norm(edge - spine, axis=1)
    # Twice as many on a hill, whose slopes they climb.
    count = int(np.percentile(reach, 90) / _STEP * (2 if plan.rise else 1))
    # Close together at the edge, where the ground rounds off into its side.
    shares = np.concatenate([np.linspace(0, 0.97, count), np.linspace(0.972, 1, 8)])
    rings = []
    for share in shares[::-1]:
        here = spine + (edge - spine) * share
        inside = (1 - share) * reach
        y = _height(plan, here, inside, maps)
        rings.append(np.stack([here[:, 0], y, here[:, 1]], axis=1))
    foot = rings[0].copy()
    foot[:, 1] = plan.side - 0.02
    return _lofted([foot, *rings])


def _height(plan: Plan, here: Array, inside: Array, maps: Sequence[Array]) -> Array:
    """Of the ground at points (K, 2) that lie so far inside its edge."""
    x, z = here.T
    level = _GROUND_AT + plan.lifted()
    # 1. The hill: up behind each row, down again before the edge.
    rise, steep = _hill(plan, x, z, inside)

    # 2. Its texture: each figure's own ground around it, plain lumps elsewhere.
    lumps = 0.008 * _noise(x, z, 0.42) + 0.003 * _noise(z, x, 0.17)
    grain = 0.002 * _noise(x, z, 0.052) * _noise(z + 0.6 * x, x, 0.043)
    total, shares = (lumps + grain) * 0.15, np.full(len(x), 0.15, np.float32)
    for place, heights in zip(plan.places, maps, strict=True):
        local = np.stack([x - place.x, np.zeros(len(x)), z - place.z], axis=1) @ place.turn()
        u, v = local[:, 0], local[:, 2]
        far = np.hypot(u / ROUND[0], v / ROUND[1])
        share = np.exp(-((far / 0.62) ** 6)) * (far < _REACH)
        same = np.abs(rise - (place.y - plan.lifted())) < 0.1
        total = total + share * same * _looked_up(heights, u, v)
        shares = shares + share * same
    texture = total / shares
    y = level + rise + texture * (1 - steep)

    # 3. Rounded off at the edge.
    drop = np.clip(1 - inside / _ROUNDING, 0, 1)
    return np.asarray(y - _ROUNDING * (1 - np.sqrt(np.clip(1 - drop**2, 0, 1))), np.float32)


def _hill(plan: Plan, x: Array, z: Array, inside: Array) -> tuple[Array, Array]:
    """How far the ground rises at points above its level, and how steeply, 0..1."""
    rise, steep = np.zeros(len(x), np.float32), np.zeros(len(x), np.float32)
    crags = 0.05 * _noise(x + 0.2 * z, z, 0.55) + 0.010 * _noise(x, 3 * z + 7, 0.06)
    crags = crags + _blocks(x, _STEEP * z)
    for height in sorted({place.y for place in plan.places} - {plan.lifted()}):
        on_it = [place for place in plan.places if place.y >= height]
        front = max(place.z for place in on_it) + _SHELF
        left, right = (end(place.x for place in on_it) for end in (min, max))
        beyond = np.maximum(z - front, np.maximum(left - _SHELF - x, x - right - _SHELF))
        part = _ramp(1 - (beyond + crags) / _SLOPE) * _ramp((inside - 0.02) / 0.12)
        # Ledges, as of layers of stone.
        part = part + 0.05 * np.sin(part * 6 * np.pi) * np.clip(part * (1 - part) * 6, 0, 1)
        rise = rise + plan.rise * part
        steep = np.maximum(steep, np.clip(5 * part * (1 - part), 0, 1))
    return rise, steep


def _blocks(x: Array, z: Array) -> Array:
    """How far blocks of rock stand back, in units. Source: S. Worley, "A cellular texture basis
    function", 1996, with softened borders."""
    total, shares = np.zeros(len(x)), np.zeros(len(x))
    u, v = x / _BLOCK, z / _BLOCK
    for i, j in np.ndindex(3, 3):
        column, row = np.floor(u) + i - 1, np.floor(v) + j - 1
        seed = column * 127.1 + row * 311.7
        across, along, out = (np.sin(seed * k) * 43758.5453 % 1 for k in (1.0, 1.37, 1.91))
        share = np.exp(-14 * np.hypot(column + across - u, row + along - v)) + 1e-9
        total += share * out
        shares += share
    return np.asarray(0.07 * (0.5 - total / shares), np.float32)


def _heights(body: Body, soil: int) -> Array:
    """A kit's ground over its level as a map: rows are z, columns x, _CELL apart, 0 in the middle.

    Under feet and stones, where there is none, as around them."""
    x, y, z = body.vertices[(body.material == soil) & (body.vertices[:, 1] > 0.09)].T
    columns, rows = (2 * int(side / _CELL) + 1 for side in ROUND)
    i, j = (np.clip(np.round(v / _CELL).astype(int) + n // 2, 0, n - 1)
            for v, n in ((z, rows), (x, columns)))  # fmt: skip
    count, total = np.zeros((rows, columns)), np.zeros((rows, columns))
    np.add.at(count, (i, j), 1.0)
    np.add.at(total, (i, j), y - _GROUND_AT)
    known = total / np.maximum(count, 1)
    seen = (count > 0).astype(np.float32)
    filled = known.astype(np.float32)
    for sigma in (8, 4, 2, 1):
        near = cv2.GaussianBlur(seen, (0, 0), sigma)
        spread = cv2.GaussianBlur((known * seen).astype(np.float32), (0, 0), sigma)
        filled = np.where(seen > 0, known, np.where(near > 0.08, spread / (near + 1e-6), filled))
    return np.asarray(np.clip(filled, -0.05, 0.06), np.float32)


def _looked_up(heights: Array, x: Array, z: Array) -> Array:
    rows, columns = heights.shape
    column = (x / _CELL + columns // 2).astype(np.float32)
    row = (z / _CELL + rows // 2).astype(np.float32)
    found = cv2.remap(
        heights, column[None], row[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found[0])


def _plaque(body: Body, stand: int) -> tuple[Array, Array]:
    """The plaque's part of a kit's plinth: points, faces."""
    x, y, z = body.vertices.T
    wide, top, low, front = _PLAQUE_BOX
    inside = (np.abs(x) < wide) & (z > top) & ((y > low) | (z > front)) & (body.material == stand)
    faces = body.faces[inside[body.faces].all(axis=1)]
    used, index = np.unique(faces, return_inverse=True)
    return body.vertices[used], index.reshape(-1, 3).astype(np.int32)


def _ramp(t: Array) -> Array:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _noise(x: Array, z: Array, size: float) -> Array:
    """As `solids.noise` has it, in the plane."""
    u, v = x * (2 * np.pi / size), z * (2 * np.pi / size)
    return np.asarray(
        (
            np.sin(u * 0.81 + np.sin(v * 0.63 + 1.7) * 1.3)
            + np.sin(v * 0.93 + np.sin(u * 0.71 + 0.4) * 1.3)
        )
        / 2,
        np.float32,
    )
