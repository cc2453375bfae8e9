"""A production, and the links that people come to it through."""

from __future__ import annotations

from itertools import takewhile

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaign import consent
from campaign.consent import CONSENT_TEXT, CONSENT_VERSION
from campaign.router import HOSTED, SCULPT
from campaign.theme import validate_theme

UNIT = [MinValueValidator(0.0), MaxValueValidator(1.0)]


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
    def consent_lines(self) -> tuple[str, ...]:
        """What stands beside the box that people tick."""
        return consent.lines(self._parts)

    @property
    def small_print(self) -> str:
        """Every word of it."""
        return consent.small_print(self._parts)

    @property
    def terms(self) -> str:
        """All that people agree to, as it is shown."""
        return "\n".join(self.consent_lines) + "\n\n" + self.small_print

    @property
    def _parts(self) -> tuple[consent.Part, ...]:
        return consent.parts(
            self.consent_text,
            is_squad=self.most_faces > 1,
            is_hosted=HOSTED in self.engines,
            days=self.figurine_retention_days,
        )

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
