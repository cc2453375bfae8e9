"""A log that was put back from a backup: whose place is lost, and the epoch that begins then."""

from __future__ import annotations

import itertools
import threading
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from billboard import feed, planning
from billboard.feed import Place, Snapshot
from billboard.models import Feed, Screen
from campaign.models import Campaign
from tests.billboard.rows import approved, changes, entries, is_somebody_waiting, recall
from tests.stack import wait_until


def test_screen_ahead_of_a_log_put_back_from_a_backup_begins_an_epoch_once(
    campaign: Campaign, screen: Screen
) -> None:
    """Under the old one a screen would pass over what comes until it is where it was: recalls."""
    approved(campaign, plaque="KEPT")
    head = feed.head(campaign.pk)
    ahead = Place(head.epoch, head.seq + 3)
    feed.heed(screen, head)
    assert feed.head(campaign.pk) == head
    feed.heed(screen, ahead)
    news = feed.since(campaign.pk, ahead)
    assert isinstance(news, Snapshot)
    assert [item.plaque for item in news.items] == ["KEPT"]
    assert (news.place.seq, news.place.epoch == head.epoch) == (0, False)
    assert not feed.is_lost(campaign.pk, news.place)
    feed.heed(screen, ahead)
    assert feed.since(campaign.pk, ahead).place == feed.head(campaign.pk) == news.place


def test_place_that_the_log_has_passed_but_no_line_of_it_has_is_lost(
    campaign: Campaign, screen: Screen
) -> None:
    """What was written before it, under other places than were lost, is told."""
    gone, first = approved(campaign, plaque="GONE"), feed.head(campaign.pk)
    Feed.objects.update(head=first.seq + 4)
    recall(gone)
    approved(campaign, plaque="NEW")
    lost, head = Place(first.epoch, first.seq + 3), feed.head(campaign.pk)
    news = feed.since(campaign.pk, lost)
    assert isinstance(news, Snapshot)
    assert (news.place, [item.plaque for item in news.items]) == (head, ["NEW"])
    there = [Place(), Place(first.epoch, 0), first, Place(first.epoch, first.seq + 5), head]
    assert [place for place in (*there, lost) if feed.is_lost(campaign.pk, place)] == [lost]
    feed.heed(screen, lost)
    begun = feed.head(campaign.pk)
    assert (begun.epoch == first.epoch, begun.seq) == (False, 0)
    # Where an epoch begins is a place of it, though nothing is written there.
    later = approved(campaign, plaque="LATER")
    assert changes(campaign, begun) == [(1, later.pk, True)]
    assert not feed.is_lost(campaign.pk, begun)


def test_place_where_an_older_version_began_an_epoch_is_not_lost(campaign: Campaign) -> None:
    """It went on from where the log was, and wrote no line there."""
    approved(campaign)
    approved(campaign)
    Feed.objects.update(epoch=uuid.uuid4())
    begun = feed.head(campaign.pk)
    later = approved(campaign)
    assert not feed.is_lost(campaign.pk, begun)
    assert changes(campaign, begun) == [(3, later.pk, True)]


@pytest.mark.django_db(transaction=True)
def test_epoch_begins_while_a_picture_of_the_screen_is_kept(
    campaign: Campaign, screen: Screen
) -> None:
    """Both take the screen's row first: else each might wait for what the other has."""
    head, failures = lost_place(campaign), list[BaseException]()
    has_screen, may_go_on = threading.Event(), threading.Event()

    def keep() -> None:
        try:
            with transaction.atomic():
                Screen.objects.select_for_update(no_key=True).get(pk=screen.pk)
                has_screen.set()
                may_go_on.wait(10)
                Feed.objects.select_for_update().get(campaign=campaign)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def heed() -> None:
        try:
            feed.heed(screen, head)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    keeping, heeding = threading.Thread(target=keep), threading.Thread(target=heed)
    keeping.start()
    assert has_screen.wait(10)
    heeding.start()
    if connection.vendor == "postgresql":
        wait_until(is_somebody_waiting, within_s=10, what="the other waits for the row")
    may_go_on.set()
    for thread in (keeping, heeding):
        thread.join()
    assert failures == []
    assert feed.head(campaign.pk).epoch != head.epoch


def lost_place(campaign: Campaign) -> Place:
    approved(campaign)
    head = feed.head(campaign.pk)
    return Place(head.epoch, head.seq + 9)


def test_seqs_grow_by_steps_that_nobody_foresees(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "STEP_MOST", 2**22)
    for n in range(4):
        approved(campaign, plaque=f"P{n}")
    seqs = [0, *(seq for seq, *_ in entries(campaign))]
    steps = [later - earlier for earlier, later in itertools.pairwise(seqs)]
    assert len(set(steps)) == 4 and min(steps) > 0
    # A line that is written anew after a backup was put back takes another place.
    with transaction.atomic():
        approved(campaign, plaque="LOST")
        lost = feed.head(campaign.pk)
        transaction.set_rollback(True)
    approved(campaign, plaque="ANEW")
    assert feed.head(campaign.pk) != lost


def test_screen_that_is_ahead_for_ever_costs_the_others_nothing_and_shows_nobody_recalled(
    campaign: Campaign, screen: Screen
) -> None:
    second = Screen.objects.create(campaign=campaign, name="Broadway 2")
    gone = approved(campaign, plaque="GONE")
    approved(campaign, plaque="KEPT")

    def told(by: Screen, place: Place) -> tuple[Place, list[str]]:
        feed.heed(by, place)
        news = feed.since(campaign.pk, place)
        assert isinstance(news, Snapshot)
        return news.place, [item.plaque for item in news.items]

    before = feed.head(campaign.pk)
    told(screen, Place(before.epoch, 9))
    begun = feed.head(campaign.pk)
    place, names = told(screen, Place(begun.epoch, 9))
    assert (place.epoch, set(names)) == (begun.epoch, {"GONE", "KEPT"})
    recall(gone)
    later, names = told(screen, place)
    assert names == ["KEPT"]
    # The log comes never by where it is: it would miss what is written before.
    assert later.seq > place.seq > 2**50
    assert changes(campaign, begun) == [(1, gone.pk, False)]
    # Another may still say so, and so may this one when an hour is over.
    assert told(second, Place(begun.epoch, 9))[0].epoch != begun.epoch
    Screen.objects.filter(pk=screen.pk).update(ahead_at=timezone.now() - feed.EPOCH_EVERY)
    third = feed.head(campaign.pk)
    assert told(screen, Place(third.epoch, 9))[0].epoch not in (begun.epoch, third.epoch)


def test_epoch_that_another_screen_began_meanwhile_stands(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, begun = lost_place(campaign), uuid.uuid4()

    def and_meanwhile(*_: object) -> bool:
        Feed.objects.update(epoch=begun, head=0)
        return True

    monkeypatch.setattr(feed, "is_lost", and_meanwhile)
    feed.heed(screen, place)
    screen.refresh_from_db()
    assert (feed.head(campaign.pk).epoch, screen.ahead_at) == (begun, None)


@pytest.fixture
def heard(screen: Screen) -> Screen:
    Screen.objects.update(last_seen_at=timezone.now())
    return Screen.objects.select_related("campaign").get()


def test_first_page_tells_the_crew_that_a_backup_was_put_back(
    campaign: Campaign, heard: Screen, admin_client: Client
) -> None:
    """Until each that is live in it was looked at again, and not of anybody approved since."""
    approved(campaign)
    planning.ensure(heard)
    assert told_of_a_backup(admin_client) == []
    there = feed.head(campaign.pk)
    feed.heed(heard, Place(there.epoch, there.seq + 1))
    approved(campaign)
    [words] = told_of_a_backup(admin_client)
    assert "among the 1 that are live. Run manage.py restored" in words
    call_command("restored", stdout=StringIO())
    approved(campaign)
    assert told_of_a_backup(admin_client) == []


@pytest.mark.parametrize("live", [True, False])
def test_first_page_is_quiet_where_restored_had_run_before_a_screen_came(
    campaign: Campaign, heard: Screen, admin_client: Client, live: bool
) -> None:
    """However long before, and whether or not anybody was live in the backup."""
    up = approved(campaign)
    if not live:
        recall(up)
    planning.ensure(heard)
    there = feed.head(campaign.pk)
    call_command("restored", stdout=StringIO())
    approved(campaign, plaque="MAE")
    ahead = Place(there.epoch, there.seq + 1)
    feed.heed(heard, ahead)
    Screen.objects.exclude(ahead_at=None).update(ahead_at=timezone.now() + timedelta(days=3))
    assert told_of_a_backup(admin_client) == []
    news = feed.since(campaign.pk, ahead)
    assert isinstance(news, Snapshot)
    assert [item.plaque for item in news.items] == ["MAE"]


def told_of_a_backup(admin: Client) -> list[str]:
    [line] = admin.get("/admin/").context["promises"]
    return [words for words in line.troubles if "backup" in words]
