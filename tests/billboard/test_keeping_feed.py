"""The clock, the feed and the stock of a screen that keeps what it is told."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, run


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


# --- clock ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("known", "wall", "expected"),
    [
        (None, 5000, 5100),
        ({"latestMs": 9000, "aheadMs": 200}, 8700, 9100),
        ({"latestMs": 9000, "aheadMs": 200}, 9500, 9800),
        ({"latestMs": 9000, "aheadMs": 200}, 0, 9100),
        ({"latestMs": "9000"}, 5000, 5100),
        (7, 5000, 5100),
    ],
    ids=["first start", "right", "was off for a while", "set back to 1970", "broken", "broken too"],
)
def test_clock_never_runs_behind_what_was_known(
    page: Page, known: Any, wall: int, expected: int
) -> None:
    body = """
        let ticks = 50;
        const clock = new m.Clock({known: g[0], ticks: () => ticks, wall: () => g[1]});
        ticks += 100;
        return clock.now();
    """
    assert run(page, "clock", body, known, wall) == expected


def test_clock_follows_the_server_and_not_who_sets_the_device(page: Page) -> None:
    body = """
        let ticks = 0, wall = 1000;
        const clock = new m.Clock({ticks: () => ticks, wall: () => wall});
        clock.hear('1970-01-01T00:01:00+00:00');
        clock.hear('no time');
        clock.hear(null);
        ticks += 5; wall = -1e9;
        return [clock.now(), clock.known];
    """
    known = {"latestMs": 60_005, "aheadMs": 60_005 + 10**9}
    assert run(page, "clock", body) == [60_005, known]


def test_word_that_was_held_up_does_not_set_the_clock_back(page: Page) -> None:
    """It would put the screen behind its plan; a server whose clock is behind is followed later."""
    body = """
        let ticks = 0;
        const clock = new m.Clock({ticks: () => ticks, wall: () => 0});
        const at = (ms) => new Date(ms).toISOString();
        clock.hear(at(100_000));
        ticks = 5000;
        clock.hear(at(103_900));
        const held = clock.now();
        ticks = 61_000;
        clock.hear(at(150_000));
        const between = clock.now();
        ticks = 66_000;
        clock.hear(at(155_000));
        return [held, between, clock.now()];
    """
    assert run(page, "clock", body) == [105_000, 159_900, 155_000]


SLEEPS = """
    let ticks = 0, wall = 1_000_000;
    const clock = new m.Clock({ticks: () => ticks, wall: () => wall});
    const at = (ms) => new Date(ms).toISOString();
    const goOn = (ticksMs, wallMs) => {
        ticks += ticksMs;
        wall += wallMs;
        return clock.hasSlept();
    };
"""


@pytest.mark.parametrize(
    ("ahead", "ticks", "wall", "slept", "later"),
    [
        (0, 1000, 9000, False, 1_001_000),
        (0, 1000, 3_601_000, True, 4_601_000),
        (7_200_000, 1000, 7_201_000, True, 8_201_000),
        (7_200_000, 1000, 9_001_000, True, 10_001_000),
        (-7_200_000, 1000, 3_601_000, True, -2_599_000),
        (0, 1000, -10_000_000, False, 1_001_000),
    ],
    ids=["slow", "slept", "set right", "set too far", "slept, and was ahead", "set back"],
)
def test_clock_of_a_device_that_slept_goes_by_the_later_one_where_no_server_speaks(
    page: Page, ahead: int, ticks: int, wall: int, slept: bool, later: int
) -> None:
    """Monotonic clocks stand still meanwhile."""
    body = """
        const [ahead, ticksMs, wallMs] = g;
        clock.hear(at(wall + ahead));
        const slept = goOn(ticksMs, wallMs);
        const before = clock.now();
        clock.catchUp();
        return [slept, before, clock.now()];
    """
    said = run(page, "clock", SLEEPS + body, ahead, ticks, wall)
    assert said == [slept, 1_000_000 + ahead + ticks, later]


def test_server_says_how_long_a_device_slept(page: Page) -> None:
    body = """
        for (let trip = 0; trip < 4; trip += 1) {
            const {t0} = clock.ask();
            clock.answer({t0, t1: 1_000_000, t2: 1_000_000});
        }
        goOn(1000, 100_000);
        clock.hear(at(1_050_000));
        clock.catchUp();
        return clock.now();
    """
    assert run(page, "clock", SLEEPS + body) == 1_050_000


# --- feed, stock ----------------------------------------------------------------------------------
def test_item_whose_day_ends_goes_by_itself_and_does_not_come_back(page: Page) -> None:
    body = """
        let now = 0;
        const feed = new m.Feed({now: () => now});
        const frame = {type: 'snapshot', epoch: 'e', seq: 3, items: g[0]};
        g[0][1].until = '1970-01-01T00:00:10+00:00';
        feed.apply(frame);
        now = 9_999;
        const early = feed.expire();
        now = 10_000;
        return [early, feed.expire(), feed.apply(frame).added, [...feed.items.keys()]];
    """
    assert run(page, "feed", body, ABC) == [[], ["B"], [], ["A", "C"]]


def test_feed_goes_on_from_what_was_kept_and_takes_down_what_was_recalled_meanwhile(
    page: Page,
) -> None:
    body = """
        const feed = new m.Feed();
        feed.restore(g[0]);
        const news = feed.apply({type: 'snapshot', epoch: 'e', seq: 4, items: g[0].slice(1)});
        return [news.removed, news.added, feed.place.seq];
    """
    assert run(page, "feed", body, ABC) == [["A"], [], 4]


def test_stock_brings_pictures_before_clips_the_newest_first_until_there_is_no_room(
    page: Page,
) -> None:
    body = """
        const brought = [];
        const source = (kind) => ({
            wants: ({submission}) => !brought.includes(kind + submission),
            stock: async ({submission}) => {
                if (kind + submission === 'pB') throw new Error('gone');
                brought.push(kind + submission);
            }});
        const stock = new m.Stock({sources: [source('p'), source('c')], pauseMs: 0,
            hasRoom: () => brought.length < 4});
        await Promise.all([stock.fill(() => g[0]), stock.fill(() => g[0])]);
        return brought;
    """
    assert run(page, "stock", body, ABC) == ["pC", "pA", "cC", "cB"]
