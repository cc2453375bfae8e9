"""The channel layer's only caller: rings a group of sockets, best effort.

Messages carry no content: whoever hears one reads the record anew, so a lost or doubled ring costs
a moment, never the truth. Nobody waits for a layer that hangs.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import structlog
from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, get_channel_layer

from campaign.silence import Silence

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 1.0
"""A hung layer would be waited for much longer, and an approval with it."""


class Bell:
    """Rings; after a slow loss it stays silent for a while, as workers report often."""

    def __init__(self) -> None:
        self.silence = Silence()

    def ring(self, group: str, message: dict[str, Any]) -> None:
        """Send to the group now, or not at all. Never raises."""
        layer = get_channel_layer()
        if layer is None or self.silence.is_on:
            return
        started_s = time.monotonic()
        try:
            async_to_sync(_send)(layer, group, message)
        except Exception as error:  # the layer may be restarting; polls and heartbeats carry on
            self.silence.lost(since_s=started_s)
            log.warning("nudge lost", group=group, error=type(error).__name__)


async def _send(layer: BaseChannelLayer, group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(group, message)


bell = Bell()
"""One a process: what hangs for one hangs for all."""
