from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from billboard import feed
from billboard.feed import Place, Snapshot
from billboard.models import EntryKind, Feed, FeedEntry
from campaign import approval, lifecycle, retention
from campaign.enums import RejectReason, SubmissionState
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, changes, entries, in_review, recall

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


def test_snapshot_names_all_who_are_up_and_tells_of_them_part_by_part(
    campaign: Campaign, other_campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PART_ITEMS", 2)
    people = [approved(campaign) for _ in range(5)]
    approved(other_campaign)
    figurines = [one.figurines.get().pk for one in reversed(people)]
    first = feed.snapshot(campaign.pk)
    assert ([item.figurine for item in first.items], first.up) == (figurines[:2], (*figurines,))
    recall(people[2])
    approved(campaign)
    told, more = [], first.more
    while more is not None:
        part = feed.rest(campaign.pk, more)
        assert (part.epoch, part.after) == (first.place.epoch, more)
        told.append([item.figurine for item in part.items])
        more = part.more
    assert told == [[figurines[3], figurines[4]]], "not who is down, nor who came since"


@pytest.mark.parametrize(("days", "kept"), [(365, 30), (7, 7)])
def test_screens_keep_nobody_past_the_day_they_were_promised(
    campaign: Campaign, days: int, kept: int
) -> None:
    """Days that were lowered count at once, those that were raised never."""
    mae = approved(campaign)
    came_at = mae.created_at
    Submission.objects.update(figurine_purge_at=came_at + timedelta(days=30))
    Campaign.objects.update(figurine_retention_days=days)
    [item] = feed.snapshot(campaign.pk).items
    assert item.until == came_at + timedelta(days=kept)


def test_screen_that_missed_more_than_a_part_is_told_in_parts_and_of_removals_at_once(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PART_ITEMS", 2)
    approved(campaign)
    before = feed.head(campaign.pk)
    people = [approved(campaign) for _ in range(3)]
    told = feed.since(campaign.pk, before)
    assert isinstance(told, Snapshot)
    assert (len(told.items), len(told.up)) == (2, 4)
    at = feed.head(campaign.pk)
    for one in people:
        recall(one)
    assert [is_up for _, _, is_up in changes(campaign, at)] == [False, False, False]


def test_snapshot_that_is_all_goes_without_a_list(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PART_ITEMS", 2)
    for _ in range(2):
        approved(campaign)
    told = feed.snapshot(campaign.pk).as_json()
    assert (len(told["items"]), told["more"], told["up"]) == (2, None, None)


def test_snapshot_reads_of_each_only_what_a_screen_is_told(campaign: Campaign) -> None:
    """A row has its recipe and its face besides: with them thousands take seconds."""
    approved(campaign)
    with CaptureQueriesContext(connection) as queries:
        feed.snapshot(campaign.pk)
    asked = " ".join(query["sql"] for query in queries)
    assert [column for column in ("plaque", "recipe", "face", "selfie") if column in asked] == [
        "plaque"
    ]
