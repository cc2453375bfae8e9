"""engines/klein/inpaint.py: the face is painted after its own selfie, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from figurine.engines.klein import inpaint
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.errors import Cancelled
from figurine.types import Box, Pixels
from tests.figurine import tiny

FACE: Box = (40, 24, 48, 56)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return inpaint.inpainting(PeoplePipeline(**tiny.components(encoder=False)))


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    chance = np.random.default_rng(1)
    return [chance.integers(0, 256, (128, 128, 3), np.uint8) for _ in range(4)]


def paint(
    pipeline: Any,
    pictures: list[Pixels],
    selfies: list[Pixels],
    step: Any = lambda *_: None,
    strength: float = inpaint.FROM_NOISE,
    seed: int = 3,
) -> list[Pixels]:
    count = len(pictures)
    return inpaint.paint_faces(
        pipeline,
        pictures,
        faces=[[FACE]] * count,
        selfies=selfies,
        prompt_embeds=tiny.embeds(count=count),
        seeds=[seed] * count,
        strength=strength,
        step=step,
    )


def outside() -> Any:
    """Everything but the face's box."""
    x, y, wide, high = FACE
    far = np.ones((128, 128), bool)
    far[y : y + high, x : x + wide] = False
    return far


@pytest.mark.parametrize("strength", [inpaint.FROM_NOISE, inpaint.FROM_DRAFT])
def test_only_the_face_is_painted(pipeline: Any, pictures: list[Pixels], strength: float) -> None:
    (painted,) = paint(pipeline, pictures[:1], pictures[2:3], strength=strength)
    assert (painted[outside()] == pictures[0][outside()]).all()
    middle = np.s_[40:64, 52:76]
    assert (painted[middle] != pictures[0][middle]).mean() > 0.9


def test_faces_together_are_as_they_are_alone(pipeline: Any, pictures: list[Pixels]) -> None:
    together = paint(pipeline, pictures[:2], pictures[2:])
    alone = [
        inpaint.paint_faces(
            pipeline, [pictures[n]], faces=[[FACE]], selfies=[pictures[2 + n]],
            prompt_embeds=tiny.embeds(count=2)[n : n + 1], seeds=[3],
            strength=inpaint.FROM_NOISE, step=lambda *_: None,
        )[0]
        for n in range(2)
    ]  # fmt: skip
    assert [each.tobytes() for each in together] == [each.tobytes() for each in alone]


def test_face_depends_on_its_own_selfie(pipeline: Any, pictures: list[Pixels]) -> None:
    right = paint(pipeline, pictures[:2], pictures[2:])
    swapped = paint(pipeline, pictures[:2], pictures[3:1:-1])
    assert [
        one.tobytes() != other.tobytes() for one, other in zip(right, swapped, strict=True)
    ] == [
        True,
        True,
    ]


def test_steps_count_through_all_of_them(pipeline: Any, pictures: list[Pixels]) -> None:
    told: list[tuple[int, int]] = []
    paint(
        pipeline,
        pictures[:2],
        pictures[2:],
        step=lambda *at: told.append(at),
        strength=inpaint.FROM_DRAFT,
    )
    assert told == [(number, 6) for number in range(6)]


def test_cancel_stops_between_steps(pipeline: Any, pictures: list[Pixels]) -> None:
    def step(number: int, steps: int) -> None:
        if number == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        paint(pipeline, pictures[:2], pictures[2:], step=step)


def test_weights_are_not_in_memory_twice() -> None:
    people = PeoplePipeline(**tiny.components(encoder=False))
    assert inpaint.inpainting(people).transformer is people.transformer


def test_mask_stays_within_the_box() -> None:
    drawn = inpaint.mask([FACE], 128, 128)
    assert drawn[52, 64] == 255
    assert drawn[outside()].max() == 0


def test_mask_of_a_squad_has_each_face_and_nothing_between() -> None:
    faces = [(10, 10, 40, 50), (70, 12, 40, 50), (130, 10, 40, 50)]
    drawn = inpaint.mask(faces, 200, 80)
    for x, y, wide, high in faces:
        assert drawn[y + high // 2, x + wide // 2] == 255
        assert (drawn[y : y + high, x : x + wide] > 127).mean() > 0.5
    assert drawn[:, 52:68].max() == drawn[:, 112:128].max() == 0
    assert inpaint.around(faces) == (10, 10, 160, 52)
