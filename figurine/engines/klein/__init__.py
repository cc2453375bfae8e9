"""The GPU engine: a selfie and the kit's own render become a photoreal figurine by diffusion.

Light to import: torch, diffusers and the sculptor come with the first warm-up.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from figurine import faces
from figurine.engines.base import Order, Progress, silent
from figurine.engines.klein import frame, gate, order, prompts, references
from figurine.engines.klein.easel import Easel
from figurine.engines.klein.gate import Trial
from figurine.engines.klein.painter import Painter
from figurine.engines.klein.passes import Job
from figurine.engines.klein.sitters import Sitter, commission, jobs_of
from figurine.engines.workshop import Workshop
from figurine.errors import BigSquad, DeviceLost, FigurineError, NoFace, OutOfMemory
from figurine.types import Candidate, Pixels, Recipe, Selfie

if TYPE_CHECKING:
    from figurine.engines.sculpt import SculptEngine
    from figurine.likeness import Recogniser

_MOST_FACES: Final = 6
_POSING, _PAINTING, _COMPARING, _AGAIN = 0.25, 0.70, 0.75, 0.90
"""Shares of the whole work at which these stages end."""
_VERSION_LETTERS: Final = 80
_RECOGNISER: Final = ("auraface", "glintr100.onnx")
"""Name and file of its weights."""
_IDENTIFIER: Final = ("buffalo-l", "models/buffalo_l/w600k_r50.onnx")
"""The same of the recogniser whose faces a painter draws by: FaceID knows no other's."""
_LIMIT_S: Final = {"klein": 20.0, "qwen": 240.0, "sdxl": 40.0}
"""For a full pass on a GPU, compiling left out: several times what it should take. Qwen's is for
a picture, since it paints one after another: 24 PFLOP (80 times 294 TFLOP, on meta tensors).
"""
_POSING_LIMIT_S: Final = 10.0
"""A face: sculpt's sketch takes about one second of a core."""
_LOADING_LIMIT_S: Final = 180.0
"""For a model that is not the resident one."""
_COMPILING_LIMIT_S: Final = 240.0
"""For a way of references that was not warmed up, whose sizes are compiled when first asked for."""
_CPU_SLOWNESS: Final = 200.0
"""Of a CPU against a GPU; for whoever tries the engine out without one."""


class KleinEngine:
    name = "klein"
    version = "1"

    def __init__(
        self,
        workshop: Workshop,
        painter: Painter | None = None,
        recogniser: Recogniser | None = None,
        identifier: Recogniser | None = None,
    ) -> None:
        """With a painter given, that one paints whatever a recipe's model and frame, and without a
        recogniser beside it likeness is not measured. Otherwise both are loaded when first needed.
        """
        self._workshop = workshop
        self._easel = Easel(workshop, painter)
        self._recogniser = recogniser
        self._is_given = painter is not None
        self._identifier = identifier
        """The recogniser of painters that want an identity; loaded with the first of them."""
        self._sculptor: SculptEngine | None = None
        self._posing = threading.Lock()
        """Claims pose one person after the other: the sculptor is one."""

    def capacity(self) -> int:
        return self._easel.capacity()

    def limit_s(self, recipe: Recipe, *, faces: int) -> float:
        """In a full pass: everyone of it is posed first, and may be painted a second time."""
        batch = self._workshop.batch
        posing = _POSING_LIMIT_S * faces * batch
        try:
            wish = order.read(recipe)
        except FigurineError:
            return posing  # it is refused at once; those beside it are not
        painting = 2 * _LIMIT_S[wish.model] * wish.candidates
        if wish.references == "inpaint" or wish.model == "qwen":
            painting *= batch
        if not self._easel.has(wish):
            posing += _LOADING_LIMIT_S
        if "compile" in self._workshop.levers and wish.references != "two":
            posing += _COMPILING_LIMIT_S
        return posing + painting * (_CPU_SLOWNESS if self._is_on_cpu() else 1.0)

    def warm_up(self) -> None:
        """Load what poses, klein and the recogniser, and run a pass of each size; where passes are
        compiled, of each frame too. Raises MissingModel, and OutOfMemory where not even one picture
        fits."""
        faces.warm_up()
        references.warm_up(self._sculpt())
        self._look()
        self._easel.warm_up()

    def generate(
        self,
        selfie: Selfie,
        recipe: Recipe,
        *,
        seeds: Sequence[int],
        progress: Progress = silent,
    ) -> list[Candidate]:
        """One figurine a seed, the likest first.

        Options: `model`, `frame`, `references`, `candidates`, `likeness` (order.py) and the kit's
        `pose`. Raises NoFace, BigSquad, UnknownKit, BadPlaque, MissingModel, OutOfMemory, and what
        `progress` raises.
        """
        (made,) = self.generate_many([Order(selfie, recipe, tuple(seeds), progress)])
        if isinstance(made, FigurineError):
            raise made
        return made

    def generate_many(self, orders: Sequence[Order]) -> list[list[Candidate] | FigurineError]:
        """For each order its candidates, the likest first, or what went wrong with that one.

        The same orders give the same bytes. In a pass with others a figurine differs from what it
        is alone by rounding (1e-5 of its latents in float32). Threads may call it beside each
        other: while one paints, the others pose and compare. Raises MissingModel.
        """
        self._look()
        # 1. Each person's references, on the CPU.
        sitters = [Sitter(each) for each in orders]
        for sitter in sitters:
            with sitter.alone():
                self._pose(sitter)
        # 2. Those who can share passes: paint, compare, and try once more where it must be.
        groups: dict[tuple[str, str, str], list[Sitter]] = defaultdict(list)
        for sitter in sitters:
            if not sitter.gone:
                wish = sitter.wish
                groups[wish.model, wish.frame, wish.references].append(sitter)
        for group in groups.values():
            self._serve(group)
        # 3. The best of each seed, cut out and marked.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for sitter in sitters:
                if not sitter.gone:
                    sitter.cut_out(pool)
            for sitter in sitters:
                if not sitter.gone:
                    with sitter.alone():
                        self._finish(sitter)
        return [sitter.gone or sitter.candidates for sitter in sitters]

    def _pose(self, sitter: Sitter) -> None:
        """Raises NoFace, BigSquad, UnknownKit, BadPlaque, MissingModel, LicenceMissing."""
        asked = sitter.order
        sitter.wish = order.read(asked.recipe)
        if not asked.selfie.faces:
            raise NoFace("the selfie has no face")
        if len(asked.selfie.faces) > _MOST_FACES:
            raise BigSquad(f"{len(asked.selfie.faces)} faces")

        def posing(stage: str, done: float) -> None:
            sitter.tell("posing", _POSING * done)
            if sitter.gone:
                raise sitter.gone

        posing("posing", 0.0)
        if self._easel.wants_identity(sitter.wish):
            sitter.identify(self._identify())
        width_px, height_px = self._easel.size_px(sitter.wish)
        with self._posing:
            sitter.rest()
            sitter.sitting = references.sit(
                self._sculpt(),
                asked.selfie,
                asked.recipe,
                seed=asked.seeds[0],
                way=sitter.wish.references,
                width_px=width_px,
                height_px=height_px,
                progress=posing,
            )
        sitter.prompt = prompts.prompt(
            asked.recipe, references=sitter.wish.references, faces=len(asked.selfie.faces)
        )
        if self._recogniser is not None:
            sitter.wanted = [
                self._recogniser.embed(asked.selfie.pixels, face) for face in asked.selfie.faces
            ]
        sitter.lap("posing")

    def _serve(self, group: Sequence[Sitter]) -> None:
        is_measured = self._recogniser is not None
        # 1. All candidates of everyone.
        self._paint(group, jobs_of(group), (_POSING, _PAINTING), _COMPARING)
        # 2. Faces that are not like enough, again; other seeds for pictures without any.
        refined, anew = [], []
        for sitter in group:
            for seed in sitter.order.seeds if not sitter.gone else ():
                trials = sitter.trials[seed]
                way = gate.second(trials, sitter.wish.likeness, is_measured=is_measured)
                if way == "refine":
                    best = gate.ranked(trials)[0]
                    again = commission(sitter, gate.seeds(seed, 1, again=True)[0])
                    refined.append((sitter, seed, Job(sitter, again, best.painted)))
                elif way == "reseed":
                    anew += jobs_of([sitter], only=seed, again=True)
        middle = (_COMPARING + _AGAIN) / 2
        self._paint(group, refined, (_COMPARING, middle), middle)
        self._paint(group, anew, (middle, _AGAIN), _AGAIN)
        for sitter in group:
            if isinstance(sitter.gone, OutOfMemory) and sitter.trials:
                sitter.gone = None  # the second try did not fit; the first one's best is there

    def _paint(
        self,
        group: Sequence[Sitter],
        jobs: Sequence[tuple[Sitter, int, Job]],
        span: tuple[float, float],
        compared: float,
    ) -> None:
        """Paint, and say of each picture how like it is."""
        if not jobs:
            return
        try:
            pictures = self._pictures(group, [job for _, _, job in jobs], span)
        except DeviceLost:
            raise
        except FigurineError as error:  # the other groups have other models
            for sitter in group:
                # Without the frames that hold the group
                sitter.gone = sitter.gone or type(error)(*error.args)
            return
        for (sitter, seed, _), picture in zip(jobs, pictures, strict=True):
            if picture is None or sitter.gone:
                continue
            with sitter.alone():
                sitter.rest()
                sitter.tell("comparing", compared)
                still = frame.cut(picture)
                likeness = gate.measured(self._recogniser, sitter.wanted, still)
                sitter.trials[seed].append(Trial(picture, still, likeness))
                sitter.lap("comparing")

    def _pictures(
        self, group: Sequence[Sitter], jobs: Sequence[Job], span: tuple[float, float]
    ) -> list[Pixels | None]:
        """Wait for a turn and paint. Raises what Easel.turn raises."""
        with self._easel.turn(group[0].wish) as (painter, passes):
            for sitter in group:
                sitter.rest()
                sitter.version = painter.version
            pictures = passes.paint(painter, jobs, span=span)
            for sitter in group:
                sitter.lap("painting")
        return pictures

    def _finish(self, sitter: Sitter) -> None:
        version = engine_version(sitter.version, sitter.prompt, sitter.sitting.sculpt_version)
        is_measured = self._recogniser is not None
        sitter.rest()
        made = []
        for number, (seed, best, cutout) in enumerate(sitter.kept):
            sitter.tell("finishing", _AGAIN + (1 - _AGAIN) * number / len(sitter.kept))
            if sitter.gone:
                return
            made.append(
                Candidate(
                    still=best.still,
                    cutout=cutout.result(),
                    recipe=sitter.order.recipe,
                    seed=seed,
                    engine_version=version,
                    timings_ms=sitter.laps_ms,
                    likeness=best.likeness,
                    marks=gate.marked(best, sitter.wish.likeness, is_measured=is_measured),
                )
            )
        sitter.lap("finishing")
        sitter.candidates = gate.ranked(made)
        sitter.tell("finishing", 1.0)

    def _look(self) -> None:
        """See to the recogniser. Raises MissingModel."""
        if self._recogniser is None and not self._is_given:
            from figurine import likeness, weights  # noqa: PLC0415 - heavy

            path = weights.file(_RECOGNISER[0], _RECOGNISER[1], self._workshop)
            self._recogniser = likeness.Recogniser.load(path, device=self._workshop.device)

    def _identify(self) -> Recogniser:
        """Raises MissingModel, LicenceMissing."""
        if self._identifier is None:
            from figurine import likeness, weights  # noqa: PLC0415 - heavy

            path = weights.file(*_IDENTIFIER, self._workshop)
            self._identifier = likeness.Recogniser.load(path, device=self._workshop.device)
        return self._identifier

    def _sculpt(self) -> SculptEngine:
        if self._sculptor is None:
            from figurine.engines.sculpt import SculptEngine, backend  # noqa: PLC0415 - heavy

            backend.keep_to_cpu()
            self._sculptor = SculptEngine()
        return self._sculptor

    def _is_on_cpu(self) -> bool:
        return self._workshop.device.startswith("cpu")


def engine_version(painter: str, prompt: str, sculpt: str) -> str:
    """What, with selfie, recipe and seed, decides the bytes: in 80 letters at most."""
    whole = f"{painter}+{KleinEngine.version}.{prompts.digest(prompt)}+sculpt.{sculpt}"
    if len(whole) <= _VERSION_LETTERS:
        return whole
    return f"{whole[: _VERSION_LETTERS - 9]}~{prompts.digest(whole)}"
