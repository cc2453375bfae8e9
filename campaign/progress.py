"""Tells a participant's phone to look again."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver

from campaign import signals
from campaign.bell import bell

GROUP: Final = "phones"
"""One for all phones: a process hears it once, and knows which are its own."""


def nudge(submission_id: UUID) -> None:
    """Best effort; never raises. The phone's consumer reads the record anew."""
    bell.ring(GROUP, {"type": "look.again", "submission": submission_id.hex})


@receiver(signals.shown, dispatch_uid="campaign.progress.tell_when_shown")
def tell_when_shown(submission_id: UUID, **_: object) -> None:
    transaction.on_commit(partial(nudge, submission_id), robust=True)
