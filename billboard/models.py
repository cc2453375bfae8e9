"""Rows of the record. Behaviour lives in feed.py, plays.py and pairing.py."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ONLINE_WITHIN: Final = timedelta(seconds=15)
"""Three heartbeats."""


class Screen(models.Model):
    """One browser that shows a campaign, and what it last said about itself."""

    campaign = models.ForeignKey(
        "campaign.Campaign", on_delete=models.PROTECT, related_name="screens"
    )
    name = models.CharField(
        max_length=60, help_text=_("Participants read it: “You are on Broadway 1 now”.")
    )
    is_active = models.BooleanField(
        default=True, help_text=_("Off: the screen goes dark within seconds and its link is dead.")
    )
    token_hash = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    confirmed_epoch = models.UUIDField(null=True, blank=True, editable=False)
    confirmed_seq = models.PositiveBigIntegerField(default=0, editable=False)
    version = models.CharField(max_length=40, blank=True, editable=False)
    width_px = models.PositiveIntegerField(null=True, blank=True, editable=False)
    height_px = models.PositiveIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("campaign", "name")
        constraints = (
            models.UniqueConstraint(fields=("campaign", "name"), name="screen_name_unique"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_online(self) -> bool:
        return self.last_seen_at is not None and timezone.now() - self.last_seen_at < ONLINE_WITHIN


class Feed(models.Model):
    """The head of a campaign's log. Its row is the lock under which places are given out."""

    campaign = models.OneToOneField(
        "campaign.Campaign", on_delete=models.PROTECT, related_name="feed"
    )
    epoch = models.UUIDField(default=uuid.uuid4, editable=False)
    head = models.PositiveBigIntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return f"feed of {self.campaign_id} at {self.head}"


class EntryKind(models.TextChoices):
    ADD = "add", _("Add")
    REMOVE = "remove", _("Remove")
    MOVE = "move", _("Move")
    """What is shown already has a clip from here on."""


class FeedEntry(models.Model):
    """One line of the log: from here on show this figurine, show it move, or show it no more."""

    campaign = models.ForeignKey("campaign.Campaign", on_delete=models.PROTECT, related_name="+")
    epoch = models.UUIDField()
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=6, choices=EntryKind)
    submission = models.ForeignKey(
        "campaign.Submission", on_delete=models.PROTECT, related_name="feed_entries"
    )
    figurine = models.ForeignKey(
        "campaign.Figurine", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("campaign", "epoch", "seq"), name="feed_place_unique"),
            models.CheckConstraint(
                condition=models.Q(kind=EntryKind.REMOVE) | models.Q(figurine__isnull=False),
                name="feed_add_has_figurine",
            ),
        )
        indexes = (models.Index(fields=("submission", "seq"), name="feed_of_submission"),)

    def __str__(self) -> str:
        return f"{self.seq} {self.kind} {self.submission_id}"


class Ack(models.Model):
    """A screen did what an entry asks: holds the picture of an add, or is dark on a remove."""

    screen = models.ForeignKey(Screen, on_delete=models.PROTECT, related_name="acks")
    entry = models.ForeignKey(FeedEntry, on_delete=models.PROTECT, related_name="acks")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("screen", "entry"), name="ack_once"),)

    def __str__(self) -> str:
        return f"{self.screen_id} did {self.entry_id}"


class Play(models.Model):
    """One showing, as the screen that drew it reported it."""

    play_id = models.UUIDField(unique=True, help_text=_("Made by the screen: a repeat is known."))
    screen = models.ForeignKey(Screen, on_delete=models.PROTECT, related_name="plays")
    submission = models.ForeignKey(
        "campaign.Submission", on_delete=models.PROTECT, related_name="plays"
    )
    figurine = models.ForeignKey("campaign.Figurine", on_delete=models.PROTECT, related_name="+")
    seq = models.PositiveBigIntegerField(help_text=_("The feed entry that put it there."))
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Empty while it is on, or when its end was not heard.")
    )
    reported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-started_at",)
        indexes = (
            models.Index(fields=("submission", "-started_at"), name="play_of_submission"),
            models.Index(fields=("screen", "-started_at"), name="play_on_screen"),
        )

    def __str__(self) -> str:
        return f"{self.submission_id} on {self.screen_id} at {self.started_at:%H:%M:%S}"
