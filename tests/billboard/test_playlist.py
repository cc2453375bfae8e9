"""Each promise of the playlist as a property, and for each a wrong playlist that breaks it."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billboard import playlist, slots, turns
from billboard.slots import Entry, Hours, Pin, Rules, Screen
from tests.billboard.street import BEGIN_MS, RULES, SLOT_MS, Street, old, planned

GO = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

Moves = list[tuple[str, int]]

"""What happens on the street: approve, recall (somebody) or wait (ms)."""

arrivals = st.lists(
    st.one_of(
        st.tuples(st.just("approve"), st.just(0)),
        st.tuples(st.just("recall"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(0, 3 * SLOT_MS)),
    ),
    min_size=5,
    max_size=60,
)

crowds = st.lists(
    st.one_of(
        st.tuples(st.just("approve"), st.just(0)),
        st.tuples(st.just("approve"), st.just(0)),
        st.tuples(st.just("recall"), st.integers(0, 99)),
        st.tuples(st.just("wait"), st.integers(0, SLOT_MS)),
    ),
    min_size=60,
    max_size=120,
)

"""Somebody comes for nearly every slot, so that newest-first alone would leave people waiting."""

booked = st.lists(
    st.builds(
        lambda n, one_in: Pin(f"p{n}", 1 / one_in), st.integers(0, 19), st.sampled_from([2, 4, 5])
    ),
    max_size=2,
)

"""People of the street, some before their first showing."""


def lived(street: Street, moves: Moves, *, most_waiting: int = 10**6) -> Street:
    """The street after these moves and the time of the promise; `most_waiting` bounds the load."""
    for move, n in moves:
        if move == "approve" and street.waiting < most_waiting:
            street.approve()
        elif move == "recall" and street.entries:
            street.recall(sorted(street.entries)[n % len(street.entries)])
        elif move == "wait":
            street.live(n)
    street.live(street.rules.promise_ms + 2 * SLOT_MS)
    return street


# --- the promises ---------------------------------------------------------------------------------
@GO
@given(moves=crowds, screens=st.integers(1, 3))
def everyone_is_shown_within_the_promise(moves: Moves, screens: int) -> None:
    # Up to two slots' length may pass before a place is free, the rest of the promise is theirs.
    most = screens * (RULES.promise_ms // SLOT_MS - 2)
    street = lived(Street(RULES, screens), moves, most_waiting=most)
    for key, approved_ms in street.approved.items():
        gone_ms = street.recalled.get(key, street.now_ms)
        shown_ms = street.first(key)
        if gone_ms > approved_ms + RULES.promise_ms:
            assert shown_ms is not None
            assert shown_ms - approved_ms <= RULES.promise_ms


@GO
@given(moves=arrivals, most_places=st.sampled_from([4, 9, 16]))
def mosaics_keep_the_promise_where_one_place_could_not(moves: Moves, most_places: int) -> None:
    rules = Rules(SLOT_MS, 4 * SLOT_MS)
    most = most_places * (rules.promise_ms // SLOT_MS - 2)
    street = lived(Street(rules, 1, most_places), moves * 2, most_waiting=most)
    for key, approved_ms in street.approved.items():
        if street.recalled.get(key, street.now_ms) > approved_ms + rules.promise_ms:
            shown_ms = street.first(key)
            assert shown_ms is not None
            assert shown_ms - approved_ms <= rules.promise_ms


@GO
@given(before=st.integers(0, 6), moves=arrivals, wait_ms=st.integers(0, 20_000))
def somebody_new_is_next_where_time_allows(before: int, moves: Moves, wait_ms: int) -> None:
    street = Street(RULES)
    for _ in range(before):
        street.approve()
    street.live(wait_ms)
    on = next(s for s in street.shown[0][::-1]) if before else None
    on_ms = street.now_ms - on.at_ms if on else 0
    key = street.approve()
    next_ms = min(s.at_ms for s in street.slots[0] if s.key == key)
    if on is None or (on.kind == "repeat" and on_ms >= playlist.ENTRANCE_MS):
        assert next_ms == street.now_ms
    elif on.kind == "repeat":
        assert next_ms == on.at_ms + playlist.ENTRANCE_MS
    else:
        assert next_ms == on.end_ms


@GO
@given(
    moves=arrivals,
    screens=st.integers(1, 3),
    most_places=st.sampled_from([1, 1, 4]),
    pins=booked,
)
def no_one_is_on_twice_in_a_row(
    moves: Moves, screens: int, most_places: int, pins: list[Pin]
) -> None:
    street = Street(RULES, screens, most_places, pins)
    for _ in range(2 * most_places):
        street.approve()
    kept = [move for move in moves if move[0] != "recall"]
    lived(street, kept)
    for shown in street.shown.values():
        for place in range(most_places):
            keys = [slot.key for slot in shown if slot.place == place]
            assert all(one != other for one, other in itertools.pairwise(keys))


@GO
@given(n=st.integers(2, 12), rounds=st.integers(1, 3))
def everyone_has_as_many_turns(n: int, rounds: int) -> None:
    plan = planned(old(n), [Screen(1)], ms=n * rounds * SLOT_MS)
    turns = Counter(slot.key for slot in plan.slots[1][: n * rounds])
    assert set(turns.values()) == {rounds}
    assert [slot.key for slot in plan.slots[1][:n]] == [f"p{i}" for i in range(n)]


@GO
@given(moves=arrivals, screens=st.integers(2, 4))
def every_screen_shows_whoever_is_new(moves: Moves, screens: int) -> None:
    street = Street(RULES, screens)
    for _ in range(4):
        street.approve()
    street.live(20 * SLOT_MS)
    key = street.approve()
    street.live(3 * SLOT_MS)
    assert [key in {s.key for s in shown} for shown in street.shown.values()] == [True] * screens


@GO
@given(
    shares=st.lists(st.floats(0.02, 0.25), min_size=1, max_size=2),
    n=st.integers(2, 8),
    slots_=st.integers(20, 200),
)
def pins_have_their_share(shares: list[float], n: int, slots_: int) -> None:
    pins = [Pin(f"sponsor{i}", share) for i, share in enumerate(shares)]
    plan = planned(old(n), [Screen(1)], ms=slots_ * SLOT_MS, pins=pins)
    whole = plan.slots[1][:slots_]
    for pin in pins:
        on = sum(slot.key == pin.key for slot in whole)
        assert abs(on - pin.share * len(whole)) <= 2 * len(pins)
    assert all((one.kind, other.kind) != ("pin", "pin") for one, other in itertools.pairwise(whole))


@GO
@given(since=st.integers(0, 1439), until=st.integers(0, 1439), offset_h=st.integers(-12, 14))
def dayparts_hold(since: int, until: int, offset_h: int) -> None:
    hours = Hours(since, until)
    rules = Rules(600_000, 6_000_000, utc_offset_ms=offset_h * 3_600_000)
    entries = [*old(3), Entry("night", 9, 0, hours=hours), Entry("b", 8, 0, times=1, hours=hours)]
    plan = planned(entries, [Screen(1)], ms=86_400_000, rules=rules, pins=[Pin("ad", 0.3, hours)])
    for slot in plan.slots[1]:
        minute = (slot.at_ms + offset_h * 3_600_000) // 60_000 % 1440
        is_within = since <= minute < until
        if since > until:
            is_within = minute >= since or minute < until
        assert is_within or slot.key not in {"night", "b", "ad"}


@GO
@given(moves=arrivals, screens=st.integers(1, 3), most_places=st.sampled_from([1, 4]))
def nobody_recalled_is_planned(moves: Moves, screens: int, most_places: int) -> None:
    street = Street(RULES, screens, most_places)
    for move in moves:
        lived_once(street, move)
        assert {s.key for slots in street.slots.values() for s in slots} <= set(street.entries)


@GO
@given(moves=arrivals, screens=st.integers(1, 3), most_places=st.sampled_from([1, 4]))
def no_place_is_empty_and_no_slot_overlaps(moves: Moves, screens: int, most_places: int) -> None:
    street = Street(RULES, screens, most_places)
    for _ in range(2 * most_places):
        street.approve()
    for move in moves:
        if move[0] != "recall":
            lived_once(street, move)
        for planned_ in street.slots.values():
            first = [slot for slot in planned_ if slot.place == 0]
            assert first[-1].end_ms >= street.now_ms + 120_000
            for place in range(most_places):
                lane = [slot for slot in planned_ if slot.place == place]
                assert all(a.end_ms <= b.at_ms for a, b in itertools.pairwise(lane))
            assert all(a.end_ms == b.at_ms for a, b in itertools.pairwise(first))


@GO
@given(
    moves=arrivals,
    screens=st.integers(1, 2),
    most_places=st.sampled_from([1, 4, 9]),
    pins=booked,
)
def nobody_is_in_two_places_of_a_screen(
    moves: Moves, screens: int, most_places: int, pins: list[Pin]
) -> None:
    street = Street(Rules(SLOT_MS, 3 * SLOT_MS), screens, most_places, pins)
    for move in [("approve", 0)] * 8 * screens + moves:
        lived_once(street, move)
        for planned_ in street.slots.values():
            near = [slot for slot in planned_ if slot.at_ms < street.now_ms + 3 * SLOT_MS]
            for one, other in itertools.combinations(near[-12:], 2):
                if one.place != other.place and one.key == other.key:
                    assert one.end_ms <= other.at_ms or other.end_ms <= one.at_ms


@GO
@given(moves=arrivals, screens=st.integers(1, 3))
def first_showings_last_to_their_end(moves: Moves, screens: int) -> None:
    street = lived(Street(RULES, screens), moves)
    for shown in street.shown.values():
        for slot in shown:
            if slot.kind == "first":
                assert slot.end_ms - slot.at_ms >= SLOT_MS


@GO
@given(n=st.integers(0, 60), screens=st.integers(1, 3), age_ms=st.integers(0, 100_000))
def expected_wait_is_what_they_wait(n: int, screens: int, age_ms: int) -> None:
    street = Street(RULES, screens)
    street.entries = {f"p{i}": Entry(f"p{i}", i, BEGIN_MS - age_ms) for i in range(n)}
    street.approved = dict.fromkeys(street.entries, BEGIN_MS - age_ms)
    street.replan()
    assert street.latest
    outlook = street.latest.outlook
    street.live(60 * SLOT_MS)
    waits = [(street.first(key) or 0) - at for key, at in street.approved.items()]
    assert abs(outlook.expected_ms - max(waits, default=0)) <= SLOT_MS
    assert outlook.waiting == n
    assert outlook.holds == (outlook.expected_ms <= RULES.promise_ms)


@GO
@given(seed=st.integers(), n=st.integers(0, 40), screens=st.integers(1, 3))
def order_of_the_input_does_not_matter(seed: int, n: int, screens: int) -> None:
    entries = [Entry(f"p{i}", i, BEGIN_MS - 1000 * (i % 7), times=i % 3) for i in range(n)]
    on = [Screen(i, 4) for i in range(screens)]
    mixed, mixed_on = entries[:], on[:]
    random.Random(seed).shuffle(mixed)
    random.Random(seed).shuffle(mixed_on)
    assert planned(entries, on) == planned(mixed, mixed_on)


def lived_once(street: Street, move: tuple[str, int]) -> None:
    kind, n = move
    if kind == "approve":
        street.approve()
    elif kind == "recall" and street.entries:
        street.recall(sorted(street.entries)[n % len(street.entries)])
    elif kind == "wait":
        street.live(n)


PROMISES: list[Callable[[], None]] = [
    everyone_is_shown_within_the_promise,
    mosaics_keep_the_promise_where_one_place_could_not,
    somebody_new_is_next_where_time_allows,
    no_one_is_on_twice_in_a_row,
    everyone_has_as_many_turns,
    every_screen_shows_whoever_is_new,
    pins_have_their_share,
    dayparts_hold,
    nobody_recalled_is_planned,
    no_place_is_empty_and_no_slot_overlaps,
    nobody_is_in_two_places_of_a_screen,
    first_showings_last_to_their_end,
    expected_wait_is_what_they_wait,
    order_of_the_input_does_not_matter,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_playlist_keeps(promise: Callable[[], None]) -> None:
    promise()


# --- wrong playlists ------------------------------------------------------------------------------
def newest_always(self: turns.Turns, *_: Any) -> int:
    self.slack, self.least = ([10**6] * len(self.waiting) for _ in "ab")
    return 10**6


def oldest_always(self: turns.Turns, *_: Any) -> int:
    self.slack, self.least = ([0] * len(self.waiting) for _ in "ab")
    return 0


def whoever_is_there(self: turns.Turns, taken: set[str], minute: int, at_ms: int) -> str:
    return max(self.last_ms, key=lambda key: self.last_ms[key], default="")


def every_seventh_empty(*given: Any) -> tuple[str, slots.Kind]:
    return ("", "repeat") if given[-1] // SLOT_MS % 7 == 0 else NEXT(*given)


def to_the_next_line(self: Any, at_ms: int, slot_ms: int) -> int:
    end_ms: int = self.phase_ms - (self.phase_ms - at_ms - 1) // slot_ms * slot_ms
    return end_ms


NEXT = playlist._next

WRONG: list[tuple[Callable[[], None], Any, str, Any]] = [
    (everyone_is_shown_within_the_promise, turns.Turns, "measure", newest_always),
    (mosaics_keep_the_promise_where_one_place_could_not, playlist, "PLACES", (1,)),
    (somebody_new_is_next_where_time_allows, turns.Turns, "measure", oldest_always),
    (no_one_is_on_twice_in_a_row, turns.Turns, "repeat", whoever_is_there),
    (everyone_has_as_many_turns, turns.Turns, "_turn", lambda *_: None),
    (every_screen_shows_whoever_is_new, turns.Fresh, "next", lambda *_: ""),
    (pins_have_their_share, slots, "SHARE_MOST", 0.01),
    (dayparts_hold, Hours, "hold", lambda *_: True),
    (nobody_recalled_is_planned, playlist, "_standing", lambda kept, *_: kept),
    (no_place_is_empty_and_no_slot_overlaps, playlist, "_next", every_seventh_empty),
    (nobody_is_in_two_places_of_a_screen, turns.Turns, "repeat", whoever_is_there),
    (first_showings_last_to_their_end, playlist._Lane, "end_of", to_the_next_line),
    (expected_wait_is_what_they_wait, turns.Turns, "began", lambda *_: False),
    (order_of_the_input_does_not_matter, playlist, "_key", lambda _: 0),
]


@pytest.mark.parametrize(
    ("promise", "where", "name", "wrong"),
    WRONG,
    ids=[f"{promise.__name__}-{name}" for promise, _, name, _ in WRONG],
)
def test_wrong_playlist_breaks(
    promise: Callable[[], None],
    where: Any,
    name: str,
    wrong: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        promise()


def test_every_promise_has_a_playlist_that_breaks_it() -> None:
    assert {promise for promise, *_ in WRONG} == set(PROMISES)
