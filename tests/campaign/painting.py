"""What may happen to a submission that klein paints while sculpt stands in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone

from campaign import approval, endings, generation, lifecycle, retention, upgrades, workers
from campaign.enums import JobRole, RejectReason, SubmissionState
from campaign.leases import Claim
from campaign.models import Campaign, EngineWorker, GenerationJob, Submission
from figurine.types import Candidate, Recipe
from tests import shelf
from tests.campaign.test_workers import KLEIN

S = SubmissionState
HOSTED: Final = replace(KLEIN, node="worker-hosted@box", engine="hosted", batch=1)
MAIN, STAND_IN = JobRole.MAIN, JobRole.STAND_IN


def candidate(recipe: Recipe, mark: str = "odd") -> Candidate:
    still = np.full((9, 7, 3), 200, np.uint8)
    cutout = np.dstack([still, np.full((9, 7), 255, np.uint8)])
    return Candidate(still, cutout, recipe, 1, f"{recipe.engine}.1", likeness=0.5, marks=(mark,))


def hold(engine: str) -> Claim:
    (claim,) = generation.claim((engine,), limit=1)
    return claim


def finish(claim: Claim) -> None:
    asked = GenerationJob.objects.values_list("recipe", flat=True).get(pk=claim.job_id)
    plain = Recipe("klein", "soldier", "painted")  # an erased job has none
    endings.store(claim, [candidate(Recipe.from_json(asked) if asked else plain)])


def make(engine: str) -> None:
    finish(hold(engine))


def bring(claim: Claim, mark: str) -> None:
    """As a worker does with what its engine has made and marked."""
    recipe = Recipe("klein", "soldier", "painted")
    endings.end(claim, [candidate(recipe, mark)], started=0.0)


def fail(claim: Claim, code: str = "no_face") -> None:
    endings.fail(claim, code=code, permanent=True)


def time_is_up(submission: Submission) -> None:
    over = timezone.now() - timedelta(seconds=1)
    Submission.objects.filter(pk=submission.pk).update(patience_ends_at=over)
    upgrades.lose_patience(submission.pk)


def moves(submission: Submission) -> list[tuple[str, str, str]]:
    rows = submission.transitions.order_by("id")
    return list(rows.values_list("to_state", "reason", "note"))


def open_jobs(submission: Submission) -> list[tuple[str, str]]:
    rows = GenerationJob.objects.filter(submission=submission, outcome="").order_by("id")
    return list(rows.values_list("role", "engine"))


def chosen(submission: Submission) -> tuple[str, str]:
    figurine = submission.figurines.get(is_chosen=True)
    assert figurine.still.storage.exists(figurine.still.name or "")
    return figurine.role, figurine.recipe["engine"]


def pictures(submission: Submission) -> int:
    """How many of its figurines still have a picture."""
    return submission.figurines.exclude(still="").count()


def put_with_hosted(campaign: Campaign) -> Submission:
    """Of a campaign that has the hosted engine for its second, as its words say."""
    campaign.second_engine = "hosted"
    campaign.save(update_fields=["second_engine"])
    workers.beat(HOSTED)
    return shelf.put(campaign, S.QUEUED)


def klein_is_away() -> None:
    EngineWorker.objects.filter(engine="klein").delete()


def end(submission: Submission, moderator: User, how: str) -> None:
    actor = lifecycle.crew(moderator)
    match how:
        case "approve":
            approval.approve(submission, actor=actor)
        case "reject":
            approval.reject(submission, actor=actor, reason=RejectReason.OTHER)
        case "erase":
            retention.erase(submission, actor=lifecycle.PARTICIPANT)
        case "expire":
            retention.purge(now=timezone.now() + timedelta(days=40))
