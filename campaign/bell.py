"""The channel layer's only caller: rings a group of sockets, best effort.

Messages carry no content: whoever hears one reads the record anew, so a lost or doubled ring costs
a moment, never the truth. Nobody waits for a layer that hangs.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any, Final

import structlog
from channels.layers import BaseChannelLayer, get_channel_layer

from campaign.silence import Silence

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 1.0
"""A hung layer would be waited for much longer, and an approval with it."""


class Bell:
    """Rings; after a slow loss it stays silent for a while, as workers report often.

    Layers keep a connection for each event loop. So that workers, who have none that lasts, need
    not connect anew for each ring, nor the web's rings wait for what its own has to do, all rings
    of a process leave from one loop in a thread beside.
    """

    def __init__(self) -> None:
        self.silence = Silence()
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a process that was forked there is no thread beside."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door = threading.Lock()

    def ring(self, group: str, message: dict[str, Any]) -> None:
        """Send to the group now, or not at all. Never raises."""
        layer = get_channel_layer()
        if layer is None or self.silence.is_on:
            return
        started_s = time.monotonic()
        try:
            ringing = asyncio.run_coroutine_threadsafe(
                _send(layer, group, message), self._loop_beside()
            )
            ringing.result(2 * PATIENCE_S)
        except Exception as error:  # the layer may be restarting; polls and heartbeats carry on
            self.silence.lost(since_s=started_s)
            log.warning("nudge lost", group=group, error=type(error).__name__)

    def _loop_beside(self) -> asyncio.AbstractEventLoop:
        with self._door:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="bell", daemon=True).start()
            return self._loop


async def _send(layer: BaseChannelLayer, group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await layer.group_send(group, message)


bell = Bell()
"""One a process: what hangs for one hangs for all."""
os.register_at_fork(after_in_child=bell.begin_anew)
