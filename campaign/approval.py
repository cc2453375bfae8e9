"""4 Approval: approve, reject, recall, undo. Each with actor and reason."""

from __future__ import annotations

from django.db import transaction

from campaign import lifecycle, screening
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import Submission, Transition

S = SubmissionState


def approve(submission: Submission, *, actor: lifecycle.Actor, note: str = "") -> Transition:
    """Put the chosen figurine on the feed. Raises IllegalTransition; without a figurine, too."""
    figurine = submission.figurine
    if figurine is None or not figurine.cutout:
        raise IllegalTransition(submission.pk, submission.state, S.APPROVED)
    return lifecycle.transition(submission, S.APPROVED, actor=actor, note=note)


def reject(
    submission: Submission, *, actor: lifecycle.Actor, reason: RejectReason, note: str = ""
) -> Transition:
    return lifecycle.transition(submission, S.REJECTED, actor=actor, reason=reason, note=note)


def recall(
    submission: Submission, *, actor: lifecycle.Actor, reason: RecallReason, note: str = ""
) -> Transition:
    """Take an approved figurine off every screen."""
    return lifecycle.transition(submission, S.RECALLED, actor=actor, reason=reason, note=note)


def release(submission: Submission, *, actor: lifecycle.Actor) -> None:
    """Let a held submission through to generation."""
    _enqueue_from(S.HELD, submission, actor=actor, reason="released")


def retry(submission: Submission, *, actor: lifecycle.Actor) -> None:
    """Queue a failed submission once more."""
    _enqueue_from(S.FAILED, submission, actor=actor, reason="retry")


def _enqueue_from(
    state: SubmissionState, submission: Submission, *, actor: lifecycle.Actor, reason: str
) -> None:
    """The table lets more states into the queue than these two decisions are about."""
    with transaction.atomic():
        rows = Submission.objects.select_for_update().values_list("state", flat=True)
        if (current := rows.get(pk=submission.pk)) != state:
            raise IllegalTransition(submission.pk, current, S.QUEUED)
        screening.enqueue(submission, actor=actor, reason=reason)


def undo(submission: Submission, *, actor: lifecycle.Actor) -> Transition:
    """Take the last decision back: approved and recalled go to review, rejected to where it was.

    Undoing a recall does not put anything on a screen: a person approves it again.
    """
    back = {S.APPROVED: S.REVIEW, S.RECALLED: S.REVIEW}.get(S(submission.state))
    if submission.state == S.REJECTED:
        last = submission.transitions.order_by("-id").values_list("from_state", flat=True).first()
        back = S.REVIEW if last == S.REVIEW else S.HELD
    if back is None:
        raise IllegalTransition(submission.pk, submission.state, "undo")
    return lifecycle.transition(submission, back, actor=actor, reason="undo")
