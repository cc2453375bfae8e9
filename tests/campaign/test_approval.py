from __future__ import annotations

from typing import Protocol

import pytest
from django.contrib.auth.models import User

from campaign import approval, lifecycle
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import Campaign, Figurine, GenerationJob, Submission
from tests import shelf

S = SubmissionState


class Act(Protocol):
    def __call__(self, submission: Submission, *, actor: lifecycle.Actor) -> None: ...


def last_move(submission: Submission) -> tuple[str, str, str, str, str]:
    move = submission.transitions.order_by("-id")[0]
    who = move.actor.username if move.actor else ""
    return move.from_state, move.to_state, who, move.reason, move.note


def test_approve_records_who_and_why(campaign: Campaign, moderator: User) -> None:
    submission = shelf.put(campaign)
    approval.approve(submission, actor=lifecycle.crew(moderator), note="lovely")
    assert last_move(submission) == (S.REVIEW, S.APPROVED, "mod", "", "lovely")


@pytest.mark.parametrize("missing", ["the row", "the cutout"])
def test_approve_without_figurine_is_refused(
    campaign: Campaign, moderator: User, missing: str
) -> None:
    submission = shelf.put(campaign)
    figurines = Figurine.objects.filter(submission=submission)
    figurines.update(**({"is_chosen": False} if missing == "the row" else {"cutout": ""}))
    with pytest.raises(IllegalTransition):
        approval.approve(submission, actor=lifecycle.crew(moderator))
    submission.refresh_from_db()
    assert submission.state == S.REVIEW


@pytest.mark.parametrize("state", [S.HELD, S.QUEUED, S.GENERATING, S.FAILED, S.REJECTED])
def test_approve_of_anything_else_is_refused(
    campaign: Campaign, moderator: User, state: SubmissionState
) -> None:
    submission = shelf.put(campaign, state)
    with pytest.raises(IllegalTransition):
        approval.approve(submission, actor=lifecycle.crew(moderator))
    submission.refresh_from_db()
    assert submission.state == state


@pytest.mark.parametrize("state", [S.HELD, S.REVIEW])
def test_reject_records_reason_and_note(
    campaign: Campaign, moderator: User, state: SubmissionState
) -> None:
    submission = shelf.put(campaign, state)
    actor = lifecycle.crew(moderator)
    approval.reject(submission, actor=actor, reason=RejectReason.BAD_NAME, note="rhymes badly")
    assert last_move(submission) == (state, S.REJECTED, "mod", "bad_name", "rhymes badly")
    assert submission.reason == "bad_name"


def test_recall_records_reason(campaign: Campaign, moderator: User) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    actor = lifecycle.crew(moderator)
    approval.recall(submission, actor=actor, reason=RecallReason.PARTICIPANT)
    assert last_move(submission) == (S.APPROVED, S.RECALLED, "mod", "participant", "")


@pytest.mark.parametrize(
    ("state", "back"), [(S.APPROVED, S.REVIEW), (S.RECALLED, S.REVIEW), (S.REJECTED, S.REVIEW)]
)
def test_undo_puts_back_to_review(
    campaign: Campaign, moderator: User, state: SubmissionState, back: SubmissionState
) -> None:
    submission = shelf.put(campaign, state)
    approval.undo(submission, actor=lifecycle.crew(moderator))
    assert last_move(submission) == (state, back, "mod", "undo", "")


def test_undo_of_a_rejected_held_one_puts_back_to_held(campaign: Campaign, moderator: User) -> None:
    submission = shelf.put(campaign, S.HELD)
    actor = lifecycle.crew(moderator)
    approval.reject(submission, actor=actor, reason=RejectReason.UNSAFE)
    approval.undo(submission, actor=actor)
    assert last_move(submission) == (S.REJECTED, S.HELD, "mod", "undo", "")


@pytest.mark.parametrize("state", [S.REVIEW, S.HELD, S.QUEUED, S.FAILED])
def test_undo_of_no_decision_is_refused(
    campaign: Campaign, moderator: User, state: SubmissionState
) -> None:
    submission = shelf.put(campaign, state)
    with pytest.raises(IllegalTransition):
        approval.undo(submission, actor=lifecycle.crew(moderator))
    submission.refresh_from_db()
    assert submission.state == state


@pytest.mark.parametrize(
    ("state", "act"),
    [
        (S.REVIEW, approval.release),
        (S.FAILED, approval.release),
        (S.REVIEW, approval.retry),
        (S.HELD, approval.retry),
        (S.APPROVED, approval.retry),
    ],
)
def test_release_and_retry_of_anything_else_are_refused(
    campaign: Campaign, moderator: User, state: SubmissionState, act: Act
) -> None:
    submission = shelf.put(campaign, state)
    with pytest.raises(IllegalTransition):
        act(submission, actor=lifecycle.crew(moderator))
    submission.refresh_from_db()
    assert (submission.state, GenerationJob.objects.filter(outcome="").count()) == (state, 0)


@pytest.mark.parametrize(
    ("state", "act", "reason"),
    [(S.HELD, approval.release, "released"), (S.FAILED, approval.retry, "retry")],
)
def test_release_and_retry_queue_one_job(
    campaign: Campaign, moderator: User, state: SubmissionState, act: Act, reason: str
) -> None:
    submission = shelf.put(campaign, state)
    act(submission, actor=lifecycle.crew(moderator))
    assert last_move(submission) == (state, S.QUEUED, "mod", reason, "sculpt: 0 waiting, about 8 s")
    assert GenerationJob.objects.filter(submission=submission, outcome="").count() == 1
