"""Films on a screen: there after the picture, gone with a recall, at rest on a slow device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from billboard.models import Ack, EntryKind
from campaign.models import Campaign
from tests.billboard import films
from tests.billboard.rows import approved, recall
from tests.e2e.conftest import Aside
from tests.e2e.frames import NEAR, Film
from tests.e2e.screen import GREEN, SHOWN_MS, Open, colour, count, on, settled

pytestmark = pytest.mark.django_db(transaction=True)

RUBY = (200, 30, 40)

BURN = """() => {
    const burn = () => {
        for (const end = performance.now() + 90; performance.now() < end; );
        requestAnimationFrame(burn);
    };
    burn();
}"""
"""Leaves the page ten frames a second."""


@dataclass(frozen=True)
class Somebody:
    """Picture and film are of one colour; a frame in which there is little of it shows nobody."""

    least: int

    def verdict(self, frame: NDArray[np.uint8], /) -> str | None:
        return "nobody" if red(frame) < self.least else None


def red(frame: NDArray[np.uint8]) -> int:
    return int((np.abs(frame.astype(int) - np.array(RUBY)).max(axis=2) < NEAR).sum())


def test_films_give_way_to_the_still_while_the_page_is_slow_and_a_reload_remembers(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    Campaign.objects.update(slot_s=120)
    mae = aside(approved, campaign, colour="#c81e28")
    aside(films.store, mae, rgb=RUBY)
    page = open_screen(key, size=(640, 360))
    on(page, mae)
    page.wait_for_selector(".card[data-moves='']")
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((a) => a.finished))")
    film = Film(page, Somebody(least=300))
    film.start()
    page.evaluate(BURN)
    page.wait_for_selector("html[data-films=rest]", timeout=20_000)
    page.wait_for_selector(".card[data-submission]:not([data-moves])")
    assert page.locator(".film").count() == 0
    film.stop()
    assert film.count >= 10
    assert film.wrong == []
    page.reload()
    on(page, mae)
    assert page.locator("html").get_attribute("data-films") == "rest"
    assert page.locator(".film").count() == 0


PINK = (200, 40, 120)


def moves(page: Page) -> None:
    page.wait_for_selector("[data-moves] .film", timeout=SHOWN_MS)


def test_clip_comes_while_the_picture_is_on_plays_and_goes_with_the_recall(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    mae = aside(approved, campaign, plaque="MAE", colour=colour(GREEN))
    page = open_screen(key)
    on(page, mae)
    still = settled(page)
    assert (count(still, PINK), count(still, GREEN) > 5000) == (0, True)

    aside(films.store, mae, rgb=PINK)
    moves(page)
    moving = settled(page)
    assert count(moving, PINK) > 5000
    assert count(moving, GREEN) < count(still, GREEN) / 4, "the picture is not seen beside it"
    film = page.locator(".film")
    told = film.evaluate("film => [film.muted, film.loop, film.paused, film.currentTime]")
    assert told[:3] == [True, True, False]
    page.wait_for_function(
        "before => document.querySelector('.film').currentTime !== before", arg=told[3]
    )
    assert page.locator("html").get_attribute("data-hero") == str(mae.pk)

    aside(recall, mae)
    on(page, None)
    assert page.locator("video").count() == 0
    assert page.locator("[data-submission]").count() == 0
    assert count(settled(page), PINK) == 0
    assert Ack.objects.filter(entry__kind=EntryKind.REMOVE).count() == 1


def test_clip_that_does_not_play_leaves_the_picture(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    mae = aside(approved, campaign, plaque="MAE", colour=colour(GREEN))
    clip = aside(films.store, mae, broken=True)
    page = open_screen(key)
    page.add_init_script(
        """window.films = 0;
        new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(
            (node) => { if (node.querySelector?.(".pane > .film")) window.films += 1; },
        ))).observe(document, {subtree: true, childList: true});"""
    )
    page.reload()
    on(page, mae)
    page.wait_for_function("() => window.films > 0")
    page.wait_for_selector(".film", state="detached")
    assert page.locator("[data-moves]").count() == 0
    assert count(settled(page), GREEN) > 5000
    assert clip.is_done


def test_next_one_moves_as_soon_as_it_is_on(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    """Its clip was loaded ahead, so there are two films for the moment of the change."""
    names = [aside(approved, campaign, plaque=name) for name in ("MAE", "SALLY")]
    for submission in names:
        aside(films.store, submission, rgb=PINK)
    page = open_screen(key)
    on(page, names[1])
    moves(page)
    on(page, names[0], within_ms=10_000)
    page.wait_for_selector(f'[data-submission="{names[0].pk}"][data-moves]', timeout=2000)
