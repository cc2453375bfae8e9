"""3 Generation: claim jobs under a lease (leases.py), call an engine, store candidates."""

from __future__ import annotations

import functools
import io
import os
import time
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from PIL import Image

from campaign import hosted, leases, lifecycle, router, screening, storage, turns, upgrades
from campaign.enums import IN_WORK, JobOutcome, JobRole, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone, SelfieUnreadable, StorageAway
from campaign.leases import Claim
from campaign.models import Figurine, GenerationJob, Submission
from figurine import engines, marks
from figurine.engines import Engine
from figurine.engines.base import Batching, Limited, Order
from figurine.engines.hosted.ledger import Billed
from figurine.errors import Cancelled, DeviceLost, FigurineError, NoFaceInFigurine
from figurine.types import Candidate, Recipe

log = structlog.get_logger(__name__)

S = SubmissionState

HARD_LIMIT_S: Final = 60.0
"""A face, for an engine that does not say: a squad is that many times the work."""
TRIES: Final = 5
STEP_ASIDE_S: Final = 0.02
"""A claim takes a few milliseconds. Whoever is rung for the same submission at the same moment
steps over its lock, and finds it free after this."""


@functools.cache
def engine(name: str) -> Engine:
    """The one engine of this name in this process. Raises ValueError for an unknown name."""
    return engines.load(name, settings.WORKSHOP)


def drop(endpoint: str, request_id: str) -> bool:
    """Ask the provider to drop a picture that nobody waits for. Whether it has answered.

    Raises ProviderUnpaid without a key.
    """
    maker = engine("hosted")
    return isinstance(maker, Billed) and maker.drop(endpoint, request_id)


def ready_jobs(names: Collection[str] = (router.SCULPT,)) -> QuerySet[GenerationJob]:
    """Jobs for these engines that nobody holds, oldest first."""
    return leases.ready(GenerationJob.objects.filter(engine__in=names))


def ready_engines() -> set[str]:
    """Names of the engines for which a job is ready."""
    ready = leases.ready(GenerationJob.objects.all()).order_by()
    return set(ready.values_list("engine", flat=True).distinct())


# --- claiming ---------------------------------------------------------------------------------
def run_ready(names: Sequence[str] = (router.SCULPT,), *, limit: int = 1) -> int:
    """Claim ready jobs of these engines and make their figurines. Returns how many were claimed,
    or 0 where the storage is away: the next ones would come to nothing, too.

    limit: how many of an engine at most; one that serves several people at once says so itself.
    """
    return sum(_run(name, limit=limit) for name in names)


def _run(name: str, *, limit: int) -> int:
    maker = engine(name)
    many = maker if isinstance(maker, Batching) else None
    most = many.capacity() if many else limit
    take = functools.partial(claim, (name,), limit=most, shares_pass=many is not None)
    away: StorageAway | None = None
    with turns.taken(take) as claims:
        limit_s = _limit_s(maker, claims)
        with leases.renewed(claims, limit_s=limit_s, takes_turns=many is not None):
            if many and len(claims) > 1:
                away = _work_together(many, claims)
            else:
                for held in claims:
                    away = _work(maker, held) or away
    if away:
        log.error("storage away, its work waits", code=away.code, engine=name, error=str(away))
        return 0
    return len(claims)


def most_faces(claims: list[Claim]) -> int:
    """How many faces the largest squad among them has; 1 where all are alone."""
    asked = Submission.objects.filter(pk__in=[held.submission_id for held in claims])
    return max(
        (1 + len(others) for others in asked.values_list("other_faces", flat=True)), default=1
    )


def _limit_s(maker: Engine, claims: list[Claim]) -> float:
    """When all of these together count as hung. Those that share a pass share its time."""
    limits_s: dict[object, float] = {}
    jobs = GenerationJob.objects.filter(pk__in=[held.job_id for held in claims])
    for pk, recipe, others in jobs.values_list("pk", "recipe", "submission__other_faces"):
        faces = 1 + len(others)
        limit_s = HARD_LIMIT_S * faces
        if recipe and isinstance(maker, Limited):  # an erased one has none any more
            limit_s = maker.limit_s(Recipe.from_json(recipe), faces=faces)
        asked = {**recipe.get("options", {}), "pose": ""}
        shared = tuple(sorted(asked.items())) if isinstance(maker, Batching) else pk
        limits_s[shared] = max(limit_s, limits_s.get(shared, 0.0))
    return sum(limits_s.values())


def claim(
    names: Collection[str] = (router.SCULPT,),
    *,
    limit: int,
    is_alone: bool = True,
    shares_pass: bool = False,
) -> list[Claim]:
    """Take a lease on up to `limit` ready jobs; give up those that were tried too often.

    is_alone: whether this process has nothing else in hand that a job which broke could harm.
    shares_pass: whether what breaks in one of them is an error of all.
    """
    for tries_left in range(TRIES, 0, -1):
        claims = _claim(names, limit=limit, is_alone=is_alone, shares_pass=shares_pass)
        may_be_locked = connection.features.has_select_for_update_skip_locked
        if claims or not may_be_locked or not ready_jobs(names).exists():
            break
        if tries_left > 1:
            time.sleep(STEP_ASIDE_S)
    return claims


def _claim(names: Collection[str], *, limit: int, is_alone: bool, shares_pass: bool) -> list[Claim]:
    claims: list[Claim] = []
    with transaction.atomic():
        # The submission is locked with its job: everyone locks the submission first.
        jobs = ready_jobs(names).select_related("submission")
        for job in leases.locked(jobs, of=("self", "submission"))[:limit]:
            if leases.is_worn_out(job):
                _give_up(job, code=job.error_code or "worker_lost")
                continue
            # What was in hand when something broke is tried alone: nobody else shall suffer twice.
            # Who loses its lease may have ended its process; other errors were a job's own.
            is_suspect = job.lease_token is not None or (shares_pass and job.attempt > 0)
            if is_suspect and (claims or not is_alone):
                break
            if held := _claim_one(job, is_suspect=is_suspect):
                claims.append(held)
            if is_suspect:
                break
    return claims


def _claim_one(job: GenerationJob, *, is_suspect: bool) -> Claim | None:
    submission = job.submission
    if S(submission.state) not in IN_WORK and not upgrades.may_replace(submission):
        log.error("job of nobody's", job=job.pk, state=submission.state)
        leases.close(GenerationJob.objects.filter(pk=job.pk), outcome=JobOutcome.CANCELLED)
        return None
    taken = leases.take(job, submission_id=job.submission_id, is_suspect=is_suspect)
    if submission.state == S.GENERATING and job.lease_token:
        lifecycle.transition(submission, S.QUEUED, actor=lifecycle.SYSTEM, reason="lease_expired")
    if submission.state == S.QUEUED:
        lifecycle.transition(submission, S.GENERATING, actor=lifecycle.SYSTEM)
    return taken


# --- making -----------------------------------------------------------------------------------
def _work(maker: Engine, held: Claim) -> StorageAway | None:
    """Make one figurine; whatever goes wrong is its own, but for what is returned."""
    started = time.monotonic()
    with structlog.contextvars.bound_contextvars(submission=str(held.submission_id)):
        try:
            order = _order(held)
            if isinstance(maker, Billed):
                maker = maker.billed(hosted.JobLedger(held.job_id))
            made: list[Candidate] | Exception = maker.generate(
                order.selfie, order.recipe, seeds=order.seeds, progress=order.progress
            )
        except Exception as error:
            made = error
        try:
            return _end(held, made, started=started)
        finally:
            _leave_lost_device(made)


def _work_together(maker: Batching, claims: Sequence[Claim]) -> StorageAway | None:
    """Make the figurines of several people in one go; each has an outcome of its own, but for what
    is returned."""
    started = time.monotonic()
    away: StorageAway | None = None
    orders: list[tuple[Claim, Order]] = []
    for held in claims:
        try:
            orders.append((held, _order(held)))
        except Exception as error:
            away = _end(held, error, started=started) or away
    if not orders:
        return away
    outcomes: Sequence[list[Candidate] | Exception]
    try:
        outcomes = maker.generate_many([order for _, order in orders])
    except Exception as error:
        outcomes = [error] * len(orders)
    try:
        for (held, _), made in zip(orders, outcomes, strict=True):
            away = _end(held, made, started=started) or away
    finally:
        _leave_lost_device(*outcomes)
    return away


def _leave_lost_device(*outcomes: list[Candidate] | Exception) -> None:
    """End this process where its GPU answers no more, even if no outcome could be written: every
    next job would fail within a moment, until the queue is empty."""
    if any(isinstance(made, DeviceLost) for made in outcomes):
        log.critical("the GPU answers no more, this worker ends itself")
        os._exit(leases.HUNG_STATUS)


def _order(held: Claim) -> Order:
    """Raises Cancelled where the job is another's by now, and as screening.load_selfie does."""
    job = _held(held).select_related("submission").first()
    if job is None:
        raise Cancelled
    return Order(
        selfie=screening.load_selfie(job.submission),
        recipe=Recipe.from_json(job.recipe),
        seeds=(job.seed,),
        progress=leases.reporter(held),
    )


def _end(held: Claim, made: list[Candidate] | Exception, *, started: float) -> StorageAway | None:
    """Store what was made, or give the job back, or give it up. Returns what is everybody's
    trouble."""
    with structlog.contextvars.bound_contextvars(submission=str(held.submission_id)):
        try:
            if isinstance(made, Exception):
                raise made
            if marks.NO_FACE_IN_FIGURINE in made[0].marks:
                raise NoFaceInFigurine
            _store(held, made)
        except Cancelled:
            log.info("generation stopped", job=held.job_id)
        except NoFaceInFigurine as error:
            # For good: it has tried other seeds by itself. Sculpt's has a face, so nothing of this
            # is kept, and what is in review stands.
            _failed(held, code=error.code, permanent=True)
        except FigurineError as error:
            _failed(held, code=error.code, permanent=error.permanent)
        except SelfieGone as error:
            _failed(held, code=error.code, permanent=True)
        except SelfieUnreadable as error:
            log.error("selfie not read", job=held.job_id, error=str(error))
            _failed(held, code=error.code, permanent=False)
        except StorageAway as error:
            return _put_off(held, error)
        except Exception:
            log.exception("generation broke", job=held.job_id)
            _failed(held, code="engine_broke", permanent=False)
        else:
            log.info("generation done", job=held.job_id, took_ms=_ms_since(started))
    return None


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


# --- storing ----------------------------------------------------------------------------------
def _store(held: Claim, candidates: Sequence[Candidate]) -> None:
    """Write the best one's files, then rows under the lease; take the files back if it was lost."""
    figurine = _written(held, candidates[0])
    try:
        with transaction.atomic():
            submission = _locked(held.submission_id)
            role = _held(held).values_list("role", flat=True).first()
            finished = _held(held).update(
                outcome=JobOutcome.DONE, finished_at=timezone.now(), percent=100
            )
            if role is None or not finished:
                raise Cancelled
            _place(figurine, submission, role=JobRole(role))
    except (Cancelled, IllegalTransition) as lost:
        # After any other failure the commit's fate is unknown: the orphans' hour tidies up.
        storage.take_back((figurine.still, figurine.cutout))
        raise Cancelled from lost


def _written(held: Claim, candidate: Candidate) -> Figurine:
    """A figurine whose files are in the store and whose row is not. Raises StorageAway."""
    figurine = Figurine(
        submission_id=held.submission_id,
        recipe=candidate.recipe.as_json(),
        seed=candidate.seed,
        engine_version=candidate.engine_version,
        likeness=candidate.likeness,
        marks=list(candidate.marks),
        cost_usd=Decimal(str(round(candidate.cost_usd, 4))),
        timings_ms=dict(candidate.timings_ms),
    )
    still = ContentFile(encode_still(candidate), "still.jpg")
    cutout = ContentFile(encode_cutout(candidate), "cutout.webp")
    storage.write([(figurine.still, still), (figurine.cutout, cutout)])
    return figurine


def _place(figurine: Figurine, submission: Submission, *, role: JobRole) -> None:
    """To review with it; or beside, where it is sculpt's and another engine works.

    Raises IllegalTransition.
    """
    figurine.submission, figurine.role = submission, role
    if role == JobRole.STAND_IN:
        figurine.save(force_insert=True)
        upgrades.stand_in_stored(submission)
        return
    reason = ""
    if submission.state not in IN_WORK:
        if not upgrades.may_replace(submission):
            raise IllegalTransition(submission.pk, submission.state, S.REVIEW)
        reason = upgrades.UPGRADED
    upgrades.choose(figurine)
    lifecycle.transition(
        submission,
        S.REVIEW,
        actor=lifecycle.SYSTEM,
        reason=reason,
        note=f"{figurine.recipe['engine']}'s takes the place of sculpt's" if reason else "",
    )


def _held(claim: Claim) -> QuerySet[GenerationJob]:
    """As leases.held, of a figurine's job."""
    return GenerationJob.objects.filter(pk=claim.job_id, lease_token=claim.lease_token, outcome="")


def _locked(submission_id: UUID) -> Submission:
    return Submission.objects.select_for_update().get(pk=submission_id)


def _failed(held: Claim, *, code: str, permanent: bool) -> None:
    """Give the job back for another try, or give it up."""
    with transaction.atomic():
        submission = _locked(held.submission_id)
        job = _held(held).first()
        if job is None:
            return
        if permanent or leases.is_worn_out(job):
            job.submission = submission
            _give_up(job, code=code)
            return
        leases.try_later(held, attempt=job.attempt, code=code)
        _wait_again(submission, code=code)


def _put_off(held: Claim, away: StorageAway) -> StorageAway:
    """Give the job back for when the storage is there again, however long that takes."""
    with transaction.atomic():
        submission = _locked(held.submission_id)
        if leases.put_off(held, code=away.code):
            _wait_again(submission, code=away.code)
    return away


def _wait_again(submission: Submission, *, code: str) -> None:
    """Back to the queue; while another engine is at it, the submission is still being made."""
    if submission.state == S.GENERATING and not upgrades.in_hand(submission).exists():
        lifecycle.transition(submission, S.QUEUED, actor=lifecycle.SYSTEM, reason=code)


def _give_up(job: GenerationJob, *, code: str) -> None:
    """Fail for good; but another engine may go on, and a re-roll leaves what was there before."""
    same = GenerationJob.objects.filter(pk=job.pk, lease_token=job.lease_token)
    if not leases.close(same, outcome=JobOutcome.FAILED, code=code):
        return  # who took over ends it
    submission = job.submission
    log.error("generation given up", job=job.pk, engine=job.engine, code=code)
    why = f"{job.engine} failed ({code})"
    if S(submission.state) not in IN_WORK:
        late = f"{why}: what is in review stays"
        lifecycle.note(submission, actor=lifecycle.SYSTEM, reason=code, note=late)
    elif not upgrades.engine_failed(job, code=code) and not upgrades.withdraw(
        submission, reason=code, note=why
    ):
        lifecycle.transition(submission, S.FAILED, actor=lifecycle.SYSTEM, reason=code, note=why)


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
