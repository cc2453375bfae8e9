"""The sockets of one campaign in this process, with one ear for all of them.

With an ear of its own each socket costs a subscription with Valkey, a queue and two tasks, and each
nudge some turns of the event loop, as many times as there are screens. Here a nudge is heard once,
the record is read once for each place that sockets are at, and its frame goes out in one pass.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from billboard import nudges, reading
from billboard.feed import Place
from billboard.models import Screen
from billboard.reading import News
from campaign.ear import Ear

AT_A_GO: Final = 20
"""So many frames, then the event loop puts them on the wire, while whoever is told next waits. In
one go the first screen would hear only after the last was told."""


class Listener(Protocol):
    """A screen's socket, as its audience knows it."""

    screen: Screen | None
    place: Place | None
    """As far as it has sent; None before the screen said where it is."""

    @property
    def is_reading(self) -> bool:
        """Whether it sends by itself just now what came after its place."""

    async def pass_on(self, news: News) -> None:
        """Send what came after its place."""

    async def read_on(self) -> None:
        """Read and send what came since, after what it is reading now."""

    async def answer_call(self) -> None:
        """Read and say what the crew asks of its screen."""


class Audience:
    """Whoever joins hears of all that is nudged from then on; a dead layer is asked again when
    somebody joins once more."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        self.listeners: set[Listener] = set()
        self._ear = Ear(nudges.group(campaign_id), self._hear)
        self._under_way: set[asyncio.Task[None]] = set()

    async def join(self, listener: Listener) -> None:
        """Never raises: without a layer a screen is late by a beat, and no more."""
        self.listeners.add(listener)
        await self._ear.open()

    async def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        if not self.listeners:
            await self._ear.close()

    async def _hear(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "head":
                await self._pass_on(message["head"])
            case "orders":
                called = set(message["screens"])
                for listener in self.listeners:
                    if listener.screen and listener.screen.pk in called:
                        self._begin(listener.answer_call())

    async def _pass_on(self, head: int) -> None:
        behind: dict[Place, list[Listener]] = defaultdict(list)
        for listener in self.listeners:
            if listener.is_reading:
                self._begin(listener.read_on())  # What it reads may be older than this nudge.
            elif listener.place and listener.place.seq != head:  # ahead, too: in an older epoch
                behind[listener.place].append(listener)
        for place, listeners in behind.items():
            news = await reading.news(self.campaign_id, place)
            for nth, listener in enumerate(listeners if news.place != place else ()):
                if nth % AT_A_GO == 0:
                    await asyncio.sleep(0)
                # One that began to read meanwhile reads what is at least as new.
                if listener.place == place and not listener.is_reading:
                    await listener.pass_on(news)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


_all: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Audience]] = WeakKeyDictionary()


def of(campaign_id: int) -> Audience:
    """The campaign's, in this process and its event loop."""
    audiences = _all.setdefault(asyncio.get_running_loop(), {})
    return audiences.setdefault(campaign_id, Audience(campaign_id))
