from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from billboard import commands, nudges, page, pairing, planning, plays, protocol, reading
from billboard.consumers import ScreenConsumer
from billboard.models import CommandKind, CommandState, Play, Screen, ScreenCommand
from billboard.protocol import Acks
from campaign import showings
from campaign.models import Campaign
from campaign.signals import tidying
from tests.billboard.rows import approved
from tests.billboard.test_consumers import Player, playing
from tests.billboard.test_plays import shown

K, S = CommandKind, CommandState
HEARD_WITHIN_S = 5


def state(screen: Screen) -> dict[str, Any]:
    said: dict[str, Any] = commands.of(Screen.objects.get(pk=screen.pk)).as_json()["state"]
    return said


def ack(command: ScreenCommand, **words: Any) -> dict[str, Any]:
    done = {"ack": "command", "id": str(command.pk), "outcome": "done", "why": ""}
    return {**done, "at": timezone.now().isoformat(), **words}


def obeyed(screen: Screen, command: ScreenCommand, **words: Any) -> None:
    said = {"is_done": True, "why": "", "at": timezone.now(), **words}
    plays.record(screen, Acks(1, (protocol.Obeyed(command.pk, **said),)))
    command.refresh_from_db()


def test_what_lasts_stands_in_the_row_and_who_asked(screen: Screen, moderator: User) -> None:
    usual = {"is_paused": False, "is_blanked": False, "brightness": None, "layout": "auto"}
    assert state(screen) == usual
    for kind, value in ((K.PAUSE, ""), (K.BLANK, ""), (K.BRIGHTNESS, "35"), (K.LAYOUT, "mosaic9")):
        commands.ask([screen], kind, by=moderator, value=value)
    changed = {"is_paused": True, "is_blanked": True, "brightness": 35, "layout": "mosaic9"}
    assert state(screen) == changed
    screen.refresh_from_db()
    assert (screen.paused_by, screen.blanked_by, screen.layout) == (moderator, moderator, "mosaic9")
    for kind, value in ((K.RESUME, ""), (K.UNBLANK, ""), (K.BRIGHTNESS, ""), (K.LAYOUT, "auto")):
        commands.ask([screen], kind, value=value)
    assert state(screen) == usual


@pytest.mark.parametrize(
    ("kind", "value"),
    [(K.BRIGHTNESS, "101"), (K.BRIGHTNESS, "-1"), (K.BRIGHTNESS, "٣"), (K.LAYOUT, "cinema")],
)
def test_order_that_cannot_be_is_refused_and_changes_nothing(
    screen: Screen, kind: CommandKind, value: str
) -> None:
    with pytest.raises(commands.BadOrder):
        commands.ask([screen], kind, value=value)
    assert ScreenCommand.objects.count() == 0


def test_command_goes_from_asked_to_done_once(screen: Screen, moderator: User) -> None:
    [command] = commands.ask([screen], K.RELOAD, by=moderator)
    assert (command.standing, command.asked_by) == (S.ASKED, moderator)
    told = commands.of(Screen.objects.get(pk=screen.pk))
    commands.note_sent(told)
    command.refresh_from_db()
    assert ([each.id for each in told.commands], command.standing) == ([str(command.pk)], S.SENT)
    obeyed(screen, command)
    first_at = command.done_at
    obeyed(screen, command, is_done=False, why="again")
    assert (command.standing, command.why, command.done_at) == (S.DONE, "", first_at)
    assert commands.of(Screen.objects.get(pk=screen.pk)).commands == ()


def test_refusal_says_why_and_another_screen_cannot_answer(
    campaign: Campaign, screen: Screen
) -> None:
    other = Screen.objects.create(campaign=campaign, name="Broadway 2")
    [command] = commands.ask([screen], K.IDENTIFY)
    obeyed(other, command)
    assert command.standing == S.ASKED
    obeyed(screen, command, is_done=False, why="the server does not answer")
    assert (command.standing, command.why) == (S.REFUSED, "the server does not answer")


def test_done_is_neither_before_it_was_asked_nor_in_the_future(screen: Screen) -> None:
    first, second = (commands.ask([screen], K.IDENTIFY)[0] for _ in range(2))
    obeyed(screen, first, at=timezone.now() - timedelta(hours=1))
    obeyed(screen, second, at=timezone.now() + timedelta(hours=1))
    assert first.done_at == first.asked_at
    assert second.done_at is not None
    assert second.asked_at < second.done_at <= timezone.now()


def test_command_that_was_not_heard_is_late_and_told_no_more(screen: Screen) -> None:
    [command] = commands.ask([screen], K.IDENTIFY, within=timedelta())
    assert command.standing == S.LATE
    assert commands.of(Screen.objects.get(pk=screen.pk)).commands == ()


def test_of_two_producers_the_later_one_holds_and_both_see_it(
    screen: Screen, moderator: User
) -> None:
    ada = User.objects.create(username="ada")
    [first] = commands.ask([screen], K.BLANK, by=moderator)
    [beside] = commands.ask([screen], K.PAUSE, by=moderator)
    [second] = commands.ask([screen], K.UNBLANK, by=ada)
    first.refresh_from_db()
    beside.refresh_from_db()
    assert (first.standing, first.why) == (S.REFUSED, "overtaken by ada")
    assert (beside.standing, second.standing) == (S.ASKED, S.ASKED)
    assert state(screen)["is_blanked"] is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not connection.features.has_select_for_no_key_update,
    reason="SQLite has one writer at a time, and who comes second waits",
)
def test_command_waits_for_no_play_that_is_being_written(
    campaign: Campaign, screen: Screen
) -> None:
    second = Screen.objects.create(campaign=campaign, name="Broadway 2")
    submission = approved(campaign)
    asked: list[ScreenCommand] = []

    def ask_beside() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '3s'")
            asked.extend(commands.ask([screen, second], K.PAUSE))
        finally:
            connection.close()

    other = threading.Thread(target=ask_beside)
    with transaction.atomic():
        plays.record(second, Acks(1, (shown(submission),)))
        connection.check_constraints()  # as at the commit, which holds the screen's row for it
        other.start()
        other.join(10)
        assert len(asked) == 2, "or it waits for the play, and the next play for it"
        plays.record(screen, Acks(2, (shown(submission, play_id=UUID(int=8)),)))
    assert Play.objects.count() == 2


def test_identify_carries_the_name_of_now(screen: Screen) -> None:
    Screen.objects.filter(pk=screen.pk).update(name="Times Square 7")
    assert commands.ask([screen], K.IDENTIFY)[0].value == "Times Square 7"


def test_commands_are_kept_for_90_days(screen: Screen) -> None:
    old, new = (commands.ask([screen], K.IDENTIFY)[0] for _ in range(2))
    long_ago = timezone.now() - timedelta(days=91)
    ScreenCommand.objects.filter(pk=old.pk).update(asked_at=long_ago)
    tidying.send(sender=None)
    assert [command.pk for command in ScreenCommand.objects.all()] == [new.pk]


def test_layout_alone_asks_for_no_new_page(screen: Screen) -> None:
    before = page.of(screen).fingerprint
    screen.layout = "mosaic9"
    assert page.of(screen).fingerprint == before
    screen.rotation = 90
    assert page.of(screen).fingerprint != before


def test_quiet_screen_costs_no_query(screen: Screen, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        commands.of(screen)


# --- by the socket --------------------------------------------------------------------------------


async def hear_commands(player: Player) -> list[dict[str, Any]]:
    async with asyncio.timeout(HEARD_WITHIN_S):
        while not (frame := await player.hear("orders"))["commands"]:
            pass
    return list(frame["commands"])


ask = database_sync_to_async(commands.ask)
create = database_sync_to_async(Screen.objects.create)
standing = database_sync_to_async(lambda command: ScreenCommand.objects.get(pk=command.pk).standing)


@pytest.mark.django_db(transaction=True)
async def test_many_are_called_by_one_ring_a_campaign(
    campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    layer: Any = get_channel_layer()
    second = await create(campaign=campaign, name="Broadway 2")
    rival = await create(campaign=other_campaign, name="Rival 1")
    channel = await layer.new_channel()
    await layer.group_add(nudges.group(campaign.pk), channel)
    await ask([screen, second, rival], K.BLANK)
    async with asyncio.timeout(HEARD_WITHIN_S):
        called = await layer.receive(channel)
    assert called == {"type": "orders", "screens": [screen.pk, second.pk]}
    assert await ScreenCommand.objects.acount() == 3
    await layer.flush()


@pytest.mark.django_db(transaction=True)
async def test_command_is_told_at_once_and_its_ack_is_on_record(screen: Screen, token: str) -> None:
    async with playing(token) as player:
        first = await player.hear("orders")
        assert (first["commands"], first["state"]["is_blanked"]) == ([], False)
        [command] = await ask([screen], K.IDENTIFY)
        assert await hear_commands(player) == [
            {
                "id": str(command.pk),
                "kind": "identify",
                "value": "Broadway 1",
                "until": command.deadline_at.isoformat(),
            }
        ]
        await player.say(type="acks", n=1, acks=[ack(command)])
        await player.hear("acked")
        assert await standing(command) == S.DONE


@pytest.mark.django_db(transaction=True)
async def test_lost_nudge_is_healed_by_the_beat(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    monkeypatch.setattr(nudges, "call", lambda *_, **__: None)
    async with playing(token) as player:
        await player.hear("orders")
        [command] = await ask([screen], K.IDENTIFY)
        assert [each["id"] for each in await hear_commands(player)] == [str(command.pk)]


@pytest.mark.django_db(transaction=True)
async def test_beat_that_began_before_a_command_says_nothing_older_after_it(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    has_read, goes_on = threading.Event(), threading.Event()

    def slow(tokens: Collection[str]) -> dict[str, Screen]:
        found = pairing.find_all(tokens)
        has_read.set()
        assert goes_on.wait(HEARD_WITHIN_S)
        return found

    beside = database_sync_to_async(commands.ask, thread_sensitive=False)
    async with playing(token) as player:
        await player.hear("beat")
        monkeypatch.setattr(reading, "_screens", reading.Gathered(slow))
        assert await asyncio.to_thread(has_read.wait, HEARD_WITHIN_S)
        await beside([screen], K.BLANK)
        await hear_commands(player)
        goes_on.set()
        for _ in range(2):
            assert (await player.hear("orders", "beat"))["type"] == "beat"


@pytest.mark.django_db(transaction=True)
async def test_call_whose_read_took_long_says_nothing_older_than_the_beat(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    of_all, has_read, goes_on = commands.of_all, threading.Event(), threading.Event()

    def slow(campaign_id: int) -> Any:
        found = of_all(campaign_id)
        has_read.set()
        assert goes_on.wait(HEARD_WITHIN_S)
        return found

    monkeypatch.setattr(commands, "of_all", slow)
    # In a thread of its own: the beat's other reads would wait behind it.
    thread = ThreadPoolExecutor(1)
    monkeypatch.setattr(reading, "_orders", reading.Shared(thread))
    async with playing(token) as player:
        await player.hear("orders")
        await database_sync_to_async(commands.tell)([screen])
        assert await asyncio.to_thread(has_read.wait, HEARD_WITHIN_S)
        await Screen.objects.aupdate(layout="mosaic9")
        assert (await player.hear("orders"))["state"]["layout"] == "mosaic9"
        goes_on.set()
        for _ in range(3):
            assert (await player.hear("orders", "beat"))["type"] == "beat"
    thread.shutdown()


@pytest.mark.django_db(transaction=True)
async def test_screen_that_was_off_hears_what_lasts_before_anything_else(
    screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_beat(_: ScreenConsumer) -> None:
        return

    monkeypatch.setattr(ScreenConsumer, "_beat", no_beat)
    await ask([screen], K.BLANK, within=timedelta())
    async with playing(token) as player:
        await player.say(type="pull", epoch=None, seq=0)
        frame = await player.hear("orders", "snapshot")
        assert (frame["type"], frame["state"]["is_blanked"]) == ("orders", True)
        assert frame["commands"] == []


@pytest.mark.django_db(transaction=True)
async def test_other_screens_hear_nothing_of_it(
    campaign: Campaign, screen: Screen, token: str
) -> None:
    second = await create(campaign=campaign, name="Broadway 2")
    key = await database_sync_to_async(pairing.issue_token)(second)
    async with playing(token) as player, playing(key) as other:
        await other.hear("orders")
        await ask([screen], K.BLANK)
        await hear_commands(player)
        await ask([second], K.IDENTIFY)
        assert [each["kind"] for each in await hear_commands(other)] == ["identify"]


def test_poll_tells_what_is_asked(client: Client, screen: Screen, token: str) -> None:
    client.cookies[pairing.COOKIE] = token
    [command] = commands.ask([screen], K.PAUSE)
    here = {"type": "here", "epoch": None, "seq": 0, "version": "1", "width_px": 8, "height_px": 9}
    answer = client.post("/screen/acks/", here, content_type="application/json").json()
    assert (answer["type"], answer["state"]["is_paused"]) == ("orders", True)
    assert [each["id"] for each in answer["commands"]] == [str(command.pk)]
    command.refresh_from_db()
    assert command.standing == S.SENT


# --- what the playlist makes of it ----------------------------------------------------------------


def test_turns_of_a_black_screen_go_to_the_others_and_nobody_is_promised_it(
    campaign: Campaign, screen: Screen
) -> None:
    second = Screen.objects.create(campaign=campaign, name="Broadway 2")
    Screen.objects.update(last_seen_at=timezone.now())
    people = {str(approved(campaign, plaque=f"P{n}").pk) for n in range(6)}
    both = planning.ensure(screen)
    assert both.slots.keys() == {screen.pk, second.pk}
    commands.ask([screen], K.BLANK)
    promised = {showings.next_of(UUID(one)) for one in people} - {None}
    assert {planned.screen for planned in promised if planned} == {"Broadway 2"}
    alone = planning.ensure(Screen.objects.select_related("campaign").get(pk=second.pk))
    assert alone.slots.keys() == {second.pk}
    assert {slot.key for slot in alone.slots[second.pk]} == people
    commands.ask([screen], K.UNBLANK)
    back = planning.ensure(Screen.objects.select_related("campaign").get(pk=screen.pk))
    assert back.slots.keys() == {screen.pk, second.pk}


def test_plan_of_fewer_places_keeps_none_of_those_that_are_gone(
    campaign: Campaign, screen: Screen
) -> None:
    for n in range(6):
        approved(campaign, plaque=f"P{n}")
    commands.ask([screen], K.LAYOUT, value="mosaic4")
    screen.refresh_from_db()
    assert {slot.place for slot in planning.ensure(screen).slots[screen.pk]} == {0, 1, 2, 3}
    commands.ask([screen], K.LAYOUT, value="hero")
    screen.refresh_from_db()
    assert {slot.place for slot in planning.ensure(screen).slots[screen.pk]} == {0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("why", ["black", "draws nothing"])
async def test_black_screen_asks_for_no_plan(
    campaign: Campaign, screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(ScreenConsumer, "beat_s", 0.1)
    if why == "black":
        await ask([screen], K.BLANK)
    else:
        await Screen.objects.aupdate(undrawn_at=timezone.now() - timedelta(minutes=1))
    async with playing(token) as player:
        await player.pull()
        beats = 0
        while beats < 4:
            frame = json.loads(await player.socket.receive_from(timeout=HEARD_WITHIN_S))
            assert frame["type"] != "plan"
            beats += frame["type"] == "beat"
