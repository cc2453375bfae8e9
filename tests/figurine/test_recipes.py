from __future__ import annotations

import re

import pytest

from figurine import kits, recipes
from figurine.errors import BadPlaque, UnknownKit
from figurine.types import Recipe

FINISHES = ["painted", "army-green", "desert-tan", "bronze", "marble", "glow"]


@pytest.mark.parametrize("finish", FINISHES)
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
        Recipe("sculpt", "soldier", "bronze", options={"pose": "kneeling"}),
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


def test_swatch_is_made_of_the_palette_cloth_first() -> None:
    soldier = next(kit for kit in recipes.shelf() if kit.name == "soldier")
    finishes = {one.name: one.swatch for one in soldier.finishes}
    red, green, blue = bytes.fromhex(finishes["glow"][0][1:])
    assert green > red > blue  # as it looks, lit from inside, not as its pale plastic is
    assert len(finishes["glow"]) == 1
    assert len(finishes["painted"]) == recipes.SWATCH_COLOURS
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in finishes["painted"])


def test_variant_takes_a_kits_poses_in_turn() -> None:
    recipe = Recipe("sculpt", "soldier", "painted", options={"spp": 4})
    turns = [recipes.variant(recipe, seed).options for seed in (1, 2, 3)]
    assert turns == [
        {"spp": 4, "pose": "binoculars"},
        {"spp": 4, "pose": "salute"},
        {"spp": 4, "pose": "binoculars"},
    ]


def test_variant_of_a_kit_with_one_pose_is_the_recipe() -> None:
    recipe = Recipe("sculpt", "explorer", "painted")
    assert recipes.variant(recipe, 7) == recipe


def test_finishes_and_poses_are_named_the_first_one_first() -> None:
    assert list(recipes.finishes("soldier")) == FINISHES
    assert recipes.poses("soldier") == {"binoculars": "Lookout", "salute": "Salute"}


def test_check_passes_a_pose_of_the_kit() -> None:
    recipes.check(Recipe("sculpt", "soldier", "bronze", options={"pose": "salute"}))
