"""One ear for many sockets: what is rung for a group is heard once in a process.

With an ear of its own each socket costs a subscription with Valkey, a queue and two tasks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from channels.layers import get_channel_layer
from django.db import DatabaseError

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 1.0
"""A layer that hangs would be waited for much longer, by each socket that comes."""
AGAIN_S: Final = 5.0
"""A layer that refused is not asked again by each socket that comes; a beat is as long."""

Message = dict[str, Any]


class Ear:
    """Of one group, within one event loop."""

    def __init__(self, group: str, hear: Callable[[Message], Awaitable[None]]) -> None:
        self._group = group
        self._hear = hear
        self._door = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self._shut_until_s = float("-inf")

    async def open(self) -> None:
        """From then on all that is rung is heard. Never raises: without a layer sockets are late by
        a beat, and no more."""
        async with self._door:
            is_open = self._listening and not self._listening.done()
            if is_open or time.monotonic() < self._shut_until_s:
                return
            try:
                async with asyncio.timeout(PATIENCE_S):
                    layer: Any = get_channel_layer()
                    channel = await layer.new_channel()
                    await layer.group_add(self._group, channel)
            except Exception as error:  # whatever the layer's client raises
                self._shut_until_s = time.monotonic() + AGAIN_S
                log.warning("not subscribed", error=type(error).__name__)
            else:
                self._listening = asyncio.create_task(self._listen(layer, channel))

    async def close(self) -> None:
        async with self._door:
            if self._listening:
                listening, self._listening = self._listening, None
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

    async def _listen(self, layer: Any, channel: str) -> None:
        try:
            while True:
                message = await layer.receive(channel)
                try:
                    await self._hear(message)
                except DatabaseError as error:
                    log.error("record out of reach", error=type(error).__name__)
                except Exception:  # whatever it was: all these sockets would go deaf
                    log.exception("nudge not passed on")
        finally:
            with suppress(Exception):  # a dead layer has forgotten the group anyway
                await layer.group_discard(self._group, channel)
