"""One ear for all sockets of a campaign in a process, and no socket deaf because of another."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from billboard import audience, consumers, pairing, reading
from billboard.audience import Audience
from billboard.consumers import ScreenConsumer
from billboard.feed import Place
from billboard.models import Screen
from billboard.reading import News
from campaign import ear
from campaign.models import Campaign
from tests.billboard.test_consumers import approve, names, playing

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = 100


async def another(campaign: Campaign, name: str) -> str:
    """Its token."""
    screen = await Screen.objects.acreate(campaign=campaign, name=name)
    token: str = await database_sync_to_async(pairing.issue_token)(screen)
    return token


def subscriptions() -> tuple[int, int]:
    """Of this process and loop: channels and groups."""
    layer: Any = get_channel_layer()
    here = layer._get_layer()
    return len(here.channels), len(here.groups)


async def test_many_sockets_have_one_subscription_which_ends_with_the_last(
    campaign: Campaign, token: str
) -> None:
    tokens = [token, *[await another(campaign, f"Broadway {n}") for n in range(2, 5)]]
    async with AsyncExitStack() as all_of_them:
        players = [await all_of_them.enter_async_context(playing(each)) for each in tokens]
        for player in players:
            await player.pull()
        assert subscriptions() == (1, 1)
        await approve(campaign, plaque="MAE")
        heard = [await player.hear("snapshot") for player in players]
        assert [names(each) for each in heard] == [["MAE"]] * 4
    assert subscriptions() == (0, 0)


async def test_those_at_one_place_are_told_from_one_read(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 600)
    tokens = [token, *[await another(campaign, f"Broadway {n}") for n in range(2, 5)]]
    await approve(campaign)
    read: list[Place] = []
    news = reading.news

    async def counted(campaign_id: int, place: Place) -> News:
        read.append(place)
        return await news(campaign_id, place)

    async with AsyncExitStack() as all_of_them:
        players = [await all_of_them.enter_async_context(playing(each)) for each in tokens]
        for player in players:
            await player.pull()
        monkeypatch.setattr(reading, "news", counted)
        await approve(campaign)
        assert [(await player.hear("changes"))["seq"] for player in players] == [2] * 4
    assert len(read) == 1


async def test_hearts_that_beat_at_once_look_at_their_rows_once(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.5)
    monkeypatch.setattr(consumers, "BEATS_APART", 1)
    tokens = [token, *[await another(campaign, f"Broadway {n}") for n in range(2, 9)]]
    looked: list[int] = []

    def counted(keys: Collection[str]) -> dict[str, Screen]:
        looked.append(len(keys))
        return pairing.find_all(keys)

    monkeypatch.setattr(reading, "_screens", reading.Gathered(counted))
    async with AsyncExitStack() as all_of_them:
        players = [await all_of_them.enter_async_context(playing(each)) for each in tokens]
        for _ in range(3):
            for player in players:
                await player.hear("beat")
    # The first beat of each is its own, as it connects.
    assert max(looked) == len(tokens)
    assert sum(looked) > 2 * len(looked)


def test_hearts_that_were_held_up_together_beat_at_their_own_moments_again() -> None:
    last_s = [100.0, 101.0, 102.5]  # then nothing is heard for nine seconds
    due_s = [consumers._next_beat_s(each, now_s=111.2, beat_s=5) for each in last_s]
    assert due_s == pytest.approx([115.0, 116.0, 112.5])
    assert consumers._next_beat_s(115.0, now_s=115.3, beat_s=5) == pytest.approx(120.0)


async def test_first_screens_hear_before_the_last_are_told(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames leave between turns of the event loop only."""
    at = Place(uuid.uuid4(), 1)
    turns = 0
    told: dict[int, int] = {}

    class Told:
        screen = None
        is_reading = False

        def __init__(self, nth: int) -> None:
            self.nth = nth
            self.place = at

        async def pass_on(self, news: News) -> None:
            self.place = news.place
            told[self.nth] = turns

    async def news(*_: object) -> News:
        return News(Place(at.epoch, 2), "{}")

    async def count() -> None:
        nonlocal turns
        while len(told) < SCREENS:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(reading, "news", news)
    ours = Audience(campaign.pk)
    ours.listeners.update(Told(nth) for nth in range(SCREENS))  # type: ignore[misc]
    counting = asyncio.create_task(count())
    await ours._hear({"type": "head", "head": 2})
    await counting
    assert len(told) == SCREENS
    assert len(set(told.values())) >= SCREENS // audience.AT_A_GO


async def test_layer_that_refused_is_asked_again_by_the_beat(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    monkeypatch.setattr(ear, "AGAIN_S", 0.2)
    refusals = iter([OSError(), OSError()])

    def layer() -> Any:
        for refusal in refusals:
            raise refusal
        return get_channel_layer()

    monkeypatch.setattr(ear, "get_channel_layer", layer)
    async with playing(token) as player:
        await player.pull()
        async with asyncio.timeout(5):
            while subscriptions() != (1, 1):
                await player.hear("beat")
        assert next(refusals, None) is None, "it was never refused"


async def test_nudge_that_fails_leaves_no_ear_deaf(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def beats_no_more(_: ScreenConsumer) -> None:
        """It would come to help."""

    monkeypatch.setattr(ScreenConsumer, "_beat", beats_no_more)
    await approve(campaign)
    async with playing(token) as player:
        await player.pull()
        failed = asyncio.Event()

        async def fails(*_: object) -> News:
            failed.set()
            raise RuntimeError

        with monkeypatch.context() as broken:
            broken.setattr(reading, "news", fails)
            await approve(campaign)
            async with asyncio.timeout(5):
                await failed.wait()
        await approve(campaign)
        assert [change["seq"] for change in (await player.hear("changes"))["changes"]] == [2, 3]


async def test_screen_that_was_unpaired_hears_of_nobody_any_more(
    campaign: Campaign, screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    async with playing(token) as player:
        await player.pull()
        await Screen.objects.filter(pk=screen.pk).aupdate(is_active=False)
        await player.closed_with()
        monkeypatch.setattr(ScreenConsumer, "beat_s", 600)
        await approve(campaign)
        while not await player.socket.receive_nothing(timeout=0.3):
            assert (await player.socket.receive_output())["type"] == "websocket.close"


async def test_screen_that_moved_hears_of_its_new_campaign_alone(
    campaign: Campaign,
    other_campaign: Campaign,
    screen: Screen,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    await approve(campaign, plaque="OLD")
    await approve(other_campaign, plaque="NEW")
    async with playing(token) as player:
        assert names(await player.pull()) == ["OLD"]
        await Screen.objects.filter(pk=screen.pk).aupdate(campaign=other_campaign)
        assert names(await player.hear("snapshot")) == ["NEW"]
        await approve(campaign)
        await approve(other_campaign, plaque="NEXT")
        said = await player.hear("changes", "snapshot")
        assert [change["item"]["plaque"] for change in said["changes"]] == ["NEXT"]
        assert subscriptions() == (1, 1)
