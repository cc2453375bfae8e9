"""Rows of proof: plays by the hour, and which hours are to be counted anew. See proof.py."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class PlayHour(models.Model):
    """What one screen showed of one campaign within an hour of the local clock, in one layout
    and for one booking, or for none.

    It names nobody, and is made out of plays: docs/proof.md says what counts.
    """

    hour_at = models.DateTimeField(db_index=True)
    screen = models.ForeignKey("billboard.Screen", on_delete=models.PROTECT, related_name="hours")
    campaign = models.ForeignKey("campaign.Campaign", on_delete=models.PROTECT, related_name="+")
    layout = models.CharField(max_length=10, blank=True)
    booking = models.ForeignKey(
        "billboard.Booking", on_delete=models.PROTECT, null=True, related_name="+"
    )
    plays = models.PositiveIntegerField()
    unended = models.PositiveIntegerField()
    """Of them: the end was not heard, or not yet."""
    shown_ms = models.PositiveBigIntegerField()
    """Of those whose end was heard."""
    people = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("screen", "hour_at", "campaign", "layout"),
                condition=models.Q(booking=None),
                name="play_hour_once",
            ),
            models.UniqueConstraint(
                fields=("screen", "hour_at", "campaign", "layout", "booking"),
                condition=models.Q(booking__isnull=False),
                name="play_hour_once_a_booking",
            ),
        )

    def __str__(self) -> str:
        return f"{self.plays} on {self.screen_id} from {self.hour_at:%Y-%m-%d %H:%M}"


class StaleHour(models.Model):
    """An hour of a screen of which a play has come or ended since it was counted."""

    screen = models.ForeignKey("billboard.Screen", on_delete=models.CASCADE, related_name="+")
    hour_at = models.DateTimeField()
    touched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("screen", "hour_at"), name="stale_hour_once"),
        )

    def __str__(self) -> str:
        return f"{self.hour_at:%Y-%m-%d %H:%M} of {self.screen_id}"
