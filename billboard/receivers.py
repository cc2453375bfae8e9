"""Writes the feed when a submission enters or leaves `approved`, in the same transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from billboard import feed, nudges
from billboard.models import EntryKind
from campaign.enums import SubmissionState
from campaign.signals import transitioned


@receiver(transitioned, dispatch_uid="billboard.receivers.follow")
def follow(submission: Any, transition: Any, **_: object) -> None:
    """`submission` and `transition` are campaign's rows of those names."""
    if transition.to_state == SubmissionState.APPROVED:
        kind, figurine_id = EntryKind.ADD, submission.figurine.pk
    elif transition.from_state == SubmissionState.APPROVED:
        kind, figurine_id = EntryKind.REMOVE, None
    else:
        return
    entry = feed.append(
        campaign_id=submission.campaign_id,
        kind=kind,
        submission_id=submission.pk,
        figurine_id=figurine_id,
    )
    transaction.on_commit(lambda: nudges.nudge(entry.campaign_id, head=entry.seq), robust=True)
