"""Misconfiguration, found at start-up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from campaign import offers, queries, volume
from campaign.errors import StorageAway
from campaign.models import Campaign
from figurine.errors import MissingModel


@register(Tags.files)
def check_private_folder(**_: Any) -> list[CheckMessage]:
    """Private pictures must be writable, and nowhere that a web server hands out."""
    options = settings.STORAGES["private"].get("OPTIONS", {})
    if "location" not in options:
        return []
    folder = Path(options["location"])
    found: list[CheckMessage] = []
    static_root = Path(settings.STATIC_ROOT)
    if folder == static_root or static_root in folder.parents:
        found.append(
            Error("The folder of private pictures is inside STATIC_ROOT.", id="campaign.E001")
        )
    writable = folder if folder.exists() else next(p for p in folder.parents if p.exists())
    if not (writable.is_dir() and os.access(writable, os.W_OK)):
        found.append(Error(f"{folder} cannot be written.", id="campaign.E002"))
    return found


@register(Tags.compatibility)
def check_engine(**_: Any) -> list[CheckMessage]:
    """A batch below one would never claim a job."""
    if settings.GENERATION_BATCH < 1:
        return [Error("DIORAMA_GENERATION_BATCH must be at least 1.", id="campaign.E003")]
    return []


@register(Tags.database)
def check_offers(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """What a campaign that is not over offers should be in the library. Asked with the database, as
    `migrate` does; never an error, which would keep `migrate` from running, and with it the admin
    in which it can be mended."""
    if not databases:
        return []
    try:
        campaigns = list(queries.campaigns_not_over())
    except DatabaseError:  # not migrated yet
        return []
    return [found for campaign in campaigns for found in _missing(campaign)]


def _missing(campaign: Campaign) -> Iterator[CheckMessage]:
    hint = "Choose again in the admin, or put the kit's folder back."
    try:
        offers.of(campaign)
    except MissingModel:
        words = f"Campaign {campaign.slug!r} offers nothing that is in the library."
        yield Warning(words, hint=hint, id="campaign.W003")
        return
    if gone := offers.gone(campaign):
        words = f"Campaign {campaign.slug!r} offers what is not in the library: {', '.join(gone)}."
        yield Warning(words, hint=hint, id="campaign.W002")


@register(Tags.files)
def check_owner(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The pictures are those of this database. Asked with the database, as `migrate` does."""
    if not databases:
        return []
    try:
        if not volume.is_foreign():
            return []
    except (DatabaseError, StorageAway):  # not migrated yet; /readyz tells of the other
        return []
    return [
        Warning(
            "The private storage has the pictures of another database: strays are not deleted.",
            hint="Start the right one, or run `python manage.py adopt` (docs/restoring.md).",
            id="campaign.W004",
        )
    ]


@register(Tags.security, deploy=True)
def check_public_address(**_: Any) -> list[CheckMessage]:
    """Phones give a live camera to https only."""
    if not settings.PUBLIC_URL.startswith("https://"):
        return [
            Warning(
                "DIORAMA_PUBLIC_URL is not https: phones will not open the live camera.",
                hint="Put a certificate in front, or run `make run HTTPS=1`.",
                id="campaign.W001",
            )
        ]
    return []
