"""A street to try playlists on: people come and are recalled, screens show what the plan says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from billboard import playlist, slots
from billboard.slots import Entry, Pin, Plan, Rules, Screen, Slot

BEGIN_MS = 1_000_000_000
AHEAD_MS = 120_000
SLOT_MS = 8000
RULES = Rules(slot_ms=SLOT_MS, promise_ms=10 * SLOT_MS)


@dataclass
class Street:
    """Plans anew whenever something happens, as planning.py does; `shown` is what was on."""

    rules: Rules
    screens: int = 1
    most_places: int = 1
    pins: Sequence[Pin] = ()
    """Of them those who are there hold, as in planning.py."""
    now_ms: int = BEGIN_MS
    entries: dict[str, Entry] = field(default_factory=dict)
    approved: dict[str, int] = field(default_factory=dict)
    recalled: dict[str, int] = field(default_factory=dict)
    slots: dict[int, tuple[Slot, ...]] = field(default_factory=dict)
    shown: dict[int, list[Slot]] = field(default_factory=dict)
    latest: Plan | None = None

    @property
    def waiting(self) -> int:
        on = {slot.key for slots in self.shown.values() for slot in slots}
        return len(self.entries.keys() - on)

    def approve(self) -> str:
        key = f"p{len(self.approved)}"
        self.approved[key] = self.now_ms
        self.entries[key] = Entry(key, len(self.approved), self.now_ms)
        self.replan()
        return key

    def recall(self, key: str) -> None:
        del self.entries[key]
        self.recalled[key] = self.now_ms
        self.replan()

    def live(self, ms: int) -> None:
        """Time goes by; the plan is made anew as often as its horizon asks."""
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            self.now_ms = min(until_ms, self.now_ms + AHEAD_MS // 2)
            self.replan(is_same=True)

    def replan(self, *, is_same: bool = False) -> None:
        # 1. What began by now was shown.
        self._note()
        begun = {
            n: tuple(s for s in self.slots.get(n, ()) if s.at_ms <= self.now_ms)
            for n in range(self.screens)
        }
        # 2. History, as it would be counted.
        for key, entry in self.entries.items():
            on = [s.at_ms for slots in self.shown.values() for s in slots if s.key == key]
            last_ms = max(on, default=0)
            self.entries[key] = replace(entry, times=len(on), last_ms=last_ms)
        # 3. The same plan goes on; after a change only what began stands.
        screens = [
            Screen(
                n,
                self.most_places,
                self.slots.get(n, ()) if is_same else begun[n],
                frozenset(s.key for s in self.shown[n]),
            )
            for n in range(self.screens)
        ]
        self.latest = playlist.plan(
            list(self.entries.values()),
            screens,
            self.rules,
            pins=[pin for pin in self.pins if pin.key in self.entries],
            now_ms=self.now_ms,
            until_ms=self.now_ms + AHEAD_MS,
        )
        self.slots = self.latest.slots
        self._note()

    def _note(self) -> None:
        for n in range(self.screens):
            log = {(s.at_ms, s.place, s.key): s for s in self.shown.get(n, [])}
            now = [s for s in self.slots.get(n, ()) if s.at_ms <= self.now_ms]
            log |= {(s.at_ms, s.place, s.key): s for s in now}
            self.shown[n] = [log[moment] for moment in sorted(log)]

    def first(self, key: str) -> int | None:
        """When somebody was first on, or None."""
        on = [s.at_ms for slots in self.shown.values() for s in slots if s.key == key]
        return min(on, default=None)


def old(n: int) -> list[Entry]:
    """People who have been shown long ago, the first longest ago."""
    return [Entry(f"p{i}", i, 0, times=1, last_ms=i) for i in range(n)]


def planned(
    entries: list[Entry], screens: list[Screen], *, ms: int = 240_000, **words: Any
) -> slots.Plan:
    rules = words.pop("rules", RULES)
    return playlist.plan(entries, screens, rules, now_ms=BEGIN_MS, until_ms=BEGIN_MS + ms, **words)
