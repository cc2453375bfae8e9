"""What people agreed to (consent.py)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from campaign.models.submissions import Submission


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
