"""Rows of the record. Slim: behaviour lives in the module of its stage."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaign import storage
from campaign.consent import CONSENT_TEXT, CONSENT_VERSION, HOSTED_TEXT, SQUAD_TEXT
from campaign.enums import (
    HoldReason,
    JobOutcome,
    JobRole,
    KeepsakeKind,
    SubmissionState,
    WorkerState,
)
from campaign.router import SCULPT
from campaign.theme import validate_theme

UNIT = [MinValueValidator(0.0), MaxValueValidator(1.0)]


def new_token() -> str:
    """128 random bits, for addresses that are themselves the key."""
    return secrets.token_urlsafe(16)


class Campaign(models.Model):
    """One production: its look, its policy, its opening hours."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    opens_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: already open."))
    closes_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: until closed."))
    is_paused = models.BooleanField(default=False, help_text=_("Takes no new selfies."))
    headline = models.CharField(max_length=60, default="Get in the box.")
    strapline = models.CharField(max_length=160, blank=True)
    theme = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_theme],
        help_text=_('CSS custom properties, for example {"--signal": "#ff5416"}.'),
    )
    engine = models.CharField(max_length=20, default=SCULPT)
    second_engine = models.CharField(
        max_length=20,
        blank=True,
        help_text=_("Asked where the first is away or too slow. Sculpt always comes last."),
    )
    patience_s = models.PositiveSmallIntegerField(
        default=20,
        help_text=_("Seconds a visitor waits for the engine; then sculpt's goes to review."),
    )
    candidates = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(4)],
        help_text=_("How many a GPU or hosted engine makes; the likest is kept."),
    )
    likeness = models.FloatField(
        default=0.35,
        validators=UNIT,
        help_text=_(
            "Below this likeness of figurine and selfie it is tried once more, then marked. "
            "0: never. A guess until a crew has measured with its own figurines."
        ),
    )
    engine_options = models.JSONField(
        default=dict,
        blank=True,
        help_text=_('What only one engine understands, for example {"model": "klein"}.'),
    )
    hourly_budget_usd = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Hosted figurines may cost this much an hour. Empty: any amount."),
    )
    budget_usd = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Hosted figurines may cost this much in all. Empty: any amount."),
    )
    kit = models.CharField(max_length=40, default="soldier")
    finish = models.CharField(max_length=40, default="painted")
    kits = models.JSONField(
        default=list, blank=True, help_text=_("None ticked: every kit, later ones too.")
    )
    finishes = models.JSONField(
        default=list, blank=True, help_text=_("None ticked: every finish, later ones too.")
    )
    rerolls = models.PositiveSmallIntegerField(
        default=2,
        validators=[MaxValueValidator(20)],
        help_text=_("How many more figurines a visitor may have made of the same selfie."),
    )
    makes_clips = models.BooleanField(
        default=True,
        help_text=_("A film of every approved figurine, for screens and phones, made when idle."),
    )
    offers_models = models.BooleanField(
        default=True, help_text=_("Visitors may turn theirs around and stand it on a table (AR).")
    )
    offers_prints = models.BooleanField(
        default=True, help_text=_("Visitors may have a file for a 3D printer (STL).")
    )
    most_faces = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text=_("Squads: up to this many faces in a selfie, all on one base. 1: solo only."),
    )
    consent_version = models.CharField(max_length=20, default=CONSENT_VERSION)
    consent_text = models.TextField(default=CONSENT_TEXT)
    nsfw_hold = models.FloatField(
        default=0.35, validators=UNIT, help_text=_("From this score on, a person decides.")
    )
    nsfw_reject = models.FloatField(
        default=0.85, validators=UNIT, help_text=_("From this score on, rejected at once.")
    )
    quality_hold = models.FloatField(
        default=0.6,
        validators=UNIT,
        help_text=_("Below this certainty of a face, a person decides. Good ones have 0.9."),
    )
    selfie_retention_h = models.PositiveSmallIntegerField(
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24)],
        help_text=_("Selfies are deleted this long after they came, whatever happens."),
    )
    figurine_retention_days = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1)],
        help_text=_("Figurines are deleted this long after they came."),
    )
    slot_s = models.PositiveSmallIntegerField(
        default=8, validators=[MinValueValidator(3)], help_text=_("Seconds a figurine is the hero.")
    )
    promise_min = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1)],
        help_text=_("Minutes within which everyone approved is on a screen once."),
    )
    series_head = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(nsfw_hold__lte=models.F("nsfw_reject")),
                name="campaign_hold_below_reject",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.nsfw_hold > self.nsfw_reject:
            raise ValidationError({"nsfw_hold": _("Must not be above the reject score.")})

    @property
    def terms(self) -> str:
        """Every word that people agree to."""
        told = [self.consent_text]
        if self.most_faces > 1:
            told.append(SQUAD_TEXT)
        if "hosted" in self.engines:
            told.append(HOSTED_TEXT)
        return "\n\n".join(told)

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines that may make its figurines, the one it wants first."""
        wanted = dict.fromkeys(name for name in (self.engine, self.second_engine) if name)
        return (*takewhile(lambda name: name != SCULPT, wanted), SCULPT)

    @property
    def is_open(self) -> bool:
        now = timezone.now()
        return (
            not self.is_paused
            and (self.opens_at is None or self.opens_at <= now)
            and (self.closes_at is None or now < self.closes_at)
        )


class EntryPoint(models.Model):
    """A QR or link someone came through."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="entry_points")
    code = models.SlugField(max_length=16)
    label = models.CharField(max_length=80)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("campaign", "code"), name="entry_point_code_unique"),
        )

    def __str__(self) -> str:
        return f"{self.label} ({self.campaign})"


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
            models.Index(fields=("campaign", "device_hash", "created_at"), name="submission_rate"),
            models.Index(fields=("state", "patience_ends_at"), name="submission_patience"),
        )

    def __str__(self) -> str:
        return f"No. {self.number:06,d} {self.plaque}".strip()

    @property
    def expires_at(self) -> datetime:
        """When its figurine's day is over (see retention.purge)."""
        return self.created_at + timedelta(days=self.campaign.figurine_retention_days)

    @property
    def figurine(self) -> Figurine | None:
        """The chosen figurine, if there is one."""
        return next((f for f in self.figurines.all() if f.is_chosen), None)


class ConsentText(models.Model):
    """Words that somebody agreed to, so that a hash can be read back years later."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
    first_used_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]


class Consent(models.Model):
    """What somebody agreed to, word for word by its hash, and when."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="consent")
    version = models.CharField(max_length=20)
    text_sha256 = models.CharField(max_length=64)
    language = models.CharField(max_length=12, blank=True)
    agreed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.version} at {self.agreed_at:%Y-%m-%d %H:%M:%S}"


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


class AppendOnlyError(Exception):
    """Somebody tried to rewrite history."""


class AppendOnlyQuerySet(models.QuerySet["Transition"]):
    """Reads and inserts; nothing else."""

    def moves(self) -> AppendOnlyQuerySet:
        """Without decisions that moved nothing."""
        return self.exclude(to_state="")

    def update(self, **kwargs: Any) -> int:
        raise AppendOnlyError("a transition is written once")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("a transition is never deleted")


class Transition(models.Model):
    """One move of a submission, or a decision that moved nothing (lifecycle.note). Written once,
    never changed, never deleted."""

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


class EngineWorker(models.Model):
    """A worker process of an engine, as it last told of itself (workers.py). Bookkeeping."""

    node = models.CharField(max_length=255, unique=True, help_text=_("Its name and its machine."))
    engine = models.CharField(max_length=20)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    device = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=12, choices=WorkerState)
    batch = models.PositiveSmallIntegerField(default=1, help_text=_("Most figurines at once."))
    peak_bytes = models.PositiveBigIntegerField(
        default=0, help_text=_("Most of the GPU's memory that it has held.")
    )
    beat_at = models.DateTimeField()

    class Meta:
        ordering = ("engine", "node")

    def __str__(self) -> str:
        return f"{self.node}: {self.state}"
