"""A clip on the feed: the same showing moves, and leaves with its figurine."""

from __future__ import annotations

from uuid import uuid4

from django.test import Client

from billboard import feed
from billboard.feed import Changes
from billboard.models import EntryKind, Feed
from campaign.enums import JobOutcome
from campaign.models import Campaign, Keepsake
from campaign.signals import keepsake_made
from tests.billboard import films
from tests.billboard.rows import approved, changes, entries, recall


def test_clip_writes_a_line_that_says_the_same_showing_moves(
    campaign: Campaign, client: Client
) -> None:
    submission = approved(campaign)
    there = feed.head(campaign.pk)
    films.store(submission)
    assert entries(campaign)[-1] == (2, EntryKind.MOVE, submission.pk)
    news = feed.since(campaign.pk, there)
    assert isinstance(news, Changes)
    (change,) = news.changes
    assert change.item is not None
    assert (change.seq, change.item.seq, change.item.figurine) == (
        2,
        1,
        submission.figurines.get().pk,
    )
    assert change.item.clip is not None
    mp4, webm = (client.get(way).content for way in (change.item.clip.mp4, change.item.clip.webm))
    assert (mp4[4:8], webm[:4]) == (b"ftyp", b"\x1a\x45\xdf\xa3")


def test_clip_of_whoever_came_up_in_an_older_epoch_moves_what_the_snapshot_told(
    campaign: Campaign,
) -> None:
    """With another seq it would be somebody new: taken down, and put up once more."""
    submission = approved(campaign)
    Feed.objects.update(epoch=uuid4(), head=0)
    there = feed.head(campaign.pk)
    (told,) = feed.snapshot(campaign.pk).items
    films.store(submission)
    news = feed.since(campaign.pk, there)
    assert isinstance(news, Changes)
    assert [change.item and change.item.seq for change in news.changes] == [told.seq]


def test_clip_is_in_every_snapshot_from_then_on(campaign: Campaign) -> None:
    submission = approved(campaign)
    other = approved(campaign)
    films.store(submission)
    items = {item.submission: item for item in feed.snapshot(campaign.pk).items}
    assert items[submission.pk].clip is not None
    assert (items[submission.pk].seq, items[other.pk].clip) == (1, None)


def test_clip_of_what_was_recalled_meanwhile_writes_nothing(campaign: Campaign) -> None:
    submission = approved(campaign)
    recall(submission)
    films.store(submission)
    assert [kind for _, kind, _ in entries(campaign)] == [EntryKind.ADD, EntryKind.REMOVE]


def test_recall_is_the_last_word_on_what_moved_and_its_clip_opens_no_more(
    campaign: Campaign, client: Client
) -> None:
    submission = approved(campaign)
    there = feed.head(campaign.pk)
    films.store(submission)
    (item,) = feed.snapshot(campaign.pk).items
    recall(submission)
    assert changes(campaign, there) == [(3, submission.pk, False)]
    assert item.clip is not None
    assert client.get(item.clip.mp4).status_code == 404


def test_model_for_the_visitor_is_no_news_for_screens(campaign: Campaign) -> None:
    submission = approved(campaign)
    model = Keepsake(figurine=submission.figurines.get(), kind="glb", outcome=JobOutcome.DONE)
    keepsake_made.send(sender=Keepsake, submission=submission, keepsake=model)
    assert len(entries(campaign)) == 1
