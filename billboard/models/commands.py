"""What the crew asks of screens (commands.py)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard.models.screens import Screen


class CommandKind(models.TextChoices):
    IDENTIFY = "identify", _("Identify")
    RELOAD = "reload", _("Reload")
    PAUSE = "pause", _("Pause")
    RESUME = "resume", _("Go on")
    BLANK = "blank", _("Black")
    UNBLANK = "unblank", _("Show again")
    BRIGHTNESS = "brightness", _("Brightness")
    LAYOUT = "layout", _("Layout")
    CAPTURE = "capture", _("Picture of it now")


class CommandOutcome(models.TextChoices):
    NONE = "", _("None yet")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")


class CommandState(models.TextChoices):
    """How far it came; told by the row, and by the clock."""

    ASKED = "asked", _("Asked")
    SENT = "sent", _("Sent")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    LATE = "late", _("Not carried out")


class ScreenCommand(models.Model):
    """What somebody asked of a screen, and what came of it (commands.py). Kept 90 days."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    screen = models.ForeignKey(Screen, on_delete=models.PROTECT, related_name="commands")
    kind = models.CharField(max_length=10, choices=CommandKind)
    value = models.CharField(max_length=60, blank=True)
    """Percent of a brightness, or "" for "by the hour"; a layout's name; a name to show."""
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)
    deadline_at = models.DateTimeField()
    """After it the screen does not begin it any more."""
    sent_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=8, choices=CommandOutcome, default=CommandOutcome.NONE, blank=True
    )
    why = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ("-asked_at",)
        indexes = (models.Index(fields=("screen", "-asked_at"), name="command_of_screen"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.screen_id} at {self.asked_at:%H:%M:%S}"

    @property
    def standing(self) -> CommandState:
        if self.outcome:
            return CommandState(self.outcome)
        if timezone.now() >= self.deadline_at:
            return CommandState.LATE
        return CommandState.SENT if self.sent_at else CommandState.ASKED
