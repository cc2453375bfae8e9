"""What bookings change in a plan, and that none of it is there without them. No database."""

from __future__ import annotations

import hashlib
import random
import time

from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billboard import booking_pins, bookings, playlist
from billboard.slots import ALWAYS, DAY_MS, Entry, Hours, Pin, Plan, Rules, Screen

SLOT_MS = 8000
BEGIN_MS = 1_000_000_000


def test_without_bookings_the_plan_is_byte_for_byte_what_it_was() -> None:
    told = hashlib.sha256()
    for seed in range(60):
        told.update(_told(_some_plan(seed)))
    assert told.hexdigest() == "23526a139b5259d39a0834913ecb5bfbfb095df503776025572f0fa130a9cd67"


def test_most_at_once_is_what_every_half_hour_of_a_week_says() -> None:
    dice = random.Random(7)
    for _ in range(80):
        asked, *others = (_some_pin(dice) for _ in range(4))
        found = bookings._most_at_once(asked, [(pin.key, pin) for pin in others])
        most = max(
            sum(pin.share for pin in others if bookings._holds(pin, day, minute))
            for day in range(7)
            for minute in range(0, 1440, 30)
            if bookings._holds(asked, day, minute)
        )
        assert abs(sum(pin.share for _, pin in found) - most) < 1e-9


HALF_HOUR_MS = 1_800_000
WEEKS_MS = 3 * 7 * 48 * HALF_HOUR_MS
TOMORROW_MS = (int(time.time() * 1000) // DAY_MS + 1) * DAY_MS

half_hours = st.integers(0, 47).map(lambda n: n * 30)
dated = st.builds(
    lambda share, hours, days, since, lasts: Pin(
        "a",
        1 / share,
        ALWAYS if hours[0] == hours[1] else Hours(*hours),
        days,
        TOMORROW_MS + since * HALF_HOUR_MS,
        TOMORROW_MS + (since + lasts) * HALF_HOUR_MS,
    ),
    st.integers(2, 19),
    st.tuples(half_hours, half_hours),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 400),
    st.integers(1, 500),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(dated, min_size=2, max_size=4), st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_most_at_once_is_what_a_walk_through_three_weeks_finds(pins: list[Pin], zone: str) -> None:
    """Two that are never on at once do not clash, and two that are once do."""
    asked, *others = pins
    with timezone.override(zone):
        rules = booking_pins.rules_of(timezone.now())
        found = bookings._most_at_once(asked, [(pin.key, pin) for pin in others])
    most = max(
        (
            sum(pin.share for pin in others if pin.hold(at_ms, rules))
            for at_ms in range(TOMORROW_MS, TOMORROW_MS + WEEKS_MS, HALF_HOUR_MS)
            if asked.hold(at_ms, rules)
        ),
        default=0,
    )
    assert abs(sum(pin.share for _, pin in found) - most) < 1e-9


def _some_pin(dice: random.Random) -> Pin:
    """On some days, at hours that begin and end at full or half ones."""
    since, until = dice.sample(range(0, 1440, 30), 2)
    hours = dice.choice([ALWAYS, Hours(since, until)])
    days = frozenset(dice.sample(range(7), dice.randrange(1, 8)))
    return Pin("a", 1 / dice.randrange(2, 20), hours, days)


def _some_plan(seed: int) -> Plan:
    dice = random.Random(seed)
    rules = Rules(SLOT_MS, dice.choice([60_000, 600_000]), dice.choice([0, 3_600_000]))
    entries = []
    for n in range(dice.randrange(40)):
        times = dice.choice([0, 0, 1, 5])
        approved_ms = BEGIN_MS - dice.randrange(1_200_000)
        last_ms = BEGIN_MS - dice.randrange(600_000) if times else 0
        entries.append(Entry(f"p{n}", n, approved_ms, times, last_ms))
    screens = [
        Screen(n, dice.choice([1, 4, 16]), least_places=1) for n in range(dice.randrange(1, 4))
    ]
    plan = playlist.plan(entries, screens, rules, now_ms=BEGIN_MS, until_ms=BEGIN_MS + 200_000)
    # And on from there, a few slots later.
    later_ms = BEGIN_MS + dice.randrange(60_000)
    kept = [
        Screen(s.key, s.most_places, tuple(t for t in plan.slots[s.key] if t.at_ms <= later_ms))
        for s in screens
    ]
    until_ms = later_ms + 200_000
    return playlist.plan(entries[1:], kept, rules, now_ms=later_ms, until_ms=until_ms)


def _told(plan: Plan) -> bytes:
    slots = {
        key: [(s.at_ms, s.end_ms, s.key, s.kind, s.place) for s in on]
        for key, on in plan.slots.items()
    }
    one = plan.outlook
    outlook = (one.promised_ms, one.expected_ms, one.waiting, one.slots_an_hour, one.places)
    return repr((sorted(slots.items()), outlook)).encode()


def test_places_are_added_for_what_bookings_take() -> None:
    rules = Rules(SLOT_MS, 10 * SLOT_MS)
    new = [Entry(f"p{n}", n, BEGIN_MS) for n in range(8)]
    old = [Entry("old", 99, 0, times=1, last_ms=1)]
    places = []
    for pins in ((), (Pin("old", 0.5),)):
        until_ms = BEGIN_MS + 200_000
        plan = playlist.plan(
            [*new, *old], [Screen(1, 4)], rules, pins=pins, now_ms=BEGIN_MS, until_ms=until_ms
        )
        places.append((plan.outlook.places, plan.outlook.slots_an_hour))
        assert plan.outlook.holds
        assert {slot.place for slot in plan.slots[1] if slot.kind == "pin"} <= {0}
    assert places == [(1, 450), (2, 675)], "half of the first place is booked, and no other"
