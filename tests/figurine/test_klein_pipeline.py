"""engines/klein/pipeline.py: people who share a pass share nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.errors import Cancelled
from figurine.types import Pixels
from tests.figurine import tiny

SIDE_PX = 64
People = list[list[Pixels]]


@pytest.fixture(scope="module")
def pipeline() -> PeoplePipeline:
    made = PeoplePipeline(**tiny.components(encoder=False))
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def people() -> People:
    """Three, each with a pose and a selfie of other sizes."""
    chance = np.random.default_rng(1)
    return [
        [chance.integers(0, 256, (side, side, 3), np.uint8) for side in (64, 96)] for _ in range(3)
    ]


def serve(
    pipeline: PeoplePipeline, people: People, who: list[int], step: Any = lambda *_: None
) -> torch.Tensor:
    embeds = torch.cat([tiny.embeds(number) for number in range(3)])
    return pipeline.serve(
        [people[number] for number in who],
        prompt_embeds=embeds[who],
        seeds=who,
        width_px=SIDE_PX,
        height_px=SIDE_PX,
        step=step,
    )


def furthest(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def test_people_in_one_pass_are_as_they_are_alone(pipeline: PeoplePipeline, people: People) -> None:
    together = serve(pipeline, people, [0, 1, 2])
    alone = torch.cat([serve(pipeline, people, [number]) for number in range(3)])
    assert together.shape == (3, 1, 8, 8)
    assert furthest(together, alone) < 1e-5


def test_people_with_swapped_references_are_others(
    pipeline: PeoplePipeline, people: People
) -> None:
    """Whoever got another's face would pass unseen if this could not fail."""
    swapped = [people[1], people[0], people[2]]
    right = serve(pipeline, people, [0, 1, 2])
    wrong = serve(pipeline, swapped, [0, 1, 2])
    assert [furthest(right[n], wrong[n]) > 1e-3 for n in range(3)] == [True, True, False]


def test_each_of_a_persons_references_counts(pipeline: PeoplePipeline, people: People) -> None:
    plain = serve(pipeline, people, [0])
    for changed in (0, 1):
        others = [255 - each if n == changed else each for n, each in enumerate(people[0])]
        assert furthest(plain, serve(pipeline, [others], [0])) > 1e-3


def test_one_person_is_as_the_plain_pipeline_makes_them(
    pipeline: PeoplePipeline, people: People
) -> None:
    from diffusers import Flux2KleinPipeline
    from PIL import Image

    plain = Flux2KleinPipeline(**pipeline.components, is_distilled=True)
    plain.set_progress_bar_config(disable=True)
    picture = plain(
        image=[Image.fromarray(each) for each in people[2]],
        prompt_embeds=tiny.embeds(2),
        generator=torch.Generator().manual_seed(2),
        width=SIDE_PX,
        height=SIDE_PX,
        num_inference_steps=4,
    ).images[0]
    ours = pipeline.pictures(serve(pipeline, people, [2]))[0].numpy()
    assert ours.tobytes() == np.asarray(picture).tobytes()


def test_steps_are_told_before_each(pipeline: PeoplePipeline, people: People) -> None:
    told: list[tuple[int, int]] = []
    serve(pipeline, people, [0], step=lambda *at: told.append(at))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]


@pytest.mark.parametrize("last", [0, 2])
def test_cancel_stops_before_the_next_step(
    pipeline: PeoplePipeline, people: People, last: int
) -> None:
    passes: list[int] = []
    hook = pipeline.transformer.register_forward_hook(lambda *_: passes.append(1))

    def step(number: int, steps: int) -> None:
        if number == last:
            raise Cancelled

    try:
        with pytest.raises(Cancelled):
            serve(pipeline, people, [0, 1], step=step)
    finally:
        hook.remove()
    assert len(passes) == last
    assert len(serve(pipeline, people, [0])) == 1  # nothing is left half done


def test_references_of_other_sizes_are_refused(pipeline: PeoplePipeline, people: People) -> None:
    with pytest.raises(ValueError, match="same sizes"):
        serve(pipeline, [people[0], people[1][:1]], [0, 1])
    large = np.zeros((1040, 1024, 3), np.uint8)
    with pytest.raises(ValueError, match="megapixel"):
        serve(pipeline, [[large]], [0])


def test_references_that_do_not_go_round_are_refused(pipeline: PeoplePipeline) -> None:
    with pytest.raises(ValueError, match="go round 2"):
        pipeline.prepare_image_latents(
            [torch.zeros(1, 3, 64, 64)] * 3, 2, None, torch.device("cpu"), torch.float32
        )
