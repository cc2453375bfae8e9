"""Submissions as the crew finds them: moved by the lifecycle, with a selfie and a figurine."""

from __future__ import annotations

import functools
import io
import uuid
from datetime import timedelta
from typing import Any, Final

from django.core.files.base import ContentFile
from django.db.models import F
from django.utils import timezone
from PIL import Image, ImageDraw

from campaign import approval, lifecycle, screening
from campaign.consent import text_sha256
from campaign.enums import HoldReason, JobOutcome, RecallReason, RejectReason, SubmissionState
from campaign.models import Campaign, Consent, ConsentText, Figurine, Submission
from figurine import decode, gate
from tests.photos import portrait
from tests.stack import wait_until

S = SubmissionState

FACE: Final = {"mesh_score": 0.97, "width_px": 311.4, "box": [180.0, 120.0, 260.0, 300.0]}
WAY: Final = (S.SCREENING, S.QUEUED, S.GENERATING, S.REVIEW, S.APPROVED)
"""Every submission here has come along it, as far as its state says."""


@functools.cache
def selfie_jpeg() -> bytes:
    with Image.open(portrait()) as photo:
        small = photo.convert("RGB")
        small.thumbnail((640, 640))
    return _jpeg(small)


def measured() -> dict[str, Any]:
    """What intake would have measured of that selfie; FACE is only what the desk shows of it."""
    return gate.admit(decode.decode(selfie_jpeg())).faces[0].as_json()


def figurine_jpeg(shade: int) -> bytes:
    """A drawn figure, each shade of its own, so that a test can tell two pictures apart."""
    image = Image.new("RGB", (540, 675), (shade, 190, 140))
    ImageDraw.Draw(image).ellipse((170, 60, 370, 300), fill=(79, 107, 53))
    return _jpeg(image)


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def put(
    campaign: Campaign,
    state: SubmissionState = S.REVIEW,
    *,
    plaque: str = "",
    actor: lifecycle.Actor = lifecycle.SYSTEM,
) -> Submission:
    """One more submission in this state; it has waited a second longer than any later one."""
    Campaign.objects.filter(pk=campaign.pk).update(series_head=F("series_head") + 1)
    number = Campaign.objects.values_list("series_head", flat=True).get(pk=campaign.pk)
    submission = Submission(
        campaign=campaign,
        number=number,
        idempotency_key=str(uuid.uuid4()),
        plaque=plaque,
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=20),
        figurine_purge_at=timezone.now() + timedelta(days=30),
        nsfw_score=0.52 if state == S.HELD else 0.03,
        hold_reason=HoldReason.SAFETY_UNSURE if state == S.HELD else "",
        face=FACE,
    )
    submission.selfie.save("selfie.jpg", ContentFile(selfie_jpeg()), save=False)
    submission.save(force_insert=True)
    words = ConsentText.objects.get_or_create(
        sha256=text_sha256(campaign.terms), defaults={"text": campaign.terms}
    )[0]
    Consent.objects.create(submission=submission, version="2026-11", text_sha256=words.sha256)
    _walk(submission, state, actor=actor)
    return submission


def _walk(submission: Submission, state: SubmissionState, *, actor: lifecycle.Actor) -> None:
    def move(to: SubmissionState) -> None:
        lifecycle.transition(submission, to, actor=lifecycle.SYSTEM)

    move(S.SCREENING)
    if state in {S.HELD, S.SCREENING}:
        return move(S.HELD) if state == S.HELD else None
    screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    if state == S.QUEUED:
        return None
    move(S.GENERATING)
    if state == S.GENERATING:
        return None
    outcome = JobOutcome.FAILED if state == S.FAILED else JobOutcome.DONE
    submission.jobs.update(outcome=outcome, finished_at=timezone.now())
    if state == S.FAILED:
        return move(S.FAILED)
    figurine = Figurine(
        submission=submission, recipe={}, seed=1, engine_version="drawn", is_chosen=True
    )
    picture = ContentFile(figurine_jpeg(40 * submission.number % 256))
    figurine.still.save("still.jpg", picture, save=False)
    figurine.cutout.save("cutout.jpg", picture, save=False)
    figurine.save()
    move(S.REVIEW)
    if state in {S.APPROVED, S.RECALLED}:
        approval.approve(submission, actor=actor)
    if state == S.RECALLED:
        approval.recall(submission, actor=actor, reason=RecallReason.PRODUCER)
    if state == S.REJECTED:
        approval.reject(submission, actor=actor, reason=RejectReason.OTHER)
    return None


def state_of(submission: Submission) -> str:
    return Submission.objects.values_list("state", flat=True).get(pk=submission.pk)


def becomes(submission: Submission, state: SubmissionState) -> None:
    wait_until(
        lambda: state_of(submission) == state,
        within_s=5,
        what=f"{submission} becomes {state}, is {state_of(submission)}",
    )
