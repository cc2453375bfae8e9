"""The server's time by question and answer, over networks that are slow, uneven and lopsided."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.billboard.player import run
from tests.exhaustive import EXHAUSTIVE

AHEAD_MS = 1_764_000_000_000.0
"""By how much the server's clock is ahead of the monotonic one."""

ASK = """
    let ticks = 0;
    const clock = new m.Clock({ticks: () => ticks, wall: () => 0});
    const [ahead, trips] = g;
    return trips.map(({begin, there, busy, back, set}) => {
        ticks = begin;
        const {t0} = clock.ask();
        ticks += there;
        const t1 = ticks + ahead + set;
        ticks += busy;
        const t2 = ticks + ahead + set;
        ticks += back;
        const isWanted = clock.answer({t0, t1, t2});
        return [clock.now() - ticks - ahead - set, clock.withinMs, isWanted];
    });
"""


@dataclass(frozen=True)
class Trip:
    """Milliseconds on the way, in the server, and on the way back; `set` moved its clock before."""

    there: float
    back: float
    busy: float = 0.0
    set: float = 0.0


def errors(page: Page, trips: list[Trip]) -> list[tuple[float, float, bool]]:
    """After each: the clock's error, what it says it is within, and whether it asks again."""
    told = [{"begin": 5000.3 * n, **vars(trip)} for n, trip in enumerate(trips)]
    return [(e, within, again) for e, within, again in run(page, "clock", ASK, AHEAD_MS, told)]


ways = st.floats(0, 3000)
trips = st.builds(Trip, there=ways, back=ways, busy=st.floats(0, 200))


@settings(
    max_examples=400 if EXHAUSTIVE else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(trips, min_size=1, max_size=20))
@example([Trip(there=0.0, back=0.0, busy=1.0264912363720242)])  # no time on the way, and rounded
def test_error_is_never_more_than_the_clock_says(page: Page, network: list[Trip]) -> None:
    for error, within, _ in errors(page, network):
        assert abs(error) <= within + 1


def test_one_quick_trip_of_the_last_eight_is_enough(page: Page) -> None:
    """A jittery network whose way back is ten times as slow: words of the server alone would put
    the clock hundreds of milliseconds behind."""
    dice = random.Random(7)
    network = []
    for n in range(60):
        slow = dice.expovariate(1 / 300)
        quick = n % 8 == 3
        network.append(Trip(there=4, back=6) if quick else Trip(there=slow / 10, back=40 + slow))
    after_first = errors(page, network)[4:]
    assert max(abs(error) for error, _, _ in after_first) < 5


def test_first_trips_come_one_after_another_and_then_with_the_beats(page: Page) -> None:
    wanted = [again for _, _, again in errors(page, [Trip(10, 10)] * 6)]
    assert wanted == [True, True, True, False, False, False]


def test_server_whose_clock_was_set_is_followed_at_once(page: Page) -> None:
    network = [Trip(3, 3)] * 6 + [Trip(200, 30, set=-90_000)] * 2 + [Trip(30, 400, set=5000)]
    found = errors(page, network)
    assert abs(found[6][0]) <= 115 + 1
    assert abs(found[8][0]) <= 215 + 1
    assert found[6][2] is True  # begins anew: more questions at once


def test_words_count_only_where_nothing_is_answered(page: Page) -> None:
    body = """
        let ticks = 0;
        const clock = new m.Clock({ticks: () => ticks, wall: () => 0});
        const at = (ms) => new Date(ms).toISOString();
        clock.hear(at(50_000));
        const heard = [clock.now(), clock.withinMs];
        const {t0} = clock.ask();
        ticks += 10;
        clock.answer({t0: t0 + 1, t1: 1, t2: 1});
        clock.answer({t0, t1: 'x', t2: null});
        clock.answer({t0, t1: 70_000, t2: 70_000});  // the question is answered already
        const odd = clock.now();
        clock.ask();
        clock.answer({t0: 10, t1: 60_000, t2: 60_000});
        clock.hear(at(90_000));
        const asked = clock.now();
        ticks += 61_000;
        clock.hear(at(100_000));
        return [heard, odd, asked, clock.now(), clock.withinMs];
    """
    assert run(page, "clock", body) == [[50_000, None], 50_010, 60_000, 100_000, None]
