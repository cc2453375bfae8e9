"""Pictures that screens take of themselves (captures.py)."""

from __future__ import annotations

import uuid
from typing import Final

from django.core.files.storage import Storage, storages
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard.models.screens import Screen

CAPTURES: Final = "captures"
"""The folder of screens' pictures of themselves, in the storage of all private pictures."""


def private() -> Storage:
    """A callable, so that migrations do not freeze it."""
    return storages["private"]


class CaptureKind(models.TextChoices):
    GLANCE = "glance", _("What is on now")
    ASKED = "asked", _("Asked for")
    FIRST = "first", _("A first showing")


class Capture(models.Model):
    """What a screen drew, as its page photographed it. It shows faces: captures.py says how long
    it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    screen = models.ForeignKey(Screen, on_delete=models.CASCADE, related_name="captures")
    kind = models.CharField(max_length=6, choices=CaptureKind)
    file = models.FileField(storage=private, upload_to=CAPTURES, max_length=100)
    width_px = models.PositiveIntegerField()
    height_px = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=("screen", "kind", "-at"), name="capture_of_screen"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.screen_id} at {self.at:%H:%M:%S}"


class CaptureOn(models.Model):
    """Somebody who is on a picture. No foreign key: that would lock the submission's row, which a
    recall holds while it waits for the feed's."""

    capture = models.ForeignKey(Capture, on_delete=models.CASCADE, related_name="people")
    submission = models.UUIDField(db_index=True)
    is_first = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.submission} on {self.capture_id}"
