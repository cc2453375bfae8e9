"""Another figurine of the same selfie, while nobody has decided on the one there is.

The one there is stays chosen until the new one is stored (generation does both at once), and where
nothing comes of it, it goes back to review as it was (`upgrades.withdraw`). How many there were,
and whether a request has come before, is read off the history: nothing else is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaign import dispatch, lifecycle, media, offers
from campaign.enums import SubmissionState
from campaign.errors import CampaignClosed, NoRerollsLeft, OnTheDesk, SelfieGone, TooLate
from campaign.models import ReviewClaim, Submission, Transition
from figurine.errors import MissingModel

S = SubmissionState

REASON: Final = "reroll"


@dataclass(frozen=True)
class Wish:
    """What a visitor asks for, and of what: `seen_at` names the version that was on their page."""

    seen_at: datetime
    kit: str = ""
    finish: str = ""


def ask(submission: Submission, wish: Wish) -> bool:
    """Queue another figurine, once however often it is asked. Returns whether this was the first.

    Raises IntakeError, UnknownKit, MissingModel; then nothing was changed.
    """
    with transaction.atomic():
        # 1. Lock it: of the visitor's two taps, and of visitor and moderator, one comes first
        current = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("campaign")
            .get(pk=submission.pk)
        )
        first = current.transitions.moves().filter(at__gt=wish.seen_at).order_by("id").first()
        if first is not None and first.reason == REASON:
            return False

        # 2. What stands against it
        if first is not None or current.state != S.REVIEW:
            raise TooLate(current.state)
        if is_on_desk(current):
            raise OnTheDesk
        if not current.campaign.is_open:
            raise CampaignClosed
        if not media.selfie_of(current):
            raise SelfieGone
        used = asked(current).count()
        if used >= current.campaign.rerolls:
            raise NoRerollsLeft

        # 3. The move and its jobs
        there = current.figurines.filter(is_chosen=True).values_list("recipe", flat=True).first()
        recipe, seed = offers.another(
            current.campaign,
            kit=wish.kit,
            finish=wish.finish,
            plaque=current.plaque,
            seed=used + 2,  # the first figurine had 1
            there=there or {},
        )
        dispatch.put_to_work(
            current,
            recipe,
            seed=seed,
            actor=lifecycle.PARTICIPANT,
            only_from=S.REVIEW,
            reason=REASON,
        )
    return True


def asked(submission: Submission) -> QuerySet[Transition]:
    """Every time that this visitor asked for another one and got it into the queue."""
    return submission.transitions.filter(from_state=S.REVIEW, to_state=S.QUEUED, reason=REASON)


def left(submission: Submission) -> int:
    """How many more this visitor may have made now, if no moderator looks at it: 0 unless it waits.

    The submission comes with its campaign.
    """
    campaign = submission.campaign
    if submission.state != S.REVIEW or not campaign.is_open or not media.selfie_of(submission):
        return 0
    more = campaign.rerolls - asked(submission).count()
    return more if more > 0 and _can_vary(submission) else 0


def _can_vary(submission: Submission) -> bool:
    try:
        return offers.can_vary(submission.campaign)
    except MissingModel:  # the crew knows from the enlisting page and the system check
        return False


def is_on_desk(submission: Submission) -> bool:
    """Whether a moderator looks at it right now."""
    return ReviewClaim.objects.filter(submission=submission, until__gt=timezone.now()).exists()
