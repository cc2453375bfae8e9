"""A device that does not keep up with films shows the still, and no frame of nobody in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from campaign.models import Campaign
from tests.billboard import films
from tests.billboard.rows import approved
from tests.e2e.conftest import Aside
from tests.e2e.frames import NEAR, Film
from tests.e2e.test_screen import (  # noqa: F401 - fixtures
    Open,
    browser,
    key,
    on,
    open_screen,
)

pytestmark = pytest.mark.django_db(transaction=True)

RED = (200, 30, 40)

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
    return int((np.abs(frame.astype(int) - np.array(RED)).max(axis=2) < NEAR).sum())


def test_films_give_way_to_the_still_while_the_page_is_slow_and_a_reload_remembers(
    campaign: Campaign,
    key: str,  # noqa: F811
    open_screen: Open,  # noqa: F811
    aside: Aside,
) -> None:
    Campaign.objects.update(slot_s=120)
    mae = aside(approved, campaign, colour="#c81e28")
    aside(films.store, mae, rgb=RED)
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
