"""An engine that paints several people at once, and who sits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from campaign.models import GenerationJob, Submission
from figurine.engines import Progress, silent
from figurine.engines.base import Order
from figurine.errors import Cancelled, FigurineError
from figurine.types import Candidate, Face, Recipe, Selfie
from tests import shelf

FACE: Final = Face(
    box=(0, 0, 9, 9),
    score=1.0,
    mesh=np.zeros((468, 3), np.float32),
    mesh_score=1.0,
    yaw_deg=0,
    pitch_deg=0,
    roll_deg=0,
    width_px=9,
    luma=0.5,
    sharpness=1.0,
).as_json()


def framed(order: Order, seed: int) -> Candidate:
    still = np.full((9, 7, 3), order.selfie.pixels.mean(), np.uint8)
    cutout = np.dstack([still, np.full((9, 7), 255, np.uint8)])
    return Candidate(still, cutout, order.recipe, seed, "easel.1", likeness=0.6, cost_usd=0.0125)


class Easel:
    """An engine that paints several people at once, as the contract has it, and little else."""

    name, version = "klein", "1"

    def __init__(self, size: int = 3) -> None:
        self.size = size
        self.passes: list[int] = []
        self.trouble: dict[int, Exception] = {}
        """By place in the pass, what goes wrong with that one."""
        self.meanwhile: Callable[[], object] = lambda: None
        self.breaks: Exception | None = None

    def warm_up(self) -> None: ...

    def capacity(self) -> int:
        return self.size

    def limit_s(self, recipe: Recipe, *, faces: int) -> float:
        return 7.0 * faces

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        (made,) = self.generate_many([Order(selfie, recipe, tuple(seeds), progress)])
        if isinstance(made, FigurineError):
            raise made
        return made

    def generate_many(self, orders: Sequence[Order]) -> list[list[Candidate] | FigurineError]:
        self.passes.append(len(orders))
        self.meanwhile()
        if self.breaks:
            raise self.breaks
        return [self._one(place, order) for place, order in enumerate(orders)]

    def _one(self, place: int, order: Order) -> list[Candidate] | FigurineError:
        try:
            order.progress("painting", 0.5)
        except Cancelled as gone:
            return gone
        trouble = self.trouble.get(place)
        if isinstance(trouble, FigurineError):
            return trouble
        return [framed(order, seed) for seed in order.seeds]


def states(submissions: Sequence[Submission]) -> list[str]:
    return [shelf.state_of(one) for one in submissions]


def main(submission: Submission) -> GenerationJob:
    return submission.jobs.get(role="main")
