"""3 Generation: claim jobs under a lease, call an engine, store candidates.

A worker that dies holds its lease for at most LEASE_S; then the job is anyone's again. A worker
that was only slow finds its token gone when it writes, and changes nothing.
"""

from __future__ import annotations

import functools
import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone
from PIL import Image

from campaign import lifecycle, progress, rerolls, retention, screening, signals
from campaign.enums import IN_WORK, JobOutcome, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone
from campaign.models import Figurine, GenerationJob, Submission, Transition
from figurine import engines
from figurine.errors import Cancelled, FigurineError
from figurine.types import Candidate, Recipe

log = structlog.get_logger(__name__)

LEASE_S: Final = 5.0
RENEW_S: Final = 1.0
HARD_LIMIT_S: Final = 60.0
"""A job that takes longer is hung. Celery's solo pool has no time limit, and a thread cannot stop
another, so the process ends itself and its supervisor starts a new one."""
HUNG_STATUS: Final = 70
MAX_ATTEMPTS: Final = 3
RETRY_DELAY_S: Final = 2.0
PROGRESS_EVERY_S: Final = 0.2

engine = functools.cache(engines.load)
"""One warm engine a process."""


@dataclass(frozen=True)
class Claim:
    job_id: int
    submission_id: UUID
    lease_token: UUID


def ready_jobs() -> QuerySet[GenerationJob]:
    """Jobs that nobody holds, oldest first."""
    now = timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return GenerationJob.objects.filter(free, outcome="", ready_at__lte=now).order_by("ready_at")


def run_ready(*, limit: int = 1) -> int:
    """Claim up to `limit` jobs and make their figurines. Returns how many were claimed."""
    claims = claim(limit=limit)
    with _renewed(claims):
        for held in claims:
            with structlog.contextvars.bound_contextvars(submission=str(held.submission_id)):
                _work(held)
    return len(claims)


def claim(*, limit: int) -> list[Claim]:
    """Take a lease on up to `limit` ready jobs; give up those that were tried too often."""
    claims = []
    with transaction.atomic():
        jobs = ready_jobs().select_related("submission")
        # The submission is locked with its job: everyone locks the submission first.
        locked = jobs.select_for_update(
            of=("self", "submission") if connection.features.has_select_for_update_of else (),
            skip_locked=connection.features.has_select_for_update_skip_locked,
        )
        for job in locked[:limit]:
            if job.attempt >= MAX_ATTEMPTS:
                _give_up(job, code=job.error_code or "worker_lost")
                continue
            claims.append(_claim_one(job))
    return claims


def _claim_one(job: GenerationJob) -> Claim:
    token = uuid4()
    now = timezone.now()
    GenerationJob.objects.filter(pk=job.pk).update(
        lease_token=token,
        lease_until=now + timedelta(seconds=LEASE_S),
        claimed_at=now,
        attempt=F("attempt") + 1,
        stage="",
        percent=0,
    )
    if job.submission.state == SubmissionState.GENERATING:
        lifecycle.transition(
            job.submission, SubmissionState.QUEUED, actor=lifecycle.SYSTEM, reason="lease_expired"
        )
    lifecycle.transition(job.submission, SubmissionState.GENERATING, actor=lifecycle.SYSTEM)
    return Claim(job.pk, job.submission_id, token)


@receiver(signals.transitioned, sender=Submission, dispatch_uid="campaign.generation.close")
def close_job(submission: Submission, transition: Transition, **_: object) -> None:
    """No submission leaves the workshop with a job still open: it would be claimed for ever."""
    if transition.to_state not in IN_WORK and transition.from_state in IN_WORK:
        GenerationJob.objects.filter(submission=submission, outcome="").update(
            outcome=JobOutcome.CANCELLED, finished_at=timezone.now(), lease_token=None
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
            progress=_reporter(held),
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


def _held(held: Claim) -> QuerySet[GenerationJob]:
    return GenerationJob.objects.filter(pk=held.job_id, lease_token=held.lease_token, outcome="")


@contextmanager
def _renewed(claims: list[Claim]) -> Iterator[None]:
    """Keep all leases alive from a thread of its own while the block runs."""
    done = threading.Event()

    def renew() -> None:
        deadline = time.monotonic() + HARD_LIMIT_S * len(claims)
        tokens = [held.lease_token for held in claims]
        while not done.wait(RENEW_S):
            if time.monotonic() > deadline:
                log.critical("generation hangs, this worker ends itself", jobs=len(claims))
                os._exit(HUNG_STATUS)
            until = timezone.now() + timedelta(seconds=LEASE_S)
            try:
                GenerationJob.objects.filter(lease_token__in=tokens, outcome="").update(
                    lease_until=until
                )
            except DatabaseError as error:
                log.warning("lease not renewed this time", error=type(error).__name__)
            finally:
                connection.close()

    if not claims:
        yield
        return
    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _reporter(held: Claim) -> engines.Progress:
    """A progress callback that writes at most every PROGRESS_EVERY_S and stops a lost job."""
    last_at = 0.0
    last_stage = ""

    def report(stage: str, done: float) -> None:
        nonlocal last_at, last_stage
        now = time.monotonic()
        if stage == last_stage and now - last_at < PROGRESS_EVERY_S:
            return
        last_at, last_stage = now, stage
        if not _held(held).update(stage=stage, percent=round(100 * done)):
            raise Cancelled
        progress.nudge(held.submission_id)

    return report


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
            finished = _held(held).update(
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
        _locked(held.submission_id)
        job = _held(held).select_related("submission").first()
        if job is None:
            return
        job.error_code = code
        if permanent or job.attempt >= MAX_ATTEMPTS:
            _give_up(job, code=code)
            return
        GenerationJob.objects.filter(pk=job.pk).update(
            error_code=code,
            lease_token=None,
            lease_until=None,
            ready_at=timezone.now() + timedelta(seconds=RETRY_DELAY_S * job.attempt),
        )
        lifecycle.transition(
            job.submission, SubmissionState.QUEUED, actor=lifecycle.SYSTEM, reason=code
        )


def _give_up(job: GenerationJob, *, code: str) -> None:
    """Fail for good; but a re-roll leaves what was there before it."""
    GenerationJob.objects.filter(pk=job.pk).update(
        outcome=JobOutcome.FAILED, error_code=code, finished_at=timezone.now(), lease_token=None
    )
    if not rerolls.withdraw(job.submission, reason=code):
        lifecycle.transition(
            job.submission, SubmissionState.FAILED, actor=lifecycle.SYSTEM, reason=code
        )
    log.error("generation given up", submission=str(job.submission_id), code=code)


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
