"""Several people of one selfie as one toy: a figurine a face on a wide base, left to right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np

from figurine.engines.sculpt import (
    backdrop,
    backend,
    bust,
    compose,
    engraving,
    lineup,
    meshes,
    scene,
)
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.lineup import Formation
from figurine.kits import Camera, Finish, Kit
from figurine.kits.body import Body
from figurine.types import Array, Box, Face, Pixels, Selfie

SPP: Final = 4
"""Denoised at full size they leave as little grain as a single figure's few, since more of what a
pixel shows is cloth; faces are traced again with a single figure's."""
_SPARE_PX = 4
"""Around the squad in what is traced, so that no outline is cut."""
_FINE_PX = 150
"""Faces narrower than this are sketched: finer detail would not be seen."""
UNSEEN_CELL: Final = 0.012
"""Of triangles that face away, in units: larger ones would poke through thin straps."""
_MOST_PX = 400_000
"""Denoised at a time."""
_BACKDROP, _BACKDROP_SPP, _SHADOW_CELL = 0.3, 9, 0.03
"""Size of the traced table, of the picture's, and of triangles that throw shadows on it, in units:
it is soft all over."""


@dataclass(frozen=True)
class Troop:
    """A squad without faces, as it is kept between visitors: kit, finish, size and count."""

    formation: Formation
    bodies: tuple[Any, ...]
    base: Any
    crop_px: Box
    """All of the picture that the squad takes."""
    backdrop: Array
    """(H, W, 3) display sRGB, with the squad's shadow and without the squad."""


@dataclass(frozen=True)
class Picture:
    still: Pixels
    cutout: Pixels


def muster(
    kit: Kit,
    finish: Finish,
    count: int,
    *,
    width_px: int,
    step: Callable[[], None] = lambda: None,
) -> Troop:
    """Line up the bodies of a squad, its base and its backdrop. Raises MissingModel.

    `step` is called before each, and may raise to stop: all of it takes 13 to 20 s.
    """
    step()
    formation, solids = lineup.form(kit, count, width_px=width_px)
    camera, size_px = formation.kit.camera, formation.size_px
    shadow = Shadow(camera, size_px)
    base = next(solids)
    shadow.add(base, finish)
    shapes = []
    for placed in solids:
        step()
        shadow.add(placed, finish)
        thin = meshes.thinned(placed, [camera], size_px, (0, 0, *size_px), cell=UNSEEN_CELL)
        shapes.append(meshes.body_shape(thin, finish))
        del placed, thin
    step()
    return Troop(
        formation=formation,
        bodies=tuple(shapes),
        base=meshes.body_shape(base, finish),
        crop_px=shadow.bounds_px(),
        backdrop=backdrop_of(formation, finish, shadow),
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
    formation = troop.formation
    count = len(formation.stances)
    skin_row = formation.kit.materials.index("skin")
    shapes: dict[str, Any] = {"base": troop.base}
    for number, face in enumerate(selfie.faces):
        progress("sculpting", 0.10 * number / count)
        is_sketch = formation.face_width_px(number) < _FINE_PX
        made = bust_of(formation, number, selfie.pixels, face, finish, is_sketch=is_sketch)
        lap("sculpting")
        palette = finish.palette.copy()
        palette[skin_row] = made.skin
        meshes.recolour(troop.bodies[number], palette)
        shapes[f"body{number}"] = troop.bodies[number]
        shapes[f"head{number}"] = meshes.head_shape(
            made.clay, made.albedo, finish, gloss=made.gloss
        )

    # 2. Cast: set up the studio.
    progress("casting", 0.12)
    backend.give_back()
    studio = scene.stage(
        shapes,
        formation.kit.camera,
        size_px=formation.size_px,
        crop_px=troop.crop_px,
        sampler="multijitter",
        scale=formation.scale,
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
    figure = compose.traced(traced, troop.crop_px, formation.size_px)
    figure = engraving.engrave(figure, name, formation.kit, finish)
    room = compose.room(troop.backdrop, figure.light, figure.alpha, finish)
    still, cutout = compose.still(figure, room, seed=seed)
    lap("finishing")
    progress("finishing", 1.0)
    return Picture(still=still, cutout=cutout)


def bust_of(
    formation: Formation,
    number: int,
    pixels: Pixels,
    face: Face,
    finish: Finish,
    *,
    is_sketch: bool,
) -> Bust:
    """The head of one of a squad, its clay in its place; pixels (H, W, 3) are the selfie's."""
    stance, place = formation.stances[number], formation.plan.places[number]
    head = bust.measure(face, stance)
    made = bust.make(Selfie(pixels, (face,)), head, stance, finish, sketch=is_sketch)
    return replace(made, clay=place.put(made.clay))


class Shadow:
    """What throws a squad's shadow, as coarse `shapes`, since it is soft; and what of the table,
    `size_px` wide and high, is `hidden` (h, w) by it, 0 or 1."""

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
        # And what is between: a plinth's sides have corners far apart. One by one, since where two
        # of several filled at once overlap they leave a hole.
        corners = self._camera.project(rough.vertices, self.size_px)[rough.faces]
        for triangle in np.round(corners).astype(np.int32):
            cv2.fillConvexPoly(self.hidden, triangle, 1)

    def bounds_px(self) -> Box:
        """The part of the picture that all of them take, and some pixels more."""
        low = np.maximum(np.floor(self._low).astype(int) - _SPARE_PX, 0)
        high = np.minimum(np.ceil(self._high).astype(int) + _SPARE_PX, self._whole_px)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        return left, top, right - left, bottom - top


def backdrop_of(formation: Formation, finish: Finish, shadow: Shadow) -> Array:
    """The table with the squad's shadow, (H, W, 3) display sRGB, as a kit's own is baked."""
    shapes, hidden = dict(shadow.shapes), shadow.hidden.copy()
    camera, places = formation.kit.camera, formation.plan.places
    for number, (stance, place) in enumerate(zip(formation.stances, places, strict=True)):
        shapes[f"head{number}"] = backdrop.plain_head(
            stance, finish, bust.template(stance), put=place.put
        )
        x, y = camera.project(place.put(stance.face.centre[None]), shadow.size_px).T
        radius = round(0.6 * formation.face_width_px(number) * _BACKDROP)
        cv2.circle(hidden, (round(float(x[0])), round(float(y[0]))), radius, 1, -1)
    closed = cv2.morphologyEx(hidden, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    table = backdrop.lit(
        shapes,
        camera,
        size_px=shadow.size_px,
        spp=_BACKDROP_SPP,
        alpha=closed.astype(np.float32),
        scale=formation.scale,
    )
    return np.clip(cv2.resize(table, formation.size_px, interpolation=cv2.INTER_CUBIC), 0, 1)
