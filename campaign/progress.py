"""Tells a participant's phone to look again. The only caller of the channel layer in this app.

The message carries no content: the phone's consumer reads the record anew, so a lost or doubled
nudge costs a second, never the truth.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.dispatch import receiver

from campaign import signals

log = structlog.get_logger(__name__)


def group(submission_id: UUID) -> str:
    return f"submission.{submission_id.hex}"


def nudge(submission_id: UUID) -> None:
    """Best effort; never raises."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group(submission_id), {"type": "look.again"})
    except Exception as error:  # the layer may be restarting; the phone's poll carries on
        log.warning("nudge lost", submission=str(submission_id), error=type(error).__name__)


@receiver(signals.shown, dispatch_uid="campaign.progress.tell_when_shown")
def tell_when_shown(submission_id: UUID, **_: object) -> None:
    transaction.on_commit(lambda: nudge(submission_id), robust=True)
