"""The phone's socket: says "here is the truth" on connect and whenever something moved.

Without a socket the phone polls, so whatever stands in the way here ends the socket and no more.
Where a nudge got lost, the next beat sees that the submission has moved.
"""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, Final

import redis
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from django.db.models import Max

from campaign import progress, queries, showings
from campaign.models import Submission
from campaign.queries import Status
from campaign.showings import Planned

log = structlog.get_logger(__name__)

TOKEN: Final = r"[A-Za-z0-9_-]{1,32}"  # noqa: S105 - a pattern, no password
"""Whatever models.new_token makes and its column holds."""

BAD_FRAME, TOO_MANY, NOT_FOUND, TRY_LATER = 4400, 4429, 4404, 4503
"""The server sends no codes below 3000 but 1000. Source: autobahn, WebSocketProtocol.sendClose."""

LOOK_EVERY_S: Final = 0.3
FRAME_MAX_CHARS: Final = 100
FRAMES_MAX: Final = 20
FRAMES_WINDOW_S: Final = 5.0
"""A phone asks when it wakes up and after 25 s of silence."""

READERS: Final = 4
"""Phones are read for side by side, and not in the one thread that all sockets share."""

Moved = tuple[datetime, datetime | None, Planned | None]

_readers = ThreadPoolExecutor(READERS, thread_name_prefix="phone")


def _find(token: str) -> Submission | None:
    if not re.fullmatch(TOKEN, token):
        return None
    return Submission.objects.only("pk").filter(token=token).first()


def _last_move(submission: Submission) -> Moved:
    """When it moved last, when its last keepsake was made or given up, and what is planned."""
    moved = Submission.objects.annotate(kept_at=Max("figurines__keepsakes__finished_at"))
    since_at, kept_at = moved.values_list("state_since_at", "kept_at").get(pk=submission.pk)
    return since_at, kept_at, showings.next_of(submission.pk)


class ParticipantConsumer(AsyncWebsocketConsumer):
    """Sends queries.Status as JSON. Whoever holds the token may listen; it says nothing else."""

    beat_s: ClassVar[float] = 5.0

    submission: Submission | None = None
    group: str | None = None
    beating: asyncio.Task[None] | None = None
    told_of: Moved | None = None
    """The move that the phone heard of last."""

    looked_at_s: float = float("-inf")
    window_from_s: float = float("-inf")
    frames: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except (redis.RedisError, OSError) as error:  # no channel of its own: the phone polls
            log.warning("no socket", error=type(error).__name__)
            with suppress(Exception):  # it may be gone
                await send({"type": "websocket.close", "code": TRY_LATER})
        finally:
            # Also where the server ends the socket in the midst of a word, without a disconnect.
            await self._end()

    async def connect(self) -> None:
        await self.accept()
        try:
            self.submission = await _read(_find, self.scope["url_route"]["kwargs"]["token"])
        except DatabaseError as error:
            log.error("record out of reach", error=type(error).__name__)
            await self.close(code=TRY_LATER)
            return
        if self.submission is None:
            await self.close(code=NOT_FOUND)
            return
        # Subscribe first, then read: nothing falls between.
        self.group = progress.group(self.submission.pk)
        try:
            await self.channel_layer.group_add(self.group, self.channel_name)
        except Exception as error:  # whatever the layer's client raises
            log.warning("not subscribed", error=type(error).__name__)
            await self._hang_up(TRY_LATER)
            return
        await self.look_again({})
        self.beating = asyncio.create_task(self._beat_until_closed())

    async def _end(self) -> None:
        if self.beating:
            self.beating.cancel()
        if self.group:
            with suppress(Exception):  # a dead layer has forgotten the group anyway
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As in channels, without its look after the database's connections before each message.

        That waits for the one thread that all sockets share. Each reader looks after its own.
        """
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The phone asks by saying anything at all; what it says is not read."""
        if self.submission is None:
            return
        now_s = asyncio.get_running_loop().time()
        if now_s - self.window_from_s > FRAMES_WINDOW_S:
            self.window_from_s, self.frames = now_s, 0
        self.frames += 1
        if text_data is None or len(text_data) > FRAME_MAX_CHARS:
            log.warning("bad frame")
            await self._hang_up(BAD_FRAME)
        elif self.frames > FRAMES_MAX:
            log.warning("too many frames")
            await self._hang_up(TOO_MANY)
        elif now_s - self.looked_at_s >= LOOK_EVERY_S:
            await self.look_again({})

    async def look_again(self, event: dict[str, Any]) -> None:
        """Read and tell; also the answer to a nudge."""
        if self.submission is None:
            return
        self.looked_at_s = asyncio.get_running_loop().time()
        try:
            # The move first: one that comes between is seen by the next beat.
            self.told_of = await _read(_last_move, self.submission)
            status: Status = await _read(queries.status, self.submission)
        except DatabaseError as error:
            log.error("record out of reach", error=type(error).__name__)
            return
        await self.send(text_data=json.dumps(status.as_json(), ensure_ascii=False))

    async def _beat_until_closed(self) -> None:
        while self.submission:
            await asyncio.sleep(self.beat_s)
            try:
                if self.submission and await _read(_last_move, self.submission) != self.told_of:
                    await self.look_again({})
            except Exception as error:  # whatever it was: the next beat tries again
                log.warning("beat failed", error=type(error).__name__)

    async def _hang_up(self, code: int) -> None:
        self.submission = None
        await self.close(code=code)


async def _read(query: Any, about: Any) -> Any:
    """Run a query in one of the readers; its connection is closed, or returned to the pool."""
    return await database_sync_to_async(query, thread_sensitive=False, executor=_readers)(about)
