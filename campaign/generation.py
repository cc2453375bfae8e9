"""3 Generation: claim jobs under a lease (leases.py), call an engine, store candidates."""

from __future__ import annotations

import functools
import io
import time
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils import timezone
from PIL import Image

from campaign import leases, lifecycle, rerolls, retention, screening, signals
from campaign.enums import IN_WORK, JobOutcome, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone
from campaign.leases import Claim
from campaign.models import Figurine, GenerationJob, Submission, Transition
from figurine import engines
from figurine.engines import Engine
from figurine.errors import Cancelled, FigurineError
from figurine.types import Candidate, Recipe

log = structlog.get_logger(__name__)

HARD_LIMIT_S: Final = 60.0
"""A face: a squad is that many times the work."""


@functools.cache
def engine(name: str) -> Engine:
    """The one engine of this name in this process. Raises ValueError for an unknown name."""
    return engines.load(name, settings.WORKSHOP)


def ready_jobs() -> QuerySet[GenerationJob]:
    """Jobs that nobody holds, oldest first."""
    return leases.ready(GenerationJob.objects.all())


def run_ready(*, limit: int = 1) -> int:
    """Claim up to `limit` jobs and make their figurines. Returns how many were claimed."""
    claims = claim(limit=limit)
    with leases.renewed(claims, limit_s=HARD_LIMIT_S * most_faces(claims)):
        for held in claims:
            with structlog.contextvars.bound_contextvars(submission=str(held.submission_id)):
                _work(held)
    return len(claims)


def most_faces(claims: list[Claim]) -> int:
    """How many faces the largest squad among them has; 1 where all are alone."""
    asked = Submission.objects.filter(pk__in=[held.submission_id for held in claims])
    return max(
        (1 + len(others) for others in asked.values_list("other_faces", flat=True)), default=1
    )


def claim(*, limit: int) -> list[Claim]:
    """Take a lease on up to `limit` ready jobs; give up those that were tried too often."""
    claims = []
    with transaction.atomic():
        # The submission is locked with its job: everyone locks the submission first.
        jobs = ready_jobs().select_related("submission")
        for job in leases.locked(jobs, of=("self", "submission"))[:limit]:
            if leases.is_worn_out(job):
                _give_up(job, code=job.error_code or "worker_lost")
                continue
            claims.append(_claim_one(job))
    return claims


def _claim_one(job: GenerationJob) -> Claim:
    taken = leases.take(job, submission_id=job.submission_id)
    if job.submission.state == SubmissionState.GENERATING:
        lifecycle.transition(
            job.submission, SubmissionState.QUEUED, actor=lifecycle.SYSTEM, reason="lease_expired"
        )
    lifecycle.transition(job.submission, SubmissionState.GENERATING, actor=lifecycle.SYSTEM)
    return taken


@receiver(signals.transitioned, sender=Submission, dispatch_uid="campaign.generation.close")
def close_job(submission: Submission, transition: Transition, **_: object) -> None:
    """No submission leaves the workshop with a job still open: it would be claimed for ever."""
    if transition.to_state not in IN_WORK and transition.from_state in IN_WORK:
        leases.close(
            GenerationJob.objects.filter(submission=submission), outcome=JobOutcome.CANCELLED
        )


def _work(held: Claim) -> None:
    job = GenerationJob.objects.select_related("submission").get(pk=held.job_id)
    started = time.monotonic()
    try:
        recipe = Recipe.from_json(job.recipe)
        candidates = engine(recipe.engine).generate(
            screening.load_selfie(job.submission),
            recipe,
            seeds=[job.seed],
            progress=leases.reporter(held),
        )
        _store(held, candidates)
    except Cancelled:
        log.info("generation stopped", job=held.job_id)
    except FigurineError as error:
        _failed(held, code=error.code, permanent=error.permanent)
    except SelfieGone as error:
        _failed(held, code=error.code, permanent=True)
    except Exception:
        log.exception("generation broke", job=held.job_id)
        _failed(held, code="engine_broke", permanent=False)
    else:
        log.info("generation done", job=held.job_id, took_ms=_ms_since(started))


def encode_still(candidate: Candidate) -> bytes:
    """JPEG for keeping and sharing: every phone saves it."""
    out = io.BytesIO()
    Image.fromarray(candidate.still).save(out, "JPEG", quality=92, subsampling=0, optimize=True)
    return out.getvalue()


def encode_cutout(candidate: Candidate) -> bytes:
    """WebP with alpha, for layouts."""
    out = io.BytesIO()
    Image.fromarray(candidate.cutout).save(out, "WEBP", quality=90, method=4)
    return out.getvalue()


def _store(held: Claim, candidates: list[Candidate]) -> None:
    """Write files, then rows under the lease; take the files back if the lease was lost."""
    written = []
    try:
        figurines = []
        for candidate in candidates:
            figurine = Figurine(
                submission_id=held.submission_id,
                recipe=candidate.recipe.as_json(),
                seed=candidate.seed,
                engine_version=candidate.engine_version,
                timings_ms=dict(candidate.timings_ms),
            )
            for field, name, data in (
                (figurine.still, "still.jpg", encode_still(candidate)),
                (figurine.cutout, "cutout.webp", encode_cutout(candidate)),
            ):
                field.save(name, ContentFile(data), save=False)
                written.append(field)
            figurines.append(figurine)
        with transaction.atomic():
            submission = _locked(held.submission_id)
            finished = leases.held(held).update(
                outcome=JobOutcome.DONE, finished_at=timezone.now(), percent=100
            )
            if not finished:
                raise Cancelled
            # What was chosen before a re-roll is never shown again: its pictures go
            for earlier in Figurine.objects.filter(submission_id=held.submission_id):
                retention.forget_figurine(earlier)
            figurines[0].is_chosen = True
            for figurine in figurines:
                figurine.save(force_insert=True)
            made = figurines[0]
            submission.kit, submission.finish = made.recipe["kit"], made.recipe["finish"]
            submission.seed = made.seed
            submission.save(update_fields=["kit", "finish", "seed"])
            lifecycle.transition(submission, SubmissionState.REVIEW, actor=lifecycle.SYSTEM)
    except (Cancelled, IllegalTransition) as lost:
        # After any other failure the commit's fate is unknown: the orphans' hour tidies up.
        for field in written:
            field.delete(save=False)
        raise Cancelled from lost


def _locked(submission_id: UUID) -> Submission:
    return Submission.objects.select_for_update().get(pk=submission_id)


def _failed(held: Claim, *, code: str, permanent: bool) -> None:
    """Give the job back for another try, or give it up."""
    with transaction.atomic():
        submission = _locked(held.submission_id)
        job = leases.held(held).first()
        if not isinstance(job, GenerationJob):
            return
        if permanent or leases.is_worn_out(job):
            job.submission = submission
            _give_up(job, code=code)
            return
        if leases.try_later(held, attempt=job.attempt, code=code):
            lifecycle.transition(
                submission, SubmissionState.QUEUED, actor=lifecycle.SYSTEM, reason=code
            )


def _give_up(job: GenerationJob, *, code: str) -> None:
    """Fail for good; but a re-roll leaves what was there before it."""
    same = GenerationJob.objects.filter(pk=job.pk, lease_token=job.lease_token)
    if not leases.close(same, outcome=JobOutcome.FAILED, code=code):
        return  # who took over ends it
    if not rerolls.withdraw(job.submission, reason=code):
        lifecycle.transition(
            job.submission, SubmissionState.FAILED, actor=lifecycle.SYSTEM, reason=code
        )
    log.error("generation given up", submission=str(job.submission_id), code=code)


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
