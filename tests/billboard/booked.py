"""Bookings to test with."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from billboard import bookings, planning, plays
from billboard.models import Screen
from billboard.models.bookings import Booking
from billboard.protocol import Acks, Shown
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved


def crowd(campaign: Campaign, screen: Screen, many: int) -> list[Submission]:
    """People who have been on already, so that nobody's first showing is in the way."""
    people = [approved(campaign, plaque=f"P{n}") for n in range(many)]
    for one in people:
        assert one.figurine
        shown = Shown(uuid4(), one.pk, one.figurine.pk, 1, timezone.now(), 1)
        plays.record(screen, Acks(1, (shown,)))
    return people


def book(who: Submission, *screens: Screen, **words: Any) -> Booking:
    words = {"name": "Acme", "one_in": 2, "since_at": timezone.now() - timedelta(days=1)} | words
    booking = Booking.objects.create(submission=who, **words)
    booking.screens.set(screens)
    bookings.changed(booking, since_at=booking.since_at)
    return booking


def booked_slots(screen: Screen) -> list[str]:
    slots = planning.ensure(screen).slots[screen.pk]
    return [slot.key for slot in slots if slot.kind == "pin"]
