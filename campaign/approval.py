"""4 Approval: approve, reject, recall, undo, look again. Each with actor and reason."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction

from campaign import lifecycle, queries, screening, signals
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import Submission, Transition

S = SubmissionState


def approve(submission: Submission, *, actor: lifecycle.Actor, note: str = "") -> Transition:
    """Put the chosen figurine on the feed. Raises IllegalTransition; without a figurine, too."""
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


def release(submission: Submission, *, actor: lifecycle.Actor, note: str = "") -> None:
    """Let a held submission through to generation. Raises IllegalTransition."""
    with transaction.atomic():
        screening.enqueue(submission, actor=actor, only_from=S.HELD, reason="released")
        if note:  # the move's own says where it waits and how long
            lifecycle.note(submission, actor=actor, reason="released", note=note)


def retry(submission: Submission, *, actor: lifecycle.Actor) -> None:
    """Queue a failed submission once more; a participant's own tries are numbered."""
    if actor.kind == lifecycle.PARTICIPANT.kind and not queries.may_retry(submission):
        raise IllegalTransition(submission.pk, submission.state, S.QUEUED)
    screening.enqueue(submission, actor=actor, only_from=S.FAILED, reason="retry")


def undo(submission: Submission, *, actor: lifecycle.Actor, note: str = "") -> Transition:
    """Take the last decision back: approved and recalled go to review, rejected to where it was.

    Undoing a recall does not put anything on a screen: a person approves it again.
    """
    back: SubmissionState | None = {S.APPROVED: S.REVIEW, S.RECALLED: S.REVIEW}.get(
        S(submission.state)
    )
    if submission.state == S.REJECTED:
        moves = submission.transitions.moves().order_by("-id")
        last = moves.values_list("from_state", flat=True).first()
        back = S.REVIEW if last == S.REVIEW else S.HELD
        if back == S.HELD and not submission.selfie:
            back = None  # nothing could be made of it any more
    if back is None:
        raise IllegalTransition(submission.pk, submission.state, "undo")
    return lifecycle.transition(submission, back, actor=actor, reason="undo", note=note)


def look_again() -> int:
    """Move everyone approved back to review, so that a person looks again. Returns how many.

    For a database that was put back from a backup: who was recalled after it was made is approved
    in it, and nothing else remembers.
    """
    approved = Submission.objects.filter(state=S.APPROVED)
    moved = 0
    for submission in list(approved.defer("face", "other_faces")):
        with suppress(IllegalTransition):  # somebody else has moved it meanwhile
            lifecycle.transition(
                submission,
                S.REVIEW,
                actor=lifecycle.SYSTEM,
                only_from=S.APPROVED,
                reason="restored",
            )
            moved += 1
    signals.looked_again.send(sender=Submission)
    return moved
