"""Writes the feed within the same transaction: who goes up, who comes down, and who can move."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from billboard import feed, nudges
from billboard.models import EntryKind
from campaign.enums import KeepsakeKind, SubmissionState
from campaign.signals import keepsake_made, transitioned


@receiver(transitioned, dispatch_uid="billboard.receivers.follow")
def follow(submission: Any, transition: Any, **_: object) -> None:
    """`submission` and `transition` are campaign's rows of those names."""
    if transition.to_state == SubmissionState.APPROVED:
        kind, figurine_id = EntryKind.ADD, submission.figurine.pk
    elif transition.from_state == SubmissionState.APPROVED:
        kind, figurine_id = EntryKind.REMOVE, None
    else:
        return
    _write(submission, kind=kind, figurine_id=figurine_id)


@receiver(keepsake_made, dispatch_uid="billboard.receivers.move")
def move(submission: Any, keepsake: Any, **_: object) -> None:
    """The clip of a figurine that is up is there; both are campaign's rows of those names."""
    if keepsake.kind == KeepsakeKind.CLIP and submission.state == SubmissionState.APPROVED:
        _write(submission, kind=EntryKind.MOVE, figurine_id=keepsake.figurine_id)


def _write(submission: Any, *, kind: EntryKind, figurine_id: int | None) -> None:
    """The next line of the log, and on commit the nudge."""
    entry = feed.append(
        campaign_id=submission.campaign_id,
        kind=kind,
        submission_id=submission.pk,
        figurine_id=figurine_id,
    )
    transaction.on_commit(lambda: nudges.nudge(entry.campaign_id, head=entry.seq), robust=True)
