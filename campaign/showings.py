"""Where a figurine has been seen. Told by whoever runs the screens; this app only asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Showing:
    """One figurine on one screen, as the screen itself reported it."""

    screen: str
    started_at: datetime
    is_on_now: bool


Source = Callable[[UUID], list[Showing]]

_sources: list[Source] = []


def register(source: Source) -> None:
    """Called once at start-up by the app that owns the screens."""
    if source not in _sources:
        _sources.append(source)


def of(submission_id: UUID) -> list[Showing]:
    """All showings of a submission, latest first."""
    found = [showing for source in _sources for showing in source(submission_id)]
    return sorted(found, key=lambda showing: showing.started_at, reverse=True)
