"""What a campaign offers, of a library that grows and shrinks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from campaign import offers
from campaign.models import Campaign
from figurine import recipes
from figurine.errors import MissingModel, UnknownKit
from figurine.types import Recipe


def campaign(**words: Any) -> Campaign:
    return Campaign(slug="demo", name="Diorama Company", **words)


def told(offer: offers.Offer) -> dict[str, list[str]]:
    return {kit.name: [one.name for one in kit.finishes] for kit in offer.kits}


ALL = ["painted", "army-green", "desert-tan", "bronze", "marble", "glow"]


def test_campaign_that_says_nothing_offers_everything(library: Path) -> None:
    assert told(offers.of(campaign())) == {
        "soldier": ALL,
        "astronaut": ALL,
        "explorer": ALL,
    }


def test_campaign_offers_what_it_names_its_first_choice_first(library: Path) -> None:
    offer = offers.of(
        campaign(
            kits=["astronaut", "explorer"],
            finishes=["bronze", "painted"],
            kit="explorer",
            finish="bronze",
        )
    )
    assert told(offer) == {"explorer": ["bronze", "painted"], "astronaut": ["bronze", "painted"]}
    assert (offer.kit.name, offer.finish.name, offer.is_choice) == ("explorer", "bronze", True)


@pytest.mark.parametrize(
    ("kits", "finishes", "is_choice"),
    [
        (["explorer"], ["painted"], False),
        (["explorer"], ["painted", "glow"], True),
        (["soldier", "explorer"], ["painted"], True),
    ],
)
def test_one_kit_in_one_finish_is_no_choice(
    library: Path, kits: list[str], finishes: list[str], is_choice: bool
) -> None:
    named = campaign(kits=kits, finishes=finishes, kit=kits[0])
    assert offers.of(named).is_choice is is_choice
    # A kit without poses makes the same figurine again.
    assert offers.can_vary(named) is is_choice


@pytest.mark.parametrize(
    ("kit", "finish", "picked"),
    [
        ("", "", ("soldier", "painted")),
        ("", "glow", ("soldier", "glow")),
        ("explorer", "", ("explorer", "painted")),
        ("explorer", "glow", ("explorer", "glow")),
    ],
)
def test_pick_fills_in_what_was_not_said(
    library: Path, kit: str, finish: str, picked: tuple[str, str]
) -> None:
    assert offers.of(campaign()).pick(kit, finish) == picked


@pytest.mark.parametrize(
    ("kit", "finish"),
    [("astronaut", ""), ("wizard", ""), ("", "bronze"), ("soldier", "chrome")],
)
def test_pick_of_what_is_not_on_offer_is_refused(library: Path, kit: str, finish: str) -> None:
    offer = offers.of(campaign(kits=["soldier", "explorer"], finishes=["painted", "glow"]))
    with pytest.raises(UnknownKit):
        offer.pick(kit, finish)


def test_kit_gone_from_the_library_leaves_the_rest_on_offer(library: Path) -> None:
    named = campaign(kits=["soldier", "explorer"], kit="soldier", finish="painted")
    shutil.rmtree(library / "soldier")
    offer = offers.of(named)
    assert offer.pick("", "") == ("explorer", "painted")
    assert offers.gone(named) == ("soldier",)
    with pytest.raises(UnknownKit):
        offers.check(named)


def test_finish_gone_from_the_library_leaves_the_rest_on_offer(library: Path) -> None:
    named = campaign(finishes=["chrome", "glow"], finish="chrome")
    assert offers.of(named).pick("", "") == ("soldier", "glow")
    assert offers.gone(named) == ("chrome",)


def test_everything_gone_is_a_missing_model(library: Path) -> None:
    with pytest.raises(MissingModel):
        offers.of(campaign(kits=["wizard"]))


def test_first_choice_that_is_not_offered_is_refused(library: Path) -> None:
    offers.check(campaign(kits=["explorer"], kit="explorer"))
    for wrong in ({"kits": ["explorer"]}, {"finishes": ["glow"]}, {"engine": "magic"}):
        with pytest.raises(UnknownKit):
            offers.check(campaign(**wrong))


def test_swatch_is_whole_whatever_it_is_made_of(library: Path) -> None:
    for kit in offers.whole().kits:
        for finish in kit.finishes:
            colours, lefts, widths = zip(*finish.bands, strict=True)
            assert colours == finish.swatch
            assert lefts[0] == 0
            assert sum(widths) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("kit", "finish"), [(kit.name, one.name) for kit in recipes.shelf() for one in kit.finishes]
)
def test_every_kit_has_its_picture_in_every_finish(kit: str, finish: str) -> None:
    file = offers.PICTURE.format(kit=kit, finish=finish)
    assert finders.find(file), "python -m tests.kit_pictures makes it"


def test_kit_without_a_picture_is_offered_all_the_same(library: Path) -> None:
    glowing = offers.of(campaign(finishes=["glow"], finish="glow"))
    explorer = next(kit for kit in glowing.kits if kit.name == "explorer")
    shown = offers.picture("explorer", "glow")
    assert explorer.finishes[0].picture == shown
    assert offers.picture("explorer", "no such finish") == ""


@pytest.mark.parametrize(
    ("words", "is_fine"),
    [
        ({"engine": "klein"}, True),
        ({"engine": "klein", "engine_options": {"frame": "portrait"}}, True),
        ({"engine": "klein", "engine_options": {"frame": "round"}}, False),
        ({"engine": "sculpt", "engine_options": {"frame": "round"}}, True),  # nobody asks it
        ({"engine": "klein", "second_engine": "hosted"}, True),
        ({"engine": "klein", "second_engine": "nobody"}, False),
        (
            {
                "engine": "klein",
                "second_engine": "hosted",
                "engine_options": {"references": "inpaint"},  # klein can, a provider cannot
            },
            False,
        ),
    ],
)
def test_check_asks_each_of_a_campaigns_engines(words: dict[str, Any], is_fine: bool) -> None:
    if is_fine:
        offers.check(campaign(**words))
        return
    with pytest.raises(UnknownKit):
        offers.check(campaign(**words))


def test_made_by_keeps_the_pose_and_nothing_of_another_engine() -> None:
    asked = campaign(
        engine="klein",
        candidates=2,
        likeness=0.5,
        engine_options={"model": "qwen", "frame": "portrait", "endpoint": "a/b"},
    )
    plain = Recipe("sculpt", "soldier", "painted", "ADA", options={"pose": "kneeling"})
    painted = offers.made_by("klein", plain, campaign=asked)
    gate = {"candidates": 2, "likeness": 0.5}
    assert painted.options == {"pose": "kneeling", "model": "qwen", "frame": "portrait", **gate}
    hosted = offers.made_by("hosted", painted, campaign=asked)
    assert hosted.options == {"pose": "kneeling", "endpoint": "a/b", "frame": "portrait", **gate}
    assert offers.made_by("sculpt", hosted, campaign=asked) == plain


def test_engine_that_paints_makes_each_seed_otherwise(library: Path) -> None:
    one = {"kits": ["explorer"], "finishes": ["painted"], "kit": "explorer"}
    assert offers.can_vary(campaign(engine="klein", **one)) is True
    assert offers.can_vary(campaign(engine="sculpt", second_engine="klein", **one)) is False
