"""What a playlist is made of: entries, pins, screens, slots and the hours of the day. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

PLACES: Final = (1, 2, 4, 9, 16)
"""What a screen may be divided into."""
SHARE_MOST: Final = 0.5
"""Of all pins together: more would put two of them in a row."""
GOLDEN: Final = 0.6180339887498949
"""Multiples of it, modulo 1, lie evenly: every pin gets its share in any stretch of time."""
DAY_MIN: Final = 1440
DAY_MS: Final = 86_400_000
EVERY_DAY: Final = frozenset(range(7))
"""Monday is 0."""
EVER_MS: Final = 2**62

Kind = Literal["first", "repeat", "pin"]
"""`first`: on this screen for the first time, and not to be cut short."""


@dataclass(frozen=True)
class Hours:
    """A daypart in minutes of the local day, `until` excluded; it may go over midnight."""

    since: int = 0
    until: int = DAY_MIN

    def hold(self, minute: int) -> bool:
        if self.since <= self.until:
            return self.since <= minute < self.until
        return minute >= self.since or minute < self.until


ALWAYS: Final = Hours()


@dataclass(frozen=True)
class Entry:
    """Somebody who may be shown; `times` and `last_ms` tell of all screens together."""

    key: str
    seq: int
    approved_ms: int
    times: int = 0
    last_ms: int = 0
    hours: Hours = ALWAYS


@dataclass(frozen=True)
class Pin:
    """Somebody or a sponsor's picture with a share of voice: of the first place's slots, 0..1.

    `days` are those on which its hours begin; `screens` None is all of them.
    """

    key: str
    share: float
    hours: Hours = ALWAYS
    days: frozenset[int] = EVERY_DAY
    since_ms: int = 0
    until_ms: int = EVER_MS
    screens: frozenset[int] | None = None

    def hold(self, at_ms: int, rules: Rules) -> bool:
        minute, day = rules.minute(at_ms), rules.weekday(at_ms)
        if self.hours.since > self.hours.until and minute < self.hours.until:
            day = (day - 1) % 7
        is_booked = self.since_ms <= at_ms < self.until_ms
        return is_booked and day in self.days and self.hours.hold(minute)


@dataclass(frozen=True)
class Slot:
    """Who is on in one place of a screen from `at_ms` until `end_ms`."""

    at_ms: int
    end_ms: int
    key: str
    kind: Kind
    place: int = 0


@dataclass(frozen=True)
class Screen:
    """`kept` are slots that stand: past ones, the current, or a plan that goes on."""

    key: int
    most_places: int = 1
    kept: tuple[Slot, ...] = ()
    seen: frozenset[str] = frozenset()
    """Who of the fresh ones was on this screen."""
    least_places: int = 1
    """Filled whether or not the promise needs them."""
    lead_ms: int = 0
    """A repeat gives way to somebody new so much later."""


@dataclass(frozen=True)
class Rules:
    """`utc_offset_ms` turns moments into the campaign's local time."""

    slot_ms: int
    promise_ms: int
    utc_offset_ms: int = 0

    def minute(self, at_ms: int) -> int:
        return (at_ms + self.utc_offset_ms) // 60_000 % DAY_MIN

    def weekday(self, at_ms: int) -> int:
        """The epoch began on a Thursday."""
        return ((at_ms + self.utc_offset_ms) // DAY_MS + 3) % 7


@dataclass(frozen=True)
class Outlook:
    """What the dashboard says: `expected_ms` is the longest wait of those who wait now."""

    promised_ms: int
    expected_ms: int
    waiting: int
    slots_an_hour: int
    places: int
    """The most on one screen."""

    @property
    def holds(self) -> bool:
        return self.expected_ms <= self.promised_ms


@dataclass(frozen=True)
class Plan:
    """Slots by screen, each screen's in the order of their start."""

    slots: dict[int, tuple[Slot, ...]]
    outlook: Outlook


def pin_due(pins: Sequence[Pin], n: int, at_ms: int, rules: Rules) -> Pin | None:
    """The pin whose turn slot `n` of the grid is, of those that hold at `at_ms`; or None."""
    valid = [pin for pin in pins if pin.share > 0 and pin.hold(at_ms, rules)]
    whole = sum(pin.share for pin in valid)
    voice = min(whole, SHARE_MOST)
    turn = int((n + 1) * voice)
    if not valid or turn == int(n * voice):
        return None
    at = turn * GOLDEN % 1 * whole
    bounds = list(accumulate(pin.share for pin in valid))
    return valid[min(bisect_right(bounds, at), len(valid) - 1)]
