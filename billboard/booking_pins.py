"""What is booked, as pins of the playlist and as an account of plays.

A recall beats a booking: only who may be shown now becomes a pin, so whoever is taken down is in no
plan from the moment at which the log says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from billboard.models import Screen
from billboard.models.bookings import Booking
from billboard.slots import ALWAYS, EVER_MS, Hours, Pin, Rules


def of_campaign(campaign_id: int) -> QuerySet[Booking]:
    return Booking.objects.filter(submission__campaign_id=campaign_id).order_by("id")


def pins(campaign_id: int, on_show: Collection[str], *, now: datetime) -> list[Pin]:
    """What is booked and not over, of those who may be shown; `on_show` has their keys."""
    found = of_campaign(campaign_id).filter(Q(until_at=None) | Q(until_at__gt=now))
    return [
        pin_of(booking)
        for booking in found.prefetch_related("screens")
        if str(booking.submission_id) in on_show
    ]


def pin_of(
    booking: Booking,
    screens: Iterable[Screen] | None = None,
    *,
    of: Iterable[Screen] | None = None,
) -> Pin:
    """`screens` where they are not on record yet. One of a wall stands for the whole wall: `of` has
    the campaign's, where they were read already."""
    asked = list(booking.screens.all() if screens is None else screens)
    walls = {screen.wall_id for screen in asked if screen.wall_id}
    if of is None:
        of = Screen.objects.filter(wall__in=walls) if walls else ()
    members = [screen for screen in of if screen.wall_id in walls]
    return Pin(
        key=str(booking.submission_id),
        share=1 / booking.one_in,
        hours=_hours(booking.opens, booking.closes),
        days=frozenset(map(int, booking.days)),
        since_ms=ms(booking.since_at),
        until_ms=ms(booking.until_at) if booking.until_at else EVER_MS,
        screens=frozenset(screen.pk for screen in (*asked, *members)) or None,
    )


def as_row(pins: Iterable[Pin]) -> list[list[Any]]:
    """What a plan keeps, to know whether bookings have changed since."""
    return [
        [
            pin.key,
            pin.share,
            [pin.hours.since, pin.hours.until],
            sorted(pin.days),
            [pin.since_ms, pin.until_ms],
            None if pin.screens is None else sorted(pin.screens),
        ]
        for pin in pins
    ]


def rules_of(now: datetime) -> Rules:
    """The local day; without a slot."""
    offset = timezone.localtime(now).utcoffset() or timedelta()
    return Rules(slot_ms=1, promise_ms=1, utc_offset_ms=int(offset / timedelta(milliseconds=1)))


class Ledger:
    """Which booking a play belongs to: of those that held when it began, the first that was made.

    Reads them once, in as many queries however many they are.
    """

    def __init__(self) -> None:
        rows = list(Booking.objects.order_by("id").prefetch_related("screens"))
        on_walls = list(Screen.objects.exclude(wall=None)) if rows else []
        self._of: dict[str, list[tuple[Booking, Pin]]] = {}
        for booking in rows:
            of = self._of.setdefault(str(booking.submission_id), [])
            of.append((booking, pin_of(booking, of=on_walls)))

    def find(self, screen: int, submission: UUID, at: datetime) -> Booking | None:
        found = self._of.get(str(submission))
        if not found:
            return None
        rules = rules_of(at)
        return next(
            (
                booking
                for booking, pin in found
                if (pin.screens is None or screen in pin.screens) and pin.hold(ms(at), rules)
            ),
            None,
        )


def _hours(opens: time | None, closes: time | None) -> Hours:
    if opens is None or closes is None:
        return ALWAYS
    return Hours(opens.hour * 60 + opens.minute, closes.hour * 60 + closes.minute)


def ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)
