from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from billboard import feed, reading
from billboard.reading import Gathered, Shared
from campaign.models import Campaign
from tests.billboard.test_consumers import approve, names, playing, take_down
from tests.stack import begun

pytestmark = pytest.mark.django_db(transaction=True)


class Record:
    """What is read changes; a read may be held up after it has begun."""

    def __init__(self) -> None:
        self.word = "before"
        self.begun: list[str] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def read(self) -> str:
        word = self.word
        self.begun.append(word)
        self.has_begun.set()
        assert self.may_end.wait(5)
        return word


async def beginning(record: Record) -> None:
    assert await asyncio.to_thread(record.has_begun.wait, 5)
    record.has_begun.clear()


async def test_those_who_ask_at_once_share_a_read() -> None:
    shared, record = Shared[str](), Record()
    record.may_end.set()
    assert (
        await asyncio.gather(*(shared.read("k", record.read) for _ in range(50))) == ["before"] * 50
    )
    assert len(record.begun) == 1


async def test_nobody_is_answered_from_a_read_that_began_before_they_asked() -> None:
    shared, record = Shared[str](), Record()
    early = asyncio.create_task(shared.read("k", record.read))
    await beginning(record)
    record.word = "after"
    late = [asyncio.create_task(shared.read("k", record.read)) for _ in range(50)]
    await begun(*late)
    record.may_end.set()
    assert await early == "before"
    assert await asyncio.gather(*late) == ["after"] * 50
    assert record.begun == ["before", "after"]


class Register:
    """What is asked for at once, and how often."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.is_broken = False

    def read(self, keys: Collection[str]) -> dict[str, str]:
        self.asked.append(set(keys))
        if self.is_broken:
            raise OSError
        return {key: key.upper() for key in keys if key != "z"}


async def test_keys_that_are_asked_for_at_once_are_one_look() -> None:
    register = Register()
    gathered = Gathered(register.read)
    assert await asyncio.gather(*map(gathered.read, "abaz")) == ["A", "B", "A", None]
    assert register.asked == [{"a", "b", "z"}]
    assert await gathered.read("a") == "A", "nothing is kept"
    assert len(register.asked) == 2


async def test_look_that_failed_is_no_answer_for_those_after() -> None:
    register = Register()
    gathered = Gathered(register.read)
    register.is_broken = True
    failed = await asyncio.gather(*map(gathered.read, "ab"), return_exceptions=True)
    assert [type(each) for each in failed] == [OSError, OSError]
    register.is_broken = False
    assert await gathered.read("b") == "B"


async def test_other_places_are_other_reads() -> None:
    shared = Shared[int]()

    def of(number: int) -> Callable[[], int]:
        return lambda: number

    assert await asyncio.gather(*(shared.read(n % 3, of(n % 3)) for n in range(9))) == [
        n % 3 for n in range(9)
    ]


async def test_failure_is_of_those_who_shared_it_and_of_nobody_after() -> None:
    shared = Shared[str]()

    def fail() -> str:
        raise OSError

    failed = await asyncio.gather(
        *(shared.read("k", fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in failed] == [OSError] * 3
    assert await shared.read("k", lambda: "well") == "well"


async def test_whoever_hangs_up_leaves_the_read_to_the_others() -> None:
    shared, record = Shared[str](), Record()
    gone = asyncio.create_task(shared.read("k", record.read))
    stays = asyncio.create_task(shared.read("k", record.read))
    await beginning(record)
    gone.cancel()
    record.may_end.set()
    assert await stays == "before"
    assert gone.cancelled() or isinstance(
        (await asyncio.gather(gone, return_exceptions=True))[0], asyncio.CancelledError
    )


async def test_twenty_sockets_read_an_approval_and_a_recall_a_few_times(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[feed.Place] = []
    since = feed.changes_since

    def counted(campaign_id: int, place: feed.Place) -> feed.Changes | None:
        reads.append(place)
        return since(campaign_id, place)

    monkeypatch.setattr(feed, "changes_since", counted)
    async with asyncio.timeout(30), contextlib.AsyncExitStack() as crowd:
        players = [await crowd.enter_async_context(playing(token)) for _ in range(20)]
        for player in players:
            assert names(await player.pull()) == []
        reads.clear()
        mae = await approve(campaign)
        for player in players:
            assert (await player.hear("snapshot", "changes"))["seq"] == 1
        await take_down(mae)
        for player in players:
            assert (await player.hear("changes"))["changes"][0]["item"] is None
    # The first to wake reads, the rest share the next; a machine that is slow makes it a few more.
    assert len(reads) <= 10


async def test_news_do_not_wait_for_all_that_a_screen_without_a_place_is_told(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await approve(campaign)
    there = await database_sync_to_async(feed.head)(campaign.pk)
    whole, snapshot = Record(), feed.snapshot

    def held_up(campaign_id: int, *, asked_at: feed.Place) -> feed.Snapshot:
        whole.read()
        return snapshot(campaign_id, asked_at=asked_at)

    monkeypatch.setattr(feed, "snapshot", held_up)
    strange = feed.Place(uuid4(), 7)
    long = [asyncio.create_task(reading.news(campaign.pk, at)) for at in (feed.Place(), strange)]
    await beginning(whole)
    try:
        await take_down(gone)
        async with asyncio.timeout(5):
            assert (await reading.head(campaign.pk)).seq == 2
            news = json.loads((await reading.news(campaign.pk, there)).frame)
    finally:
        whole.may_end.set()
    assert [change["submission"] for change in news["changes"]] == [str(gone.pk)]
    assert [json.loads((await one).frame)["items"] for one in long] == [[], []]


def test_frame_is_what_the_feed_says_with_the_servers_clock(campaign: Campaign) -> None:
    before = timezone.now()
    said = json.loads(asyncio.run(reading.news(campaign.pk, feed.Place())).frame)
    assert before <= datetime.fromisoformat(said.pop("at")) <= timezone.now()
    assert said == feed.since(campaign.pk, feed.Place()).as_json()
