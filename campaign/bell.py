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

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 1.0
"""A hung layer would be waited for much longer, and an approval with it."""
SLOW_S: Final = 0.25
"""A dead layer refuses at once and may be asked again; a hung one takes its time."""
SILENCE_S: Final = 5.0
"""No longer than a screen's heartbeat; a worker reports five times a second meanwhile."""


class Bell:
    """Rings; after a slow loss it stays silent for a while."""

    def __init__(self) -> None:
        self._silent_until_s = 0.0

    @property
    def is_silent(self) -> bool:
        return time.monotonic() < self._silent_until_s

    def ring(self, group: str, message: dict[str, Any]) -> None:
        """Send to the group now, or not at all. Never raises."""
        layer = get_channel_layer()
        if layer is None or self.is_silent:
            return
        started_s = time.monotonic()
        try:
            async_to_sync(_send)(layer, group, message)
        except Exception as error:  # the layer may be restarting; polls and heartbeats carry on
            if time.monotonic() - started_s > SLOW_S:
                self._silent_until_s = time.monotonic() + SILENCE_S
            log.warning("nudge lost", group=group, error=type(error).__name__)


async def _send(layer: BaseChannelLayer, group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(group, message)


bell = Bell()
"""One a process: what hangs for one hangs for all."""
