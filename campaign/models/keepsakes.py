"""Clips and models to take home (keepsakes.py)."""

from __future__ import annotations

from django.db import models

from campaign import storage
from campaign.enums import JobOutcome, KeepsakeKind
from campaign.models.jobs import LeasedJob
from campaign.models.submissions import Figurine


class Keepsake(LeasedJob):
    """Something more to take home of a figurine: the work that makes it, then its files."""

    figurine = models.ForeignKey(Figurine, on_delete=models.PROTECT, related_name="keepsakes")
    kind = models.CharField(max_length=4, choices=KeepsakeKind)
    file = models.FileField(
        storage=storage.private, upload_to=storage.keepsake_name, max_length=200, blank=True
    )
    webm = models.FileField(
        storage=storage.private, upload_to=storage.keepsake_name, max_length=200, blank=True
    )
    """A clip's second encoding, for browsers that do not play the first."""

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("figurine", "kind"), name="keepsake_one_a_kind"),
        )
        indexes = (
            models.Index(
                fields=("kind", "ready_at"),
                condition=models.Q(outcome=""),
                name="keepsake_ready",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of figurine {self.figurine_id}"

    @property
    def is_open(self) -> bool:
        return self.outcome == ""

    @property
    def is_done(self) -> bool:
        return self.outcome == JobOutcome.DONE
