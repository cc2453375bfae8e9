"""Where the admin shows a model's list, and one row."""

from __future__ import annotations

from typing import Any

from django.urls import reverse


def changelist(model: type) -> str:
    return reverse(f"admin:campaign_{model.__name__.lower()}_changelist")


def change(row: Any) -> str:
    return reverse(f"admin:campaign_{type(row).__name__.lower()}_change", args=[row.pk])
