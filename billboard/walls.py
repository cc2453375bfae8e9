"""Screens that hang together follow one plan: each member is told the same slots.

Where they are one picture, each draws all of it and shows its own window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from billboard import setting
from billboard.models import Screen

LEAD_MS: Final = 1500
"""A repeat on a wall gives way to somebody new so much later: by then every member has the picture,
and all change at once."""


@dataclass(frozen=True)
class Unit:
    """What is planned as one: a wall's members, or a screen by itself."""

    key: int
    """The member whose slots so far the plan goes on from."""
    members: tuple[int, ...]
    places: int | None
    """As in Screen.places; of members that differ, the most."""
    is_wall: bool

    @property
    def lead_ms(self) -> int:
        return LEAD_MS if self.is_wall else 0


def units(screens: Iterable[Screen], before: Mapping[int, Any]) -> list[Unit]:
    """In the order of their keys; `before` are the slots so far, by screen."""
    groups: dict[tuple[str, int], list[Screen]] = {}
    for screen in sorted(screens, key=lambda screen: screen.pk):
        of = ("wall", screen.wall_id) if screen.wall_id else ("screen", screen.pk)
        groups.setdefault(of, []).append(screen)
    found = []
    for (kind, _), members in groups.items():
        # Not one that has just come: the others are in the middle of something.
        key = next((s.pk for s in members if before.get(s.pk)), members[0].pk)
        places = max((screen.places for screen in members if screen.places), default=None)
        found.append(Unit(key, tuple(s.pk for s in members), places, kind == "wall"))
    return sorted(found, key=lambda unit: unit.key)


@dataclass(frozen=True)
class Picture:
    """One picture over several screens, in the wall's unit."""

    width: int
    height: int
    window: tuple[int, int, int, int]
    """Left, top, width and height of what this screen shows."""
    across: tuple[tuple[int, int], ...]
    """What lies between two screens side by side, from left to right; down, one above the other."""
    down: tuple[tuple[int, int], ...]


def picture(screen: Screen) -> Picture | None:
    """None for a screen that shows all there is."""
    window = setting.window(screen.window)
    if not screen.wall or not screen.wall.size or not window:
        return None
    others = screen.wall.members.filter(is_active=True).order_by("pk")
    windows = [part for each in others if (part := setting.window(each.window))] or [window]
    return Picture(
        *screen.wall.size,
        window=window,
        across=seams([(left, left + width) for left, _, width, _ in windows]),
        down=seams([(top, top + height) for _, top, _, height in windows]),
    )


def seams(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Where one display ends and the next begins; without a gap, a line."""
    spans = list(spans)
    ends = sorted({end for _, end in spans})
    found = set()
    for begin in {begin for begin, _ in spans}:
        before = [end for end in ends if end <= begin]
        if before:
            found.add((before[-1], begin))
    return tuple(sorted(found))
