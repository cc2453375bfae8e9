"""The embedded engine: a selfie sculpted onto a kit and path-traced on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from figurine import kits, lettering, recipes
from figurine.engines.base import Format, Progress, silent
from figurine.engines.sculpt import (
    backend,
    bust,
    compose,
    engraving,
    geometry,
    lineup,
    meshes,
    motion,
    reel,
    scene,
    squad,
    subjects,
)
from figurine.errors import BigSquad, NoFace
from figurine.kits import Finish, Kit, body
from figurine.types import Candidate, Clip, Recipe, Selfie

_SPP = 6
"""Well spread and denoised they leave less grain than 12 of chance: an error of 4.1 of 255 against
4.4. 8 do as well; 12 would leave 3.5, for half a second more."""
_DEFAULT_WIDTH_PX = 1080
_KEPT_BYTES = 320_000_000
"""Of moulds kept in memory. At full size one has 44 MB, 62 where skin is bare: every look of one
kit in one pose. As a sketch it has 11 or 16: every look of all kits, 290 MB."""
_TROOPS_KEPT = 1
"""Squads without faces kept in memory."""
_HEAD_FROM = 0.98
"""Height in units below which nothing reaches the face: left out of its scene."""


@dataclass
class _Mould:
    """What is kept between visitors for one kit in one pose and finish at one size."""

    plates: compose.Plates
    body: Any

    @property
    def bytes(self) -> int:
        plates = self.plates
        pictures = (plates.light, plates.alpha, plates.skin, plates.backdrop)
        held = sum(picture.nbytes for picture in pictures if picture is not None)
        corners, triangles = self.body.vertex_count(), self.body.face_count()
        return int(held + corners * _CORNER_BYTES + triangles * _TRIANGLE_BYTES)


_CORNER_BYTES = (3 + 3 + 2) * 4
"""Place, normal and texture's place, as `meshes.mesh` has them."""
_TRIANGLE_BYTES = 3 * 4


class SculptEngine:
    name = "sculpt"
    version = "5"

    def __init__(self) -> None:
        self._moulds: dict[tuple[str, str, str, int], _Mould] = {}
        """The least recently used one first."""
        self._troops: dict[tuple[str, str, str, int, int], squad.Troop] = {}

    def warm_up(self, *, width_px: int = _DEFAULT_WIDTH_PX) -> None:
        """Load what figurines of this width are made with, and the first finish of every kit.
        Raises MissingModel."""
        for name in kits.names():
            kit = kits.load(name)
            self._mould(kit, next(iter(kit.finishes.values())), width_px)

    def generate(
        self,
        selfie: Selfie,
        recipe: Recipe,
        *,
        seeds: Sequence[int],
        progress: Progress = silent,
    ) -> list[Candidate]:
        """One figurine a seed: of the selfie's face, or of all of them as a squad on one base.

        Options: `pose`, `width_px` (the height follows), `spp` in all.
        Raises NoFace, BigSquad, UnknownKit, BadPlaque, MissingModel, and whatever `progress`
        raises.
        """
        kit, finish = _checked(selfie, recipe)
        candidates: list[Candidate] = []
        for seed in seeds:

            def share(stage: str, done: float, made: int = len(candidates)) -> None:
                progress(stage, (made + done) / len(seeds))

            make = self._figurine if len(selfie.faces) == 1 else self._squad
            candidates.append(make(selfie, recipe, kit, finish, seed, share))
        return candidates

    def geometry(
        self,
        selfie: Selfie,
        recipe: Recipe,
        *,
        format: Format,
        progress: Progress = silent,
    ) -> bytes:
        """The figurine of the selfie's face, or the squad of all of them on one base, as a file:
        "glb" for screens, "stl" for printers.

        No chance is in it, so it takes no seed: the same selfie and recipe give the same bytes.
        Raises NoFace, BigSquad, UnknownKit, BadPlaque, MissingModel, NotSolid, and what `progress`
        raises.
        """
        kit, finish = _checked(selfie, recipe)
        progress("measuring", 0.0)
        if len(selfie.faces) > 1:
            return self._squad_geometry(selfie, recipe, kit, finish, format, progress)
        head = bust.measure(selfie.faces[0], kit)
        progress("sculpting", 0.05)
        made = bust.make(selfie, head, kit, finish)
        progress("casting", 0.25)
        file = geometry.write(made, kit, finish, name=recipe.plaque, format=format)
        progress("casting", 1.0)
        return file

    def _squad_geometry(
        self,
        selfie: Selfie,
        recipe: Recipe,
        kit: Kit,
        finish: Finish,
        format: Format,
        progress: Progress,
    ) -> bytes:
        count = len(selfie.faces)
        busts = []
        for number, (face, stance) in enumerate(
            zip(selfie.faces, lineup.stances(kit, count), strict=True)
        ):
            progress("sculpting", 0.02 + 0.28 * number / count)
            head = bust.measure(face, stance)
            busts.append(bust.make(Selfie(selfie.pixels, (face,)), head, stance, finish))
        file = geometry.write_squad(
            busts,
            kit,
            finish,
            name=recipe.plaque,
            format=format,
            step=lambda done: progress("casting", 0.3 + 0.7 * done),
        )
        progress("casting", 1.0)
        return file

    def clip(
        self, selfie: Selfie, recipe: Recipe, *, seed: int, progress: Progress = silent
    ) -> Clip:
        """A seamless loop of the figurine of the selfie's face, or of all of them as a squad,
        swaying on its base.

        Its first frame is the still's view. Options: `pose`, `width_px`, `spp`, `fps`.
        Raises NoFace, BigSquad, UnknownKit, BadPlaque, MissingModel, and whatever `progress`
        raises.
        """
        kit, finish = _checked(selfie, recipe)
        width_px = int(recipe.options.get("width_px", _DEFAULT_WIDTH_PX))
        fps = int(recipe.options.get("fps", motion.FPS))
        subject = self._subject(selfie, kit, finish, width_px, progress)
        progress("filming", 0.02)
        sway = motion.sway(subject.sway_deg, fps=fps)
        pictures = motion.film(
            subject,
            name=recipe.plaque,
            turns_deg=sway.turns_deg,
            spp=int(recipe.options.get("spp", motion.SPP)),
            seed=seed,
            progress=lambda done: progress("filming", 0.02 + 0.83 * done),
        )
        del subject  # large, and needed at the start only
        with reel.Reel() as frames:
            for picture in pictures:
                frames.add(picture)
            backend.give_back()
            return frames.encoded(
                order=sway.order,
                fps=fps,
                step=lambda done: progress("encoding", 0.85 + 0.15 * done),
            )

    def _subject(
        self, selfie: Selfie, kit: Kit, finish: Finish, width_px: int, progress: Progress
    ) -> subjects.Subject:
        progress("measuring", 0.0)
        if len(selfie.faces) > 1:
            return subjects.together(
                selfie,
                kit,
                finish,
                width_px=width_px,
                step=lambda done: progress("sculpting", 0.01 + 0.01 * done),
            )
        head = bust.measure(selfie.faces[0], kit)
        progress("sculpting", 0.01)
        made = bust.make(selfie, head, kit, finish, sketch=width_px <= subjects.SKETCH_WIDTH_PX)
        return subjects.alone(made, kit, finish, width_px=width_px)

    def _figurine(
        self,
        selfie: Selfie,
        recipe: Recipe,
        kit: Kit,
        finish: Finish,
        seed: int,
        progress: Progress,
    ) -> Candidate:
        watch = _Stopwatch()
        width_px = int(recipe.options.get("width_px", _DEFAULT_WIDTH_PX))
        spp = int(recipe.options.get("spp", _SPP))

        # 1. Measure: the mesh as a head.
        progress("measuring", 0.0)
        mould = self._mould(kit, finish, width_px)
        watch.lap("moulding")
        head = bust.measure(selfie.faces[0], kit)
        watch.lap("measuring")

        # 2. Sculpt: the selfie's detail on it, in clay and paint.
        progress("sculpting", 0.05)
        made = bust.make(selfie, head, kit, finish, sketch=width_px <= subjects.SKETCH_WIDTH_PX)
        watch.lap("sculpting")

        # 3. Cast: set up the studio.
        progress("casting", 0.12)
        skin_row = kit.materials.index("skin")
        palette = finish.palette.copy()
        palette[skin_row] = made.skin
        meshes.recolour(mould.body, palette)
        box = compose.crop_box(kit, mould.plates.size_px)
        head_shape = meshes.head_shape(made.clay, made.albedo, finish, gloss=made.gloss)
        studio = scene.stage(
            {"body": mould.body, "head": head_shape},
            kit.camera,
            size_px=mould.plates.size_px,
            crop_px=box,
            sampler="multijitter",
        )
        watch.lap("casting")

        # 4. Paint: light it.
        progress("painting", 0.25)
        crop = scene.trace(
            studio,
            spp=spp,
            seed=seed,
            step=lambda done: progress("painting", 0.25 + 0.60 * done),
            finish=finish,
        )
        watch.lap("painting")

        # 5. Finish: into the plate, the name on, onto the backdrop.
        progress("finishing", 0.88)
        plates = compose.with_skin(mould.plates, finish, skin_row, made.skin)
        figure = compose.with_face(plates, crop, box)
        figure = engraving.engrave(figure, recipe.plaque, kit, finish)
        still, cutout = compose.still(figure, plates.backdrop, seed=seed)
        watch.lap("finishing")
        progress("finishing", 1.0)
        return Candidate(
            still=still,
            cutout=cutout,
            recipe=recipe,
            seed=seed,
            engine_version=self._version_with(kit),
            timings_ms=watch.laps_ms,
        )

    def _squad(
        self,
        selfie: Selfie,
        recipe: Recipe,
        kit: Kit,
        finish: Finish,
        seed: int,
        progress: Progress,
    ) -> Candidate:
        watch = _Stopwatch()
        width_px = int(recipe.options.get("width_px", _DEFAULT_WIDTH_PX))
        troop = self._troop(
            kit, finish, len(selfie.faces), width_px, lambda: progress("measuring", 0.0)
        )
        watch.lap("moulding")
        picture = squad.paint(
            troop,
            finish,
            selfie,
            name=recipe.plaque,
            spp=int(recipe.options.get("spp", squad.SPP)),
            seed=seed,
            progress=progress,
            lap=watch.lap,
        )
        return Candidate(
            still=picture.still,
            cutout=picture.cutout,
            recipe=recipe,
            seed=seed,
            engine_version=self._version_with(kit),
            timings_ms=watch.laps_ms,
        )

    def _version_with(self, kit: Kit) -> str:
        """What, with selfie, recipe and seed, decides every byte on one machine."""
        return f"{self.version}+{kit.name}.{kit.digest()}.{backend.variant()}"

    def _troop(
        self, kit: Kit, finish: Finish, count: int, width_px: int, step: Callable[[], None]
    ) -> squad.Troop:
        key = (kit.name, kit.pose, finish.name, count, width_px)
        troop = self._troops.pop(key, None)
        if troop is None:
            while len(self._troops) >= _TROOPS_KEPT:
                del self._troops[next(iter(self._troops))]
            troop = squad.muster(kit, finish, count, width_px=width_px, step=step)
        self._troops[key] = troop
        return troop

    def _mould(self, kit: Kit, finish: Finish, width_px: int) -> _Mould:
        key = (kit.name, kit.pose, finish.name, width_px)
        mould = self._moulds.pop(key, None)
        if mould is None:
            whole = body.load(kit.baked("body.xz"))
            plates = compose.load_plates(kit, finish, width_px=width_px)
            box = compose.crop_box(kit, plates.size_px)
            thin = meshes.thinned(whole.above(_HEAD_FROM), [kit.camera], plates.size_px, box)
            if width_px <= subjects.SKETCH_WIDTH_PX:
                thin = subjects.sketched(thin)
            mould = _Mould(
                plates=plates,
                body=meshes.body_shape(thin, finish),
            )
            room = _KEPT_BYTES - mould.bytes
            while self._moulds and sum(each.bytes for each in self._moulds.values()) > room:
                del self._moulds[next(iter(self._moulds))]
        self._moulds[key] = mould
        return mould


def _checked(selfie: Selfie, recipe: Recipe) -> tuple[Kit, Finish]:
    """What to make, before any work. Raises NoFace, BigSquad, UnknownKit, BadPlaque."""
    if not selfie.faces:
        raise NoFace("the selfie has no face")
    if len(selfie.faces) > lineup.MOST:
        raise BigSquad(f"{len(selfie.faces)} faces")
    kit = recipes.posed(recipe)
    finish = kit.finish(recipe.finish)
    lettering.letters(recipe.plaque)
    return kit, finish


class _Stopwatch:
    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        spent = (now - self._last) * 1000
        self.laps_ms[stage] = round(self.laps_ms.get(stage, 0.0) + spent, 1)
        self._last = now
