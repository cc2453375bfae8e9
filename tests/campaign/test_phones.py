"""All phones of a process have one ear and one beat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaign import ear, phones, progress
from campaign.consumers import ParticipantConsumer
from campaign.enums import SubmissionState
from campaign.models import Campaign, Submission
from campaign.phones import Move, Phones

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN_S = 5


class Told:
    """A phone that only counts."""

    def __init__(self, told_of: Move | None = None) -> None:
        self.told_of = told_of
        self.times = 0

    async def look_again(self, move: Move | None = None) -> None:
        self.told_of = move
        self.times += 1


class Broken(Told):
    async def look_again(self, move: Move | None = None) -> None:
        raise RuntimeError


@asynccontextmanager
async def joined(*pairs: tuple[UUID, Told]) -> AsyncIterator[Phones]:
    here = phones.here()
    for submission_id, phone in pairs:
        await here.join(phone, submission_id)
    try:
        yield here
    finally:
        for submission_id, phone in pairs:
            await here.leave(phone, submission_id)


def crowd(campaign: Campaign, *, size: int) -> list[UUID]:
    made = Submission.objects.bulk_create(
        Submission(
            campaign=campaign,
            number=number,
            idempotency_key=str(number),
            kit="soldier",
            finish="painted",
            state=SubmissionState.APPROVED,
            selfie_purge_at=timezone.now(),
            figurine_purge_at=timezone.now(),
        )
        for number in range(1, size + 1)
    )
    return [one.pk for one in made]


def subscriptions() -> tuple[int, int]:
    """Of this process and loop: channels and groups."""
    layer: Any = get_channel_layer()
    here = layer._get_layer()
    return len(here.channels), len(here.groups)


async def until(happens: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not happens():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [3, 300])
def test_beat_asks_for_many_phones_as_often_as_for_few(campaign: Campaign, size: int) -> None:
    everybody = crowd(campaign, size=size)
    with CaptureQueriesContext(connection) as queries:
        assert phones.moves(everybody).keys() == set(everybody)
    assert len(queries) == 2


async def test_beat_wakes_those_alone_that_have_moved(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "AT_A_GO", 100)
    everybody = await database_sync_to_async(lambda: crowd(campaign, size=250))()
    last = await phones.read(phones.moves, everybody)
    told = {pk: Told(last[pk]) for pk in everybody}
    asked: list[int] = []

    def counted(submission_ids: Sequence[UUID]) -> dict[UUID, Move]:
        asked.append(len(submission_ids))
        return read(submission_ids)

    read = phones.moves
    monkeypatch.setattr(phones, "moves", counted)
    async with joined(*told.items()) as here:
        moved = everybody[7]
        await Submission.objects.filter(pk=moved).aupdate(state_since_at=timezone.now())
        await here._wake_moved()
    assert asked == [100, 100, 50]
    assert {pk for pk, phone in told.items() if phone.times} == {moved}


async def test_phone_that_breaks_keeps_no_other_from_hearing(campaign: Campaign) -> None:
    everybody = await database_sync_to_async(lambda: crowd(campaign, size=2))()
    told = [Told(), Told()]
    async with joined(
        (everybody[0], Broken()), (everybody[0], told[0]), (everybody[1], told[1])
    ) as here:
        await here._wake_moved()
    assert [phone.times for phone in told] == [1, 1]


async def test_many_phones_have_one_subscription_which_ends_with_the_last() -> None:
    pairs = [(uuid4(), Told()) for _ in range(3)]
    async with joined(*pairs):
        assert subscriptions() == (1, 1)
        await database_sync_to_async(progress.nudge)(pairs[1][0])
        await until(lambda: pairs[1][1].times)
        assert [phone.times for _, phone in pairs] == [0, 1, 0]
    assert subscriptions() == (0, 0)


async def test_layer_that_refused_is_asked_again_by_the_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phones, "BEAT_S", 0.05)
    monkeypatch.setattr(ear, "AGAIN_S", 0.1)
    refusals = iter([OSError(), OSError()])

    def layer() -> Any:
        for refusal in refusals:
            raise refusal
        return get_channel_layer()

    monkeypatch.setattr(ear, "get_channel_layer", layer)
    async with joined((uuid4(), Told())):
        await until(lambda: subscriptions() == (1, 1))
        assert next(refusals, None) is None, "it was never refused"


async def test_layer_that_hangs_holds_no_phone_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ear, "PATIENCE_S", 0.05)

    class Hung:
        async def new_channel(self) -> str:
            return await asyncio.Future()

    monkeypatch.setattr(ear, "get_channel_layer", Hung)
    async with asyncio.timeout(WITHIN_S), joined((uuid4(), Told()), (uuid4(), Told())):
        pass


async def test_nudges_in_a_row_are_one_more_look_and_a_later_word(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, told = 0, []
    may_read = asyncio.Event()

    async def read(*_: object) -> int:
        nonlocal looks
        looks += 1
        mine = looks
        await may_read.wait()
        return mine

    async def tell(_: object, status: int) -> None:
        told.append(status)

    monkeypatch.setattr(phones, "read", read)
    monkeypatch.setattr(ParticipantConsumer, "_tell", tell)
    phone = ParticipantConsumer()
    phone.submission, phone.looking = bare, asyncio.Lock()
    move = Move(timezone.now(), None, None)
    nudged = [asyncio.create_task(phone.look_again(move)) for _ in range(10)]
    await until(lambda: looks)
    nudged += [asyncio.create_task(phone.look_again(move)) for _ in range(10)]
    may_read.set()
    await asyncio.gather(*nudged)
    assert told == [1, 2]
