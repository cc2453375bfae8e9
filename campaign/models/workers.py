"""Processes that make figurines (workers.py)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaign.enums import WorkerState


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
