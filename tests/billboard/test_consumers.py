from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from billboard import audience, feed, nudges, page, pairing, plays
from billboard.consumers import FRAMES_PER_BEAT, ScreenConsumer
from billboard.models import Ack, EntryKind, Feed, Play, Screen, Wall
from billboard.protocol import FRAME_MAX_CHARS, CloseCode
from campaign import bell
from campaign.models import Campaign, Submission
from deploy.asgi import application
from tests.billboard.rows import approved, recall

pytestmark = pytest.mark.django_db(transaction=True)

ANSWER_S = 5


class Player:
    """The screen's side of the socket."""

    def __init__(self, token: str, *, origin: str = "http://localhost") -> None:
        cookie = f"{pairing.COOKIE}={token}"
        headers = [(b"cookie", cookie.encode()), (b"origin", origin.encode())]
        self.socket = WebsocketCommunicator(application, "/ws/screen/", headers=headers)

    async def say(self, **frame: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(frame))

    async def hear(self, *types: str) -> dict[str, Any]:
        """The next frame of one of these types; heartbeats and plans between are passed over."""
        while True:
            frame: dict[str, Any] = json.loads(await self.socket.receive_from(timeout=ANSWER_S))
            if frame["type"] in types:
                return frame
            assert frame["type"] in {"beat", "plan", "orders"}, frame

    async def pull(self, epoch: str | None = None, seq: int = 0) -> dict[str, Any]:
        await self.say(type="pull", epoch=epoch, seq=seq)
        return await self.hear("snapshot", "changes")

    async def closed_with(self) -> int:
        """The code, once everything said before has been passed over."""
        while True:
            message = await self.socket.receive_output(timeout=ANSWER_S)
            if message["type"] == "websocket.close":
                code = int(message["code"])
                assert code == 1000 or 3000 <= code < 5000, "daphne sends no other"
                return code


@asynccontextmanager
async def playing(token: str) -> AsyncIterator[Player]:
    player = Player(token)
    connected, _ = await player.socket.connect(timeout=ANSWER_S)
    assert connected
    yield player
    await player.socket.disconnect(timeout=ANSWER_S)


def names(frame: dict[str, Any]) -> list[str]:
    return [item["plaque"] for item in frame["items"]]


approve = database_sync_to_async(approved)
take_down = database_sync_to_async(recall)


async def test_new_screen_gets_a_snapshot_then_what_comes(campaign: Campaign, token: str) -> None:
    mae = await approve(campaign, plaque="MAE")
    async with playing(token) as player:
        snapshot = await player.pull()
        assert (snapshot["type"], snapshot["seq"], names(snapshot)) == ("snapshot", 1, ["MAE"])
        grace = await approve(campaign, plaque="GRACE")
        added = await player.hear("changes")
        assert (added["epoch"], added["after"], added["seq"]) == (snapshot["epoch"], 1, 2)
        assert [change["item"]["submission"] for change in added["changes"]] == [str(grace.pk)]
        await take_down(mae)
        removed = await player.hear("changes")
        assert removed["changes"] == [{"seq": 3, "submission": str(mae.pk), "item": None}]


async def test_item_says_all_that_a_card_needs(campaign: Campaign, token: str) -> None:
    mae = await approve(campaign, plaque="MAE")
    async with playing(token) as player:
        [item] = (await player.pull())["items"]
    picture = item.pop("picture")
    assert item == {
        "submission": str(mae.pk),
        "figurine": (await mae.figurines.aget()).pk,
        "seq": 1,
        "number": mae.number,
        "plaque": "MAE",
        "approved_at": mae.state_since_at.isoformat(),
        "until": mae.figurine_purge_at.isoformat(),
        "clip": None,
    }
    assert picture.startswith("/media/")


async def test_screen_that_was_away_is_told_what_it_missed(campaign: Campaign, token: str) -> None:
    gone = await approve(campaign, plaque="GONE")
    async with playing(token) as player:
        before = await player.pull()
    new = await approve(campaign, plaque="NEW")
    await take_down(gone)
    async with playing(token) as player:
        missed = await player.pull(before["epoch"], before["seq"])
        assert (missed["type"], missed["after"], missed["seq"]) == ("changes", 1, 3)
        assert [(change["submission"], bool(change["item"])) for change in missed["changes"]] == [
            (str(new.pk), True),
            (str(gone.pk), False),
        ]


async def test_screen_that_is_ahead_again_is_told_all_at_every_beat_until_it_may_begin_an_epoch(
    campaign: Campaign, screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    mae = await approve(campaign, plaque="MAE")
    async with playing(token) as player:
        first = await player.pull()
        begun = await player.pull(first["epoch"], 9)
        assert begun["epoch"] != first["epoch"]
        again = await player.pull(begun["epoch"], 9)
        assert (again["epoch"], names(again)) == (begun["epoch"], ["MAE"])
        await take_down(mae)
        while names(told := await player.hear("snapshot")):
            pass
        assert told["epoch"] == begun["epoch"]
        await Screen.objects.aupdate(ahead_at=timezone.now() - feed.EPOCH_EVERY)
        while (told := await player.hear("snapshot"))["epoch"] == begun["epoch"]:
            pass
        assert (told["seq"], names(told)) == (0, [])


async def test_unknown_epoch_gets_a_snapshot(campaign: Campaign, token: str) -> None:
    await approve(campaign, plaque="MAE")
    async with playing(token) as player:
        assert names(await player.pull(str(uuid4()), 40)) == ["MAE"]


async def test_nothing_is_sent_twice_when_nudges_come_doubled_or_late(
    campaign: Campaign, token: str
) -> None:
    async with playing(token) as player:
        await player.pull()
        await approve(campaign)
        await player.hear("changes", "snapshot")
        for head in (1, 1, 0):
            await database_sync_to_async(nudges.nudge)(campaign.pk, head=head)
        second = await approve(campaign, plaque="TWO")
        said = await player.hear("changes")
        assert [change["submission"] for change in said["changes"]] == [str(second.pk)]


async def test_heartbeat_heals_a_lost_nudge(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    first = await approve(campaign)
    async with playing(token) as player:
        await player.pull()
        await database_sync_to_async(feed.append)(
            campaign_id=campaign.pk,
            kind=EntryKind.REMOVE,
            submission_id=first.pk,
            figurine_id=None,
        )
        said = await player.hear("changes")
        assert [change["seq"] for change in said["changes"]] == [2]


async def test_question_for_the_time_is_answered_with_when_it_was_heard(token: str) -> None:
    async with playing(token) as player:
        before = time.time() * 1000
        await player.say(type="time", t0=7_654_321)
        told = await player.hear("time")
        assert told["t0"] == 7_654_321
        assert before <= told["t1"] <= told["t2"] <= time.time() * 1000


async def test_heartbeat_says_head_time_and_page(campaign: Campaign, token: str) -> None:
    await approve(campaign)
    epoch = str((await Feed.objects.aget()).epoch)
    async with playing(token) as player:
        beat = await player.hear("beat")
        assert (beat["epoch"], beat["seq"]) == (epoch, 1)
        assert set(beat) == {"type", "epoch", "seq", "at", "page", "watched"}


@pytest.mark.parametrize("size", [{}, {"width": 3840, "height": 1080}])
async def test_screen_of_a_wall_hears_the_heart(
    screen: Screen, token: str, size: dict[str, int]
) -> None:
    wall = await Wall.objects.acreate(campaign_id=screen.campaign_id, name="Broadway", **size)
    screen.wall, screen.window = wall, "0 0 1920 1080" if size else ""
    await screen.asave(update_fields=["wall", "window"])
    async with playing(token) as player:
        beat = await player.hear("beat")
        of_now = await database_sync_to_async(lambda: page.of(screen).fingerprint)()
        assert beat["page"] == of_now


async def test_nothing_of_a_socket_outlives_it_where_the_server_ends_it_within_a_word(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        is_asked.set()
        assert may_answer.wait(ANSWER_S)

    player = Player(token)
    await player.socket.connect(timeout=ANSWER_S)
    await player.hear("beat")
    (listener,) = audience.of(campaign.pk).listeners
    assert isinstance(listener, ScreenConsumer)
    monkeypatch.setattr(plays, "heard", hang)
    await player.say(type="here", epoch=None, seq=0, version="1", width_px=1, height_px=1)
    assert await asyncio.to_thread(is_asked.wait, ANSWER_S)

    player.socket.future.cancel()  # as daphne does to what has not ended in ten seconds
    may_answer.set()
    with suppress(asyncio.CancelledError):
        await player.socket.future

    assert not audience.of(campaign.pk).listeners
    assert listener.beating
    await asyncio.wait([listener.beating], timeout=ANSWER_S)
    assert listener.beating.done()


async def test_dead_channel_layer_costs_a_heartbeat_not_the_picture(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    monkeypatch.setattr(bell, "get_channel_layer", lambda: None)
    async with playing(token) as player:
        await player.pull()
        await approve(campaign, plaque="MAE")
        assert names(await player.hear("snapshot")) == ["MAE"]


async def test_other_campaigns_screen_gets_nothing(
    campaign: Campaign, other_campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    rival = await Screen.objects.acreate(campaign=other_campaign, name="Rival 1")
    token = await database_sync_to_async(pairing.issue_token)(rival)
    await approve(campaign)
    async with playing(token) as player:
        assert names(await player.pull()) == []
        await approve(campaign)
        await database_sync_to_async(nudges.nudge)(other_campaign.pk, head=2)
        for _ in range(4):
            frame = json.loads(await player.socket.receive_from(timeout=ANSWER_S))
            if frame["type"] not in {"beat", "orders"}:
                assert (frame["type"], frame["slots"]) == ("plan", [])


@pytest.mark.parametrize(
    "token_of", [lambda token: "", lambda token: "x" * 43, lambda token: "x" * 9999]
)
async def test_stranger_is_closed_with_a_code(token: str, token_of: Callable[[str], str]) -> None:
    player = Player(token_of(token))
    await player.socket.connect(timeout=ANSWER_S)
    assert await player.closed_with() == CloseCode.UNPAIRED


async def test_other_site_is_not_even_connected(token: str) -> None:
    connected, _ = await Player(token, origin="http://evil.example").socket.connect()
    assert connected is False


async def test_screen_switched_off_is_closed_within_a_beat(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    async with playing(token) as player:
        await player.pull()
        await Screen.objects.filter(pk=screen.pk).aupdate(is_active=False)
        assert await player.closed_with() == CloseCode.UNPAIRED


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        ({"text_data": "{"}, CloseCode.BAD_FRAME),
        ({"text_data": '{"type": "erase-everything"}'}, CloseCode.BAD_FRAME),
        ({"bytes_data": b"\x00\xff"}, CloseCode.BAD_FRAME),
        ({"text_data": " " * (FRAME_MAX_CHARS + 1)}, CloseCode.TOO_LARGE),
    ],
)
async def test_hostile_frame_is_closed_with_a_code(
    token: str, hostile: dict[str, Any], code: CloseCode
) -> None:
    async with playing(token) as player:
        await player.socket.send_to(**hostile)
        assert await player.closed_with() == code


async def test_flood_is_closed_with_a_code(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 600)
    async with playing(token) as player:
        # The first two beats come when they will, and each begins a new count.
        for _ in range(3 * FRAMES_PER_BEAT + 1):
            await player.say(type="acks", n=1, acks=[])
        assert await player.closed_with() == CloseCode.TOO_MANY


def shown(submission: Submission) -> dict[str, Any]:
    return {
        "ack": "shown",
        "play_id": str(uuid4()),
        "submission": str(submission.pk),
        "figurine": submission.figurines.get().pk,
        "seq": 1,
        "started_at": "2026-11-22T12:00:00Z",
        "duration_ms": 8000,
    }


async def test_acks_are_confirmed_once_on_record_and_counted_once(
    campaign: Campaign, token: str
) -> None:
    mae = await approve(campaign)
    async with playing(token) as player:
        place = await player.pull()
        done = {"submission": str(mae.pk), "epoch": place["epoch"], "seq": place["seq"]}
        acks = [{"ack": "cached", **done}, await database_sync_to_async(shown)(mae)]
        for n in (1, 2):
            await player.say(type="acks", n=n, acks=acks)
            assert await player.hear("acked") == {"type": "acked", "n": n}
    assert (await Play.objects.acount(), await Ack.objects.acount()) == (1, 1)


async def test_presence_is_written_at_most_once_a_beat(screen: Screen, token: str) -> None:
    here = {"type": "here", "epoch": None, "version": "1", "width_px": 1920, "height_px": 1080}
    async with playing(token) as player:
        await player.hear("beat")
        for seq in (1, 2, 3):
            await player.say(seq=seq, **here)
        await player.say(type="acks", n=1, acks=[])
        await player.hear("acked")
    await screen.arefresh_from_db()
    assert (screen.confirmed_seq, screen.is_online) == (1, True)


async def test_long_snapshot_comes_part_by_part_as_the_screen_asks(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PART_ITEMS", 2)
    people = [await approve(campaign, plaque=f"P{n}") for n in range(5)]
    async with playing(token) as player:
        first = await player.pull()
        assert (names(first), len(first["up"])) == (["P4", "P3"], 5)
        await take_down(people[1])
        assert (await player.hear("changes"))["changes"][0]["submission"] == str(people[1].pk)
        await player.say(type="rest", after=first["more"])
        rest = await player.hear("rest")
        assert (names(rest), rest["after"], rest["more"]) == (["P2", "P0"], first["more"], None)
        assert datetime.fromisoformat(rest["at"]) <= timezone.now()


async def test_many_approvals_at_once_all_arrive_in_order(campaign: Campaign, token: str) -> None:
    async with playing(token) as player:
        await player.pull()
        await asyncio.gather(*(approve(campaign, plaque=f"P{n}") for n in range(5)))
        # Who came while a snapshot was read is in the next frame too.
        seen: set[int] = set()
        while len(seen) < 5:
            frame = await player.hear("changes", "snapshot")
            seen |= {part["seq"] for part in frame.get("changes", frame.get("items", []))}
        assert seen == {1, 2, 3, 4, 5}


async def test_socket_of_a_token_that_was_renewed_is_closed_and_its_copy_is_refused(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    renew = database_sync_to_async(pairing.renew)
    async with playing(token) as player:
        await player.pull()
        renewed = await renew(token)
        assert renewed
        await player.hear("beat")
        await Screen.objects.aupdate(token_at=timezone.now() - pairing.SETTLE_AFTER)
        assert await renew(renewed) is None
        assert await player.closed_with() == CloseCode.RENEWED
    async with playing(renewed) as player:
        assert (await player.pull())["type"] == "snapshot"
    thief = Player(token)
    await thief.socket.connect(timeout=ANSWER_S)
    assert await thief.closed_with() == CloseCode.UNPAIRED
