"""The hosted engine: the pose and the likeness gate here, the painting at a provider."""

from __future__ import annotations

import base64
import copy
import os
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from figurine import decode, faces
from figurine.engines.base import Progress, silent
from figurine.engines.hosted import desk, endpoints, wire, wish
from figurine.engines.hosted.desk import Ask, Desk, Pace
from figurine.engines.hosted.endpoints import Endpoint
from figurine.engines.hosted.ledger import Ledger, Loose
from figurine.engines.hosted.queue import Queue
from figurine.engines.klein import frame, gate, matte, prompts, references
from figurine.engines.klein.gate import Trial
from figurine.engines.klein.order import Wish
from figurine.engines.workshop import Workshop
from figurine.errors import (
    BigSquad,
    Cancelled,
    FigurineError,
    MissingModel,
    NoFace,
    ProviderBroke,
    ProviderUnpaid,
)
from figurine.types import Candidate, Floats, Pixels, Recipe, Selfie

if TYPE_CHECKING:
    from figurine.engines.sculpt import SculptEngine
    from figurine.likeness import Recogniser

_MOST_FACES: Final = 6
_POSING, _PAINTING, _COMPARING, _AGAIN = 0.25, 0.70, 0.75, 0.90
"""Shares of the whole work at which these stages end, as klein's."""
_STAGES: Final = {"waiting": "waiting", "painting": "painting", "collecting": "painting"}
_ASPECT_OFF: Final = 0.02
"""How far a result's proportions may be from those asked for; providers round to whole patches."""
_LEAST_PX: Final = 512
_SEED_BITS: Final = 0x7FFFFFFF
"""What every endpoint takes."""
_POSING_LIMIT_S: Final = 40.0
"""A face: a second or two, behind the other threads of a worker and on cores that others use."""
_OWN_LIMIT_S: Final = 60.0
"""Comparing, cutting out."""
_RECOGNISER: Final = ("auraface", "glintr100.onnx")


@dataclass
class _Tools:
    """What is loaded once and shared by every job's engine."""

    queue: Queue | None
    sculptor: SculptEngine | None = None
    recogniser: Recogniser | None = None
    has_looked: bool = False
    posing: threading.Lock = field(default_factory=threading.Lock)
    """A worker's threads pose one after the other: the sculptor is one."""


@dataclass
class _Work:
    """One person's figurines on their way."""

    recipe: Recipe
    wish: Wish
    endpoint: Endpoint
    sitting: references.Sitting
    arguments: dict[str, Any]
    prompt: str
    cost_usd: float
    """Of one picture."""
    wanted: list[Floats]
    trials: defaultdict[int, list[Trial]] = field(default_factory=lambda: defaultdict(list))
    asked: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Pictures that were paid for, by seed."""
    errors: list[FigurineError] = field(default_factory=list)


class HostedEngine:
    """Not deterministic as the others are: what the provider runs is its own affair."""

    name = "hosted"
    version = "1"

    def __init__(
        self,
        workshop: Workshop,
        ledger: Ledger | None = None,
        *,
        pace: Pace | None = None,
    ) -> None:
        """Without a ledger accounts are kept in memory: nothing is found again after a crash, and
        no budget is known. Raises ValueError for a queue to which the key would go in the clear.
        """
        self._workshop = workshop
        self._ledger: Ledger = ledger or Loose()
        self._pace = pace or Pace()
        key = workshop.hosted_key
        self._tools = _Tools(Queue(key=key, base=workshop.hosted_queue) if key else None)

    def billed(self, ledger: Ledger) -> HostedEngine:
        """The same engine, as warm as it is, that keeps its accounts there: one for each job."""
        mine = copy.copy(self)
        mine._ledger = ledger
        return mine

    def drop(self, endpoint: str, request_id: str) -> bool:
        """Raises ProviderUnpaid without a key."""
        return self._queue().cancel(endpoint, request_id)

    def limit_s(self, recipe: Recipe, *, faces: int) -> float:
        """Two rounds of all candidates, each to the end of its desk's own limit and of the calls
        that it is at then: the desk gives up first, and the worker lives.
        """
        posing = _POSING_LIMIT_S * faces
        try:
            candidates, endpoint = wish.read(recipe).candidates, endpoints.of(recipe)
        except FigurineError:
            return posing  # it is refused at once
        webhook = self._workshop.hosted_webhook
        round_s = desk.limit_s(endpoint, self._pace, webhook=webhook, pictures=candidates)
        return posing + 2 * (round_s + 2 * wire.CALL_S) + _OWN_LIMIT_S

    def warm_up(self) -> None:
        """Load what poses and compares. Raises MissingModel, and ProviderUnpaid without a key."""
        self._queue()
        faces.warm_up()
        references.warm_up(self._sculpt())
        self._recognise()

    def generate(
        self,
        selfie: Selfie,
        recipe: Recipe,
        *,
        seeds: Sequence[int],
        progress: Progress = silent,
    ) -> list[Candidate]:
        """One figurine a seed, the likest first; a seed whose pictures all failed has none, unless
        that goes for all of them.

        Options: `endpoint`, `usd_per_megapixel` (endpoints.py), `frame`, `references`,
        `candidates`, `likeness` (klein's order.py) and the kit's `pose`. Raises NoFace, BigSquad,
        UnknownKit, BadPlaque, MissingModel, ProviderBusy, ProviderTimeout, ProviderBroke,
        ProviderRefused, ProviderUnpaid, BudgetSpent, and what `progress` raises.
        """
        started_s = time.monotonic()
        # 1. Pose: the same references as klein's.
        work = self._begin(selfie, recipe, seeds[0], progress)
        posed_s = time.monotonic()
        # 2. Every candidate of every seed, all out at the same time.
        first = [(seed, number) for seed in seeds for number in range(work.wish.candidates)]
        self._paint(work, first, _span(progress, _POSING, _PAINTING))
        progress("comparing", _COMPARING)
        # 3. Other seeds for those that are not like enough.
        again = [
            (seed, work.wish.candidates + number)
            for seed in seeds
            if self._wants_again(work, seed)
            for number in range(work.wish.candidates)
        ]
        if again:
            self._paint(work, again, _span(progress, _COMPARING, _AGAIN))
        painted = [seed for seed in seeds if work.trials[seed]]
        if not painted:
            raise work.errors[0] if work.errors else ProviderBroke("no picture came")
        # 4. The best of each seed, cut out and marked.
        progress("finishing", _AGAIN)
        painted_s = time.monotonic()
        timings_ms = {
            "posing": round(1000 * (posed_s - started_s), 1),
            "painting": round(1000 * (painted_s - posed_s), 1),
        }
        made = self._finish(work, painted, timings_ms)
        progress("finishing", 1.0)
        return made

    # -- the steps

    def _begin(self, selfie: Selfie, recipe: Recipe, seed: int, progress: Progress) -> _Work:
        self._queue()
        wanted, endpoint = wish.read(recipe), endpoints.of(recipe)
        if not selfie.faces:
            raise NoFace("the selfie has no face")
        if len(selfie.faces) > _MOST_FACES:
            raise BigSquad(f"{len(selfie.faces)} faces")
        progress("posing", 0.0)
        width_px, height_px = frame.FRAMES[wanted.frame]
        with self._tools.posing:
            sitting = references.sit(
                self._sculpt(),
                selfie,
                recipe,
                seed=seed,
                way=wanted.references,
                width_px=width_px,
                height_px=height_px,
                progress=lambda _, done: progress("posing", _POSING * done),
            )
            recogniser = self._recognise()
        prompt = prompts.prompt(recipe, references=wanted.references, faces=len(selfie.faces))
        shown = (
            [references.composite(sitting.pose, sitting.selfie)]
            if wanted.references == "composite"
            else [sitting.pose, sitting.selfie]
        )
        return _Work(
            recipe=recipe,
            wish=wanted,
            endpoint=endpoint,
            sitting=sitting,
            prompt=prompt,
            arguments={
                **endpoint.arguments,
                "prompt": prompt,
                "image_urls": [_data_uri(picture) for picture in shown],
                "image_size": {"width": width_px, "height": height_px},
            },
            cost_usd=endpoint.cost_usd(width_px=width_px, height_px=height_px, images=len(shown)),
            wanted=[recogniser.embed(selfie.pixels, face) for face in selfie.faces]
            if recogniser
            else [],
        )

    def _paint(self, work: _Work, wanted: Sequence[tuple[int, int]], progress: Progress) -> None:
        """Have these painted, by seed and number, and say of each how like it is.

        What goes wrong with one leaves the others; a second round that fails leaves the first.
        """
        ours = Desk(
            self._queue(),
            self._ledger,
            work.endpoint,
            webhook=self._workshop.hosted_webhook,
            pace=self._pace,
        )
        asks = [
            Ask(
                key=f"{seed}-{number}",
                arguments={**work.arguments, "seed": gate.seeds(seed, number + 1)[-1] & _SEED_BITS},
                cost_usd=work.cost_usd,
            )
            for seed, number in wanted
        ]
        try:
            pictures = ours.obtain(asks, progress=progress)
        except Cancelled:
            raise
        except FigurineError as error:
            work.errors.append(error)
            return
        for (seed, _), asked, picture in zip(wanted, asks, pictures, strict=True):
            trial = picture if isinstance(picture, FigurineError) else self._tried(work, picture)
            if isinstance(trial, FigurineError):
                if trial is not picture:
                    # It would be collected again, and be no better
                    self._ledger.close(asked.key, outcome=trial.code)
                work.errors.append(trial)
                continue
            work.asked[seed] += 1
            work.trials[seed].append(trial)

    def _tried(self, work: _Work, picture: Pixels) -> Trial | FigurineError:
        width_px, height_px = frame.FRAMES[work.wish.frame]
        high, wide = picture.shape[:2]
        off = abs(wide * height_px / (high * width_px) - 1)
        if min(high, wide) < _LEAST_PX or off > _ASPECT_OFF:
            return ProviderBroke(f"a picture of {wide} x {high} px")
        still = frame.cut(frame.resized(picture, width_px, height_px))
        return Trial(picture, still, gate.measured(self._tools.recogniser, work.wanted, still))

    def _wants_again(self, work: _Work, seed: int) -> bool:
        if not work.trials[seed]:
            return False
        is_measured = self._tools.recogniser is not None
        return gate.second(work.trials[seed], work.wish.likeness, is_measured=is_measured) != "none"

    def _finish(
        self, work: _Work, seeds: Sequence[int], timings_ms: dict[str, float]
    ) -> list[Candidate]:
        is_measured = self._tools.recogniser is not None
        best = {seed: gate.ranked(work.trials[seed])[0] for seed in seeds}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            cut = pool.map(lambda seed: matte.cutout(best[seed].still, work.sitting.rough), seeds)
            cutouts = dict(zip(seeds, cut, strict=True))
        version = (
            f"{work.endpoint.path}+{self.version}.{prompts.digest(work.prompt)}"
            f"+sculpt.{work.sitting.sculpt_version}"
        )
        return gate.ranked(
            [
                Candidate(
                    still=best[seed].still,
                    cutout=cutouts[seed],
                    recipe=work.recipe,
                    seed=seed,
                    engine_version=version,
                    timings_ms=timings_ms,
                    likeness=best[seed].likeness,
                    marks=gate.marked(best[seed], work.wish.likeness, is_measured=is_measured),
                    cost_usd=round(work.asked[seed] * work.cost_usd, 4),
                )
                for seed in seeds
            ]
        )

    # -- the tools

    def _queue(self) -> Queue:
        if self._tools.queue is None:
            raise ProviderUnpaid("there is no key for the hosted engine")
        return self._tools.queue

    def _sculpt(self) -> SculptEngine:
        if self._tools.sculptor is None:
            from figurine.engines.sculpt import SculptEngine  # noqa: PLC0415 - heavy

            self._tools.sculptor = SculptEngine()
        return self._tools.sculptor

    def _recognise(self) -> Recogniser | None:
        """The recogniser, where its weights are installed: this engine does without."""
        if not self._tools.has_looked:
            self._tools.has_looked = True
            from figurine import likeness, weights  # noqa: PLC0415 - heavy

            try:
                path = weights.file(_RECOGNISER[0], _RECOGNISER[1], self._workshop)
                loaded = likeness.Recogniser.load(path, device=self._workshop.device)
            except (MissingModel, ImportError):
                return None
            self._tools.recogniser = loaded
        return self._tools.recogniser


def _span(progress: Progress, start: float, end: float) -> Progress:
    """A desk's progress as a part of the whole, in the words of the phone."""
    return lambda stage, done: progress(_STAGES[stage], start + (end - start) * done)


def _data_uri(picture: Pixels) -> str:
    """In the request itself, so that nothing lies in the provider's storage."""
    return f"data:image/jpeg;base64,{base64.b64encode(decode.encode_selfie(picture)).decode()}"
