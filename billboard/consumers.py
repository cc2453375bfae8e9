"""The screen's socket: replay what it missed, then pass on what comes.

Every word to the screen about the feed is read from the record after the place the screen is at,
so a nudge only says "read": doubled, late or lost ones do no harm. The heartbeat reads the head
too, which heals whatever the channel layer lost within one beat.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, ClassVar, Final

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from billboard import feed, nudges, page, pairing, plays, protocol
from billboard.feed import Place
from billboard.models import Screen
from billboard.protocol import Acked, Acks, BadFrame, Beat, CloseCode, Here, Pull

log = structlog.get_logger(__name__)

FRAMES_PER_BEAT: Final = 100
"""A player says about three frames a beat; after a day offline some tens."""


class ScreenConsumer(AsyncWebsocketConsumer):
    """Speaks billboard.protocol with one screen."""

    beat_s: ClassVar[float] = 5.0

    screen: Screen | None = None
    token: str = ""
    place: Place | None = None
    """As far as this socket has sent; None until the screen said where it is."""

    group: str | None = None
    frames: int = 0
    is_here_noted: bool = False
    beating: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        self.reading = asyncio.Lock()
        self.token = self.scope["cookies"].get(pairing.COOKIE, "")
        self.screen = await database_sync_to_async(pairing.find)(self.token)
        if self.screen is None:
            await self._hang_up(CloseCode.UNPAIRED)
            return
        structlog.contextvars.bind_contextvars(screen=self.screen.pk)
        # Subscribe first: what is approved from here on is nudged, what came before is replayed.
        await self._subscribe()
        self.beating = asyncio.create_task(self._beat_until_closed())

    async def disconnect(self, code: int) -> None:
        if self.beating:
            self.beating.cancel()
        if self.group:
            with suppress(Exception):  # a dead layer has forgotten the group anyway
                await self.channel_layer.group_discard(self.group, self.channel_name)

    # --- from the screen ----------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.screen is None:
            return
        try:
            self.frames += 1
            if self.frames > FRAMES_PER_BEAT:
                raise BadFrame("too many", code=CloseCode.TOO_MANY)
            if text_data is None:
                raise BadFrame("not text")
            await self._obey(self.screen, protocol.parse(text_data))
        except BadFrame as refusal:
            log.warning("bad frame", why=str(refusal), code=int(refusal.code))
            await self._hang_up(refusal.code)
        except DatabaseError as error:
            # The screen keeps what was not acknowledged and the next beat reads again.
            log.error("record out of reach", error=type(error).__name__)

    async def _obey(self, screen: Screen, frame: Here | Pull | Acks) -> None:
        match frame:
            case Here():
                if not self.is_here_noted:  # at most one write a beat
                    self.is_here_noted = True
                    await database_sync_to_async(plays.heard)(screen, frame)
            case Pull():
                await self._forward(from_place=frame.place)
            case Acks():
                await database_sync_to_async(plays.record)(screen, frame)
                await self._say(Acked(frame.n).as_json())

    # --- to the screen ------------------------------------------------------------------------

    async def head(self, event: dict[str, Any]) -> None:
        """A nudge."""
        if self.place and event["head"] > self.place.seq:
            try:
                await self._forward()
            except DatabaseError as error:
                log.error("record out of reach", error=type(error).__name__)

    async def _forward(self, *, from_place: Place | None = None) -> None:
        """Send what came after the place; without `from_place` after what was sent last."""
        async with self.reading:
            place = from_place or self.place
            if self.screen is None or place is None:
                return
            news = await database_sync_to_async(feed.since)(self.screen.campaign_id, place)
            self.place = news.place
            if from_place or news.place != place:
                await self._say(news.as_json())

    async def _beat_until_closed(self) -> None:
        while True:
            try:
                await self._beat()
            except Exception:  # whatever it was: without a heart the screen would go deaf
                log.exception("beat failed")
            await asyncio.sleep(self.beat_s)

    async def _beat(self) -> None:
        self.frames, self.is_here_noted = 0, False
        # 1. Still a screen of ours, and of this campaign?
        self.screen = await database_sync_to_async(pairing.find)(self.token)
        if self.screen is None:
            await self._hang_up(CloseCode.UNPAIRED)
            return
        await self._subscribe()
        # 2. Did a nudge get lost?
        head = await database_sync_to_async(feed.head)(self.screen.campaign_id)
        if self.place and head != self.place:
            await self._forward()
        # 3. Say so
        beat = Beat(head=head, page=page.of(self.screen.campaign).fingerprint)
        await self._say(beat.as_json())

    async def _subscribe(self) -> None:
        """Listen to the campaign's nudges; a dead channel layer costs latency, not the screen."""
        if self.screen is None:
            return
        group = nudges.group(self.screen.campaign_id)
        if group == self.group:
            return
        try:
            await self.channel_layer.group_add(group, self.channel_name)
        except Exception as error:  # whatever the layer's client raises; the next beat tries again
            log.warning("not subscribed", error=type(error).__name__)
            return
        self.group = group

    async def _hang_up(self, code: CloseCode) -> None:
        self.screen = None
        await self.close(code=int(code))  # the server refuses an IntEnum

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, ensure_ascii=False))
