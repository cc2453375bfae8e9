"""Rows of what producers book. Behaviour lives in bookings.py."""

from __future__ import annotations

from typing import Final

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

EVERY_DAY: Final = "0123456"
"""Monday is 0."""


class BookingKind(models.TextChoices):
    PIN = "pin", _("Pin")
    SPONSOR = "sponsor", _("Sponsor")


class Booking(models.Model):
    """One in so many slots of a screen's first place, for somebody who is approved.

    It is ended, never deleted: proof of play goes by it.
    """

    kind = models.CharField(
        max_length=8,
        choices=BookingKind,
        default=BookingKind.PIN,
        help_text=_("Shown alike; plays of sponsors are told apart in exports."),
    )
    name = models.CharField(
        max_length=60, help_text=_("Plays are reported under it: a sponsor, an occasion.")
    )
    submission = models.ForeignKey(
        "campaign.Submission",
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"state": "approved"},
        help_text=_("Somebody who is approved. Taken down, they are gone from here, too."),
    )
    screens = models.ManyToManyField(
        "billboard.Screen",
        blank=True,
        related_name="+",
        help_text=_("None ticked: every screen of the campaign."),
    )
    since_at = models.DateTimeField(default=timezone.now)
    until_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Empty: until somebody ends it.")
    )
    days = models.CharField(max_length=7, default=EVERY_DAY)
    opens = models.TimeField(null=True, blank=True)
    closes = models.TimeField(
        null=True, blank=True, help_text=_("May be after midnight. Both empty: all day.")
    )
    one_in = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(2), MaxValueValidator(1000)],
        help_text=_("Share of voice: one in so many slots. All bookings together: half at most."),
    )

    class Meta:
        ordering = ("-since_at",)

    def __str__(self) -> str:
        return self.name or str(_("Booking %d") % self.pk)
