"""Every move that was made (lifecycle.py), and who looks at whom before the next (decisions.py)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaign.enums import SubmissionState
from campaign.models.submissions import Submission


class AppendOnlyError(Exception):
    """Somebody tried to rewrite history."""


class AppendOnlyQuerySet(models.QuerySet["Transition"]):
    """Reads and inserts; and once somebody is deleted, what the crew wrote of them goes."""

    def moves(self) -> AppendOnlyQuerySet:
        """Without decisions that moved nothing."""
        return self.exclude(to_state="")

    def forget_notes(self, submission: Submission) -> int:
        """Blank the crew's notes on somebody, which may name them; the moves stay. Returns how
        many."""
        written = self.filter(submission=submission, actor_kind="crew").exclude(note="")
        return super(AppendOnlyQuerySet, written).update(note="")

    def update(self, **kwargs: Any) -> int:
        raise AppendOnlyError("a transition is written once")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("a transition is never deleted")


class Transition(models.Model):
    """One move of a submission, or a decision that moved nothing (lifecycle.note). Written once
    and never deleted; nothing of it changes but the crew's note, which goes with the person."""

    submission = models.ForeignKey(
        Submission, on_delete=models.PROTECT, related_name="transitions", editable=False
    )
    from_state = models.CharField(max_length=12, choices=SubmissionState)
    to_state = models.CharField(
        max_length=12,
        choices=SubmissionState,
        blank=True,
        help_text=_("Empty: something was decided, and nothing moved."),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True
    )
    actor_kind = models.CharField(max_length=20, help_text=_("crew, participant or system"))
    reason = models.CharField(max_length=40, blank=True)
    note = models.CharField(max_length=400, blank=True)
    at = models.DateTimeField(default=timezone.now)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("submission", "id"), name="transition_history"),)

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state or 'stays'} at {self.at:%H:%M:%S}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("a transition is written once")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("a transition is never deleted")


class ReviewClaim(models.Model):
    """Which moderator looks at which submission; one of each. Bookkeeping, no record."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="review_claim",
    )
    submission = models.OneToOneField(Submission, on_delete=models.CASCADE, related_name="claim")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user} looks at {self.submission_id}"
