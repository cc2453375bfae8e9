"""Who of a squad stands where, and the camera that has all of them in the picture.

Two stand side by side; of more, some stand on a hill behind, in the gaps between those before
them: all stay in the selfie's order, and the squad is as tall as the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Final

import numpy as np

from figurine.engines.sculpt import compose, terrain
from figurine.engines.sculpt.terrain import Place, Plan
from figurine.kits import Camera, Kit, Turn, body
from figurine.kits.body import Body
from figurine.types import Array

MOST: Final = 6
_ROWS: Final = {
    2: (0, 0), 3: (0, 1, 0), 4: (0, 1, 0, 1), 5: (0, 1, 2, 1, 0), 6: (0, 2, 1, 0, 2, 1),
}  # fmt: skip
"""Which row each stands in, from left to right; 0 is in front. Of what fits a picture of 4 : 5,
this makes faces largest."""
_RISE: Final = {1: 0.0, 2: 0.52, 3: 0.55}
"""How much higher each row stands, by rows: chins clear the helmets before them."""
_NEAR: Final = {1: 1.0, 2: 0.5, 3: 0.36}
"""How far apart neighbours of different rows stand, of a row's spacing, by rows."""
_DEPTH = 0.62
"""How far a row stands behind the one before it."""
_YAW_DEG = 4.0
"""How far the outermost turn towards the middle."""
_GROWTH = 0.09
"""By how much plinth and plaque grow with each figure, for the name to be read from as far."""
_MARGIN = (0.02, 0.05)
"""Of the picture, left free at the sides and above and below, however far the squad turns: at rest
more is free at the sides."""
SWAY_DEG: Final = 12.0
"""How far a squad turns to either side: further round, the first row would hide the others."""
_WAIST, _VOXEL, _TOUCH = 0.65, 0.04, 14
"""Height from which bodies may share so few cells of that size: sleeves that touch."""
_NARROW, _WIDE = 20, 26
"""Distances between neighbours in a row that are tried, in such cells."""


@dataclass(frozen=True)
class Formation:
    """A squad of a kit, as the camera has it."""

    kit: Kit
    """With the squad's camera and plaque."""
    plan: Plan
    stances: tuple[Kit, ...]
    """A figure each: the kit in its pose."""
    size_px: tuple[int, int]
    scale: float
    """Of the studio's lamps and table: what is wider needs larger ones."""

    def turned(self, deg: float) -> Camera:
        """The camera when the squad has turned so far."""
        return self.kit.camera.turned(Turn(deg, self.plan.middle_z))

    def face_width_px(self, number: int) -> float:
        """How wide a figure's face is in the picture."""
        place, face = self.plan.places[number], self.stances[number].face
        half = np.asarray([face.width / 2, 0, 0], np.float32)
        left, right = self.kit.camera.project(
            place.put(np.stack([face.origin - half, face.origin + half])), self.size_px
        )
        return float(np.linalg.norm(right - left))

    def unit_px(self) -> float:
        """How long a unit is in the picture, where the camera looks."""
        camera = self.kit.camera
        high = 2 * camera.distance * np.tan(np.radians(camera.fov_y_deg) / 2)
        return float(self.size_px[1] / high)


def form(kit: Kit, count: int, *, width_px: int) -> tuple[Formation, Iterator[Body]]:
    """A squad's formation; and its base, then each figure in its place, one after the other, since
    a body as it is baked takes much memory. Raises MissingModel."""
    # 1. Who stands where, and how.
    row, loaded, plan = lined_up(kit, count)
    pieces = {pose: terrain.parted(kit.posed(pose), whole) for pose, whole in loaded.items()}
    ground = terrain.base(plan, row, [loaded[stance.pose] for stance in row])

    # 2. The camera, drawn back until all are in the picture, however far they turn.
    cloud = np.concatenate([solid.vertices[::16] for solid in _solids(plan, row, pieces, ground)])
    turns = [Turn(deg, plan.middle_z) for deg in (-SWAY_DEG, 0.0, SWAY_DEG)]
    camera = framed(kit.camera, np.concatenate([turn.of(cloud) for turn in turns]))
    formation = Formation(
        kit=replace(kit, camera=camera, plaque=plan.plaque(kit.plaque)),
        plan=plan,
        stances=row,
        size_px=(width_px, round(width_px * compose.PLATE_PX[1] / compose.PLATE_PX[0])),
        scale=camera.distance / kit.camera.distance,
    )
    return formation, _solids(plan, row, pieces, ground)


def _solids(
    plan: Plan, row: Sequence[Kit], pieces: dict[str, terrain.Pieces], ground: Body
) -> Iterator[Body]:
    yield ground
    for number, stance in enumerate(row):
        yield terrain.standing(plan, number, pieces[stance.pose])


def lined_up(kit: Kit, count: int) -> tuple[tuple[Kit, ...], dict[str, Body], Plan]:
    """Each figure's stance, the baked bodies by pose, and their places. Raises MissingModel."""
    row = stances(kit, count)
    loaded = {stance.pose: body.load(stance.baked("body.xz")) for stance in row}
    return row, loaded, plan_of(count, spacing=_spacing([loaded[each.pose] for each in row]))


def stances(kit: Kit, count: int) -> tuple[Kit, ...]:
    """The kit in each figure's pose: its poses take turns, from its own."""
    poses = list(kit.poses) or [""]
    start = poses.index(kit.pose)
    return tuple(kit.posed(pose) for pose in islice(cycle(poses[start:] + poses[:start]), count))


def plan_of(count: int, *, spacing: float) -> Plan:
    """The places of a squad of two to MOST, `spacing` apart in a row, and its base's measures."""
    rows = _ROWS[count]
    depth = max(rows) + 1
    growth = 1 + _GROWTH * (count - 1)
    side = terrain.SIDE * growth
    # Packed to the left and packed to the right, and between the two.
    left = _packed(rows, near=spacing * _NEAR[depth], apart=spacing)
    right = _packed(rows[::-1], near=spacing * _NEAR[depth], apart=spacing)
    x = (np.asarray(left) - np.asarray(right)[::-1]) / 2
    half_depth = _DEPTH / 2 * (depth - 1)
    return Plan(
        places=tuple(
            Place(
                x=float(x[number]),
                y=side - terrain.SIDE + row * _RISE[depth],
                z=-row * _DEPTH,
                yaw_deg=float(-_YAW_DEG * x[number] / x[-1]),
            )
            for number, row in enumerate(rows)
        ),
        half_width=float(x[-1]),
        half_depth=half_depth,
        middle_z=-half_depth,
        side=side,
        plaque_scale=growth,
        rise=_RISE[depth],
    )


def _packed(rows: Sequence[int], *, near: float, apart: float) -> list[float]:
    """Places from 0 on, as close as may be: to the one before, and to the last of the same row."""
    x: list[float] = []
    for number, row in enumerate(rows):
        least = [x[-1] + near] if x else [0.0]
        least += [x[other] + apart for other in range(number) if rows[other] == row]
        x.append(max(least))
    return x


def framed(camera: Camera, cloud: Array) -> Camera:
    """The camera moved along its gaze and sideways until the points (N, 3) just fit the picture."""
    towards = camera.eye - camera.target
    towards = towards / np.linalg.norm(towards)
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    width, height = compose.PLATE_PX
    room = 1 - 2 * np.asarray(_MARGIN)
    target, distance = cloud.mean(axis=0), camera.distance
    for _ in range(12):
        moved = Camera(target + towards * distance, target, camera.fov_y_deg)
        seen = moved.project(cloud, compose.PLATE_PX) / (width, height)
        low, high = seen.min(axis=0), seen.max(axis=0)
        unit = 2 * distance * np.tan(np.radians(camera.fov_y_deg) / 2)
        off = (low + high) / 2 - 0.5
        target = target + right * off[0] * unit * width / height - up * off[1] * unit
        distance *= float(((high - low) / room).max())
    return Camera(
        (target + towards * distance).astype(np.float32),
        target.astype(np.float32),
        camera.fov_y_deg,
    )


def _spacing(bodies: Sequence[Body]) -> float:
    """How far apart neighbours in a row stand for their arms not to cross."""
    filled = []
    for each in bodies:
        cells = np.round(each.vertices[each.vertices[:, 1] > _WAIST] / _VOXEL).astype(np.int64)
        filled.append(np.unique(cells @ (1, 1 << 20, 1 << 40)))
    rows = _ROWS[len(bodies)]
    pairs = [
        (filled[number], filled[number + 1 + rows[number + 1 :].index(row)])
        for number, row in enumerate(rows)
        if row in rows[number + 1 :]
    ]
    for steps in range(_NARROW, _WIDE):
        if all(len(np.intersect1d(a, b + steps)) <= _TOUCH for a, b in pairs):
            return steps * _VOXEL
    return _WIDE * _VOXEL
