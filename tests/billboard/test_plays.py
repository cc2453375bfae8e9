from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.utils import timezone

from billboard import dark, feed, plays, proof
from billboard.feed import Place
from billboard.models import Ack, Play, Screen, Tally, Wall
from billboard.models.hours import PlayHour
from billboard.protocol import INT_MAX, Acks, Done, Here, Shown, Vitals
from campaign import approval, lifecycle, progress, queries, showings
from campaign.models import Campaign, Submission
from campaign.signals import tidying
from tests.billboard.rows import approved, in_review, is_somebody_waiting, recall
from tests.stack import wait_until

PLAY = UUID(int=7)
NUDGED_WITHIN_S = 5


def shown(of: Submission, **words: Any) -> Shown:
    assert of.figurine
    return replace(
        Shown(
            play_id=PLAY,
            submission=of.pk,
            figurine=of.figurine.pk,
            seq=1,
            started_at=timezone.now(),
            duration_ms=None,
        ),
        **words,
    )


def record(screen: Screen, *acks: Done | Shown) -> None:
    plays.record(screen, Acks(1, acks))


def is_on_now(submission: Submission) -> list[bool]:
    return [showing.is_on_now for showing in showings.of(submission.pk)]


def test_play_is_recorded_once_however_often_it_is_told(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    told = shown(submission)
    record(screen, told, told)
    record(screen, told)
    play = Play.objects.get()
    assert (play.play_id, play.screen, play.submission) == (PLAY, screen, submission)
    assert (play.figurine, play.started_at, play.duration_ms) == (
        submission.figurine,
        told.started_at,
        None,
    )


def test_end_of_a_play_is_kept_whichever_is_told_first(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    began = shown(submission)
    ended = replace(began, duration_ms=8000)
    record(screen, ended, began, replace(began, duration_ms=9))
    assert [play.duration_ms for play in Play.objects.all()] == [8000]


def test_play_from_the_future_began_now(campaign: Campaign, screen: Screen) -> None:
    record(screen, shown(approved(campaign), started_at=timezone.now() + timedelta(hours=3)))
    assert Play.objects.get().started_at <= timezone.now()


def test_play_of_what_was_never_offered_is_not_believed(
    campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    waiting, rival = in_review(campaign), approved(other_campaign)
    ours = approved(campaign)
    record(
        screen,
        shown(waiting),
        shown(rival),
        shown(ours, submission=uuid4()),
        shown(ours, figurine=rival.figurines.get().pk),
    )
    assert Play.objects.count() == 0


def test_plays_of_the_campaign_that_a_screen_was_moved_from_are_believed(
    campaign: Campaign, other_campaign: Campaign, screen: Screen, token: str
) -> None:
    """It had no network meanwhile; what it tells now is acknowledged, and deleted there."""
    mae, rival = approved(campaign), approved(other_campaign)
    dark.note_leaving(screen)
    Screen.objects.update(campaign=other_campaign)
    screen = Screen.objects.select_related("campaign").get(pk=screen.pk)
    record(screen, shown(mae, duration_ms=8000), shown(rival, play_id=UUID(int=8)))
    assert set(Play.objects.values_list("submission", "duration_ms")) == {
        (mae.pk, 8000),
        (rival.pk, None),
    }


def test_play_that_was_on_when_its_screen_was_moved_has_its_end(
    campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    began = shown(approved(campaign))
    record(screen, began)
    Screen.objects.update(campaign=other_campaign)
    record(Screen.objects.get(pk=screen.pk), replace(began, duration_ms=8000))
    assert Play.objects.get().duration_ms == 8000


def test_play_of_another_screen_is_not_changed(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    record(screen, shown(submission))
    thief = Screen.objects.create(campaign=campaign, name="Broadway 2")
    record(thief, shown(submission, duration_ms=1))
    assert [(play.screen, play.duration_ms) for play in Play.objects.all()] == [(screen, None)]


def test_participant_is_on_now_while_the_play_lasts(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    assert (queries.status(submission).screens, queries.status(submission).was_shown) == ((), False)
    record(screen, shown(submission))
    assert queries.status(submission).screens == ("Broadway 1",)
    record(screen, shown(submission, duration_ms=8000))
    assert (queries.status(submission).screens, queries.status(submission).was_shown) == ((), True)


def test_participant_is_on_the_wall_whichever_of_its_screens_they_are_on(
    campaign: Campaign, screen: Screen
) -> None:
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    screen.wall = wall
    screen.save()
    second = Screen.objects.create(campaign=campaign, name="North 2", wall=wall)
    submission = approved(campaign)
    record(screen, shown(submission))
    record(second, shown(submission, play_id=UUID(int=8)))
    assert queries.status(submission).screens == ("Times Square",)


@pytest.mark.parametrize(("ago_s", "expected"), [(0, True), (20, True), (22, False)])
def test_play_whose_end_was_not_heard_is_over_after_the_longest_slot(
    campaign: Campaign, screen: Screen, ago_s: int, expected: bool
) -> None:
    """Of a campaign with eight seconds a slot."""
    submission = approved(campaign)
    record(screen, shown(submission, started_at=timezone.now() - timedelta(seconds=ago_s)))
    assert is_on_now(submission) == [expected]


def test_going_dark_ends_the_play_of_a_screen_that_is_paused(
    campaign: Campaign, screen: Screen
) -> None:
    submission, now = approved(campaign), timezone.now()
    Screen.objects.update(paused_at=now - timedelta(hours=3), last_seen_at=now)
    screen = Screen.objects.select_related("campaign").get()
    record(screen, shown(submission, started_at=now - timedelta(hours=3, seconds=2)))
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    assert Play.objects.get().duration_ms is not None


def test_going_dark_after_weeks_of_a_pause_is_told(campaign: Campaign, screen: Screen) -> None:
    """PostgreSQL has no number for so many milliseconds; with the end, `dark` was refused."""
    submission, now = approved(campaign), timezone.now()
    began_at = now - timedelta(milliseconds=INT_MAX, days=1)
    Screen.objects.update(paused_at=began_at, last_seen_at=now)
    screen = Screen.objects.select_related("campaign").get()
    record(screen, shown(submission, started_at=began_at))
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    assert Play.objects.get().duration_ms == INT_MAX
    assert Ack.objects.get().entry.seq == feed.head(campaign.pk).seq


def test_switched_off_screen_shows_nobody(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    record(screen, shown(submission))
    Screen.objects.update(is_active=False)
    assert is_on_now(submission) == [False]


def test_acks_tell_who_holds_a_picture_and_who_is_dark(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    cached = Done(is_dark=False, submission=submission.pk, place=feed.head(campaign.pk))
    record(screen, cached, cached)
    recall(submission)
    dark = Done(is_dark=True, submission=submission.pk, place=feed.head(campaign.pk))
    record(screen, dark, dark)
    acks = Ack.objects.order_by("id").values_list("screen", "entry__seq", "entry__kind")
    assert list(acks) == [(screen.pk, 1, "add"), (screen.pk, 2, "remove")]


def test_acks_about_nothing_known_are_taken_and_dropped(
    campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    rival = approved(other_campaign)
    recall(rival)
    for place in (feed.head(other_campaign.pk), Place(), Place(uuid4(), 3)):
        record(screen, Done(True, rival.pk, place), Done(False, uuid4(), place))
    assert Ack.objects.count() == 0


def test_going_dark_ends_the_play(campaign: Campaign, screen: Screen) -> None:
    submission = approved(campaign)
    long_ago = timezone.now() - timedelta(hours=1)
    record(
        screen,
        shown(submission, started_at=timezone.now() - timedelta(seconds=2)),
        shown(submission, play_id=uuid4(), started_at=long_ago),
    )
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    latest, forgotten = Play.objects.order_by("-started_at")
    assert latest.duration_ms is not None
    assert 2000 <= latest.duration_ms < 4000
    assert forgotten.duration_ms is None


def test_screen_is_online_when_it_is_heard_and_draws(screen: Screen) -> None:
    here = Here(Place(), "1", 8, 9)
    for is_drawing, expected in ((True, True), (False, False), (None, True)):
        vitals = Vitals(is_drawing=is_drawing, fps=60, clock_off_ms=-21)
        plays.heard(screen, replace(here, vitals=vitals))
        screen.refresh_from_db()
        assert (screen.is_online, screen.is_heard, screen.is_drawing) == (
            expected,
            True,
            is_drawing,
        )
        assert (screen.fps, screen.clock_off_ms, screen.heap_mb) == (60, -21, None)
    plays.heard(screen, here)
    screen.refresh_from_db()
    assert (screen.fps, screen.is_drawing) == (None, None), "a player of before says nothing"


def test_heard_screen_is_online_where_it_says(screen: Screen) -> None:
    epoch = uuid4()
    was_online = screen.is_online
    plays.heard(screen, Here(Place(epoch, 9), "abc", 3840, 1080))
    screen.refresh_from_db()
    assert (was_online, screen.is_online) == (False, True)
    assert (screen.confirmed_epoch, screen.confirmed_seq) == (epoch, 9)
    assert (screen.version, screen.width_px, screen.height_px) == ("abc", 3840, 1080)


def test_silent_screen_is_offline(screen: Screen) -> None:
    screen.last_seen_at = datetime.now(tz=timezone.get_current_timezone()) - timedelta(seconds=16)
    assert screen.is_online is False


@pytest.mark.django_db(transaction=True)
async def test_participants_phone_is_rung_when_a_play_begins_and_ends(
    campaign: Campaign, screen: Screen
) -> None:
    submission = await database_sync_to_async(approved)(campaign)
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(progress.GROUP, channel)
    told = await database_sync_to_async(shown)(submission)
    for ack in (told, told, replace(told, duration_ms=8000)):
        await database_sync_to_async(record)(screen, ack)
    async with asyncio.timeout(NUDGED_WITHIN_S):
        heard = [await layer.receive(channel) for _ in range(2)]
    assert heard == [{"type": "look.again", "submission": submission.pk.hex}] * 2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await layer.receive(channel)
    await layer.flush()


def test_who_goes_dark_and_comes_again_in_one_frame_has_an_ended_and_an_open_play(
    campaign: Campaign, screen: Screen
) -> None:
    submission = approved(campaign)
    record(screen, shown(submission))
    again = UUID(int=8)
    dark = Done(True, submission.pk, feed.head(campaign.pk))
    record(screen, dark, shown(submission, play_id=again))
    ended = dict(Play.objects.values_list("play_id", "duration_ms"))
    assert ended[PLAY] is not None
    assert ended[again] is None


@pytest.mark.django_db(transaction=True)
def test_processes_that_count_the_same_people_wait_for_each_other_and_lose_nothing(
    campaign: Campaign,
) -> None:
    people = [approved(campaign, plaque=f"P{n}") for n in range(6)]
    screens = [Screen.objects.create(campaign=campaign, name=f"S{n}") for n in range(2)]
    together, failures, times = threading.Barrier(2), list[BaseException](), 12

    def tell(screen: Screen, order: list[Submission]) -> None:
        try:
            for _ in range(times):
                together.wait(30)
                plays.record(screen, Acks(1, tuple(shown(p, play_id=uuid4()) for p in order)))
        except BaseException as error:
            failures.append(error)
            together.abort()
        finally:
            connection.close()

    orders = zip(screens, (people, people[::-1]), strict=True)
    threads = [threading.Thread(target=tell, args=given) for given in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(Tally.objects.values_list("times", flat=True)) == {2 * times}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not connection.features.has_select_for_no_key_update,
    reason="SQLite has one writer at a time, and who comes second waits",
)
def test_approval_and_a_play_of_before_do_not_wait_for_each_other(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = approved(campaign)
    record(screen, shown(submission))
    recall(submission)
    approval.undo(submission, actor=lifecycle.SYSTEM)
    failures: list[BaseException] = []

    def approve_beside() -> None:
        try:
            approval.approve(submission, actor=lifecycle.SYSTEM)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    approving = threading.Thread(target=approve_beside)

    def mark(_: object) -> None:
        """It is counted, and not yet committed."""
        approving.start()
        wait_until(is_somebody_waiting, within_s=10, what="the approval waits for the count")

    monkeypatch.setattr(proof, "mark", mark)
    record(screen, shown(submission, play_id=uuid4()))
    approving.join()
    assert failures == []
    assert not Tally.objects.exists()


def test_going_dark_before_a_play_began_by_another_clock_ends_it_at_once(
    campaign: Campaign, screen: Screen
) -> None:
    submission = approved(campaign)
    record(screen, shown(submission))
    Play.objects.update(started_at=timezone.now() + timedelta(seconds=3))
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    assert Play.objects.get().duration_ms == 0


def test_end_that_is_told_after_dark_is_the_plays_end_and_a_later_one_is_not(
    campaign: Campaign, screen: Screen
) -> None:
    """Dark goes before a day of plays. What a browser noted before it was killed may come last."""
    submission = approved(campaign)
    began = shown(submission, started_at=timezone.now() - timedelta(seconds=9))
    record(screen, began)
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    assert proof.roll_up() == 1
    assert Play.objects.get().duration_ms != 8000
    for told_ms, is_news in ((8000, True), (8000, False), (6000, False), (8500, False)):
        record(screen, replace(began, duration_ms=told_ms))
        assert proof.roll_up() == is_news
        (hour,) = PlayHour.objects.values_list("plays", "unended", "shown_ms")
        assert hour == (1, 0, 8000)


def test_what_screens_confirmed_long_ago_is_swept_and_plays_stay(
    campaign: Campaign, screen: Screen
) -> None:
    submission = approved(campaign)
    record(screen, Done(False, submission.pk, feed.head(campaign.pk)), shown(submission))
    recall(submission)
    record(screen, Done(True, submission.pk, feed.head(campaign.pk)))
    first = Ack.objects.earliest("pk")
    Ack.objects.filter(pk=first.pk).update(at=timezone.now() - plays.KEEP_ACKS - timedelta(hours=1))
    tidying.send(sender=None)
    assert (Ack.objects.filter(pk=first.pk).exists(), Ack.objects.count()) == (False, 1)
    assert Play.objects.count() == 1
