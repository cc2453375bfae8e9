"""engines/klein: the likest is kept, and whom nobody would know is painted again once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from figurine import marks
from figurine.engines.klein import KleinEngine, gate
from figurine.types import Pixels, Selfie
from tests.figurine.klein.crowded import RECIPE, Crowded, apart, only, order


class Eyes:
    """A recogniser that finds in each picture what it was told to, one after the other."""

    def __init__(self, *likenesses: float | None) -> None:
        self.likenesses = list(likenesses)

    def embed(self, pixels: Pixels, face: Any) -> Any:
        return np.zeros(512, np.float32)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, klein: KleinEngine) -> Callable[..., Eyes]:
    """Have the engine's pictures be this like, in the order in which they are compared."""

    def tell(*likenesses: float | None) -> Eyes:
        eyes = Eyes(*likenesses)
        monkeypatch.setattr(klein, "_recogniser", eyes)
        monkeypatch.setattr(gate, "measured", lambda *_: eyes.likenesses.pop(0))
        return eyes

    return tell


def test_likest_candidate_is_kept(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(0.3, 0.5, 0.4, 0.2, None, 0.6)
    recipe = replace(RECIPE, options={"candidates": 3, "likeness": 0.5})
    made = klein.generate(selfie, recipe, seeds=[1, 2])
    assert [(each.seed, each.likeness, each.marks) for each in made] == [(2, 0.6, ()), (1, 0.5, ())]
    # Of the first seed, the second of its candidates.
    seen(0.9)
    plain = replace(RECIPE, options={"likeness": 0.5})
    (alone,) = klein.generate(selfie, plain, seeds=gate.seeds(1, 3)[1:2])
    assert apart(made[1], alone) < 0.01


def test_face_below_the_threshold_is_painted_again_once(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    eyes = seen(0.1, 0.3, 0.6)
    recipe = replace(RECIPE, options={"candidates": 2, "likeness": 0.5})
    (made,) = klein.generate(selfie, recipe, seeds=[1])
    assert (made.likeness, made.marks, eyes.likenesses) == (0.6, (), [])
    assert [len(each) for each in painter.passes] == [2]  # refining is none of those


def test_who_stays_unlike_is_marked_and_the_best_is_kept(
    klein: KleinEngine, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    eyes = seen(0.3, 0.2)
    (made,) = klein.generate(selfie, replace(RECIPE, options={"likeness": 0.5}), seeds=[1])
    assert (made.likeness, made.marks, eyes.likenesses) == (0.3, (marks.UNLIKE,), [])


def test_pictures_without_a_face_get_other_seeds(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(None, None, None, 0.7)
    recipe = replace(RECIPE, options={"candidates": 2, "likeness": 0.5})
    (made,) = klein.generate(selfie, recipe, seeds=[1])
    assert (made.likeness, made.marks) == (0.7, ())
    assert painter.passes == [gate.seeds(1, 2), gate.seeds(1, 2, again=True)]


def test_figurine_that_never_has_a_face_is_marked(
    klein: KleinEngine, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(None, None)
    (made,) = klein.generate(selfie, RECIPE, seeds=[1])
    assert (made.likeness, made.marks) == (None, (marks.NO_FACE_IN_FIGURINE,))


def test_second_try_is_only_for_whom_it_is_needed(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(0.9, None, 0.8)
    first, second = klein.generate_many([order(selfie, seed=1), order(selfie, seed=2)])
    assert (only(first).likeness, only(second).likeness) == (0.9, 0.8)
    assert painter.passes == [[1, 2], gate.seeds(2, 1, again=True)]


def test_second_try_that_does_not_fit_leaves_the_first(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(*_: Any, **__: Any) -> list[Pixels]:
        raise torch.OutOfMemoryError("full")

    seen(0.1)
    monkeypatch.setattr(painter, "refine", full)
    (made,) = klein.generate(selfie, replace(RECIPE, options={"likeness": 0.5}), seeds=[1])
    assert (made.likeness, made.marks) == (0.1, (marks.UNLIKE,))
