"""The phones' sockets of one process, with one ear and one beat for all of them.

A crowd waits for hours and little moves. With a beat of its own each phone asks the record every
few seconds whether it has moved; here that is asked for some hundred at once, and only those that
have are read for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from django.db.models import Max

from campaign import progress, showings
from campaign.ear import Ear
from campaign.enums import SubmissionState
from campaign.models import Submission
from campaign.showings import Planned

log = structlog.get_logger(__name__)

BEAT_S: Final = 5.0
AT_A_GO: Final = 500
"""So many are asked for in one query; then whoever was nudged has a turn."""
READERS: Final = 4
"""Phones are read for side by side, and not in the one thread that all sockets share."""

_readers = ThreadPoolExecutor(READERS, thread_name_prefix="phone")

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Move:
    """What a submission has come to: another one, and its phone has something to hear."""

    since_at: datetime
    kept_at: datetime | None
    """When its last keepsake was made or given up."""
    planned: Planned | None


def moves(submission_ids: Sequence[UUID]) -> dict[UUID, Move]:
    """The last of each."""
    rows = (
        Submission.objects.filter(pk__in=submission_ids)
        .order_by()
        .annotate(kept_at=Max("figurines__keepsakes__finished_at"))
        .values_list("pk", "state", "state_since_at", "kept_at")
    )
    found = list(rows)
    up = [pk for pk, state, *_ in found if state == SubmissionState.APPROVED]
    planned = showings.next_of_each(up) if up else {}
    return {pk: Move(since_at, kept_at, planned.get(pk)) for pk, _, since_at, kept_at in found}


class Phone(Protocol):
    """A phone's socket, as it is known here."""

    told_of: Move | None
    """The move that it heard of last."""

    async def look_again(self, move: Move | None = None) -> None:
        """Read and tell. `move` is the last one, where it is known."""


class Phones:
    """Whoever joins hears of all that is nudged from then on, and by a beat of what was lost."""

    def __init__(self) -> None:
        self.listeners: dict[UUID, set[Phone]] = {}
        """By submission: several may have one page open."""
        self._ear = Ear(progress.GROUP, self._hear)
        self._beating: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def join(self, phone: Phone, submission_id: UUID) -> None:
        self.listeners.setdefault(submission_id, set()).add(phone)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat_for_ever())
        await self._ear.open()

    async def leave(self, phone: Phone, submission_id: UUID) -> None:
        of_same = self.listeners.get(submission_id, set())
        of_same.discard(phone)
        if not of_same:
            self.listeners.pop(submission_id, None)
        if self._beating and not self.listeners:
            self._beating.cancel()
            self._beating = None
            await self._ear.close()

    async def _hear(self, message: dict[str, Any]) -> None:
        for phone in self.listeners.get(UUID(message["submission"]), ()):
            task = asyncio.create_task(_wake(phone))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._ear.open()
                await self._wake_moved()
            except Exception as error:  # whatever it was: the next beat tries again
                log.warning("beat failed", error=type(error).__name__)

    async def _wake_moved(self) -> None:
        """One after the other: whoever is nudged has the other readers meanwhile."""
        everybody = tuple(self.listeners)
        for n in range(0, len(everybody), AT_A_GO):
            last = await read(moves, everybody[n : n + AT_A_GO])
            for submission_id, move in last.items():
                for phone in tuple(self.listeners.get(submission_id, ())):
                    if phone.told_of != move:
                        await _wake(phone, move)


async def _wake(phone: Phone, move: Move | None = None) -> None:
    try:
        await phone.look_again(move)
    except Exception:  # whatever it was is its own: the others hear
        log.exception("phone not told")


_all: WeakKeyDictionary[asyncio.AbstractEventLoop, Phones] = WeakKeyDictionary()


def here() -> Phones:
    """Those of this process and its event loop."""
    return _all.setdefault(asyncio.get_running_loop(), Phones())


async def read(query: Callable[[A], B], about: A) -> B:
    """Run a query in one of the readers; its connection is closed, or returned to the pool."""
    answer: B = await database_sync_to_async(query, thread_sensitive=False, executor=_readers)(
        about
    )
    return answer
