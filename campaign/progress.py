"""Tells a participant's phone to look again."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver

from campaign import signals
from campaign.bell import bell


def group(submission_id: UUID) -> str:
    return f"submission.{submission_id.hex}"


def nudge(submission_id: UUID) -> None:
    """Best effort; never raises. The phone's consumer reads the record anew."""
    bell.ring(group(submission_id), {"type": "look.again"})


@receiver(signals.shown, dispatch_uid="campaign.progress.tell_when_shown")
def tell_when_shown(submission_id: UUID, **_: object) -> None:
    transaction.on_commit(partial(nudge, submission_id), robust=True)
