"""Where a figurine has been seen, and where it will be next.

Told by whoever runs the screens; this app only asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Showing:
    """One figurine on one screen, as the screen itself reported it."""

    screen: str
    started_at: datetime
    is_on_now: bool


@dataclass(frozen=True)
class Planned:
    """The next showing, as far as the plan goes; a newer plan may say something else."""

    screen: str
    at: datetime


@dataclass(frozen=True)
class Remaining:
    """A screen that may still show somebody who was taken down."""

    screen: str
    is_connected: bool


Source = Callable[[UUID], list[Showing]]
RemainingSource = Callable[[UUID], list[Remaining]]


@dataclass(frozen=True)
class Outlook:
    """Whether a campaign's screens keep its promise."""

    campaign: str
    promised_s: int
    expected_s: int
    """The longest wait of those who wait now."""
    waiting: int
    slots_an_hour: int
    holds: bool
    troubles: tuple[str, ...] = ()
    """Sentences about what is booked and cannot be kept, and who may be up that was recalled."""


OutlookSource = Callable[[], list[Outlook]]
PlannedSource = Callable[[Collection[UUID]], dict[UUID, Planned]]

_sources: list[Source] = []
_remaining: list[RemainingSource] = []
_planned: list[PlannedSource] = []
_outlooks: list[OutlookSource] = []


def register(source: Source) -> None:
    """Called once at start-up by the app that owns the screens."""
    if source not in _sources:
        _sources.append(source)


def register_dark(source: RemainingSource) -> None:
    """Called once at start-up by the app that owns the screens."""
    if source not in _remaining:
        _remaining.append(source)


def register_plan(source: PlannedSource, outlooks: OutlookSource) -> None:
    """Called once at start-up by the app that owns the screens."""
    if source not in _planned:
        _planned.append(source)
        _outlooks.append(outlooks)


def promises() -> list[Outlook]:
    """A line for each campaign that has a plan."""
    return [outlook for source in _outlooks for outlook in source()]


def next_of(submission_id: UUID) -> Planned | None:
    """The next showing that is planned, or None."""
    return next_of_each([submission_id]).get(submission_id)


def next_of_each(submission_ids: Collection[UUID]) -> dict[UUID, Planned]:
    """The next showing of each of these that has one."""
    found: dict[UUID, Planned] = {}
    for source in _planned:
        for submission_id, planned in source(submission_ids).items():
            other = found.get(submission_id)
            if other is None or planned.at < other.at:
                found[submission_id] = planned
    return found


def remaining(submission_id: UUID) -> list[Remaining]:
    """Where somebody who was taken down may still be seen."""
    return [screen for source in _remaining for screen in source(submission_id)]


def of(submission_id: UUID) -> list[Showing]:
    """All showings of a submission, latest first."""
    found = [showing for source in _sources for showing in source(submission_id)]
    return sorted(found, key=lambda showing: showing.started_at, reverse=True)
