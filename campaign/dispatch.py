"""Puts a submission to work: an engine is chosen, the jobs are written, the history says why."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from campaign import lifecycle, load, offers, router
from campaign.enums import JobRole, SubmissionState
from campaign.models import Figurine, GenerationJob, Submission
from figurine.types import Recipe


def put_to_work(
    submission: Submission,
    recipe: Recipe,
    *,
    seed: int,
    actor: lifecycle.Actor,
    only_from: SubmissionState,
    reason: str = "",
) -> None:
    """Queue a figurine of this recipe, with whichever engine, and sculpt's beside a slower one.

    The submission comes with its campaign. Raises IllegalTransition; then nothing was changed.
    """
    campaign = submission.campaign
    with transaction.atomic():
        chosen = router.route(load.scene(submission))
        lifecycle.transition(
            submission,
            SubmissionState.QUEUED,
            actor=actor,
            only_from=only_from,
            reason=reason,
            note=chosen.reason,
        )
        ask(submission, recipe, engine=chosen.engine, seed=seed)
        ends_at = None
        if chosen.has_stand_in:
            if not _has_painted(submission):
                ask(submission, recipe, engine=router.SCULPT, seed=seed, role=JobRole.STAND_IN)
            patience_s = 0 if chosen.is_late else campaign.patience_s
            ends_at = timezone.now() + timedelta(seconds=patience_s)
        submission.patience_ends_at = ends_at
        submission.save(update_fields=["patience_ends_at"])


def _has_painted(submission: Submission) -> bool:
    """Whether a slower engine's figurine is there: it stands in for its successor better than
    sculpt's would, which would take its place for good."""
    there = Figurine.objects.filter(submission=submission, is_chosen=True, role=JobRole.MAIN)
    return any(figurine.recipe.get("engine") != router.SCULPT for figurine in there)


def ask(
    submission: Submission,
    recipe: Recipe,
    *,
    engine: str,
    seed: int,
    role: JobRole = JobRole.MAIN,
) -> None:
    """Write the job of one engine."""
    asked = offers.made_by(engine, recipe, campaign=submission.campaign)
    GenerationJob.objects.create(
        submission=submission, recipe=asked.as_json(), seed=seed, engine=engine, role=role
    )
