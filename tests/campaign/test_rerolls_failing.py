"""What may go wrong on the way to another figurine: the one that is there stays."""

from __future__ import annotations

import pytest
from django.utils import timezone

from campaign import generation, leases, lifecycle, offers, rerolls, retention
from campaign.enums import JobOutcome, SubmissionState
from campaign.models import Campaign, GenerationJob, Submission
from figurine.errors import OutOfMemory, UnknownKit
from tests.campaign.rerolling import ask, chosen
from tests.campaign.workshop import FrameEngine, lapse_lease, now, states

S = SubmissionState

pytestmark = pytest.mark.usefixtures("engine")


def test_killed_worker_is_followed_by_another(waiting: Submission) -> None:
    first = chosen(waiting)
    ask(waiting)
    generation.claim(limit=1)  # by a worker that dies now
    lapse_lease()
    assert chosen(waiting).pk == first.pk
    assert generation.run_ready() == 1
    assert (now(waiting).state, waiting.figurines.count()) == (S.REVIEW, 2)
    assert states(waiting)[-5:] == [S.QUEUED, S.GENERATING, S.QUEUED, S.GENERATING, S.REVIEW]


def test_three_lost_workers_leave_the_figurine_there_was(waiting: Submission) -> None:
    first = chosen(waiting)
    ask(waiting, finish="army-green")
    for _ in range(leases.MAX_ATTEMPTS):
        generation.claim(limit=1)
        lapse_lease()
    assert generation.claim(limit=1) == []
    there = now(waiting)
    assert (there.state, there.reason, there.finish) == (S.REVIEW, "worker_lost", "painted")
    assert chosen(there).pk == first.pk
    assert waiting.jobs.order_by("-id")[0].outcome == JobOutcome.FAILED
    assert rerolls.left(there) == 1


def test_engine_that_refuses_leaves_the_figurine_there_was(
    waiting: Submission, engine: FrameEngine
) -> None:
    def refuse() -> None:
        raise UnknownKit

    engine.meanwhile = refuse
    ask(waiting)
    generation.run_ready()
    assert (now(waiting).state, now(waiting).reason) == (S.REVIEW, "unknown_kit")


def test_reroll_after_one_that_failed_has_another_pose_than_the_figurine_there_is(
    waiting: Submission, engine: FrameEngine
) -> None:
    def refuse() -> None:
        raise UnknownKit

    Campaign.objects.update(rerolls=3)
    first = offers.stance(chosen(waiting).recipe)
    engine.meanwhile = refuse
    ask(waiting)
    generation.run_ready()
    engine.meanwhile = lambda: None
    ask(now(waiting))
    generation.run_ready()
    second = offers.stance(chosen(now(waiting)).recipe)
    assert (first[0], second[0]) == ("soldier", "soldier")
    assert first != second
    ask(now(waiting))
    generation.run_ready()
    assert offers.stance(chosen(now(waiting)).recipe) == first
    seeds = waiting.jobs.values_list("seed", flat=True)
    assert len(set(seeds)) == len(seeds)


def test_transient_trouble_is_tried_again(waiting: Submission, engine: FrameEngine) -> None:
    def refuse_once() -> None:
        engine.meanwhile = lambda: None
        raise OutOfMemory

    engine.meanwhile = refuse_once
    ask(waiting)
    generation.run_ready()
    assert now(waiting).state == S.QUEUED
    GenerationJob.objects.update(ready_at=timezone.now())
    generation.run_ready()
    assert (now(waiting).state, waiting.figurines.count()) == (S.REVIEW, 2)


def test_selfie_purged_in_the_queue_leaves_the_figurine_there_was(waiting: Submission) -> None:
    ask(waiting)
    Submission.objects.update(selfie_purge_at=timezone.now())
    retention.purge()
    there = now(waiting)
    assert (there.state, there.reason, there.selfie.name) == (S.REVIEW, "selfie_gone", "")
    assert waiting.jobs.order_by("-id")[0].outcome == JobOutcome.CANCELLED
    assert chosen(there).still.size > 0
    assert generation.claim(limit=1) == []


def test_selfie_purged_while_it_is_made_leaves_the_figurine_there_was(
    waiting: Submission, engine: FrameEngine
) -> None:
    first = chosen(waiting)

    def purge() -> None:
        Submission.objects.update(selfie_purge_at=timezone.now())
        retention.purge()

    engine.meanwhile = purge
    ask(waiting)
    generation.run_ready()
    assert (now(waiting).state, chosen(waiting).pk) == (S.REVIEW, first.pk)
    assert waiting.figurines.count() == 1


def test_erased_while_it_is_made_leaves_nothing(waiting: Submission, engine: FrameEngine) -> None:
    engine.meanwhile = lambda: retention.erase(now(waiting), actor=lifecycle.PARTICIPANT)
    ask(waiting)
    generation.run_ready()
    assert now(waiting).state == S.ERASED
    assert [f.still.name for f in waiting.figurines.all()] == [""]
