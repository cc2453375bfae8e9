"""6 Playlist: entries, history, screens, now -> the next slots. Pure: no clock, no database.

A screen has one place or, as a mosaic, several; a place is filled slot after slot. Slots lie on a
grid that all screens share, the places of a mosaic one after another within it. Who is next:

1. a pin, where its share of voice is due;
2. somebody never shown: the newest, as long as everyone who waits longer still makes it within
   the promise, else whoever waits longest;
3. somebody approved lately whom this screen has not shown: the newest;
4. whoever has waited longest for their next turn, which shows everyone equally often.

Nobody who is on, or was on last, where there is anybody else. Where the promise would break with
one place, places are added until it holds or the screens have no more. docs/playlist.md tells it
for producers.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from billboard.slots import (
    PLACES,
    SHARE_MOST,
    Entry,
    Kind,
    Outlook,
    Pin,
    Plan,
    Rules,
    Screen,
    Slot,
    pin_due,
)
from billboard.turns import Fresh, Turns

ENTRANCE_MS: Final = 1000
"""A repeat gives way to somebody new once its own entrance is over."""
NEVER_MS: Final = 2**62


def plan(
    entries: Sequence[Entry],
    screens: Sequence[Screen],
    rules: Rules,
    *,
    pins: Sequence[Pin] = (),
    now_ms: int,
    until_ms: int,
) -> Plan:
    """Fill every place until `until_ms`. The same input gives the same plan."""
    here = {entry.key for entry in entries} | {pin.key for pin in pins}
    screens = [replace(s, kept=_standing(s.kept, here, now_ms)) for s in sorted(screens, key=_key)]
    fresh = Fresh(entries, screens, now_ms)
    turns = Turns(entries, screens, rules)
    # 1. As few places as the promise needs.
    lanes: list[_Lane] = []
    for most in PLACES:
        lanes = list(
            _lanes(screens, rules, most, now_ms, fresh, pins, has_waiting=bool(turns.waiting))
        )
        if turns.measure(lanes) >= 0:
            break
    # 2. Slot after slot, whichever place is free first.
    slots: dict[int, list[Slot]] = {s.key: [] for s in screens}
    for lane in lanes:
        slots[lane.screen] += lane.kept
    waits = [s.at_ms - turns.approved[s.key] for s in turns.kept_debuts if s.at_ms >= now_ms]
    beside: dict[int, list[_Lane]] = {s.key: [] for s in screens}
    for lane in lanes:
        beside[lane.screen].append(lane)
    queue = [(lane.free_ms, n) for n, lane in enumerate(lanes)]
    heapq.heapify(queue)
    while queue and queue[0][0] < until_ms:
        at_ms, n = heapq.heappop(queue)
        lane = lanes[n]
        end_ms = lane.end_of(at_ms, rules.slot_ms)
        heapq.heappush(queue, (end_ms, n))
        key, kind = _next(lane, beside[lane.screen], turns, fresh, rules, at_ms)
        if not key:
            lane.on = None
            continue
        if kind == "first" and turns.began(key, at_ms):
            waits.append(at_ms - turns.approved[key])
        slot = Slot(at_ms, end_ms, key, kind, lane.place)
        lane.put(slot)
        fresh.saw(lane.screen, key)
        slots[lane.screen].append(slot)
    # 3. What it comes to, with those who did not come into it counted on.
    left = len(turns.waiting)
    open_lanes = [lane for lane in lanes if lane.free_ms < NEVER_MS]
    if left:
        first_ms = min((free for free, _ in queue), default=now_ms + rules.promise_ms)
        rounds = -(-left // max(1, len(open_lanes)))
        oldest_ms = min(entry.approved_ms for entry in turns.waiting)
        waits.append(first_ms + rounds * rules.slot_ms - oldest_ms)
    if not screens and left:
        waits.append(rules.promise_ms + 1)
    outlook = Outlook(
        promised_ms=rules.promise_ms,
        expected_ms=max([0, *waits]),  # an approval of a clock that was ahead is yet to come
        waiting=left + sum(1 for s in turns.kept_debuts if s.at_ms > now_ms) + turns.debuts,
        slots_an_hour=round(_voice_left(open_lanes, rules, now_ms) * 3_600_000 / rules.slot_ms),
        places=max((lane.place + 1 for lane in open_lanes), default=0),
    )
    return Plan({key: tuple(sorted(found, key=_start)) for key, found in slots.items()}, outlook)


@dataclass
class _Lane:
    """One place of a screen, while it is filled."""

    screen: int
    place: int
    phase_ms: int
    free_ms: int
    kept: list[Slot]
    pins: tuple[Pin, ...] = ()
    """Of this screen's first place."""
    on: Slot | None = None
    last: str = ""
    """Who was on last that was no pin."""
    begun_ms: int | None = None
    """When the slot before began: between it and the next a pin may have come due."""

    def put(self, slot: Slot) -> None:
        self.on, self.begun_ms = slot, slot.at_ms
        if slot.kind != "pin":
            self.last = slot.key

    def pin(self, rules: Rules, at_ms: int) -> Pin | None:
        """The pin that is due; a slot that was cut short or drawn out hides none."""
        n = at_ms // rules.slot_ms
        since = n - 1 if self.begun_ms is None else max(self.begun_ms // rules.slot_ms, n - 2)
        due = (pin_due(self.pins, m, at_ms, rules) for m in range(since + 1, n + 1))
        return next((pin for pin in due if pin), None)

    def end_of(self, at_ms: int, slot_ms: int) -> int:
        """On the grid, and at least a whole slot later."""
        return self.phase_ms - (self.phase_ms - at_ms - slot_ms) // slot_ms * slot_ms


def _lanes(
    screens: Iterable[Screen],
    rules: Rules,
    most: int,
    now_ms: int,
    fresh: Fresh,
    pins: Sequence[Pin],
    *,
    has_waiting: bool,
) -> Iterator[_Lane]:
    """Places with the moment from which they are free; a repeat is cut short for somebody new."""
    for screen in screens:
        wanted = max(screen.least_places, min(most, screen.most_places))
        places = max(n for n in PLACES if n <= wanted)
        # Places that are no longer needed play out what was planned.
        ending = {slot.place for slot in screen.kept if slot.place >= places}
        own = tuple(pin for pin in pins if pin.screens is None or screen.key in pin.screens)
        for place in (*range(places), *sorted(ending)):
            phase_ms = place * rules.slot_ms // places if place < places else 0
            kept = [slot for slot in screen.kept if slot.place == place]
            lane = _Lane(screen.key, place, phase_ms, now_ms, kept, () if place else own)
            for slot in kept:
                lane.put(slot)
            last = kept[-1] if kept else None
            if last:
                lane.free_ms = max(now_ms, last.end_ms)
                cut_ms = max(now_ms + screen.lead_ms, last.at_ms + ENTRANCE_MS)
                is_new = has_waiting or fresh.has(screen.key)
                if is_new and last.kind == "repeat" and last.at_ms <= now_ms < last.end_ms:
                    lane.free_ms = min(lane.free_ms, cut_ms)
                    kept[-1] = replace(last, end_ms=lane.free_ms)
            elif place:
                lane.free_ms = lane.end_of(now_ms - rules.slot_ms, rules.slot_ms)
            if place in ending:
                lane.free_ms = NEVER_MS
            yield lane


def _next(
    lane: _Lane,
    beside: Sequence[_Lane],
    turns: Turns,
    fresh: Fresh,
    rules: Rules,
    at_ms: int,
) -> tuple[str, Kind]:
    """Who goes up in this place; an empty key for nobody."""
    minute = rules.minute(at_ms)
    taken = {other.on.key for other in beside if other.on and other is not lane}
    # A slot that was drawn out may end where the next pin is due: two are never in a row.
    if lane.pins and not (lane.on and lane.on.kind == "pin"):
        pin = lane.pin(rules, at_ms)
        if pin and pin.key not in taken and pin.key != lane.last:
            # It may be their first showing of all: then it is that, and no other follows.
            return pin.key, "first" if turns.take(pin.key) else "pin"
    taken.add(lane.last)
    if lane.on:
        taken.add(lane.on.key)
    debut = turns.debut(minute)
    if debut:
        return debut, "first"
    newcomer = fresh.next(lane.screen, taken)
    if newcomer:
        return newcomer, "first"
    key = turns.repeat(taken, minute, at_ms)
    if key:
        return key, "repeat"
    # Nobody else: whoever is on stays.
    stays = lane.last
    return (stays, "repeat") if stays and turns.stay(stays, minute, at_ms) else ("", "repeat")


def _standing(kept: Sequence[Slot], here: set[str], now_ms: int) -> tuple[Slot, ...]:
    """What was, and what stands until the first in each place who is not there any more."""
    gone: set[int] = set()
    standing = []
    for slot in sorted(kept, key=_start):
        if slot.key not in here:
            if slot.end_ms > now_ms:
                gone.add(slot.place)
        elif slot.place not in gone:
            standing.append(slot)
    return tuple(standing)


def _voice_left(lanes: Sequence[_Lane], rules: Rules, now_ms: int) -> float:
    """Places for people, in slots of one place, beside the pins that hold now."""

    def voice(lane: _Lane) -> float:
        return min(sum(pin.share for pin in lane.pins if pin.hold(now_ms, rules)), SHARE_MOST)

    return sum(1 - voice(lane) for lane in lanes)


def _key(screen: Screen) -> int:
    return screen.key


def _start(slot: Slot) -> tuple[int, int]:
    return slot.at_ms, slot.place
