"""Tells a participant's phone to look again. The only caller of the channel layer in this app.

The message carries no content: the phone's consumer reads the record anew, so a lost or doubled
nudge costs a second, never the truth.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, get_channel_layer
from django.db import transaction
from django.dispatch import receiver

from campaign import signals

log = structlog.get_logger(__name__)

SILENCE_S: Final = 5.0
"""A worker reports five times a second and must not wait for a hung layer each time."""


PATIENCE_S: Final = 1.0
"""A hung layer would be waited for much longer."""


class Silence:
    """After a lost nudge nobody tries for a while; phones poll meanwhile."""

    def __init__(self) -> None:
        self._until_s = 0.0

    @property
    def is_on(self) -> bool:
        return time.monotonic() < self._until_s

    def begin(self) -> None:
        self._until_s = time.monotonic() + SILENCE_S


_silence = Silence()


def group(submission_id: UUID) -> str:
    return f"submission.{submission_id.hex}"


def nudge(submission_id: UUID) -> None:
    """Best effort; never raises."""
    layer = get_channel_layer()
    if layer is None or _silence.is_on:
        return
    try:
        async_to_sync(_send)(layer, group(submission_id))
    except Exception as error:  # the layer may be restarting; the phone's poll carries on
        _silence.begin()
        log.warning("nudge lost", submission=str(submission_id), error=type(error).__name__)


async def _send(layer: BaseChannelLayer, to: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(to, {"type": "look.again"})


@receiver(signals.shown, dispatch_uid="campaign.progress.tell_when_shown")
def tell_when_shown(submission_id: UUID, **_: object) -> None:
    transaction.on_commit(lambda: nudge(submission_id), robust=True)
