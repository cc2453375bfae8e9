"""Reads a selfie out of the bucket that the settings name, with less patience than theirs."""

from __future__ import annotations

import django
from botocore.config import Config  # type: ignore[import-untyped]
from django.conf import settings


def outcome() -> tuple[str, float, float]:
    """What reading raised, and the seconds for which the settings would have waited."""
    options = settings.PRIVATE_STORAGE["OPTIONS"]
    theirs = options["client_config"]
    options["client_config"] = theirs.merge(Config(read_timeout=0.2))
    django.setup()
    from campaign import storage
    from campaign.errors import StorageAway
    from campaign.models import Submission

    raised = ""
    try:
        storage.read(Submission(selfie="selfies/a.jpg").selfie)
    except StorageAway:
        raised = "StorageAway"
    return raised, theirs.connect_timeout, theirs.read_timeout
