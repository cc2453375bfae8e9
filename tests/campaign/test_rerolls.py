"""Another figurine of the same selfie: when it may be, once, and what becomes of the one before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from campaign import approval, decisions, generation, lifecycle, rerolls, retention, upgrades
from campaign.decisions import Decision, Overtaken, Verdict
from campaign.enums import RejectReason, SubmissionState
from campaign.errors import (
    CampaignClosed,
    IntakeError,
    NoRerollsLeft,
    OnTheDesk,
    SelfieGone,
    TooLate,
)
from campaign.models import Campaign, ReviewClaim, Submission
from figurine.errors import FigurineError, UnknownKit
from tests import shelf
from tests.campaign.rerolling import ask, chosen
from tests.campaign.workshop import FrameEngine, now

S = SubmissionState

pytestmark = pytest.mark.usefixtures("engine")


def refused(submission: Submission, error: type[Exception]) -> None:
    """Refused, and nothing was changed."""
    before = now(submission), submission.jobs.count(), submission.transitions.count()
    with pytest.raises(error):
        ask(now(submission))
    after = now(submission), submission.jobs.count(), submission.transitions.count()
    assert before == after
    assert before[0].state == after[0].state


# --- asking -------------------------------------------------------------------------------------
def test_reroll_queues_what_was_picked_with_a_new_seed(waiting: Submission) -> None:
    assert ask(waiting, finish="army-green") is True
    job = waiting.jobs.get(outcome="")
    recipe = job.recipe
    assert (recipe["kit"], recipe["finish"], recipe["plaque"]) == ("soldier", "army-green", "MAE")
    assert job.seed == 2
    move = waiting.transitions.order_by("-id")[0]
    assert (move.from_state, move.to_state, move.actor_kind, move.reason) == (
        S.REVIEW,
        S.QUEUED,
        "participant",
        "reroll",
    )


def test_figurine_stays_until_the_new_one_is_stored(
    waiting: Submission, engine: FrameEngine
) -> None:
    first = chosen(waiting)
    ask(waiting, finish="army-green")
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        there = now(waiting)
        seen.append((chosen(there).pk, there.finish, bool(chosen(there).cutout)))

    engine.meanwhile = look
    generation.run_ready()
    assert seen == [(first.pk, "painted", True)]
    there = now(waiting)
    assert (there.state, there.finish, there.seed) == (S.REVIEW, "army-green", 2)
    assert chosen(there).pk != first.pk


def test_replaced_figurine_leaves_no_picture(
    waiting: Submission,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    first = chosen(waiting)
    files = [str(first.still.name), str(first.cutout.name)]
    ask(waiting)
    with django_capture_on_commit_callbacks(execute=True):
        generation.run_ready()
    first.refresh_from_db()
    assert (first.still.name, first.cutout.name, first.recipe) == ("", "", {})
    assert [storages["private"].exists(name) for name in files] == [False, False]
    assert chosen(waiting).still.size > 0


def test_asked_twice_is_one_reroll(waiting: Submission) -> None:
    seen = now(waiting)
    assert [ask(waiting, seen=seen), ask(waiting, seen=seen)] == [True, False]
    assert waiting.jobs.count() == 2


def test_asked_again_after_the_new_one_is_there_is_still_one_reroll(waiting: Submission) -> None:
    seen = now(waiting)
    ask(waiting, seen=seen)
    generation.run_ready()
    assert ask(waiting, seen=seen) is False
    assert (now(waiting).state, waiting.figurines.count()) == (S.REVIEW, 2)


@pytest.mark.django_db(transaction=True)
def test_two_taps_at_once_are_one_reroll(waiting: Submission) -> None:
    barrier = threading.Barrier(3)
    answers: list[bool] = []
    seen = now(waiting)

    def tap() -> None:
        barrier.wait()
        try:
            answers.append(ask(seen))
        finally:
            connection.close()

    taps = [threading.Thread(target=tap) for _ in range(3)]
    for one in taps:
        one.start()
    for one in taps:
        one.join()
    assert sorted(answers) == [False, False, True]
    assert waiting.jobs.count() == 2


def test_rerolls_end_with_the_campaigns_number(waiting: Submission) -> None:
    for left, seed in ((2, 2), (1, 3)):
        assert rerolls.left(now(waiting)) == left
        ask(now(waiting))
        assert waiting.jobs.get(outcome="").seed == seed
        generation.run_ready()
    assert rerolls.left(now(waiting)) == 0
    refused(waiting, NoRerollsLeft)


def test_moderators_undo_gives_no_reroll_back(waiting: Submission, moderator: User) -> None:
    Campaign.objects.update(rerolls=1)
    ask(waiting)
    generation.run_ready()
    approval.approve(now(waiting), actor=lifecycle.crew(moderator))
    approval.undo(now(waiting), actor=lifecycle.crew(moderator))
    assert now(waiting).state == S.REVIEW
    refused(waiting, NoRerollsLeft)


# --- what stands against it -----------------------------------------------------------------------
def test_reroll_is_refused_while_a_moderator_looks(waiting: Submission, moderator: User) -> None:
    decisions.claim(waiting.pk, user=moderator)
    refused(waiting, OnTheDesk)
    ReviewClaim.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert ask(now(waiting)) is True


@pytest.mark.parametrize("decide", ["approve", "reject"])
def test_reroll_is_refused_once_a_moderator_decided(waiting: Submission, decide: str) -> None:
    seen = now(waiting)
    if decide == "approve":
        approval.approve(now(waiting), actor=lifecycle.SYSTEM)
    else:
        approval.reject(now(waiting), actor=lifecycle.SYSTEM, reason=RejectReason.OTHER)
    with pytest.raises(TooLate):
        ask(waiting, seen=seen)
    refused(waiting, TooLate)


@pytest.mark.parametrize("state", sorted(set(S) - {S.REVIEW}))
def test_reroll_of_anything_else_is_refused(waiting: Submission, state: SubmissionState) -> None:
    Submission.objects.filter(pk=waiting.pk).update(state=state)
    refused(waiting, TooLate)
    assert rerolls.left(now(waiting)) == 0


def test_reroll_without_the_selfie_says_so(waiting: Submission) -> None:
    Submission.objects.update(selfie_purge_at=timezone.now())
    assert rerolls.left(now(waiting)) == 0
    refused(waiting, SelfieGone)
    retention.purge()
    assert now(waiting).state == S.REVIEW
    refused(waiting, SelfieGone)
    assert SelfieGone.sentence == "Your selfie is deleted already, as promised."


def test_reroll_of_a_closed_campaign_is_refused(waiting: Submission) -> None:
    Campaign.objects.update(is_paused=True)
    assert rerolls.left(now(waiting)) == 0
    refused(waiting, CampaignClosed)


@pytest.mark.parametrize(("kit", "finish"), [("wizard", ""), ("", "chrome")])
def test_reroll_of_what_is_not_on_offer_is_refused(
    waiting: Submission, kit: str, finish: str
) -> None:
    with pytest.raises(UnknownKit):
        ask(waiting, kit=kit, finish=finish)
    assert (now(waiting).state, waiting.jobs.count()) == (S.REVIEW, 1)


def test_nothing_to_choose_and_no_pose_leaves_no_reroll_to_offer(
    waiting: Submission, library: object
) -> None:
    Campaign.objects.update(kits=["explorer"], kit="explorer", finishes=["painted"])
    assert rerolls.left(now(waiting)) == 0


def test_library_without_the_campaigns_kits_leaves_no_reroll_to_offer(waiting: Submission) -> None:
    Campaign.objects.update(kits=["wizard"])
    assert rerolls.left(now(waiting)) == 0
    with pytest.raises(FigurineError):
        ask(now(waiting))


@pytest.mark.parametrize("error", [TooLate, OnTheDesk, NoRerollsLeft, SelfieGone])
def test_refusals_have_a_code_a_sentence_and_an_advice(error: type[IntakeError]) -> None:
    assert error.code != IntakeError.code
    assert error.sentence.endswith(".")
    assert error.advice.endswith(".")
    assert 400 <= error.status < 500


# --- the desk -------------------------------------------------------------------------------------
def test_decision_on_the_figurine_before_is_refused_as_stale(
    waiting: Submission, moderator: User
) -> None:
    seen_at = now(waiting).state_since_at
    ask(waiting)
    generation.run_ready()
    stale = Decision(waiting.pk, Verdict.APPROVE, seen_at)
    with pytest.raises(Overtaken) as overtaken:
        decisions.decide(stale, user=moderator)
    assert overtaken.value.by is not None
    assert overtaken.value.by.reason == "reroll"
    assert now(waiting).state == S.REVIEW
    fresh = Decision(waiting.pk, Verdict.APPROVE, now(waiting).state_since_at)
    decisions.decide(fresh, user=moderator)
    assert now(waiting).state == S.APPROVED


@pytest.mark.django_db(transaction=True)
def test_tap_and_decision_at_once_have_one_winner(waiting: Submission, moderator: User) -> None:
    seen_at = now(waiting).state_since_at
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def tap() -> None:
        barrier.wait()
        try:
            ask(waiting)
            outcomes.append("rerolled")
        except TooLate:
            outcomes.append("too late")
        finally:
            connection.close()

    def decide() -> None:
        barrier.wait()
        try:
            decisions.decide(Decision(waiting.pk, Verdict.APPROVE, seen_at), user=moderator)
            outcomes.append("approved")
        except Overtaken:
            outcomes.append("overtaken")
        finally:
            connection.close()

    both = [threading.Thread(target=tap), threading.Thread(target=decide)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) in (["approved", "too late"], ["overtaken", "rerolled"])
    assert now(waiting).state in (S.APPROVED, S.QUEUED)


def test_withdraw_of_a_first_figurine_is_none(campaign: Campaign) -> None:
    for state in (S.QUEUED, S.GENERATING, S.REVIEW):
        submission = shelf.put(campaign, state)
        assert upgrades.withdraw(submission, reason="worker_lost") is False
        assert now(submission).state == state
