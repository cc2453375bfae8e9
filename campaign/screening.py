"""2 Screening: scores and the campaign's policy decide pass, hold for a person, or reject."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import structlog
from django.db import transaction

from campaign import lifecycle
from campaign.enums import HoldReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone
from campaign.models import Campaign, GenerationJob, Submission
from figurine import decode, safety
from figurine.types import Face, Recipe, SafetyScores, Selfie

log = structlog.get_logger(__name__)

QUALITY_HOLD_SCORE: Final = 0.6
"""Mesh confidence below which a person looks first. Good portraits score 0.9 and more."""


def screen(submission_id: UUID) -> None:
    """Score one submission and move it on. Harmless when rung twice or late."""
    submission = Submission.objects.select_related("campaign").get(pk=submission_id)
    if submission.state != SubmissionState.SCREENING:
        return
    try:
        selfie = load_selfie(submission)
    except SelfieGone as gone:
        lifecycle.transition(
            submission, SubmissionState.FAILED, actor=lifecycle.SYSTEM, reason=gone.code
        )
        return
    scores = safety.score(selfie.pixels)
    verdict = judge(scores, selfie.faces[0], campaign=submission.campaign)
    try:
        with transaction.atomic():
            submission.nsfw_score = scores.nsfw
            submission.hold_reason = verdict if isinstance(verdict, HoldReason) else ""
            submission.save(update_fields=["nsfw_score", "hold_reason"])
            if isinstance(verdict, RejectReason):
                lifecycle.transition(
                    submission, SubmissionState.REJECTED, actor=lifecycle.SYSTEM, reason=verdict
                )
            elif isinstance(verdict, HoldReason):
                lifecycle.transition(
                    submission, SubmissionState.HELD, actor=lifecycle.SYSTEM, reason=verdict
                )
            else:
                enqueue(submission, actor=lifecycle.SYSTEM)
    except IllegalTransition:
        log.info("screening came late", submission=str(submission_id))


def load_selfie(submission: Submission) -> Selfie:
    """Read the stored photo and what intake measured of it. Raises SelfieGone."""
    if not submission.selfie or submission.face is None:
        raise SelfieGone
    try:
        with submission.selfie.open() as file:
            pixels = decode.decode(file.read())
    except FileNotFoundError as error:
        raise SelfieGone from error
    return Selfie(pixels, (Face.from_json(submission.face),))


def judge(
    scores: SafetyScores, face: Face, *, campaign: Campaign
) -> RejectReason | HoldReason | None:
    """The campaign's policy, pure: None means pass."""
    if scores.nsfw >= campaign.nsfw_reject:
        return RejectReason.UNSAFE
    if scores.nsfw >= campaign.nsfw_hold:
        return HoldReason.SAFETY_UNSURE
    if face.mesh_score < QUALITY_HOLD_SCORE:
        return HoldReason.QUALITY_UNSURE
    return None


def enqueue(submission: Submission, *, actor: lifecycle.Actor, reason: str = "") -> None:
    """Write a job and move to the queue, in one transaction."""
    with transaction.atomic():
        lifecycle.transition(submission, SubmissionState.QUEUED, actor=actor, reason=reason)
        recipe = Recipe(
            engine=submission.campaign.engine,
            kit=submission.kit,
            finish=submission.finish,
            plaque=submission.plaque,
        )
        GenerationJob.objects.create(
            submission=submission, recipe=recipe.as_json(), seed=submission.seed
        )
