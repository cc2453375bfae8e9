"""Whose the pictures are (volume.py)."""

from __future__ import annotations

import uuid

from django.db import models


class Installation(models.Model):
    """The one row by which a database and its private storage know each other."""

    ONLY = 1

    number = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    key = models.UUIDField(default=uuid.uuid4, editable=False)

    def __str__(self) -> str:
        return str(self.key)
