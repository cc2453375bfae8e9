"""One moderator's decision, carried out exactly once; and who looks at what meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campaign import approval, lifecycle, progress
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import ReviewClaim, Submission, Transition

S = SubmissionState

CLAIM_FOR: Final = timedelta(minutes=4)
"""Long enough to think, short enough that a lunch break keeps nobody waiting."""


class Verdict(StrEnum):
    APPROVE = "approve"
    RELEASE = "release"
    REJECT = "reject"
    RECALL = "recall"
    UNDO = "undo"


VERDICTS: Final[dict[SubmissionState, tuple[Verdict, ...]]] = {
    S.HELD: (Verdict.RELEASE, Verdict.REJECT),
    S.REVIEW: (Verdict.APPROVE, Verdict.REJECT),
    S.APPROVED: (Verdict.RECALL, Verdict.UNDO),
    S.RECALLED: (Verdict.UNDO,),
    S.REJECTED: (Verdict.UNDO,),
}
"""What a moderator may say of a submission in each state."""


@dataclass(frozen=True)
class Decision:
    """What a moderator said, and of what: `seen_at` names the version that was on their desk."""

    submission_id: UUID
    verdict: Verdict
    seen_at: datetime
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Decided:
    """A decision that was carried out, and the moment when it was: its sender knows of nothing
    later, though the submission may have moved on since."""

    submission: Submission
    at: datetime


class Overtaken(Exception):
    """The submission has moved on since the moderator saw it. Nothing was changed."""

    def __init__(self, submission: Submission, by: Transition | None) -> None:
        super().__init__(f"submission {submission.pk} has moved on")
        self.submission = submission
        self.by = by


def decide(decision: Decision, *, user: User) -> Decided:
    """Carry a decision out once, however often it is sent.

    Raises Submission.DoesNotExist, Overtaken, and ValueError for a reason that is none.
    """
    try:
        with transaction.atomic():
            rows = Submission.objects.select_for_update(no_key=True)  # as lifecycle.transition
            submission = rows.get(pk=decision.submission_id)
            moved = _first_move_after(submission, decision.seen_at)
            if moved is None:
                _carry_out(decision, submission, actor=lifecycle.crew(user))
                ReviewClaim.objects.filter(submission=submission).delete()
                return Decided(submission, submission.state_since_at)
            if not _is_repeat(moved, decision, user=user):
                raise Overtaken(submission, moved)
            return Decided(submission, moved.at)
    except IllegalTransition as error:
        raise Overtaken(Submission.objects.get(pk=decision.submission_id), None) from error


def _first_move_after(submission: Submission, seen_at: datetime) -> Transition | None:
    later = submission.transitions.moves().filter(at__gt=seen_at).select_related("actor")
    return later.order_by("id").first()


def _carry_out(decision: Decision, submission: Submission, *, actor: lifecycle.Actor) -> None:
    if decision.verdict not in VERDICTS.get(S(submission.state), ()):
        raise IllegalTransition(submission.pk, submission.state, decision.verdict)
    note = decision.note[: Transition._meta.get_field("note").max_length]
    match decision.verdict:
        case Verdict.APPROVE:
            approval.approve(submission, actor=actor, note=note)
        case Verdict.RELEASE:
            approval.release(submission, actor=actor, note=note)
        case Verdict.REJECT:
            reason = RejectReason(decision.reason)
            approval.reject(submission, actor=actor, reason=reason, note=note)
        case Verdict.RECALL:
            why = RecallReason(decision.reason)
            approval.recall(submission, actor=actor, reason=why, note=note)
        case Verdict.UNDO:
            approval.undo(submission, actor=actor, note=note)


_LEADS_TO: Final = {
    Verdict.APPROVE: (S.APPROVED,),
    Verdict.RELEASE: (S.QUEUED,),
    Verdict.REJECT: (S.REJECTED,),
    Verdict.RECALL: (S.RECALLED,),
    Verdict.UNDO: (S.REVIEW, S.HELD),
}


def _is_repeat(moved: Transition, decision: Decision, *, user: User) -> bool:
    """The answer to this very decision was lost on its way, and it was sent again."""
    return moved.actor_id == user.pk and moved.to_state in _LEADS_TO[decision.verdict]


def claim(submission_id: UUID, *, user: User) -> ReviewClaim | None:
    """Take a submission onto this moderator's desk, and leave the one they had.

    Returns the claim that holds: somebody else's where they came first, or none where the same
    person claims two things at once.
    """
    now = timezone.now()
    with transaction.atomic():
        lapsed = Q(submission=submission_id, until__lte=now)
        ReviewClaim.objects.filter(Q(user=user) | lapsed).delete()
        wanted = ReviewClaim(user_id=user.pk, submission_id=submission_id, until=now + CLAIM_FOR)
        ReviewClaim.objects.bulk_create([wanted], ignore_conflicts=True)
        # The visitor's page takes its "another one" away
        transaction.on_commit(partial(progress.nudge, submission_id), robust=True)
        return ReviewClaim.objects.select_related("user").filter(submission=submission_id).first()
