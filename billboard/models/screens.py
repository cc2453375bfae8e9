"""Browsers that show a campaign, and the walls that some hang on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard import setting
from billboard.setting import validate_brightness, validate_sides, validate_window, validate_words

ONLINE_WITHIN: Final = timedelta(seconds=15)
"""Three heartbeats."""
WATCHED_FOR: Final = timedelta(seconds=20)
"""The page of what is on now asks every few seconds."""


class Layout(models.TextChoices):
    """How a screen places figurines; static/js/lib/layouts.js knows the same."""

    AUTO = "auto", _("By its shape")
    HERO = "hero", _("Hero: one large, the latest small")
    DIPTYCH = "diptych", _("Diptych: two large")
    MOSAIC4 = "mosaic4", _("Mosaic of 4")
    MOSAIC9 = "mosaic9", _("Mosaic of 9")
    MOSAIC16 = "mosaic16", _("Mosaic of 16")
    RIBBON = "ribbon", _("Ribbon: one large, a row that steps along")


PLACES: Final = {
    Layout.HERO: 1,
    Layout.RIBBON: 1,
    Layout.DIPTYCH: 2,
    Layout.MOSAIC4: 4,
    Layout.MOSAIC9: 9,
    Layout.MOSAIC16: 16,
}
"""How many are shown large at once."""


class Rotation(models.IntegerChoices):
    """Clockwise, in degrees: how far the picture is turned on the computer's desktop."""

    NONE = 0, _("Upright")
    RIGHT = 90, _("90° clockwise")
    OVER = 180, _("Upside down")
    LEFT = 270, _("90° anticlockwise")


class Wall(models.Model):
    """Screens that hang together and change at the same moment (walls.py)."""

    campaign = models.ForeignKey(
        "campaign.Campaign", on_delete=models.PROTECT, related_name="walls"
    )
    name = models.CharField(
        max_length=60, help_text=_("Participants read it: “You, on Times Square, about 14:32”.")
    )
    width = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(999_999)],
        help_text=_(
            "For one picture over all its screens: how wide the whole is, what lies between the "
            "displays counted, in pixels or centimetres. Empty: every screen shows all of it."
        ),
    )
    height = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(999_999)],
        help_text=_("In the same unit."),
    )

    class Meta:
        ordering = ("campaign", "name")
        constraints = (
            models.UniqueConstraint(fields=("campaign", "name"), name="wall_name_unique"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if (self.width is None) != (self.height is None):
            raise ValidationError(_("One picture needs both a width and a height."))

    @property
    def size(self) -> tuple[int, int] | None:
        """Of the one picture; None where every screen shows all of it."""
        return (self.width, self.height) if self.width and self.height else None


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
    layout = models.CharField(max_length=10, choices=Layout, default=Layout.AUTO)
    rotation = models.PositiveSmallIntegerField(
        choices=Rotation,
        default=Rotation.NONE,
        help_text=_("For a display that hangs turned while its computer does not know."),
    )
    safe_area = models.CharField(
        max_length=40,
        blank=True,
        validators=[validate_sides],
        help_text=_(
            "Kept free of anything but ground, as seen from the street: top, right, bottom, left, "
            "in pixels of the panel or percent. For example “40px 3%”. Empty: nothing."
        ),
    )
    panels_across = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(8)],
        help_text=_("Panels side by side that this one screen goes over."),
    )
    panels_down = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(8)]
    )
    bezel_px = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(400)],
        help_text=_("What is hidden between two panels, in pixels. The picture steps aside of it."),
    )
    wall = models.ForeignKey(
        Wall,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="members",
        help_text=_("Screens of one wall show the same people and change at the same moment."),
    )
    window = models.CharField(
        max_length=40,
        blank=True,
        validators=[validate_window],
        help_text=_(
            "Of a wall that is one picture, the part that this screen shows: left, top, width, "
            "height, in the wall's unit. For example “1920 0 1920 1080”."
        ),
    )
    brightness = models.CharField(
        max_length=160,
        blank=True,
        validators=[validate_brightness],
        help_text=_("By hour of the screen's own clock: “22-6: 40%, 6-8: 70%”. Else 100 %."),
    )
    drift_px = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(12)],
        help_text=_("Against burn-in: all wanders by so many pixels within the hour. 0: never."),
    )
    words = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_words],
        help_text=_(
            "The campaign's words in more languages, which take turns with its own: "
            '[{"lang": "ko", "headline": "…", "strapline": "…", "scan": "…", "enlisted": "{}명"}]. '
            "Only lang and headline are needed; {} in “enlisted” is the live count."
        ),
    )
    token_hash = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    is_settled = models.BooleanField(default=True, editable=False)
    """The screen has shown its latest token: the one before is worth nothing (pairing.py)."""
    token_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Empty: the token came in a link, and is renewed at the first occasion."""
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When the crew last saw what is on it: meanwhile it tells more often (tiles.py)."""
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    confirmed_epoch = models.UUIDField(null=True, blank=True, editable=False)
    confirmed_seq = models.PositiveBigIntegerField(default=0, editable=False)
    ahead_at = models.DateTimeField(null=True, editable=False)
    """When its place was lost and it began a new epoch (feed.py)."""
    version = models.CharField(max_length=40, blank=True, editable=False)
    width_px = models.PositiveIntegerField(null=True, blank=True, editable=False)
    height_px = models.PositiveIntegerField(null=True, blank=True, editable=False)
    is_drawing = models.BooleanField(null=True, editable=False)
    """Frames come, on a page that is seen and not empty. As all below: what it said of itself last;
    None where it does not know, or is a player of before."""
    undrawn_at = models.DateTimeField(null=True, editable=False)
    """Since when it says that it draws nothing; None while it draws."""
    fps = models.PositiveSmallIntegerField(null=True, editable=False)
    dropped_frames = models.PositiveIntegerField(null=True, editable=False)
    """Of films, since its page began."""
    heap_mb = models.PositiveIntegerField(null=True, editable=False)
    kept_items = models.PositiveIntegerField(null=True, editable=False)
    kept_mb = models.PositiveIntegerField(null=True, editable=False)
    quota_mb = models.PositiveIntegerField(null=True, editable=False)
    clock_off_ms = models.BigIntegerField(null=True, editable=False)
    """How far its computer's clock is ahead of the server's."""
    up_s = models.PositiveIntegerField(null=True, editable=False)
    """Since its page began."""
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    """What lasts of the crew's commands (commands.py): told with every connection."""
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    blanked_at = models.DateTimeField(null=True, blank=True, editable=False)
    blanked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    brightness_now = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    """Percent, over the hour's; None: by the hour."""
    ordered_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When it was asked for something last: whether there is anything to look up."""
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("campaign", "name")
        constraints = (
            models.UniqueConstraint(fields=("campaign", "name"), name="screen_name_unique"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.wall and self.wall.campaign_id != self.campaign_id:
            words = _("%(wall)s shows another campaign. Choose one of this campaign's walls.")
            raise ValidationError({"wall": ValidationError(words, params={"wall": self.wall.name})})
        whole = self.wall.size if self.wall else None
        part = setting.window(self.window)
        if part and not whole:
            raise ValidationError({"window": _("Only on a wall that has a width and a height.")})
        if whole and not part:
            words = _("This wall is one picture. Say which part of it this screen shows.")
            raise ValidationError({"window": words})
        if whole and part and (part[0] + part[2] > whole[0] or part[1] + part[3] > whole[1]):
            words = _("That reaches over the wall, which is %(width)d by %(height)d.")
            params = {"width": whole[0], "height": whole[1]}
            raise ValidationError({"window": ValidationError(words, params=params)})

    @property
    def known_as(self) -> str:
        """What participants are told to look at."""
        return self.wall.name if self.wall else self.name

    @property
    def places(self) -> int | None:
        """How many it shows large at once; None: as many as the plan needs, one if it can be."""
        return PLACES.get(Layout(self.layout))

    @property
    def is_watched(self) -> bool:
        return self.looked_at is not None and timezone.now() - self.looked_at < WATCHED_FOR

    @property
    def is_heard(self) -> bool:
        return self.last_seen_at is not None and _is_lately(self.last_seen_at)

    @property
    def is_still(self) -> bool:
        """The crew wants nobody new on it for now: it is paused, or black."""
        return self.paused_at is not None or self.blanked_at is not None

    @property
    def has_turns(self) -> bool:
        """Whether the plan has slots for it: it may change, and draws; one that misses a moment
        does not lose them."""
        draws = self.undrawn_at is None or _is_lately(self.undrawn_at)
        return draws and not self.is_still

    @property
    def is_online(self) -> bool:
        """Heard, and as far as it says drawing."""
        return self.is_heard and self.is_drawing is not False


class Stint(models.Model):
    """A campaign that a screen showed until it was moved to another, switched off or unpaired, or
    another browser took its place. One that is away then plays it on, and tells it later."""

    screen = models.ForeignKey(Screen, on_delete=models.CASCADE, related_name="stints")
    campaign = models.ForeignKey("campaign.Campaign", on_delete=models.PROTECT, related_name="+")
    until_at = models.DateTimeField(default=timezone.now)
    token_hash = models.CharField(max_length=64, blank=True)
    """Of a browser that is no screen any more, and goes dark where this is refused."""
    previous_hash = models.CharField(max_length=64, blank=True)
    """As good, where it was renewed and may not have kept the new one (pairing.py)."""
    seen_at = models.DateTimeField(null=True)
    """When that browser was heard last."""
    gone_at = models.DateTimeField(null=True)
    """When the crew said that it shows nobody any more, and will not be heard of it."""

    def __str__(self) -> str:
        return f"{self.screen_id} for {self.campaign_id} until {self.until_at:%Y-%m-%d %H:%M}"


def _is_lately(moment: datetime) -> bool:
    """Not ahead of now either: the clock may have been set back."""
    return abs(timezone.now() - moment) < ONLINE_WITHIN
