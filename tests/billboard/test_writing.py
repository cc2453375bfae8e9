from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from channels.db import database_sync_to_async
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries

from billboard import feed, plays, writing
from billboard.models import Ack, EntryKind, FeedEntry, Screen
from billboard.protocol import Acks, Done
from campaign.models import Campaign
from tests.billboard.rows import approved, recall
from tests.stack import begun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def screens(campaign: Campaign) -> list[Screen]:
    return [Screen.objects.create(campaign=campaign, name=f"Screen {n}") for n in range(20)]


@pytest.fixture
def dark(campaign: Campaign) -> Acks:
    """What every screen says of somebody who was recalled."""
    submission = approved(campaign)
    recall(submission)
    return Acks(1, (Done(True, submission.pk, feed.head(campaign.pk)),))


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each transaction wrote."""
    sizes: list[int] = []
    record_all = plays.record_all

    def counted(told: Sequence[tuple[Screen, Acks]]) -> None:
        sizes.append(len(told))
        record_all(told)

    monkeypatch.setattr(plays, "record_all", counted)
    return sizes


async def tell(screens: list[Screen], acks: Acks) -> list[BaseException | None]:
    return await asyncio.gather(
        *(writing.record(screen, acks) for screen in screens), return_exceptions=True
    )


async def test_what_comes_at_once_is_one_transaction_and_on_record(
    screens: list[Screen], dark: Acks, transactions: list[int]
) -> None:
    assert await tell(screens, dark) == [None] * 20
    assert transactions == [20]
    done = await database_sync_to_async(
        lambda: set(
            Ack.objects.filter(entry__kind=EntryKind.REMOVE).values_list("screen", flat=True)
        )
    )()
    assert done == {screen.pk for screen in screens}


async def test_one_that_cannot_be_written_does_not_harm_the_others(
    screens: list[Screen], dark: Acks
) -> None:
    await database_sync_to_async(screens[7].delete)()
    screens[7].pk = 10**6  # of no screen
    told = await tell(screens, dark)
    assert isinstance(told.pop(7), IntegrityError)
    assert told == [None] * 19
    assert await database_sync_to_async(Ack.objects.count)() == 19


async def test_many_acks_are_several_transactions_none_of_them_long(
    screens: list[Screen], dark: Acks, transactions: list[int]
) -> None:
    of_a_day = Acks(1, dark.acks * 80)
    assert await tell(screens, of_a_day) == [None] * 20
    assert transactions == [2] * 10


async def test_whoever_hangs_up_does_not_keep_the_others_from_being_told(
    screens: list[Screen], dark: Acks
) -> None:
    gone = asyncio.create_task(writing.record(screens[0], dark))
    stays = asyncio.create_task(writing.record(screens[1], dark))
    await begun(gone, stays)
    gone.cancel()
    await stays
    assert await database_sync_to_async(Ack.objects.count)() == 2


def test_removals_of_many_screens_cost_as_many_queries_as_of_one(
    screens: list[Screen], dark: Acks, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(5):  # begin, lines, acks, plays, commit
        plays.record_all([(screen, dark) for screen in screens[:1]])
    with django_assert_num_queries(5):
        plays.record_all([(screen, dark) for screen in screens[1:]])


def test_ack_is_of_the_last_line_that_the_screen_had_read(
    campaign: Campaign, screens: list[Screen]
) -> None:
    submission = approved(campaign)
    recall(submission)
    first = feed.head(campaign.pk)
    feed.append(
        campaign_id=campaign.pk,
        kind=EntryKind.REMOVE,
        submission_id=submission.pk,
        figurine_id=None,
    )
    plays.record(screens[0], Acks(1, (Done(True, submission.pk, first),)))
    plays.record(screens[0], Acks(2, (Done(True, submission.pk, feed.Place(first.epoch, 1)),)))
    entry = FeedEntry.objects.get(seq=first.seq)
    assert list(Ack.objects.values_list("entry", flat=True)) == [entry.pk]
