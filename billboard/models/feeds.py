"""The log of what may be shown (feed.py), and what screens did by it."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard.models.screens import Screen


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
