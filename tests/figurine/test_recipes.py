from __future__ import annotations

import re
from pathlib import Path

import pytest

from figurine import kits, recipes
from figurine.errors import BadPlaque, UnknownKit
from figurine.types import Recipe


@pytest.mark.parametrize("finish", ["painted", "army-green"])
def test_check_passes_what_the_shelf_has(finish: str) -> None:
    recipes.check(Recipe("sculpt", "soldier", finish))
    assert finish in recipes.finishes("soldier")


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("magic", "soldier", "painted"),
        Recipe("sculpt", "wizard", "painted"),
        Recipe("sculpt", "../soldier", "painted"),
        Recipe("sculpt", "soldier", "gold"),
    ],
)
def test_check_refuses_what_nobody_can_make(recipe: Recipe) -> None:
    with pytest.raises(UnknownKit):
        recipes.check(recipe)


@pytest.mark.parametrize("name", ["MAE", "ЖАННА", "민지", "さくら", "小龙", "ليلى"])
def test_check_passes_names_of_the_world(name: str) -> None:
    recipes.check(Recipe("sculpt", "soldier", "painted", name))


def test_check_refuses_a_script_without_a_font() -> None:
    with pytest.raises(BadPlaque):
        recipes.check(Recipe("sculpt", "soldier", "painted", "გიორგი"))


def test_shelf_holds_every_kit_in_every_finish() -> None:
    shelf = {kit.name: kit for kit in recipes.shelf()}
    assert tuple(shelf) == kits.names()
    for name, kit in shelf.items():
        assert {one.name: one.title for one in kit.finishes} == recipes.finishes(name)


def test_swatch_is_made_of_the_palette_cloth_first(library: Path) -> None:
    finishes = {one.name: one.swatch for one in recipes.shelf()[0].finishes}
    assert finishes["glow"] == ("#b9f27c",)
    assert len(finishes["painted"]) == recipes.SWATCH_COLOURS
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in finishes["painted"])


def test_variant_takes_a_kits_poses_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "poses", lambda kit: ("standing", "kneeling"))
    recipe = Recipe("sculpt", "soldier", "painted", options={"spp": 4})
    turns = [recipes.variant(recipe, seed).options for seed in (1, 2, 3)]
    assert turns == [
        {"spp": 4, "pose": "standing"},
        {"spp": 4, "pose": "kneeling"},
        {"spp": 4, "pose": "standing"},
    ]


def test_variant_of_a_kit_with_one_pose_is_the_recipe(library: Path) -> None:
    recipe = Recipe("sculpt", "soldier", "painted")
    assert recipes.variant(recipe, 7) == recipe
