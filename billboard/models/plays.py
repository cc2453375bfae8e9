"""What is to be shown (planning.py), and what was (plays.py)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard.models.screens import Screen


class Tally(models.Model):
    """How often somebody was shown, on all screens together. Counted as plays come in."""

    submission = models.OneToOneField(
        "campaign.Submission", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    times = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.submission_id}: {self.times}"


class Plan(models.Model):
    """Who is next on a campaign's screens (planning.py). Kept, so that all processes and a screen
    that comes back tell of the same plan; made anew at need, and no record."""

    campaign = models.OneToOneField(
        "campaign.Campaign", on_delete=models.CASCADE, related_name="plan", primary_key=True
    )
    rev = models.PositiveBigIntegerField(default=0)
    epoch = models.UUIDField(null=True)
    seq = models.PositiveBigIntegerField(default=0)
    made_at = models.DateTimeField()
    rules = models.JSONField(default=list)
    slots = models.JSONField(default=dict)
    outlook = models.JSONField(default=dict)
    booked = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"plan {self.rev} of {self.campaign_id}"


class Play(models.Model):
    """One showing, as the screen that drew it reported it."""

    play_id = models.UUIDField(unique=True, help_text=_("Made by the screen: a repeat is known."))
    screen = models.ForeignKey(Screen, on_delete=models.PROTECT, related_name="plays")
    submission = models.ForeignKey(
        "campaign.Submission", on_delete=models.PROTECT, related_name="plays"
    )
    figurine = models.ForeignKey("campaign.Figurine", on_delete=models.PROTECT, related_name="+")
    seq = models.PositiveBigIntegerField(help_text=_("The feed entry that put it there."))
    layout = models.CharField(max_length=10, blank=True, help_text=_("How it was placed."))
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Empty while it is on, or when its end was not heard.")
    )
    reported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-started_at",)
        indexes = (
            models.Index(fields=("started_at", "id"), name="play_in_order"),
            models.Index(fields=("submission", "-started_at"), name="play_of_submission"),
            models.Index(fields=("screen", "-started_at"), name="play_on_screen"),
        )

    def __str__(self) -> str:
        return f"{self.submission_id} on {self.screen_id} at {self.started_at:%H:%M:%S}"
