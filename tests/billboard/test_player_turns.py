"""Whose turn it is: the rotation, the belt and the plan."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, item, run


def ranking(
    page: Page, items: list[dict[str, Any]], history: dict[str, list[int]], current: str | None
) -> list[str]:
    body = """
        const history = new Map(Object.entries(g[1])
            .map(([name, [times, lastMs]]) => [name, {times, lastMs}]));
        return m.ranking(g[0], history, g[2]).map((item) => item.submission);
    """
    ranked: list[str] = run(page, "rotation", body, items, history, current)
    return ranked


@pytest.mark.parametrize(
    ("history", "current", "expected"),
    [
        ({}, None, "CBA"),
        ({"C": [1, 100]}, "C", "BAC"),
        ({"A": [1, 300], "B": [1, 200], "C": [1, 100]}, "A", "CBA"),
        ({"A": [1, 100], "B": [9, 100], "C": [2, 200]}, "C", "ABC"),
        ({"A": [1, 100], "C": [1, 200]}, "C", "BAC"),
        ({"A": [5, 100], "B": [1, 300], "C": [1, 200]}, "B", "ACB"),
    ],
    ids=[
        "never shown, newest first",
        "not the same twice",
        "then who waited longest",
        "then who was shown least",
        "never shown before everyone",
        "a newcomer does not take every second turn",
    ],
)
def test_turn_goes_to(
    page: Page, history: dict[str, list[int]], current: str | None, expected: str
) -> None:
    assert "".join(ranking(page, ABC, history, current)) == expected


def test_one_alone_follows_itself_and_none_follows_nobody(page: Page) -> None:
    assert ranking(page, ABC[:1], {"A": [3, 100]}, "A") == ["A"]
    assert ranking(page, [], {}, None) == []


def test_round_shows_everyone_equally_and_no_one_twice_in_a_row(page: Page) -> None:
    body = """
        const history = new Map(), plays = [];
        let current = null;
        for (let turn = 0; turn < 40; turn += 1) {
            const here = turn < 20 ? g[0].slice(0, 4) : g[0];
            current = m.ranking(here, history, current)[0].submission;
            plays.push(current);
            const times = (history.get(current)?.times ?? 0) + 1;
            history.set(current, {times, lastMs: turn});
        }
        return plays;
    """
    plays: list[str] = run(
        page, "rotation", body, [item(name, n) for n, name in enumerate("ABCDE")]
    )
    assert all(one != other for one, other in itertools.pairwise(plays))
    assert {plays[:20].count(name) for name in "ABCD"} == {5}
    assert plays[20] == "E"
    assert {plays[20:].count(name) for name in "ABCDE"} == {4}


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, True),
        ({"isRepeat": False, "startedMs": 0}, False),
        ({"isRepeat": True, "startedMs": 0}, True),
        ({"isRepeat": True, "startedMs": 4500}, False),
    ],
    ids=["nobody on", "first showing", "repeat", "repeat still coming in"],
)
def test_newcomer_interrupts_repeats_only(page: Page, current: Any, expected: bool) -> None:
    assert run(page, "rotation", "return m.givesWay(g[0], 5000);", current) is expected


def test_shelf_holds_the_most_recent_but_the_hero(page: Page) -> None:
    body = "return m.mostRecent(g[0], g[1]).slice(0, 2).map((item) => item.submission);"
    assert run(page, "rotation", body, ABC, "C") == ["B", "A"]
    assert run(page, "rotation", body, ABC, None) == ["C", "B"]


def test_belt_begins_with_the_last_hero(page: Page) -> None:
    body = """
        const history = new Map([['A', {times: 1, lastMs: 100}], ['B', {times: 1, lastMs: 200}]]);
        return m.riders(g[0], history, 'C').slice(0, 3).map(({submission}) => submission);
    """
    five = [*ABC, item("D", 4), item("E", 5)]
    assert run(page, "belt", body, five) == ["B", "A", "E"]


@pytest.mark.parametrize(
    ("now_ms", "expected"),
    [
        (800, [None, "A", None, None, "A"]),
        (950, ["A", "B", 8050, None, "BESIDE"]),
        (4000, ["A", "B", 5000, "BESIDE", "B"]),
        (8950, ["B", None, 4050, "BESIDE", None]),
        (12_950, [None, None, None, None, None]),
    ],
    ids=["before", "nearly", "within", "a timer that is early", "run out"],
)
def test_plan_says_who_is_on_and_who_is_next(
    page: Page, now_ms: int, expected: list[str | int | None]
) -> None:
    body = """
        const plan = new m.Plan();
        plan.take({slots: [{at_ms: 0, duration_ms: 99999, submission: "OLD", place: 0}]});
        plan.take({slots: g[0]});
        return [plan.on(g[1])?.submission ?? null, plan.next(g[1])?.submission ?? null,
            plan.leftMs(g[1]), plan.on(g[1], 1)?.submission ?? null,
            plan.next(g[1], 2)?.submission ?? null];
    """
    slots = [
        {"at_ms": 9000, "duration_ms": 4000, "submission": "B", "place": 0},
        {"at_ms": 2000, "duration_ms": 8000, "submission": "BESIDE", "place": 1},
        {"at_ms": 1000, "duration_ms": 8000, "submission": "A", "place": 0},
    ]
    assert run(page, "plan", body, slots, now_ms) == expected
