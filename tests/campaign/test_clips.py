"""The clip of who is approved: made when, and that none outlives the approval."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from campaign import approval, generation, keepsakes, leases, lifecycle, queries, rerolls
from campaign.enums import JobOutcome, KeepsakeKind, RecallReason, RejectReason, SubmissionState
from campaign.keepsake_status import Stand
from campaign.models import Campaign, Keepsake, Submission
from tests import shelf
from tests.campaign.sakes import LEAVE, files, one, squad, standing, there
from tests.campaign.workshop import FrameEngine, now
from tests.moving import MovingEngine

S = SubmissionState
K = KeepsakeKind
Commit = Callable[..., AbstractContextManager[object]]

pytestmark = pytest.mark.usefixtures("moving_engine")


def test_approval_wants_a_clip_and_the_worker_makes_it(up: Submission) -> None:
    assert one(K.CLIP).is_open
    assert queries.status(up).keepsakes.clip is None
    assert keepsakes.run_clip() is True
    assert keepsakes.run_clip() is False
    clip = one(K.CLIP)
    assert (clip.outcome, clip.percent, clip.attempt) == (JobOutcome.DONE, 100, 1)
    with clip.file.open() as mp4, clip.webm.open() as webm:
        assert (mp4.read(12)[4:8], webm.read(4)) == (b"ftyp", b"\x1a\x45\xdf\xa3")
    assert queries.status(up).keepsakes.clip is not None


def test_campaign_without_clips_wants_none(waiting: Submission) -> None:
    Campaign.objects.update(makes_clips=False)
    approval.approve(now(waiting), actor=lifecycle.SYSTEM)
    assert Keepsake.objects.count() == 0


def test_clip_of_a_squad_shows_all_its_faces(
    waiting: Submission,
    moving_engine: MovingEngine,
) -> None:
    squad(waiting)
    assert keepsakes.run_clip() is True
    assert one(K.CLIP).outcome == JobOutcome.DONE
    assert (moving_engine.made, moving_engine.seen_faces) == (["clip"], [2])


def test_approval_without_the_selfie_wants_no_clip(waiting: Submission) -> None:
    Submission.objects.update(selfie_purge_at=timezone.now())
    approval.approve(now(waiting), actor=lifecycle.SYSTEM)
    assert Keepsake.objects.count() == 0


def test_engine_without_motion_simply_makes_no_clip(
    up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    assert keepsakes.run_clip() is True
    assert keepsakes.run_clip() is False
    clip = one(K.CLIP)
    assert (clip.outcome, clip.error_code) == (JobOutcome.CANCELLED, "not_made_by_engine")
    assert queries.status(up).keepsakes.clip is None


def test_sweep_wants_the_clips_that_are_missing(up: Submission) -> None:
    """There is none, for an earlier version approved it, or its engine did not make any then."""
    figurine = up.figurines.get()
    figurine.recipe = {**figurine.recipe, "engine": "sculpt"}
    figurine.save()
    assert keepsakes.want_missing_clips() == 0, "it is wanted already"
    Keepsake.objects.update(outcome=JobOutcome.FAILED, error_code="engine_broke")
    assert keepsakes.want_missing_clips() == 0, "it was tried"
    Keepsake.objects.update(outcome=JobOutcome.CANCELLED, error_code="not_made_by_engine")
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [1, 0]
    Keepsake.objects.all().delete()
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [1, 0]
    assert (one(K.CLIP).is_open, one(K.CLIP).error_code) == (True, "")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("engine_broke", 1), ("storage_away", 1), ("worker_lost", 0), ("unknown_kit", 0)],
)
def test_sweep_wants_a_clip_again_that_failed_for_what_may_pass(
    up: Submission, code: str, wanted: int
) -> None:
    up.figurines.update(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    ago = timezone.now() - keepsakes.CLIP_RESTS - timedelta(seconds=1)
    Keepsake.objects.update(outcome=JobOutcome.FAILED, error_code=code, finished_at=timezone.now())
    assert keepsakes.want_missing_clips() == 0, "it rests"
    Keepsake.objects.update(finished_at=ago)
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [wanted, 0]
    assert one(K.CLIP).is_open is bool(wanted)


def test_clip_that_fails_each_time_is_tried_once_an_hour_and_not_for_ever(
    up: Submission, moving_engine: MovingEngine
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    up.figurines.update(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    moving_engine.meanwhile = fail
    moving_engine.made.clear()
    tries: list[int] = []
    for hour in range(9):
        long_ago = timezone.now() - timedelta(hours=hour, minutes=1)
        just_so = timezone.now() - keepsakes.CLIP_RESTS - timedelta(minutes=1)
        Keepsake.objects.update(created_at=long_ago, finished_at=just_so)
        keepsakes.want_missing_clips()
        before = len(moving_engine.made)
        while keepsakes.run_clip():
            Keepsake.objects.update(ready_at=timezone.now())
        tries.append(len(moving_engine.made) - before)
    assert tries == [3, 1, 1, 1, 1, 1, 0, 0, 0]


def test_clip_that_failed_stands_behind_those_that_did_not(
    up: Submission, campaign: Campaign
) -> None:
    again = one(K.CLIP)
    other = shelf.put(campaign, S.APPROVED).figurines.get()
    fresh = Keepsake.objects.create(figurine=other, kind=K.CLIP)
    Keepsake.objects.filter(pk=again.pk).update(
        attempt=leases.MAX_ATTEMPTS - 1, ready_at=timezone.now()
    )
    keepsakes.run_clip()
    assert Keepsake.objects.exclude(claimed_at=None).get() == fresh


def test_clip_of_the_latest_comes_first(up: Submission, campaign: Campaign) -> None:
    earlier, other = one(K.CLIP), shelf.put(campaign, S.APPROVED).figurines.get()
    fresh = Keepsake.objects.create(figurine=other, kind=K.CLIP)
    assert earlier.ready_at < fresh.ready_at
    keepsakes.run_clip()
    assert Keepsake.objects.exclude(claimed_at=None).get() == fresh


@pytest.mark.parametrize("lack", ["clips", "selfie", "approval", "motion"])
def test_sweep_wants_no_clip_that_cannot_be(up: Submission, lack: str) -> None:
    Keepsake.objects.all().delete()
    engine = "frame" if lack == "motion" else "sculpt"
    up.figurines.update(recipe={"engine": engine, "kit": "soldier", "finish": "painted"})
    if lack == "clips":
        Campaign.objects.update(makes_clips=False)
    elif lack == "selfie":
        Submission.objects.update(selfie_purge_at=timezone.now())
    elif lack == "approval":
        Submission.objects.update(state=S.RECALLED)
    assert keepsakes.want_missing_clips() == 0


@pytest.mark.parametrize("way", LEAVE)
def test_clip_leaves_with_the_approval(
    up: Submission, way: str, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.run_clip()
    names = files()
    assert there(names) == [True, True]
    with django_capture_on_commit_callbacks(execute=True):
        LEAVE[way](now(up))
    assert there(names) == [False, False]
    assert (files(), one(K.CLIP).is_done) == ([], False)


@pytest.mark.parametrize("way", LEAVE)
def test_clip_in_the_making_is_called_off_with_the_approval(
    up: Submission, moving_engine: MovingEngine, way: str
) -> None:
    moving_engine.meanwhile = lambda: LEAVE[way](now(up))
    before = set(storages["private"].listdir("figurines")[1])
    keepsakes.run_clip()
    assert one(K.CLIP).is_done is False
    assert files() == []
    assert set(storages["private"].listdir("figurines")[1]) <= before
    assert keepsakes.run_clip() is False


def test_approved_again_has_its_clip_again(up: Submission) -> None:
    keepsakes.run_clip()
    approval.undo(now(up), actor=lifecycle.SYSTEM)
    approval.approve(now(up), actor=lifecycle.SYSTEM)
    assert (one(K.CLIP).is_open, one(K.CLIP).attempt) == (True, 0)
    keepsakes.run_clip()
    assert one(K.CLIP).is_done


def test_rejected_after_all_leaves_nothing_at_all(
    up: Submission, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    names = files()
    with django_capture_on_commit_callbacks(execute=True):
        approval.undo(now(up), actor=lifecycle.SYSTEM)
    assert there(names) == [True], "the same figurine may be approved again"
    with django_capture_on_commit_callbacks(execute=True):
        approval.reject(now(up), actor=lifecycle.SYSTEM, reason=RejectReason.OTHER)
    assert there(names) == [False]


def test_recalled_as_it_should_not_have_been_up_leaves_nothing_at_all(
    up: Submission, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    names = files()
    with django_capture_on_commit_callbacks(execute=True):
        approval.recall(now(up), actor=lifecycle.SYSTEM, reason=RecallReason.MODERATION)
    assert (there(names), standing(up)) == ([False], ("", ""))
    approval.undo(now(up), actor=lifecycle.SYSTEM)
    approval.approve(now(up), actor=lifecycle.SYSTEM)
    assert standing(up) == (Stand.OFFERED, Stand.OFFERED)


def test_reroll_takes_the_keepsakes_of_the_one_before(
    up: Submission, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    names = files()
    approval.undo(now(up), actor=lifecycle.SYSTEM)
    there_now = now(up)
    rerolls.ask(there_now, rerolls.Wish(seen_at=there_now.state_since_at))
    with django_capture_on_commit_callbacks(execute=True):
        generation.run_ready()
    assert (now(up).state, there(names), files()) == (S.REVIEW, [False], [])
