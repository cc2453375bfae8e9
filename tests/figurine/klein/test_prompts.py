"""engines/klein/prompts.py: what is asked for, and that it is encoded once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from figurine import kits, recipes
from figurine.engines.klein import order, prompts
from figurine.errors import UnknownKit
from figurine.types import Recipe
from tests.figurine import tiny
from tests.test_boundaries import HEAVY, ROOT

RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE")


class Encoder:
    """Notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return torch.cat([tiny.embeds(len(text)) for text in texts])


def test_prompt_says_shape_and_headgear_first_then_likeness() -> None:
    text = prompts.prompt(RECIPE, references="two")
    places = [
        text.index(word) for word in ("figurine", "helmet", "unmistakably", "Image 1", "painted")
    ]
    assert places == sorted(places)
    assert "binoculars" in text
    assert "MAE" not in text


def test_prompt_of_every_kit_finish_pose_and_way_differs() -> None:
    texts = [text for way in ("two", "composite", "inpaint") for text in prompts.shelf(way)]
    stances = sum(len(recipes.poses(name)) or 1 for name in kits.names())
    finishes = len(recipes.finishes("soldier"))
    # Of squads, whose poses take turns, one text serves all poses.
    assert len(set(texts)) == 3 * finishes * (stances + len(kits.names()))


def test_prompt_of_an_unknown_kit_is_made_of_its_title() -> None:
    kit = replace(kits.load("astronaut"), name="pirate", title="Pirate", finishes={
        **kits.load("astronaut").finishes,
        "copper": replace(kits.load("astronaut").finishes["bronze"], title="Polished copper"),
    })  # fmt: skip
    text = prompts._prompt(kit, "copper", "two", is_squad=False)
    assert "figurine of pirate, with the headgear" in text
    assert "the finish called polished copper" in text


def test_squad_is_asked_for_in_the_plural() -> None:
    text = prompts.prompt(RECIPE, references="two", faces=3)
    assert "A squad of" in text
    assert "left to right" in text


def test_embedding_is_made_once_and_found_again(tmp_path: Path) -> None:
    encode = Encoder()
    first = prompts.Embeddings(tmp_path / "new", revision="a", encode=encode)
    made = first.of(["one", "three", "one"])
    assert encode.asked == ["one", "three"]
    again = prompts.Embeddings(tmp_path / "new", revision="a", encode=encode).of(["three", "one"])
    assert encode.asked == ["one", "three"]
    assert torch.equal(made, again[[1, 0, 1]])


def test_embedding_in_bfloat16_is_found_again(tmp_path: Path) -> None:
    there = prompts.Embeddings(
        tmp_path, revision="a", encode=lambda texts: tiny.embeds(count=len(texts)).bfloat16()
    )
    made = there.of(["one"])
    kept = prompts.Embeddings(tmp_path, revision="a", encode=Encoder())
    assert torch.equal(kept.of(["one"]), made)
    assert made.dtype == torch.bfloat16


def test_embedding_of_another_revision_is_another(tmp_path: Path) -> None:
    encode = Encoder()
    for revision in ("a", "b"):
        prompts.Embeddings(tmp_path, revision=revision, encode=encode).of(["one"])
    assert encode.asked == ["one", "one"]


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty"])
def test_corrupted_embedding_is_made_anew(tmp_path: Path, harm: str) -> None:
    encode = Encoder()
    there = prompts.Embeddings(tmp_path, revision="a", encode=encode)
    made = there.of(["one"])
    path = there.path("one")
    data = path.read_bytes()
    flipped = bytes([*data[:-1], data[-1] ^ 1])
    path.write_bytes({"cut": data[:-9], "flipped": flipped, "empty": b""}[harm])
    for _ in range(2):
        again = prompts.Embeddings(tmp_path, revision="a", encode=encode).of(["one"])
        assert torch.equal(again, made)
    assert encode.asked == ["one", "one"]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_prepared_embeddings_are_encoded_before_anyone_waits(tmp_path: Path) -> None:
    encode = Encoder()
    there = prompts.Embeddings(tmp_path, revision="a", encode=encode)
    there.prepare(["one", "three"])
    there.prepare(["three"])
    there.of(["three", "one"])
    assert encode.asked == ["one", "three"]


@pytest.mark.parametrize(
    "options",
    [
        {"candidates": 0},
        {"candidates": 5},
        {"candidates": True},
        {"candidates": 1.5},
        {"likeness": -0.1},
        {"likeness": "high"},
        {"references": "three"},
        {"frame": "round"},
        {"model": "flux"},
    ],
)
def test_recipe_with_a_wish_that_nobody_can_make_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownKit):
        recipes.check(replace(RECIPE, options=options))


def test_recipe_with_every_wish_is_read() -> None:
    options: dict[str, str | float] = {
        "candidates": 4, "likeness": 0.4, "references": "composite", "frame": "portrait",
        "model": "qwen", "pose": "salute",
    }  # fmt: skip
    recipe = replace(RECIPE, options=options)
    recipes.check(recipe)
    assert order.read(recipe) == order.Wish("qwen", "portrait", "composite", 4, 0.4)
    assert order.read(RECIPE) == order.Wish("klein", "square", "two", 1, order.LIKENESS)


def test_recipe_is_checked_without_heavy_libraries() -> None:
    """The web process does so."""
    code = (
        "import sys; from figurine import recipes, types;"
        "recipes.check(types.Recipe('klein', 'soldier', 'painted'));"
        "print(sorted({name.split('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_prompts_that_cannot_be_kept_do_not_stop_anyone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    encode = Encoder()
    there = prompts.Embeddings(tmp_path / "file", revision="a", encode=encode)
    assert torch.equal(there.of(["one"]), there.of(["one"]))
    assert encode.asked == ["one"]
    assert "keeps no prompts" in caplog.text
