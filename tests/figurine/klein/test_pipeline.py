"""engines/klein: people who share a pass share nothing else; weights out of a folder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from figurine.engines.klein import flux, prompts, resident
from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.painter import Commission, References
from figurine.engines.klein.pipeline import PeoplePipeline, between
from figurine.engines.workshop import Workshop
from figurine.errors import Cancelled, MissingModel
from figurine.types import Pixels, Recipe
from tests.figurine import tiny

SIDE_PX = 64
RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE")
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


def test_steps_of_a_second_card_are_waited_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Event:
        def record(self, stream: str | None = None) -> None:
            self.stream = stream or "the first card's"

        def synchronize(self) -> None:
            done.append(self.stream)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"{device}'s")
    call = between(lambda number, of: None, number=0, of=4, ends=4)
    for at in range(3):
        call(SimpleNamespace(device="cuda:1"), at, 0, {})
    assert done == ["cuda:1's", "cuda:1's"]


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("weights") / "klein-4b")


@pytest.fixture(scope="module")
def loaded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> KleinPainter:
    workshop = Workshop(prompts=tmp_path_factory.mktemp("prompts"), device="cpu")
    return KleinPainter.from_folder(folder, workshop, width_px=128, height_px=128)


def test_weights_out_of_a_folder_paint_without_the_text_encoder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = Workshop(prompts=tmp_path, device="cpu")

    def load() -> KleinPainter:
        return KleinPainter.from_folder(folder, workshop, width_px=128, height_px=128)

    first = load()
    every = {text for way in get_args(References) for text in prompts.shelf(way)}
    assert len(list(tmp_path.iterdir())) == len(every)
    # Whoever needed the text encoder now would not find it.
    monkeypatch.setattr(flux, "_encoded", None)
    wish = asked(128, 128, prompt=prompts.prompt(RECIPE, references="two"))
    pictures = [each.paint([wish], step=lambda *_: None)[0] for each in (first, load())]
    assert pictures[0].shape == (128, 128, 3)
    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert first.version == f"klein-4b@{resident.revision(folder)}"


def test_other_weights_are_another_version(folder: Path, tmp_path: Path) -> None:
    assert resident.revision(tiny.save(tmp_path, seed=1)) != resident.revision(folder)


def test_folder_that_is_not_whole_says_what_to_run(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "klein-4b"
    shutil.copytree(folder, broken)
    (broken / "transformer" / "config.json").unlink()
    with pytest.raises(MissingModel, match=r"manage.py weights fetch klein-4b"):
        KleinPainter.from_folder(
            broken, Workshop(prompts=tmp_path / "p", device="cpu"), width_px=64, height_px=64
        )


def test_one_model_serves_both_frames(loaded: KleinPainter) -> None:
    tall = loaded.at(128, 192)
    wish = asked(128, 192, prompt="a")
    (picture,) = tall.paint([wish], step=lambda *_: None)
    assert picture.shape == (192, 128, 3)
    assert tall.version == loaded.version
    (again,) = tall.refine([wish], [picture], step=lambda *_: None)
    assert (again[:30] == picture[:30]).all()
    assert (again != picture).any()


@pytest.mark.parametrize("way", ["two", "composite", "inpaint"])
def test_each_way_shows_pose_and_selfie(loaded: KleinPainter, way: References) -> None:
    wish = replace(asked(128, 128, prompt="a"), references=way)
    others = [wish, replace(wish, pose=255 - wish.pose), replace(wish, selfie=255 - wish.selfie)]
    plain, posed, faced = loaded.paint(others, step=lambda *_: None)
    assert (plain != posed).any()
    assert (plain != faced).any()


def asked(width_px: int, height_px: int, *, prompt: str) -> Commission:
    chance = np.random.default_rng(3)
    return Commission(
        prompt=prompt,
        pose=chance.integers(0, 256, (height_px, width_px, 3), np.uint8),
        selfie=chance.integers(0, 256, (512, 512, 3), np.uint8),
        faces=((40, 30, 40, 50),),
        seed=1,
    )
