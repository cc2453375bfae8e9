"""Tells screens that the log has grown. The only caller of the channel layer in this app.

The message carries no content: a screen's consumer reads the log itself, so a lost, doubled or
late nudge costs at most a heartbeat, never the truth.
"""

from __future__ import annotations

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = structlog.get_logger(__name__)


def group(campaign_id: int) -> str:
    return f"feed.{campaign_id}"


def nudge(campaign_id: int, *, head: int) -> None:
    """Best effort; never raises."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group(campaign_id), {"type": "head", "head": head})
    except Exception as error:  # the layer may be restarting; the heartbeat carries the head
        log.warning("nudge lost", campaign=campaign_id, error=type(error).__name__)
