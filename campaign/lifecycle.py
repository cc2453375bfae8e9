"""The only writer of a submission's state and history.

Every move goes through `transition()`: one transaction that locks the row, checks the table in
enums.py, writes the state and an append-only Transition, and lets receivers of
`signals.on_show` and `signals.transitioned` write what must stand or fall with the move (the feed
entry, above all).
Bells (broker, channel layer) are rung after commit and may fail without harm: the database is the
record, and sweeps find whatever a lost bell left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from django.db import transaction
from django.utils import timezone

from campaign import signals
from campaign.enums import TRANSITIONS, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import Submission, Transition

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Actor:
    """Who moves a submission: `crew` with their account, `participant`, or `system`."""

    kind: str
    user_id: int | None = None


SYSTEM: Final = Actor("system")
PARTICIPANT: Final = Actor("participant")


def crew(user: AbstractBaseUser) -> Actor:
    return Actor("crew", user.pk)


def transition(
    submission: Submission,
    to: SubmissionState,
    *,
    actor: Actor,
    only_from: SubmissionState | None = None,
    reason: str = "",
    note: str = "",
) -> Transition:
    """Move a submission, or raise IllegalTransition and change nothing; to approved without a
    figurine, too.

    `only_from` narrows the table to one start, for a decision that is about that state alone.

    The state is read under a row lock, so of two people deciding at once one gets the refusal.
    `submission` is brought up to date in place.
    """
    with transaction.atomic():
        # 1. Lock the row and look at the state that is true now. Its key stays: a play of theirs
        # that is told meanwhile does not wait, whose count this move may wait for.
        state, since_at = (
            Submission.objects.select_for_update(no_key=True)
            .values_list("state", "state_since_at")
            .get(pk=submission.pk)
        )
        current = SubmissionState(state)
        if to not in TRANSITIONS[current] or only_from not in (None, current):
            raise IllegalTransition(submission.pk, current, to)

        # 2. Nobody is approved without a picture
        figurine = None
        if to == SubmissionState.APPROVED:
            pictured = submission.figurines.filter(is_chosen=True).exclude(cutout="")
            figurine = pictured.first()
            if figurine is None:
                raise IllegalTransition(submission.pk, current, to)

        # 3. Write the state and the history
        # Always later than the move before, whatever the clock of whoever made that one: whether a
        # decision is about what is there now is told by it.
        now = max(timezone.now(), since_at + timedelta(microseconds=1))
        submission.state, submission.state_since_at, submission.reason = to, now, reason
        submission.save(update_fields=["state", "state_since_at", "reason"])
        move = Transition.objects.create(
            submission=submission,
            from_state=current,
            to_state=to,
            actor_id=actor.user_id,
            actor_kind=actor.kind,
            reason=reason,
            note=note,
            at=now,
        )

        # 4. What must stand or fall with the move
        said = {"submission": submission, "transition": move, "figurine": figurine}
        if SubmissionState.APPROVED in (current, to):
            signals.on_show.send(sender=Submission, **said)
        signals.transitioned.send(sender=Submission, **said)

        # 5. Told once it is true for good
        transaction.on_commit(
            partial(
                log.info,
                "submission moved",
                submission=str(submission.pk),
                from_state=current.value,
                to_state=to.value,
                actor=actor.kind,
                reason=reason,
            )
        )
    return move


def note(submission: Submission, *, actor: Actor, reason: str, note: str) -> None:
    """Write a decision that moves nothing into the history: what somebody saw is still there, so
    what they decide about it stands. The caller holds the submission's lock."""
    Transition.objects.create(
        submission=submission,
        from_state=submission.state,
        actor_id=actor.user_id,
        actor_kind=actor.kind,
        reason=reason,
        note=note,
    )
