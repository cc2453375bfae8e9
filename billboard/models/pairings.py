"""Browsers that ask to become screens (codes.py)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billboard.models.screens import Screen


class PairingState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    CONFIRMED = "confirmed", _("Confirmed")
    DENIED = "denied", _("Turned away")


class PairingCode(models.Model):
    """A browser that asks to become a screen (codes.py). Swept an hour after its time."""

    device_hash = models.CharField(max_length=64, unique=True)
    code_hash = models.CharField(max_length=64, unique=True)
    half_hash = models.CharField(max_length=64, db_index=True)
    """Of the code's first four letters: a guess that has them right is a try at this code."""
    misses = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(
        max_length=10, choices=PairingState, default=PairingState.WAITING, db_index=True
    )
    browser = models.CharField(max_length=200, blank=True)
    width_px = models.PositiveIntegerField(null=True)
    height_px = models.PositiveIntegerField(null=True)
    interval_s = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    polled_at = models.DateTimeField(null=True)
    screen = models.ForeignKey(Screen, on_delete=models.CASCADE, null=True, related_name="+")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.state} since {self.created_at:%H:%M:%S}"
