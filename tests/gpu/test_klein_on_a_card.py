"""What only a card can show of klein, on tiny random weights: skipped where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from figurine.engines.klein import levers, prompts
from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.painter import Commission
from figurine.engines.klein.passes import Job, Passes, Person
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.types import Pixels
from tests.figurine import tiny

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
SIDE_PX = 256


def painter(folder: Path, *pulled: str) -> KleinPainter:
    pipeline = PeoplePipeline(**tiny.components(encoder=False)).to("cuda")
    levers.pull(pipeline, pulled)
    return KleinPainter(
        pipeline,
        embeddings=prompts.Embeddings(
            folder,
            revision="tiny",
            encode=lambda texts: torch.cat([tiny.embeds(len(text)) for text in texts]),
        ),
        version="tiny@1",
        width_px=SIDE_PX,
        height_px=SIDE_PX,
        is_compiled="compile" in pulled,
    )


def people(count: int) -> list[Commission]:
    noise = np.random.default_rng(1)
    return [
        Commission(
            prompt="a toy",
            pose=noise.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8),
            selfie=noise.integers(0, 256, (512, 512, 3), np.uint8),
            faces=((96, 40, 64, 72),),
            seed=seed,
        )
        for seed in range(count)
    ]


def painted(by: KleinPainter, asked: Sequence[Commission], *, at_once: int) -> list[Pixels]:
    """In passes of so many, each decoded beside the next."""
    person = Person(lambda stage, done: None)
    pictures = Passes(at_once).paint(by, [Job(person, one) for one in asked], span=(0.0, 1.0))
    assert person.gone is None
    return [picture for picture in pictures if picture is not None]


def test_pictures_decoded_beside_the_next_pass_are_the_same_to_the_byte(tmp_path: Path) -> None:
    by, asked = painter(tmp_path), people(6)
    assert by._beside is not None
    beside = painted(by, asked, at_once=2)
    by._beside = None
    alone = painted(by, asked, at_once=2)
    assert [one.tobytes() for one in beside] == [one.tobytes() for one in alone]


def test_steps_are_heard_as_the_card_takes_them(tmp_path: Path) -> None:
    by, asked = painter(tmp_path), people(1)
    pending: list[bool] = []
    last: list[torch.cuda.Event] = []

    def step(number: int, steps: int) -> None:
        # All but what was queued since the step before has run.
        pending.append(any(not event.query() for event in last[:-1]))
        last.append(torch.cuda.Event())
        last[-1].record()

    by.paint(asked, step=step)
    assert pending == [False] * 4


@pytest.mark.parametrize("count", [1, 2, 3])
def test_compiled_passes_of_any_number_are_near_the_eager_ones(tmp_path: Path, count: int) -> None:
    asked = people(count)
    eager = painted(painter(tmp_path), asked, at_once=4)
    compiled = painted(painter(tmp_path, "compile"), asked, at_once=4)
    for one, other in zip(eager, compiled, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1


def test_card_that_is_full_halves_and_loses_nobody(tmp_path: Path) -> None:
    by, asked = painter(tmp_path), people(8)
    painted(by, asked[:1], at_once=1)
    torch.cuda.reset_peak_memory_stats()
    painted(by, asked[:2], at_once=2)
    for_two = torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(
        1.6 * for_two / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        pictures = painted(by, asked, at_once=8)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(pictures) == 8
