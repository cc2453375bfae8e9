"""A person's way from selfie to screen, and the figurines made of them."""

from __future__ import annotations

import secrets
import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaign import storage
from campaign.enums import RECALL_SENTENCES, HoldReason, JobRole, SubmissionState
from campaign.models.campaigns import Campaign, EntryPoint


def new_token() -> str:
    """128 random bits, for addresses that are themselves the key."""
    return secrets.token_urlsafe(16)


class Submission(models.Model):
    """One person's way from selfie to screen. Never deleted: erasing empties it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(max_length=32, unique=True, default=new_token, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="submissions")
    entry_point = models.ForeignKey(EntryPoint, on_delete=models.SET_NULL, null=True, blank=True)
    number = models.PositiveIntegerField(editable=False, help_text=_("Place in the series."))
    idempotency_key = models.CharField(max_length=64, editable=False)
    device_hash = models.CharField(max_length=64, blank=True, editable=False)
    state = models.CharField(
        max_length=12,
        choices=SubmissionState,
        default=SubmissionState.RECEIVED,
        editable=False,
    )
    plaque = models.CharField(max_length=32, blank=True)
    kit = models.CharField(max_length=40)
    finish = models.CharField(max_length=40)
    seed = models.PositiveIntegerField(default=1)
    language = models.CharField(max_length=12, blank=True)
    selfie = models.FileField(
        storage=storage.private, upload_to=storage.selfie_name, max_length=200, blank=True
    )
    selfie_purge_at = models.DateTimeField()
    figurine_purge_at = models.DateTimeField()
    face = models.JSONField(null=True, blank=True, editable=False)
    other_faces = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text=_("Of a squad, those to the right of the first."),
    )
    nsfw_score = models.FloatField(null=True, blank=True, editable=False)
    hold_reason = models.CharField(max_length=20, choices=HoldReason, blank=True, editable=False)
    reason = models.CharField(
        max_length=40, blank=True, editable=False, help_text=_("Code of the last refusal.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    state_since_at = models.DateTimeField(default=timezone.now, editable=False)
    patience_ends_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=_("When sculpt's figurine goes to review if the engine has brought none."),
    )

    class Meta:
        ordering = ("created_at",)
        permissions = (("review_submission", "Can approve, reject and recall"),)
        constraints = (
            models.UniqueConstraint(
                fields=("campaign", "idempotency_key"), name="submission_idempotent"
            ),
            models.UniqueConstraint(fields=("campaign", "number"), name="submission_number_unique"),
        )
        indexes = (
            models.Index(fields=("campaign", "state", "created_at"), name="submission_queue"),
            models.Index(fields=("state", "state_since_at"), name="submission_stuck"),
            models.Index(fields=("selfie_purge_at",), name="submission_purge"),
            models.Index(fields=("figurine_purge_at",), name="submission_figurine_purge"),
            models.Index(fields=("campaign", "device_hash", "created_at"), name="submission_rate"),
            models.Index(fields=("state", "patience_ends_at"), name="submission_patience"),
        )

    def __str__(self) -> str:
        return f"No. {self.number:06,d} {self.plaque}".strip()

    @property
    def is_turned_down(self) -> bool:
        """Whether it was rejected, before it was up or after: the crew alone still sees it."""
        return self.state == SubmissionState.REJECTED or (
            self.state == SubmissionState.RECALLED and self.reason in RECALL_SENTENCES
        )

    @property
    def figurine(self) -> Figurine | None:
        """The chosen figurine, if there is one."""
        return next((f for f in self.figurines.all() if f.is_chosen), None)


class Figurine(models.Model):
    """A stored candidate, with the recipe that makes it again."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="figurines")
    recipe = models.JSONField()
    seed = models.PositiveIntegerField()
    engine_version = models.CharField(max_length=80)
    role = models.CharField(max_length=10, choices=JobRole, default=JobRole.MAIN)
    likeness = models.FloatField(
        null=True, blank=True, help_text=_("Cosine of its face and the selfie's, -1 to 1.")
    )
    marks = models.JSONField(
        default=list, blank=True, help_text=_("Codes of what a moderator should look at.")
    )
    cost_usd = models.DecimalField(max_digits=8, decimal_places=4, default=0)
    still = models.FileField(
        storage=storage.private, upload_to=storage.still_name, max_length=200, blank=True
    )
    cutout = models.FileField(
        storage=storage.private, upload_to=storage.still_name, max_length=200, blank=True
    )
    is_chosen = models.BooleanField(default=False)
    timings_ms = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("submission",),
                condition=models.Q(is_chosen=True),
                name="figurine_one_chosen",
            ),
        )

    def __str__(self) -> str:
        return f"figurine {self.pk} of {self.submission_id}"
