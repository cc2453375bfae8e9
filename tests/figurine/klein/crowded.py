"""A painter on tiny random weights, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from figurine.engines.base import Order, Progress, silent
from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.painter import Commission, Step
from figurine.errors import FigurineError
from figurine.types import Candidate, Pixels, Recipe, Selfie

SIDE_PX = 256
RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE")
Made = list[Candidate] | FigurineError


class Crowded(KleinPainter):
    """On a card with room for so many pictures at once."""

    room = 99

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Callable[[], list[Pixels]]:
        self.passes.append([commission.seed for commission in commissions])
        if len(commissions) > self.room:
            raise torch.OutOfMemoryError("full")
        return super().begin(commissions, step=step)

    passes: list[list[int]]


def order(selfie: Selfie, *, seed: int = 1, progress: Progress = silent, **options: Any) -> Order:
    return Order(selfie, replace(RECIPE, options=options), (seed,), progress)


def only(made: Made) -> Candidate:
    assert isinstance(made, list), made
    (candidate,) = made
    return candidate


def apart(one: Candidate, another: Candidate) -> float:
    """Mean difference of two stills' figures, in levels of 255."""
    return float(np.abs(one.still.astype(int) - another.still).mean())
