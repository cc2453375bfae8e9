"""3 Generation: claim jobs under a lease (leases.py), call an engine, end them (endings.py)."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Collection, Sequence
from typing import Final

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from campaign import endings, hosted, leases, lifecycle, router, screening, turns, upgrades
from campaign.enums import IN_WORK, JobOutcome, SubmissionState
from campaign.errors import StorageAway
from campaign.leases import Claim
from campaign.models import GenerationJob, Submission
from figurine import engines
from figurine.engines import Engine
from figurine.engines.base import Batching, Limited, Order
from figurine.engines.hosted.ledger import Billed
from figurine.errors import Cancelled, DeviceLost
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
                endings.give_up(job, code=job.error_code or "worker_lost")
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
            return endings.end(held, made, started=started)
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
            away = endings.end(held, error, started=started) or away
    if not orders:
        return away
    outcomes: Sequence[list[Candidate] | Exception]
    try:
        outcomes = maker.generate_many([order for _, order in orders])
    except Exception as error:
        outcomes = [error] * len(orders)
    try:
        for (held, _), made in zip(orders, outcomes, strict=True):
            away = endings.end(held, made, started=started) or away
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
    job = endings.still_held(held).select_related("submission").first()
    if job is None:
        raise Cancelled
    return Order(
        selfie=screening.load_selfie(job.submission),
        recipe=Recipe.from_json(job.recipe),
        seeds=(job.seed,),
        progress=leases.reporter(held),
    )
