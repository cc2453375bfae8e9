from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billboard import feed
from billboard.feed import Place, Snapshot
from billboard.models import EntryKind, Feed, FeedEntry, Screen
from campaign import approval, lifecycle, retention
from campaign.enums import RejectReason, SubmissionState
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, changes, entries, in_review, is_somebody_waiting, recall
from tests.stack import wait_until

THREADS = 6


def test_approval_writes_an_addition(campaign: Campaign) -> None:
    submission = in_review(campaign)
    approval.approve(submission, actor=lifecycle.SYSTEM)
    entry = FeedEntry.objects.get()
    assert (entry.seq, entry.kind, entry.submission_id) == (1, EntryKind.ADD, submission.pk)
    assert (entry.figurine, entry.epoch) == (submission.figurine, Feed.objects.get().epoch)


def test_news_after_a_place_that_has_a_line_is_read_in_two_looks_and_a_removal_in_one(
    campaign: Campaign, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    approved(campaign)
    before = feed.head(campaign.pk)
    mae = approved(campaign)
    with django_assert_num_queries(2):
        assert changes(campaign, before) == [(2, mae.pk, True)]
    there = feed.head(campaign.pk)
    recall(mae)
    with django_assert_num_queries(1):
        assert changes(campaign, there) == [(3, mae.pk, False)]


@pytest.mark.parametrize(
    "leave",
    [
        recall,
        lambda submission: approval.undo(submission, actor=lifecycle.SYSTEM),
        lambda submission: retention.erase(submission, actor=lifecycle.PARTICIPANT),
        lambda submission: lifecycle.transition(
            submission, SubmissionState.EXPIRED, actor=lifecycle.SYSTEM
        ),
    ],
    ids=["recall", "undo", "erase", "expire"],
)
def test_leaving_approved_writes_a_removal(
    campaign: Campaign, leave: Callable[[Submission], object]
) -> None:
    submission = approved(campaign)
    leave(submission)
    assert entries(campaign) == [
        (1, EntryKind.ADD, submission.pk),
        (2, EntryKind.REMOVE, submission.pk),
    ]


def test_moves_that_do_not_touch_approved_write_nothing(campaign: Campaign) -> None:
    approval.reject(in_review(campaign), actor=lifecycle.SYSTEM, reason=RejectReason.OTHER)
    submission = approved(campaign)
    recall(submission)
    retention.erase(submission, actor=lifecycle.PARTICIPANT)
    assert [kind for _, kind, _ in entries(campaign)] == [EntryKind.ADD, EntryKind.REMOVE]


def test_rolled_back_approval_leaves_no_entry(campaign: Campaign) -> None:
    submission = in_review(campaign)
    with pytest.raises(RuntimeError), transaction.atomic():
        approval.approve(submission, actor=lifecycle.SYSTEM)
        raise RuntimeError
    assert (entries(campaign), feed.head(campaign.pk)) == ([], Place())
    later = approved(campaign)
    assert entries(campaign) == [(1, EntryKind.ADD, later.pk)]


@pytest.mark.django_db(transaction=True)
def test_seqs_are_given_out_one_after_the_other_under_concurrent_approvals(
    campaign: Campaign,
) -> None:
    waiting = [in_review(campaign, plaque=f"P{n}") for n in range(THREADS * 2)]
    start = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def approve_two(first: Submission, second: Submission) -> None:
        start.wait()
        try:
            approval.approve(first, actor=lifecycle.SYSTEM)
            with transaction.atomic():
                approval.approve(second, actor=lifecycle.SYSTEM)
                transaction.set_rollback(second.number % 4 == 0)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=approve_two, args=(waiting[2 * n], waiting[2 * n + 1]))
        for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    kept = [submission for submission in waiting if submission.number % 4]
    assert [seq for seq, *_ in entries(campaign)] == list(range(1, len(kept) + 1))
    assert {pk for *_, pk in entries(campaign)} == {submission.pk for submission in kept}
    assert feed.head(campaign.pk).seq == len(kept)


def test_replay_says_what_came_after_and_nothing_twice(campaign: Campaign) -> None:
    first = approved(campaign, plaque="ONE")
    there = feed.head(campaign.pk)
    second, third = approved(campaign, plaque="TWO"), approved(campaign, plaque="THREE")
    recall(first)
    assert changes(campaign, there) == [
        (2, second.pk, True),
        (3, third.pk, True),
        (4, first.pk, False),
    ]
    assert changes(campaign, feed.head(campaign.pk)) == []


def test_replay_says_only_the_last_word_about_each(campaign: Campaign) -> None:
    approved(campaign, plaque="FIRST")
    there = feed.head(campaign.pk)
    gone, back = approved(campaign, plaque="GONE"), approved(campaign, plaque="BACK")
    recall(gone)
    recall(back)
    approval.undo(back, actor=lifecycle.SYSTEM)
    approval.approve(back, actor=lifecycle.SYSTEM)
    assert changes(campaign, there) == [(4, gone.pk, False), (6, back.pk, True)]
    assert feed.since(campaign.pk, there).place == feed.head(campaign.pk)


@pytest.mark.parametrize(
    "stranger",
    [
        lambda head: Place(),
        lambda head: Place(uuid.uuid4(), head.seq),
    ],
    ids=["knows nothing", "unknown epoch"],
)
def test_strange_place_gets_a_snapshot_of_what_is_approved_now(
    campaign: Campaign, other_campaign: Campaign, stranger: Callable[[Place], Place]
) -> None:
    recalled, kept = approved(campaign, plaque="GONE"), approved(campaign, plaque="KEPT")
    recall(recalled)
    in_review(campaign, plaque="WAITING")
    approved(other_campaign, plaque="RIVAL")
    head = feed.head(campaign.pk)
    news = feed.since(campaign.pk, stranger(head))
    assert isinstance(news, Snapshot)
    assert news.place == head
    assert [(item.submission, item.seq, item.plaque) for item in news.items] == [
        (kept.pk, 2, "KEPT")
    ]


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


def test_snapshot_tells_who_came_again_meanwhile_by_the_later_place(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the older one the next change would take the card down and put it up once more."""
    submission = approved(campaign)
    before = feed.head(campaign.pk)
    approval.undo(submission, actor=lifecycle.SYSTEM)
    submission.refresh_from_db()
    approval.approve(submission, actor=lifecycle.SYSTEM)
    monkeypatch.setattr(feed, "head", lambda campaign_id: before)
    told = feed.snapshot(campaign.pk)
    assert (told.place.seq, [item.seq for item in told.items]) == (1, [3])


def test_who_is_approved_while_all_is_read_is_told_with_the_next_news(
    campaign: Campaign,
) -> None:
    early, late = approved(campaign), in_review(campaign)
    items = feed._items

    def and_meanwhile(*asked: Any) -> list[feed.Item]:
        found = list(items(*asked))
        approval.approve(late, actor=lifecycle.SYSTEM)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "_items", and_meanwhile)
        told = feed.snapshot(campaign.pk)
    assert [item.submission for item in told.items] == [early.pk]
    assert changes(campaign, told.place) == [(2, late.pk, True)]


@pytest.mark.parametrize("gone", [{"is_chosen": False}, {"cutout": ""}])
def test_figurine_that_was_replaced_or_forgotten_is_shown_by_no_line(
    campaign: Campaign, gone: dict[str, Any]
) -> None:
    submission = approved(campaign)
    before = replace(feed.head(campaign.pk), seq=0)
    assert changes(campaign, before) == [(1, submission.pk, True)]
    submission.figurines.update(**gone)
    assert changes(campaign, before) == [(1, submission.pk, False)]
    assert feed.snapshot(campaign.pk).items == ()


def test_feed_without_entries_has_no_epoch_and_an_empty_snapshot(campaign: Campaign) -> None:
    assert feed.since(campaign.pk, Place()) == Snapshot(Place(), ())
    assert Feed.objects.count() == 0


def test_other_campaigns_feed_is_not_ours(campaign: Campaign, other_campaign: Campaign) -> None:
    approved(campaign)
    there = feed.head(campaign.pk)
    approved(other_campaign, plaque="RIVAL")
    assert changes(campaign, there) == []
    assert feed.head(other_campaign.pk).seq == 1


def test_erased_submission_in_a_replay_carries_no_word_of_theirs(campaign: Campaign) -> None:
    approved(campaign)
    there = feed.head(campaign.pk)
    submission = approved(campaign, plaque="SECRET")
    retention.erase(submission, actor=lifecycle.PARTICIPANT)
    assert changes(campaign, there) == [(3, submission.pk, False)]
    assert "SECRET" not in str(feed.snapshot(campaign.pk).as_json())


def test_recalled_picture_is_gone_at_once(campaign: Campaign, client: Client) -> None:
    submission = approved(campaign)
    [item] = feed.snapshot(campaign.pk).items
    assert client.get(item.picture).status_code == 200
    recall(submission)
    assert client.get(item.picture).status_code == 404


@pytest.mark.parametrize("place", [lambda head: Place(), lambda head: Place(head.epoch, 0)])
def test_reading_costs_the_same_for_one_and_for_three(
    campaign: Campaign, place: Callable[[Place], Place]
) -> None:
    counts = []
    for _ in range(3):
        approved(campaign)
        at = place(feed.head(campaign.pk))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            feed.since(campaign.pk, at)
        counts.append(len(queries))
    assert counts[0] == counts[2]


def test_snapshot_reads_of_each_only_what_a_screen_is_told(campaign: Campaign) -> None:
    """A row has its recipe and its face besides: with them thousands take seconds."""
    approved(campaign)
    with CaptureQueriesContext(connection) as queries:
        feed.snapshot(campaign.pk)
    asked = " ".join(query["sql"] for query in queries)
    assert [column for column in ("plaque", "recipe", "face", "selfie") if column in asked] == [
        "plaque"
    ]
