"""The phone's socket: says "here is the truth" on connect and whenever something moved.

Where a nudge got lost, the next beat sees that the submission has moved (phones.py). Without a
socket the phone polls.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final
from uuid import UUID

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from campaign import phones, queries
from campaign.models import Submission
from campaign.phones import Move, Phones
from campaign.queries import Status

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


def _find(token: str) -> Submission | None:
    if not re.fullmatch(TOKEN, token):
        return None
    return Submission.objects.only("pk").filter(token=token).first()


def _last_move(submission_id: UUID) -> Move:
    return phones.moves([submission_id])[submission_id]


class ParticipantConsumer(AsyncWebsocketConsumer):
    """Sends queries.Status as JSON. Whoever holds the token may listen; it says nothing else."""

    channel_layer_alias = ""
    """None of its own: the phones of this process listen together."""

    submission: Submission | None = None
    phones: Phones | None = None
    """Those that it has joined."""

    is_over: bool = False
    told_of: Move | None = None
    is_due: bool = False
    """Whether it is to be read for, and that has not begun."""

    looked_at_s: float = float("-inf")
    window_from_s: float = float("-inf")
    frames: int = 0

    async def __call__(self, *arguments: Any) -> None:
        """Nothing of a socket goes on after it, also where the server ends it in the midst of a
        word, without a disconnect."""
        try:
            await super().__call__(*arguments)
        finally:
            await self._end()

    async def connect(self) -> None:
        await self.accept()
        self.looking = asyncio.Lock()
        try:
            found = await phones.read(_find, self.scope["url_route"]["kwargs"]["token"])
        except DatabaseError as error:
            log.error("record out of reach", error=type(error).__name__)
            await self.close(code=TRY_LATER)
            return
        if found is None:
            await self.close(code=NOT_FOUND)
            return
        self.submission = found
        # Subscribe first, then read: nothing falls between.
        self.phones = phones.here()
        await self.phones.join(self, found.pk)
        await self.look_again()

    async def _end(self) -> None:
        self.is_over = True
        if self.phones and self.submission:
            await self.phones.leave(self, self.submission.pk)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As in channels, without its look after the database's connections before each message.

        That waits for the one thread that all sockets share. Each reader looks after its own.
        """
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """The phone asks by saying anything at all; what it says is not read."""
        if self.submission is None or self.is_over:
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
            await self.look_again()

    async def look_again(self, move: Move | None = None) -> None:
        """Read and tell; also the answer to a nudge. `move` is the last one, where it is known."""
        if self.is_due:
            return  # what is read then is as new
        self.is_due = True
        async with self.looking:  # an older word never follows a newer one
            self.is_due = False
            if self.submission is None or self.is_over:
                return
            self.looked_at_s = asyncio.get_running_loop().time()
            try:
                # The move first: one that comes between is seen by the next beat.
                move = move or await phones.read(_last_move, self.submission.pk)
                status: Status = await phones.read(queries.status, self.submission)
            except DatabaseError as error:
                log.error("record out of reach", error=type(error).__name__)
                return
            self.told_of = move
            await self._tell(status)

    async def _tell(self, status: Status) -> None:
        if self.is_over:
            return  # hung up on, while this was read
        try:
            await self.send(text_data=json.dumps(status.as_json(), ensure_ascii=False))
        except Exception as error:  # whatever the server raises for a socket that is gone
            log.debug("nobody there", error=type(error).__name__)

    async def _hang_up(self, code: int) -> None:
        self.is_over = True
        await self.close(code=code)
