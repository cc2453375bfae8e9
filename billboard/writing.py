"""What screens tell at once is written at once.

After an approval or a recall every screen acknowledges within the same moment, and a transaction
for each would take a second for a hundred. So whatever came in while one transaction ran is the
next one, in a thread of its own: who is dark is on record without waiting for plans and hearts.
Each screen hears that its acks are on record only when they are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DataError, IntegrityError

from billboard import plays
from billboard.models import Screen
from billboard.protocol import Acks

ACKS_A_TRANSACTION: Final = 200
"""Screens that were away a day bring a hundred plays a frame; others must not wait for them all."""

_thread = ThreadPoolExecutor(1, thread_name_prefix="writing")


@dataclass
class _Line:
    screen: Screen
    acks: Acks
    written: asyncio.Future[None]


@dataclass
class _Desk:
    """Of one event loop."""

    lines: deque[_Line] = field(default_factory=deque)
    writing: asyncio.Task[None] | None = None


_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()


async def record(screen: Screen, acks: Acks) -> None:
    """plays.record, in one transaction with whatever else waits. Raises DatabaseError."""
    loop = asyncio.get_running_loop()
    desk = _desks.setdefault(loop, _Desk())
    line = _Line(screen, acks, loop.create_future())
    desk.lines.append(line)
    if desk.writing is None:
        desk.writing = asyncio.create_task(_write(desk))
    await line.written


async def _write(desk: _Desk) -> None:
    try:
        while desk.lines:
            await _write_some(_next(desk.lines))
    finally:
        desk.writing = None


def _next(lines: deque[_Line]) -> list[_Line]:
    taken, room = [lines.popleft()], ACKS_A_TRANSACTION
    room -= len(taken[0].acks.acks)
    while lines and len(lines[0].acks.acks) <= room:
        room -= len(lines[0].acks.acks)
        taken.append(lines.popleft())
    return taken


async def _write_some(lines: list[_Line]) -> None:
    told = [(line.screen, line.acks) for line in lines]
    try:
        await database_sync_to_async(plays.record_all, thread_sensitive=False, executor=_thread)(
            told
        )
    except (IntegrityError, DataError) as error:
        if len(lines) == 1:
            _fail(lines, error)
            return
        # Something about one of them; the others must not suffer for it.
        for line in lines:
            await _write_some([line])
    except Exception as error:
        _fail(lines, error)
    else:
        for line in lines:
            if not line.written.done():  # by a socket that was closed meanwhile
                line.written.set_result(None)


def _fail(lines: list[_Line], error: Exception) -> None:
    for line in lines:
        if not line.written.done():
            line.written.set_exception(error)
