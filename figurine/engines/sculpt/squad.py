"""Several people of one selfie as one toy: a figurine a face on a wide base, left to right.

Two stand side by side; of more, some stand on a hill behind, in the gaps between those before
them: all stay in the selfie's order, and the squad is as tall as the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any, Final

import cv2
import numpy as np

from figurine.engines.sculpt import (
    backdrop,
    backend,
    bust,
    compose,
    engraving,
    meshes,
    scene,
    terrain,
)
from figurine.engines.sculpt.terrain import Place, Plan
from figurine.kits import Camera, Finish, Kit, body
from figurine.kits.body import Body
from figurine.types import Array, Box, Pixels, Selfie

MOST: Final = 6
SPP: Final = 4
"""Denoised at full size they leave as little grain as a single figure's few, since more of what a
pixel shows is cloth; faces are traced again with a single figure's."""
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
_MARGIN = (0.035, 0.05)
"""Of the picture, left free at the sides and above and below."""
_WAIST, _VOXEL, _TOUCH = 0.65, 0.04, 14
"""Height from which bodies may share so few cells of that size: sleeves that touch."""
_NARROW, _WIDE = 20, 26
"""Distances between neighbours in a row that are tried, in such cells."""
_SPARE_PX = 4
"""Around the squad in what is traced, so that no outline is cut."""
_FINE_PX = 150
"""Faces narrower than this are sketched: finer detail would not be seen."""
_UNSEEN_CELL = 0.012
"""Of triangles that face away, in units: larger ones would poke through thin straps."""
_MOST_PX = 400_000
"""Denoised at a time."""
_BACKDROP, _BACKDROP_SPP, _SHADOW_CELL = 0.3, 9, 0.03
"""Size of the traced table, of the picture's, and of triangles that throw shadows on it, in units:
it is soft all over."""


@dataclass(frozen=True)
class Troop:
    """A squad without faces, as it is kept between visitors: kit, finish, size and count."""

    kit: Kit
    """With the squad's camera and plaque."""
    plan: Plan
    stances: tuple[Kit, ...]
    """A figure each: the kit in its pose."""
    bodies: tuple[Any, ...]
    base: Any
    size_px: tuple[int, int]
    crop_px: Box
    """All of the picture that the squad takes."""
    scale: float
    """Of the studio."""
    backdrop: Array
    """(H, W, 3) display sRGB, with the squad's shadow and without the squad."""


@dataclass(frozen=True)
class Picture:
    still: Pixels
    cutout: Pixels


def muster(kit: Kit, finish: Finish, count: int, *, width_px: int) -> Troop:
    """Line up the bodies of a squad, its base and its backdrop. Raises MissingModel."""
    # 1. Who stands where, and how.
    row, loaded, plan = lined_up(kit, count)

    # 2. The camera, drawn back until all are in the picture.
    size_px = (width_px, round(width_px * compose.PLATE_PX[1] / compose.PLATE_PX[0]))
    pieces = {pose: terrain.parted(kit.posed(pose), whole) for pose, whole in loaded.items()}
    ground = terrain.base(plan, row, [loaded[stance.pose] for stance in row])
    reached = [
        place.put(pieces[stance.pose].figure.vertices[::16])
        for place, stance in zip(plan.places, row, strict=True)
    ]
    camera = framed(kit.camera, [*reached, ground.vertices[::16]])
    scale = _distance(camera) / _distance(kit.camera)
    ours = replace(kit, camera=camera, plaque=plan.plaque(kit.plaque))

    # 3. Shapes, one after the other: a body as it is baked takes much memory.
    shadow = _Shadow(camera, size_px)
    shadow.add(ground, finish)
    shapes = []
    for number, stance in enumerate(row):
        placed = terrain.standing(plan, number, pieces[stance.pose])
        shadow.add(placed, finish)
        thin = meshes.thinned(placed, [camera], size_px, (0, 0, *size_px), cell=_UNSEEN_CELL)
        shapes.append(meshes.body_shape(thin, finish))
    del loaded, pieces, placed, thin
    troop = Troop(
        kit=ours,
        plan=plan,
        stances=row,
        bodies=tuple(shapes),
        base=meshes.body_shape(ground, finish),
        size_px=size_px,
        crop_px=shadow.bounds_px(),
        scale=scale,
        backdrop=np.zeros(0),
    )
    return replace(troop, backdrop=_backdrop(troop, finish, shadow))


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


def framed(camera: Camera, points: Sequence[Array]) -> Camera:
    """The camera moved along its gaze and sideways until the points just fit the picture."""
    cloud = np.concatenate(points)
    towards = camera.eye - camera.target
    towards = towards / np.linalg.norm(towards)
    right = np.cross([0, 1, 0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    width, height = compose.PLATE_PX
    room = 1 - 2 * np.asarray(_MARGIN)
    target, distance = cloud.mean(axis=0), _distance(camera)
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


def paint(
    troop: Troop,
    finish: Finish,
    selfie: Selfie,
    *,
    name: str,
    spp: int,
    seed: int,
    progress: Callable[[str, float], None],
    lap: Callable[[str], None],
) -> Picture:
    """A figurine of each of the selfie's faces, on one base. Raises BadPlaque.

    `progress` hears stage and share done, and may raise to stop; `lap` hears that a stage is over.
    """
    # 1. Measure and sculpt each head.
    count = len(troop.stances)
    skin_row = troop.kit.materials.index("skin")
    shapes: dict[str, Any] = {"base": troop.base}
    for number, face in enumerate(selfie.faces):
        stance, place = troop.stances[number], troop.plan.places[number]
        progress("measuring", 0.10 * number / count)
        head = bust.measure(face, stance)
        lap("measuring")
        progress("sculpting", 0.10 * (number + 0.5) / count)
        sketch = face_width_px(troop, number) < _FINE_PX
        made = bust.make(Selfie(selfie.pixels, (face,)), head, stance, finish, sketch=sketch)
        lap("sculpting")
        palette = finish.palette.copy()
        palette[skin_row] = made.skin
        meshes.recolour(troop.bodies[number], palette)
        shapes[f"body{number}"] = troop.bodies[number]
        shapes[f"head{number}"] = meshes.head_shape(
            place.put(made.clay), made.albedo, finish, gloss=made.gloss
        )

    # 2. Cast: set up the studio.
    progress("casting", 0.12)
    backend.give_back()
    studio = scene.stage(
        shapes,
        troop.kit.camera,
        size_px=troop.size_px,
        crop_px=troop.crop_px,
        sampler="multijitter",
        scale=troop.scale,
    )
    lap("casting")

    # 3. Light it.
    progress("painting", 0.25)
    seen = scene.exposed(studio, spp=spp, seed=seed)
    del studio  # with the denoiser at its side it would be too large
    progress("painting", 0.73)
    traced = scene.cleaned(seen, finish=finish, most_px=_MOST_PX)
    del seen
    progress("painting", 0.85)
    lap("painting")

    # 4. The name on, onto the backdrop.
    progress("finishing", 0.88)
    figure = compose.traced(traced, troop.crop_px, troop.size_px)
    figure = engraving.engrave(figure, name, troop.kit, finish)
    room = compose.room(troop.backdrop, figure.light, figure.alpha, finish)
    still, cutout = compose.still(figure, room, seed=seed)
    lap("finishing")
    progress("finishing", 1.0)
    return Picture(still=still, cutout=cutout)


def face_width_px(troop: Troop, number: int) -> float:
    """How wide a figure's face is in the picture."""
    place, face = troop.plan.places[number], troop.stances[number].face
    half = np.asarray([face.width / 2, 0, 0], np.float32)
    left, right = troop.kit.camera.project(
        place.put(np.stack([face.origin - half, face.origin + half])), troop.size_px
    )
    return float(np.linalg.norm(right - left))


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


def _distance(camera: Camera) -> float:
    return float(np.linalg.norm(camera.eye - camera.target))


class _Shadow:
    """What throws a squad's shadow, coarse as shadows are soft, and what it hides of the table."""

    def __init__(self, camera: Camera, size_px: tuple[int, int]) -> None:
        self.shapes: dict[str, Any] = {}
        self.size_px = (round(size_px[0] * _BACKDROP), round(size_px[1] * _BACKDROP))
        self.hidden = np.zeros(self.size_px[::-1], np.uint8)
        self._camera, self._whole_px = camera, size_px
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, solid: Body, finish: Finish) -> None:
        rough = solid.coarser(np.ones(len(solid.faces), np.bool_), cell=_SHADOW_CELL)
        self.shapes[f"solid{len(self.shapes)}"] = meshes.body_shape(rough, finish)
        seen = self._camera.project(solid.vertices, self._whole_px)
        self._low = np.minimum(self._low, seen.min(axis=0))
        self._high = np.maximum(self._high, seen.max(axis=0))
        x, y = np.clip((seen * _BACKDROP).astype(int), 0, np.asarray(self.size_px) - 1).T
        self.hidden[y, x] = 1

    def bounds_px(self) -> Box:
        """The part of the picture that all of them take, and some pixels more."""
        low = np.maximum(np.floor(self._low).astype(int) - _SPARE_PX, 0)
        high = np.minimum(np.ceil(self._high).astype(int) + _SPARE_PX, self._whole_px)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        return left, top, right - left, bottom - top


def _backdrop(troop: Troop, finish: Finish, shadow: _Shadow) -> Array:
    """The table with the squad's shadow, as a kit's own is baked."""
    shapes, hidden = dict(shadow.shapes), shadow.hidden.copy()
    for number, (stance, place) in enumerate(zip(troop.stances, troop.plan.places, strict=True)):
        shapes[f"head{number}"] = backdrop.plain_head(
            stance, finish, bust.template(stance), put=place.put
        )
        x, y = troop.kit.camera.project(place.put(stance.face.centre[None]), shadow.size_px).T
        radius = round(0.6 * face_width_px(troop, number) * _BACKDROP)
        cv2.circle(hidden, (round(float(x[0])), round(float(y[0]))), radius, 1, -1)
    closed = cv2.morphologyEx(hidden, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    table = backdrop.lit(
        shapes,
        troop.kit.camera,
        size_px=shadow.size_px,
        spp=_BACKDROP_SPP,
        alpha=closed.astype(np.float32),
        scale=troop.scale,
    )
    return np.clip(cv2.resize(table, troop.size_px, interpolation=cv2.INTER_CUBIC), 0, 1)
