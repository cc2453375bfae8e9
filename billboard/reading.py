"""One read of the record for all sockets of a process that want the same.

After an approval some hundred sockets want the same few lines. Nothing is kept: whoever asks gets a
read that begins after they asked, so whatever was committed before is in it, a recall above all.
One that is under way already may have begun too early; all who ask meanwhile share the next.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from billboard import commands, feed, pairing, planning, protocol
from billboard.commands import Orders
from billboard.feed import Place
from billboard.models import Screen
from billboard.planning import Made

A = TypeVar("A")
K = TypeVar("K", bound=Hashable)

_ahead = ThreadPoolExecutor(1, thread_name_prefix="reading")
"""Whom the log says to show or to take down does not wait behind plans, hearts and acks."""
_whole = ThreadPoolExecutor(1, thread_name_prefix="reading-all")
"""Nor behind all that a screen without a place is told, which is long where thousands are up."""


class Shared(Generic[A]):
    """Reads for all who ask under the same key: in `thread`, or in the database's usual one."""

    def __init__(self, thread: ThreadPoolExecutor | None = None) -> None:
        self._thread = thread
        # Tasks belong to their loop; a test has one of its own.
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Turns[A]]] = (
            WeakKeyDictionary()
        )

    async def read(self, key: Hashable, read: Callable[[], A]) -> A:
        """What `read` returns or raises, begun from now on. Equal keys are equal reads."""
        at = self._turns.setdefault(asyncio.get_running_loop(), {})
        turns = at.setdefault(key, _Turns())
        if turns.next is None:
            turns.next = asyncio.create_task(self._take_turn(at, key, turns, read))
        # Whoever hangs up does not take the read away from the others.
        return await asyncio.shield(turns.next)

    async def _take_turn(
        self,
        at: dict[Hashable, _Turns[A]],
        key: Hashable,
        turns: _Turns[A],
        read: Callable[[], A],
    ) -> A:
        async with turns.one_at_a_time:
            turns.next = None
            try:
                if self._thread is None:
                    answer: A = await database_sync_to_async(read)()
                else:
                    answer = await database_sync_to_async(
                        read, thread_sensitive=False, executor=self._thread
                    )()
                return answer
            finally:
                if turns.next is None:
                    at.pop(key, None)


@dataclass
class _Turns(Generic[A]):
    next: asyncio.Task[A] | None = None
    """Not begun."""
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class Gathered(Generic[K, A]):
    """One read for all keys that are asked for while the one before is under way, or at once."""

    def __init__(self, read: Callable[[Collection[K]], Mapping[K, A]]) -> None:
        self._read = read
        self._rounds: WeakKeyDictionary[asyncio.AbstractEventLoop, _Round[K, A]] = (
            WeakKeyDictionary()
        )

    async def read(self, key: K) -> A | None:
        """What the read found under the key, begun from now on; or what it raised."""
        turn = self._rounds.setdefault(asyncio.get_running_loop(), _Round())
        turn.keys.add(key)
        if turn.next is None:
            turn.next = asyncio.create_task(self._take_turn(turn))
        return (await asyncio.shield(turn.next)).get(key)

    async def _take_turn(self, turn: _Round[K, A]) -> Mapping[K, A]:
        async with turn.one_at_a_time:
            keys, turn.keys, turn.next = turn.keys, set(), None
            found: Mapping[K, A] = await database_sync_to_async(self._read)(keys)
            return found


@dataclass
class _Round(Generic[K, A]):
    keys: set[K] = field(default_factory=set)
    next: asyncio.Task[Mapping[K, A]] | None = None
    """Not begun."""
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class News:
    """What came after a place, as the frame that says it."""

    place: Place
    frame: str


_news: Shared[News | None] = Shared(_ahead)
_snapshots: Shared[News] = Shared(_whole)
_parts: Shared[str] = Shared(_whole)
_heads: Shared[Place] = Shared(_ahead)
_lost: Shared[bool] = Shared(_ahead)
_plans: Shared[Made] = Shared()
_screens: Gathered[str, Screen] = Gathered(pairing.find_all)
_orders: Shared[dict[int, tuple[Screen, Orders]]] = Shared(_ahead)


async def news(campaign_id: int, place: Place) -> News:
    """feed.since for all sockets that are at the same place."""

    def changes() -> News | None:
        said = feed.changes_since(campaign_id, place)
        return _news_of(said) if said else None

    def snapshot() -> News:
        return _news_of(feed.snapshot(campaign_id, asked_at=place))

    key = (campaign_id, place)
    return await _news.read(key, changes) or await _snapshots.read(key, snapshot)


async def rest(campaign_id: int, after: int) -> str:
    """feed.rest as a frame, for all sockets that are as far with their snapshots."""

    def part() -> str:
        return text(protocol.dated(feed.rest(campaign_id, after).as_json()))

    return await _parts.read((campaign_id, after), part)


def _news_of(said: feed.Changes | feed.Snapshot) -> News:
    return News(said.place, text(protocol.dated(said.as_json())))


async def is_lost(campaign_id: int, place: Place) -> bool:
    """feed.is_lost, for all sockets that are at the same place."""
    return await _lost.read((campaign_id, place), lambda: feed.is_lost(campaign_id, place))


async def head(campaign_id: int) -> Place:
    """feed.head, for all sockets whose hearts beat at once."""
    return await _heads.read(campaign_id, lambda: feed.head(campaign_id))


async def screen(token: str) -> Screen | None:
    """pairing.find, for all sockets whose hearts beat at once."""
    return await _screens.read(token)


async def orders(screen: Screen) -> tuple[Screen, Orders] | None:
    """commands.of for all screens of a campaign that are called at once, with their rows as they
    are now."""
    called = await _orders.read(screen.campaign_id, lambda: commands.of_all(screen.campaign_id))
    return called.get(screen.pk)


async def plan(screen: Screen) -> Made:
    """planning.ensure, for all screens of a campaign; a screen that is not in it asks alone."""
    made = await _plans.read(screen.campaign_id, lambda: planning.ensure(screen))
    if screen.pk in made.slots:
        return made
    own: Made = await database_sync_to_async(planning.ensure)(screen)
    return own


def text(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False)
