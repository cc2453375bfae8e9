"""When films rest: recorded seconds, each (frames a second, dropped of 24 frames of a film)."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run

Second = tuple[float, int]

GOOD: Second = (60, 0)
JERKY: Second = (14, 3)
DROPS: Second = (60, 11)
STALL: Second = (0, 0)
MINUTE_MS = 60_000


def rested(page: Page, seconds: list[Second], *, known: Any = None, films: int = 1) -> list[int]:
    """The seconds at which films went to rest (positive) and came back (negative)."""
    body = """
        const [seconds, known, films] = g;
        const rest = new m.Rest(known, 0);
        if (!known) rest.settle(0);
        const changes = [];
        seconds.forEach(([fps, dropped], i) => {
            const was = rest.isOn;
            const nowMs = 1000 * (i + 1);
            rest.judge({nowMs, fps, films: rest.isOn ? 0 : films, shown: 24, dropped});
            if (rest.isOn !== was) changes.push(rest.isOn ? i + 1 : -(i + 1));
        });
        return changes;
    """
    found: list[int] = run(page, "rest", body, seconds, known, films)
    return found


@pytest.mark.parametrize("bad", [JERKY, DROPS], ids=["the page", "the film"])
def test_films_rest_when_seconds_on_end_are_jerky(page: Page, bad: Second) -> None:
    [went, *_] = rested(page, [GOOD] * 20 + [bad] * 10)
    assert went == 25


@pytest.mark.parametrize(
    "seconds",
    [
        [STALL] * 4 + [GOOD] * 30,
        [JERKY] * 4 + [GOOD] * 30,
        [GOOD] * 9 + [STALL] * 4 + [GOOD] * 20,
        [GOOD, GOOD, GOOD, JERKY] * 20,
        [DROPS, GOOD] * 30,
        [(25, 5)] * 60,
        [(23.976, 0)] * 60,
    ],
    ids=[
        "a start",
        "a slow start",
        "one stall",
        "now and then",
        "every other",
        "slow, but even",
        "cinema's rate",
    ],
)
def test_device_that_is_fine_is_not_judged_by_a_stall(page: Page, seconds: list[Second]) -> None:
    assert rested(page, seconds) == []


def test_page_without_films_is_not_judged(page: Page) -> None:
    assert rested(page, [JERKY] * 60, films=0) == []


def test_rests_grow_and_end_only_when_it_is_calm(page: Page) -> None:
    seconds = [JERKY] * 90 + [GOOD] * 20 + [JERKY] * 20 + [GOOD] * 320
    went, came, again, back = rested(page, seconds)
    assert (went, came) == (6, -95)
    assert again == pytest.approx(115, abs=1)
    assert -back - again == 300


def test_rests_are_short_again_after_a_good_while(page: Page) -> None:
    seconds = [JERKY] * 10 + [GOOD] * 700 + [JERKY] * 10 + [GOOD] * 70
    went, came, again, back = rested(page, seconds)
    assert (-came - went, -back - again) == (60, 60)


def test_reload_does_not_end_a_rest_and_a_wrong_clock_makes_none_longer(page: Page) -> None:
    hour_ms = 60 * MINUTE_MS
    kept = {"untilMs": 30_000, "rests": 2}
    assert rested(page, [GOOD] * 40, known=kept) == [-30]
    far = {"untilMs": 1e15, "rests": 2}
    body = "return new m.Rest(g[0], 0).known.untilMs;"
    assert run(page, "rest", body, far) == 2 * hour_ms
    for odd in (None, 7, {}, {"untilMs": "x", "rests": 1}, {"untilMs": None}):
        assert run(page, "rest", "return new m.Rest(g[0], 0).isOn;", odd) is False
