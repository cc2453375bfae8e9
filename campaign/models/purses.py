"""How often somebody did what must not be done often (purses.py)."""

from __future__ import annotations

from django.db import models


class PurseCount(models.Model):
    """What was taken out of one purse within its ten minutes."""

    key = models.CharField(max_length=64, unique=True)
    since = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%H:%M:%S}"
