"""Figurines to make (generation.py), and what is asked of a provider for them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from campaign.enums import JobOutcome, JobRole
from campaign.models.submissions import Submission
from campaign.router import SCULPT


class LeasedJob(models.Model):
    """Work to do, claimed under a lease by whoever was rung (leases.py)."""

    ready_at = models.DateTimeField(default=timezone.now)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    stage = models.CharField(max_length=40, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    outcome = models.CharField(max_length=12, choices=JobOutcome, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class GenerationJob(LeasedJob):
    """A figurine to make."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="jobs")
    recipe = models.JSONField()
    seed = models.PositiveIntegerField(default=1)
    engine = models.CharField(max_length=20, default=SCULPT)
    """The recipe's, where the database can look for it."""
    role = models.CharField(max_length=10, choices=JobRole, default=JobRole.MAIN)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("submission", "role"),
                condition=models.Q(outcome=""),
                name="generation_job_open_role",
            ),
        )
        indexes = (
            models.Index(
                fields=("engine", "ready_at"),
                condition=models.Q(outcome=""),
                name="generation_job_engine_ready",
            ),
            models.Index(fields=("engine", "-finished_at"), name="generation_job_engine_done"),
        )

    def __str__(self) -> str:
        return f"job {self.pk} of {self.submission_id}"


class HostedRequest(models.Model):
    """A picture asked of a provider for money (hosted.py). Written before it is asked for."""

    job = models.ForeignKey(GenerationJob, on_delete=models.PROTECT, related_name="requests")
    key = models.CharField(max_length=60, unique=True)
    """Job, seed and candidate: a second try finds the first one's request by it."""
    request_id = models.CharField(max_length=64, blank=True, db_index=True)
    """The provider's. Empty in an open row: it may be out, and may have been paid."""
    endpoint = models.CharField(max_length=80)
    cost_usd = models.DecimalField(max_digits=10, decimal_places=4)
    """Of every time that it was or may have been asked for."""
    submitted_at = models.DateTimeField(default=timezone.now)
    openings = models.PositiveSmallIntegerField(default=1)
    """How often it was asked for: a webhook's ticket names the one that it belongs to."""
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=40, blank=True)
    """"done", an error's code, or empty while it is open."""

    class Meta:
        indexes = (models.Index(fields=("submitted_at",), name="hosted_request_spent"),)

    def __str__(self) -> str:
        return f"hosted request {self.key}"
