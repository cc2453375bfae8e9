"""The playlist for few, for many, and in another process."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import pytest

from billboard import playlist, slots
from billboard.slots import Entry, Hours, Pin, Screen
from tests.billboard.street import BEGIN_MS, RULES, SLOT_MS, old, planned


def test_nobody_is_no_slot_and_a_sponsor_alone_keeps_to_its_share() -> None:
    assert planned([], [Screen(1)]).slots == {1: ()}
    pinned = planned([], [Screen(1)], pins=[Pin("ad", 0.25)]).slots[1]
    assert {slot.key for slot in pinned} == {"ad"}
    assert len(pinned) == pytest.approx(0.25 * 30, abs=1)


def test_one_alone_stays_and_two_take_turns() -> None:
    alone = planned(old(1), [Screen(1)], ms=4 * SLOT_MS).slots[1]
    assert [slot.key for slot in alone] == ["p0"] * 4
    both = planned(old(2), [Screen(1)], ms=4 * SLOT_MS).slots[1]
    assert [slot.key for slot in both] == ["p0", "p1"] * 2


@pytest.mark.parametrize("places", [1, 4])
@pytest.mark.parametrize(("hours", "waiting"), [(slots.ALWAYS, 6), (Hours(1, 0), 0)])
def test_booked_one_who_was_never_shown_has_their_first_showing_once(
    places: int, hours: Hours, waiting: int
) -> None:
    crowd = [Entry(f"p{n}", n, BEGIN_MS + n, hours=hours) for n in range(6)]
    for begin in range(8):
        plan = playlist.plan(
            crowd,
            [Screen(1, places, least_places=places)],
            RULES,
            pins=[Pin("p0", 0.5)],
            now_ms=BEGIN_MS + begin * SLOT_MS,
            until_ms=BEGIN_MS + (begin + 6) * SLOT_MS,
        )
        debuts = [slot.key for slot in plan.slots[1] if slot.kind == "first"]
        assert sorted(debuts) == sorted({*debuts})
        assert plan.outlook.waiting == waiting
        first = [slot for slot in plan.slots[1] if slot.place == 0]
        assert all(one.key != other.key for one, other in itertools.pairwise(first))


@pytest.mark.parametrize("late_ms", [1000, 4000, 7999])
def test_two_pins_are_not_in_a_row_though_the_first_was_drawn_out(late_ms: int) -> None:
    """A plan may begin within a slot: who is on then has the rest of it and a whole one."""
    for begin in range(2):
        now_ms = BEGIN_MS + begin * SLOT_MS + late_ms
        plan = playlist.plan(
            old(4),
            [Screen(1)],
            RULES,
            pins=[Pin("p0", 0.5)],
            now_ms=now_ms,
            until_ms=now_ms + 80_000,
        )
        keys = [slot.key for slot in plan.slots[1]]
        assert "p0" in keys
        assert all(one != other for one, other in itertools.pairwise(keys))


def test_booked_one_who_is_alone_and_new_stays_on() -> None:
    alone = [Entry("p0", 0, BEGIN_MS)]
    slots = planned(alone, [Screen(1)], ms=6 * SLOT_MS, pins=[Pin("p0", 0.5)]).slots[1]
    assert all(one.end_ms == other.at_ms for one, other in itertools.pairwise(slots))
    assert [slot.kind for slot in slots] == ["first", *["repeat"] * 5]


def test_mosaic_that_was_chosen_fills_its_places_whether_or_not_the_promise_needs_them() -> None:
    slots = planned(old(6), [Screen(1, 4, least_places=4)], ms=6 * SLOT_MS).slots[1]
    assert {slot.place for slot in slots} == {0, 1, 2, 3}
    assert {slot.key for slot in slots} == {f"p{n}" for n in range(6)}
    few = planned(old(2), [Screen(1, 4, least_places=4)], ms=6 * SLOT_MS).slots[1]
    assert {slot.place for slot in few} == {0, 1}, "nobody is shown twice at once"


@pytest.mark.parametrize(("late", "places"), [(1, 1), (3, 4), (40, 16)])
def test_places_are_as_many_as_show_the_late_in_the_next_slot(late: int, places: int) -> None:
    crowd = [Entry(f"p{n}", n, BEGIN_MS - RULES.promise_ms - 1000) for n in range(late)]
    outlook = planned(crowd, [Screen(1, 16)], ms=2 * SLOT_MS).outlook
    assert (outlook.holds, outlook.places) == (False, places)


def test_promise_that_cannot_hold_says_so_and_the_longest_waiting_come_first() -> None:
    crowd = [Entry(f"p{i}", i, BEGIN_MS - 1000 * (40 - i)) for i in range(40)]
    plan = planned(crowd, [Screen(1, 2)], ms=40 * SLOT_MS)
    outlook = plan.outlook
    assert (outlook.holds, outlook.waiting, outlook.places) == (False, 40, 2)
    assert outlook.slots_an_hour == 900
    debuts = [slot.key for slot in plan.slots[1] if slot.kind == "first"]
    assert debuts == [f"p{i}" for i in range(40)]


def test_no_screen_keeps_no_promise() -> None:
    outlook = planned([Entry("a", 1, BEGIN_MS)], []).outlook
    assert (outlook.holds, outlook.waiting, outlook.slots_an_hour) == (False, 1, 0)


def test_other_process_makes_the_same_plan() -> None:
    code = (
        "from billboard import playlist as p; from billboard.slots import *;"
        "es = [Entry(f'p{i}', i, 1000 * i, times=i % 3, last_ms=i) for i in range(200)];"
        "print(p.plan(es, [Screen(1), Screen(2, 4)], Rules(8000, 600000),"
        " pins=[Pin('ad', .2)], now_ms=200000, until_ms=400000))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert "p198" in said.pop()


@pytest.mark.parametrize("waiting", [0, 200, 10_000])
def test_ten_thousand_are_planned_in_a_tenth_of_a_second(waiting: int) -> None:
    entries = [
        Entry(f"p{i}", i, BEGIN_MS - 2000 * (10_000 - i), int(i < 10_000 - waiting), i)
        for i in range(10_000)
    ]
    took_s = []
    for _ in range(5):
        began_s = time.process_time()
        planned(entries, [Screen(1), Screen(2), Screen(3, 4)], ms=600_000)
        took_s.append(time.process_time() - began_s)
    assert min(took_s) < 0.1
