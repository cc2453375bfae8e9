"""The screen's socket: replay what it missed, then pass on what comes.

Every word to the screen about the feed is read from the record after the place the screen is at,
so a nudge only says "read": doubled, late or lost ones do no harm. The heartbeat reads the head
too, which heals whatever the channel layer lost within one beat.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from typing import Any, ClassVar, Final

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from billboard import (
    audience,
    commands,
    feed,
    page,
    pairing,
    planning,
    plays,
    protocol,
    reading,
    writing,
)
from billboard.audience import Audience
from billboard.commands import Orders
from billboard.feed import Place
from billboard.models import Screen
from billboard.protocol import (
    Acked,
    Acks,
    AskRest,
    AskTime,
    BadFrame,
    Beat,
    CloseCode,
    Here,
    Pull,
    Time,
)
from billboard.reading import News

log = structlog.get_logger(__name__)

FRAMES_PER_BEAT: Final = 100
"""A player says about three frames a beat; after a day offline some tens."""

PLAN_AFTER_S: Final = 0.1
"""By then a hundred sockets have said who comes and who goes. Making a plan meanwhile slows that by
half: Python's threads take turns."""


BEATS_APART: Final = 50
"""A heart beats at one of so many moments: those that fall together are looked after together, and
are yet few, so that an approval waits for a few only."""


def _fingerprint(screen: Screen) -> str:
    """Of the screen's page, for which a wall is read."""
    return page.of(screen).fingerprint


def _next_beat_s(last_s: float, *, now_s: float, beat_s: float) -> float:
    """A beat after the last or, where that took longer, as many as are over: after an outage each
    heart beats at its own moment still. At that of others."""
    due_s = last_s + beat_s * max(1, math.floor((now_s - last_s) / beat_s) + 1)
    apart_s = beat_s / BEATS_APART
    return math.ceil(due_s / apart_s - 1e-6) * apart_s


class ScreenConsumer(AsyncWebsocketConsumer):
    """Speaks billboard.protocol with one screen."""

    channel_layer_alias = ""
    """None of its own: its audience listens for it."""

    beat_s: ClassVar[float] = 5.0

    screen: Screen | None = None
    token: str = ""
    place: Place | None = None
    """As far as this socket has sent; None until the screen said where it is."""

    plan_rev: int | None = None
    """The plan that this socket has sent; None when it is to be sent in any case."""

    ordered: Orders | None = None
    """What this socket has said of the crew's commands; None before the first word."""

    audience: Audience | None = None
    frames: int = 0
    is_here_noted: bool = False
    beating: asyncio.Task[None] | None = None
    telling: asyncio.Task[None] | None = None

    async def __call__(self, *arguments: Any) -> None:
        """Nothing of a socket goes on after it, also where the server ends it in the midst of a
        word, without a disconnect."""
        try:
            await super().__call__(*arguments)
        finally:
            await self._end()

    async def connect(self) -> None:
        await self.accept()
        self.reading = asyncio.Lock()
        self.plan_due = asyncio.Event()
        self.token = self.scope["cookies"].get(pairing.COOKIE, "")
        self.screen = await database_sync_to_async(pairing.admit)(self.token)
        if self.screen is None:
            await self._hang_up(CloseCode.UNPAIRED)
            return
        structlog.contextvars.bind_contextvars(screen=self.screen.pk)
        # Subscribe first: what is approved from here on is nudged, what came before is replayed.
        await self._subscribe()
        # Before anybody is drawn: a screen that is to be black stays so.
        await self._tell_orders(is_called=False)
        self.beating = asyncio.create_task(self._beat_until_closed())
        self.telling = asyncio.create_task(self._tell_plans_until_closed())

    async def _end(self) -> None:
        self.screen = None
        for task in (self.beating, self.telling):
            if task:
                task.cancel()
        if self.audience:
            await self.audience.leave(self)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As in channels, which before each message also looks after the database's connections.

        That waits for the database's thread, so a screen's word would stand in line behind all
        other sockets' work; database_sync_to_async looks after them where there is one.
        """
        await getattr(self, message["type"].replace(".", "_"))(message)

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

    async def _obey(self, screen: Screen, frame: Here | Pull | AskRest | AskTime | Acks) -> None:
        match frame:
            case AskTime():
                now = 1000 * time.time()
                await self._say(Time(t0=frame.t0, t1=now, t2=now).as_json())
            case Here():
                if not self.is_here_noted:  # at most one write a beat
                    self.is_here_noted = True
                    await database_sync_to_async(plays.heard)(screen, frame)
                # It asked for all there is, and is where no such answer would be taken in.
                if frame.place != self.place and await self._heed(screen, frame.place):
                    await self._forward(from_place=frame.place)
            case Pull():
                await self._heed(screen, frame.place)
                await self._forward(from_place=frame.place)
            case AskRest():
                await self._send(await reading.rest(screen.campaign_id, frame.after))
            case Acks():
                await writing.record(screen, frame)
                await self._say(Acked(frame.n).as_json())

    # --- to the screen ------------------------------------------------------------------------

    @property
    def is_reading(self) -> bool:
        return self.reading.locked()

    async def pass_on(self, news: News) -> None:
        """A nudge, and what the record says to it."""
        if self.screen is None or self.audience is not audience.of(self.screen.campaign_id):
            return  # no screen of ours any more, or of another campaign since this beat
        self.place = news.place
        await self._send(news.frame)
        self.plan_due.set()

    async def read_on(self) -> None:
        try:
            await self._forward()
        except DatabaseError as error:
            log.error("record out of reach", error=type(error).__name__)

    async def answer_call(self) -> None:
        await self._tell_orders(is_called=True)

    async def _tell_orders(self, *, is_called: bool) -> None:
        """Say what is asked of the screen, unless this socket has said so; the beat tries again."""
        try:
            orders = await self._read_orders(is_called=is_called)
            if orders is None or (self.ordered and self.ordered.holds(orders)):
                return
            self.ordered = orders
            await self._say(orders.as_json())
            if orders.commands:
                await database_sync_to_async(commands.note_sent)(orders)
        except DatabaseError as error:
            log.error("record out of reach", error=type(error).__name__)

    async def _read_orders(self, *, is_called: bool) -> Orders | None:
        """What is asked of the screen now; None for one that is none any more.

        Of two that read its row at once, a call and a beat, nobody knows which read it later. The
        second reads anew: an older word never follows a newer one.
        """
        while screen := self.screen:
            if not is_called and not commands.may_be_open(screen):
                return commands.lasting(screen)
            found = await reading.orders(screen)
            if found is None:
                return None
            if self.screen is screen:
                self.screen, orders = found
                self.plan_due.set()  # by its layout it has other places
                return orders
        return None

    async def _forward(self, *, from_place: Place | None = None) -> None:
        """Send what came after the place; without `from_place` after what was sent last."""
        async with self.reading:
            place = from_place or self.place
            if self.screen is None or place is None:
                return
            news = await reading.news(self.screen.campaign_id, place)
            self.place = news.place
            if from_place or news.place != place:
                await self._send(news.frame)
            if from_place:
                self.plan_rev = None
            self.plan_due.set()

    async def _heed(self, screen: Screen, place: Place) -> bool:
        """Whether the record was put back from a backup since a screen was there."""
        if not place.epoch or not await reading.is_lost(screen.campaign_id, place):
            return False
        await database_sync_to_async(feed.heed)(screen, place)
        return True

    async def _tell_plans_until_closed(self) -> None:
        """Beside all else: a plan takes a while to make, and no recall, nor the word that a screen
        is dark, waits for it."""
        while True:
            await self.plan_due.wait()
            await asyncio.sleep(PLAN_AFTER_S)
            self.plan_due.clear()
            await self._tell_plan()

    async def _tell_plan(self) -> None:
        """Best effort: without a plan a screen plays by its own rotation."""
        screen = self.screen
        if screen is None or not screen.has_turns:
            return
        try:
            made = await reading.plan(screen)
        except Exception as error:  # the feed and the heart go on
            log.error("no plan", error=repr(error))
            return
        if made.rev != self.plan_rev:
            self.plan_rev = made.rev
            await self._say(planning.frame(made, screen).as_json())

    async def _beat_until_closed(self) -> None:
        """Sockets that came at once, after an outage, need not beat at once for ever."""
        clock = asyncio.get_running_loop().time
        at_s = clock() - self.beat_s * random.random()  # noqa: S311
        while self.screen is not None:
            try:
                await self._beat()
            except Exception:  # whatever it was: without a heart the screen would go deaf
                log.exception("beat failed")
            at_s = _next_beat_s(at_s, now_s=clock(), beat_s=self.beat_s)
            await asyncio.sleep(at_s - clock())

    async def _beat(self) -> None:
        self.frames, self.is_here_noted = 0, False
        # 1. Still a screen of ours, and of this campaign?
        known = self.screen
        found = await reading.screen(self.token)
        if found is None:
            is_renewed = await database_sync_to_async(pairing.is_retired)(self.token)
            await self._hang_up(CloseCode.RENEWED if is_renewed else CloseCode.UNPAIRED)
            return
        fingerprint = await database_sync_to_async(_fingerprint)(found)
        # A call that came meanwhile has said what is in its row, which may be the later one.
        if self.screen is known:
            self.screen = found
        if self.screen is None:
            return
        await self._subscribe()
        # 2. Did a nudge get lost?
        await self._tell_orders(is_called=False)
        head = await reading.head(self.screen.campaign_id)
        if self.place and head != self.place:
            if await self._heed(self.screen, self.place):
                head = await reading.head(self.screen.campaign_id)
            await self._forward()
        elif self.place:
            self.plan_due.set()
        # 3. Say so
        beat = Beat(
            head=head,
            page=fingerprint,
            watched=self.screen.is_watched,
        )
        await self._say(beat.as_json())

    async def _subscribe(self) -> None:
        """Listen to the campaign's nudges; a dead channel layer costs latency, not the screen."""
        if self.screen is None:
            return
        ours = audience.of(self.screen.campaign_id)
        if self.audience and self.audience is not ours:
            await self.audience.leave(self)
        self.audience = ours
        await ours.join(self)

    async def _hang_up(self, code: CloseCode) -> None:
        self.screen = None
        await self.close(code=int(code))  # the server refuses an IntEnum

    async def _say(self, frame: dict[str, Any]) -> None:
        await self._send(reading.text(frame))

    async def _send(self, text: str) -> None:
        if self.screen is None:
            return  # hung up on, while this was read
        try:
            await self.send(text_data=text)
        except Exception as error:  # whatever the server raises for a socket that is gone
            log.debug("nobody there", error=type(error).__name__)
