"""2 Screening: scores and the campaign's policy decide pass, hold for a person, or reject."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from campaign import dispatch, lifecycle, storage
from campaign.enums import HoldReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone, SelfieUnreadable, StorageAway
from campaign.models import Campaign, Figurine, Submission
from figurine import decode, safety, sandbox
from figurine.types import Face, Recipe, SafetyScores, Selfie

log = structlog.get_logger(__name__)

GIVE_UP_AFTER: Final = timedelta(minutes=1)
"""A dozen tries by the sweep; then a person decides instead of a tool that does not work."""
NEIGHBOURS: Final = 20
"""How many selfies, and figurines, are looked for before a whole storage counts as away."""


def screen(submission_id: UUID) -> None:
    """Score one submission and move it on. Harmless when rung twice or late."""
    submission = Submission.objects.select_related("campaign").get(pk=submission_id)
    if submission.state != SubmissionState.SCREENING:
        return
    nsfw_score: float | None = None
    verdict: RejectReason | HoldReason | None
    try:
        selfie = load_selfie(submission)
        scores = safety.score(selfie.pixels)
        nsfw_score = scores.nsfw
        verdict = judge(scores, _least_certain(selfie), campaign=submission.campaign)
    except SelfieGone as gone:
        with suppress(IllegalTransition):
            _move(submission, SubmissionState.FAILED, reason=gone.code)
        return
    except Exception:
        if timezone.now() < submission.state_since_at + GIVE_UP_AFTER:
            raise
        log.exception("screening given up, a person decides", submission=str(submission_id))
        verdict = HoldReason.NOT_SCREENED
    try:
        with transaction.atomic():
            if isinstance(verdict, RejectReason):
                _move(submission, SubmissionState.REJECTED, reason=verdict)
            elif isinstance(verdict, HoldReason):
                _move(submission, SubmissionState.HELD, reason=verdict)
            else:
                enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
            submission.nsfw_score = nsfw_score
            submission.hold_reason = verdict if isinstance(verdict, HoldReason) else ""
            submission.save(update_fields=["nsfw_score", "hold_reason"])
    except IllegalTransition:
        log.info("screening came late", submission=str(submission_id))


def _move(submission: Submission, to: SubmissionState, *, reason: str) -> None:
    lifecycle.transition(
        submission,
        to,
        actor=lifecycle.SYSTEM,
        only_from=SubmissionState.SCREENING,
        reason=reason,
    )


def load_selfie(submission: Submission) -> Selfie:
    """Read the stored photo and what intake measured of it. Raises SelfieGone,
    SelfieUnreadable, StorageAway; where it must be measured once more, as sandbox.inspect_upload.
    """
    if not submission.selfie:
        raise SelfieGone
    try:
        photo = storage.read(submission.selfie)
    except FileNotFoundError as error:
        if _is_everybodys_gone(submission):
            raise StorageAway("rows name files and not one is there") from error
        raise SelfieGone from error
    except StorageAway as error:
        if storage.is_read(_neighbours(submission)):
            raise SelfieUnreadable(str(error)) from error
        raise
    if submission.face is None:
        _measure_again(submission, photo)
    pixels = decode.decode(photo)
    found = (submission.face, *submission.other_faces)
    return Selfie(pixels, tuple(Face.from_json(face) for face in found))


def _measure_again(submission: Submission, photo: bytes) -> None:
    """A backup has nobody's measurements in it, and whoever was in work goes on once it is put
    back. Raises SelfieGone where it was purged meanwhile, as sandbox.inspect_upload does else."""
    upload = sandbox.inspect_upload(photo, most_faces=submission.campaign.most_faces)
    face, *others = (face.as_json() for face in upload.faces)
    # Only beside its selfie: with that, the measurements go.
    there = Submission.objects.filter(pk=submission.pk, selfie=submission.selfie.name)
    if not there.update(face=face, other_faces=others):
        raise SelfieGone
    submission.face, submission.other_faces = face, others


def _is_everybodys_gone(submission: Submission) -> bool:
    """Whether this row still names its selfie, and others name files that are not there either:
    then a disk is not mounted, say.
    """
    if not Submission.objects.filter(pk=submission.pk).exclude(selfie="").exists():
        return False
    others = _neighbours(submission)
    return bool(others) and not storage.has_any(others)


def _neighbours(submission: Submission) -> list[str]:
    """Names of files that were stored before this selfie; those of later selfies only where there
    are none, since what came after may lie where a disk should be that is not mounted.
    """
    named = Submission.objects.exclude(selfie="").exclude(pk=submission.pk)
    before = named.filter(created_at__lt=submission.created_at).order_by("-created_at")
    made = Figurine.objects.exclude(still="").filter(created_at__lt=submission.created_at)
    stills = made.order_by("-created_at").values_list("still", flat=True)
    found = [*before.values_list("selfie", flat=True)[:NEIGHBOURS], *stills[:NEIGHBOURS]]
    return found or [*named.order_by("created_at").values_list("selfie", flat=True)[:NEIGHBOURS]]


def _least_certain(selfie: Selfie) -> Face:
    return min(selfie.faces, key=lambda face: face.mesh_score)


def judge(
    scores: SafetyScores, face: Face, *, campaign: Campaign
) -> RejectReason | HoldReason | None:
    """The campaign's policy, pure: None means pass."""
    # Written so that a score that is no number at all does not pass.
    if scores.nsfw >= campaign.nsfw_reject:
        return RejectReason.UNSAFE
    if not scores.nsfw < campaign.nsfw_hold:
        return HoldReason.SAFETY_UNSURE
    if not face.mesh_score >= campaign.quality_hold:
        return HoldReason.QUALITY_UNSURE
    return None


def enqueue(
    submission: Submission,
    *,
    actor: lifecycle.Actor,
    only_from: SubmissionState,
    reason: str = "",
) -> None:
    """Write the jobs and move to the queue, in one transaction."""
    recipe = Recipe(
        engine=submission.campaign.engine,
        kit=submission.kit,
        finish=submission.finish,
        plaque=submission.plaque,
    )
    dispatch.put_to_work(
        submission,
        recipe,
        seed=submission.seed,
        actor=actor,
        only_from=only_from,
        reason=reason,
    )
