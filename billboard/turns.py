"""Whose turn it is: over all screens together, and on each screen. Pure; used by playlist.py."""

from __future__ import annotations

import heapq
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Final, Protocol

from billboard.slots import ALWAYS, Entry, Pin, Rules, Screen, Slot, pin_due

FRESH_MS: Final = 600_000
"""So long after the approval somebody comes first on every screen, not only on the first."""


class Place(Protocol):
    """One place of a screen, as far as turns ask."""

    free_ms: int
    pins: tuple[Pin, ...]

    def end_of(self, at_ms: int, slot_ms: int) -> int: ...


@dataclass
class Turns:
    """Whose turn it is over all screens together."""

    entries: Sequence[Entry]
    screens: Sequence[Screen]
    rules: Rules
    waiting: deque[Entry] = field(default_factory=deque)
    """Never shown, longest waiting first."""
    by_hours: list[Entry] = field(default_factory=list)
    """Never shown, and only at certain hours: the promise does not cover them."""
    kept_debuts: list[Slot] = field(default_factory=list)
    debuts: int = 0

    def __post_init__(self) -> None:
        first: dict[str, Slot] = {}
        last: dict[str, Slot] = {}
        stood = [slot for screen in self.screens for slot in screen.kept if slot.kind != "pin"]
        for slot in sorted(stood, key=lambda slot: slot.at_ms):
            first.setdefault(slot.key, slot)
            last[slot.key] = slot
        self.of = {entry.key: entry for entry in self.entries}
        self.approved = {entry.key: entry.approved_ms for entry in self.entries}
        self.last_ms: dict[str, int] = {}
        self.heap: list[tuple[int, int, int, str]] = []
        never: list[Entry] = []
        for entry in self.entries:
            if entry.times or entry.key in last:
                was = last.get(entry.key)
                last_ms = max(entry.last_ms, was.at_ms if was else 0)
                self.last_ms[entry.key] = last_ms
                self.heap.append((last_ms, entry.times, -entry.seq, entry.key))
                if was and not entry.times:
                    self.kept_debuts.append(first[entry.key])
            elif entry.hours == ALWAYS:
                never.append(entry)
            else:
                self.by_hours.append(entry)
        heapq.heapify(self.heap)
        self.waiting = deque(sorted(never, key=lambda e: (e.approved_ms, e.seq)))
        self.by_hours.sort(key=lambda e: (e.approved_ms, e.seq))
        self.slack: list[int] = []
        self.least: list[int] = []
        self.taken = 0

    def measure(self, lanes: Sequence[Place]) -> int:
        """How many starts are to spare, of those that the promise needs; below 0 too few. Whoever
        is late already needs one of the next slot's: more places would not bring them in time."""
        if not self.waiting:
            return 0
        slot_ms, promise_ms = self.rules.slot_ms, self.rules.promise_ms
        soon_ms = min((lane.free_ms for lane in lanes), default=0) + slot_ms - 1
        last_ms = max(self.waiting[-1].approved_ms + promise_ms, soon_ms)
        starts: list[int] = []

        @cache
        def due(pins: tuple[Pin, ...], n: int) -> bool:
            return pin_due(pins, n, n * slot_ms, self.rules) is not None

        for lane in lanes:
            at_ms, before = lane.free_ms, len(starts)
            while at_ms <= last_ms and len(starts) - before < len(self.waiting):
                is_pins = lane.pins and due(lane.pins, at_ms // slot_ms)
                if not is_pins:
                    starts.append(at_ms)
                at_ms = lane.end_of(at_ms, slot_ms)
        starts.sort()
        due_ms = [entry.approved_ms + promise_ms for entry in self.waiting]
        self.slack = [bisect_right(starts, ms) - n for n, ms in enumerate(due_ms, start=1)]
        self._bound()
        return min(bisect_right(starts, max(ms, soon_ms)) - n for n, ms in enumerate(due_ms, 1))

    def _bound(self) -> None:
        """least[n]: the smallest slack up to n, of those who still wait."""
        self.least = list(accumulate(self.slack, min))

    def debut(self, minute: int) -> str:
        """Somebody never shown, or nobody."""
        for entry in reversed(self.by_hours):
            if entry.hours.hold(minute):
                self.by_hours.remove(entry)
                return entry.key
        if not self.waiting:
            return ""
        self.debuts += 1
        # The newest takes a slot from everyone older; the oldest takes none from anybody.
        if len(self.waiting) == 1 or self.least[-2] > self.taken:
            self.taken += 1
            self.slack.pop()
            self.least.pop()
            return self.waiting.pop().key
        served = len(self.slack) - len(self.waiting)
        if self.slack[served] == self.least[-1]:
            self.slack = self.slack[served + 1 :]
            self._bound()
        return self.waiting.popleft().key

    def take(self, key: str) -> bool:
        """Whether they still wait; if so they wait no more, and nobody loses a slot by it."""
        entry = self.of.get(key)
        if entry is None or key in self.last_ms:
            return False
        if entry.hours != ALWAYS:
            self.by_hours.remove(entry)
            return True
        n = self.waiting.index(entry)
        del self.waiting[n]
        n += len(self.slack) - len(self.waiting) - 1
        self.slack[n:] = [slack + 1 for slack in self.slack[n + 1 :]]
        self._bound()
        self.debuts += 1
        return True

    def began(self, key: str, at_ms: int) -> bool:
        """Note a showing; whether it is the first of all."""
        is_debut = key not in self.last_ms
        self._turn(key, at_ms)
        return is_debut

    def repeat(self, taken: set[str], minute: int, at_ms: int) -> str:
        """Who has waited longest for another turn, without those taken."""
        aside = []
        found = ""
        while self.heap and not found:
            turn = heapq.heappop(self.heap)
            key = turn[3]
            if self.last_ms.get(key) != turn[0]:
                continue  # had a turn since
            if key in taken or not self.of[key].hours.hold(minute):
                aside.append(turn)
            else:
                found = key
        for turn in aside:
            heapq.heappush(self.heap, turn)
        if found:
            self._turn(found, at_ms)
        return found

    def stay(self, key: str, minute: int, at_ms: int) -> bool:
        entry = self.of.get(key)
        if entry is None or not entry.hours.hold(minute):
            return False
        self._turn(key, at_ms)
        return True

    def _turn(self, key: str, at_ms: int) -> None:
        entry = self.of[key]
        self.last_ms[key] = at_ms
        heapq.heappush(self.heap, (at_ms, entry.times, -entry.seq, key))


class Fresh:
    """Those approved lately, by the screens that have not shown them; newest last."""

    def __init__(self, entries: Sequence[Entry], screens: Sequence[Screen], now_ms: int) -> None:
        self.of = {
            entry.key: (entry.approved_ms, entry.seq, entry.key)
            for entry in entries
            # Before or after: the clock may have been set back.
            if abs(entry.approved_ms - now_ms) < FRESH_MS and entry.hours == ALWAYS
        }
        self.unseen: dict[int, list[tuple[int, int, str]]] = {}
        seen = {s.key: s.seen | {slot.key for slot in s.kept} for s in screens}
        self.shown = {entry.key for entry in entries if entry.times}.union(*seen.values())
        latest = sorted(turn for key, turn in self.of.items() if key in self.shown)
        for screen in screens:
            self.unseen[screen.key] = [turn for turn in latest if turn[2] not in seen[screen.key]]

    def has(self, screen: int) -> bool:
        return bool(self.unseen[screen])

    def next(self, screen: int, taken: set[str]) -> str:
        """The newest that this screen has not shown."""
        turns = self.unseen[screen]
        return next((key for _, _, key in reversed(turns) if key not in taken), "")

    def saw(self, screen: int, key: str) -> None:
        """Once somebody was on one screen, the others show them for the first time too."""
        turn = self.of.get(key)
        if turn is None:
            return
        if key not in self.shown:
            self.shown.add(key)
            for other, turns in self.unseen.items():
                if other != screen:
                    insort(turns, turn)
        elif turn in (turns := self.unseen[screen]):
            turns.remove(turn)
