from __future__ import annotations

import pytest

from figurine import recipes
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


def test_finishes_and_poses_are_named_the_first_one_first() -> None:
    assert list(recipes.finishes("soldier")) == FINISHES
    assert recipes.poses("soldier") == {"binoculars": "Lookout", "salute": "Salute"}


def test_check_passes_a_pose_of_the_kit() -> None:
    recipes.check(Recipe("sculpt", "soldier", "bronze", options={"pose": "salute"}))
