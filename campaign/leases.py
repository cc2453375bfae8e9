"""Leases: work in the record that one worker holds at a time, and that outlives its holder.

A worker that dies holds its lease for at most LEASE_S; then the job is anyone's again. A worker
that was only slow finds its token gone when it writes, and changes nothing. Leases go by the
database's clock: machines that differ about the time take nothing out of each other's hands.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

import structlog
from django.db import DatabaseError, connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaign import progress, workers
from campaign.enums import JobOutcome
from campaign.models import LeasedJob
from figurine.errors import Cancelled

log = structlog.get_logger(__name__)

LEASE_S: Final = 5.0
RENEW_S: Final = 1.0
HUNG_STATUS: Final = 75
MAX_ATTEMPTS: Final = 3
RETRY_DELAY_S: Final = 2.0
PUT_OFF_S: Final = 10.0
"""Two sweeps: the next one finds somebody else first, whatever is the matter with this one."""
FARTHEST_S: Final = 60.0
"""Longer than any lease or delay that is written here, PUT_OFF_S at most, and than two machines'
clocks may differ: a moment further ahead was written before a clock was set back."""
PROGRESS_EVERY_S: Final = 0.2

Job = TypeVar("Job", bound=LeasedJob)


@dataclass(frozen=True)
class Claim:
    """A lease on one job, as its holder knows it."""

    jobs: type[LeasedJob]
    job_id: int
    submission_id: UUID
    lease_token: UUID
    is_suspect: bool = False
    """Whether it was in hand when something broke: nothing is tried beside it (turns.py)."""


def ready(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Those that nobody holds, oldest first.

    Only what was given back with an error waits for its moment: a new one is ready at once, even
    where whoever asked for it has a clock that is a little ahead, or its bell would be for nothing.

    A moment further ahead than FARTHEST_S was written before the clock was set back: nobody waits
    for it to come again. Who holds such a lease renews it within RENEW_S.
    """
    now = timezone.now()
    farthest = timedelta(seconds=FARTHEST_S)
    lapsed = Q(lease_until__lt=Now()) | Q(lease_until__gt=Now() + farthest)
    due = Q(error_code="") | Q(ready_at__lte=now) | Q(ready_at__gt=now + farthest)
    return jobs.filter(Q(lease_until__isnull=True) | lapsed, due, outcome="").order_by("ready_at")


def locked(jobs: QuerySet[Job], *, of: Sequence[str]) -> QuerySet[Job]:
    """Take row locks and step over what somebody else is claiming, where the database can."""
    return jobs.select_for_update(
        of=tuple(of) if connection.features.has_select_for_update_of else (),
        skip_locked=connection.features.has_select_for_update_skip_locked,
    )


def take(job: LeasedJob, *, submission_id: UUID, is_suspect: bool = False) -> Claim:
    """Write a lease into a row that is locked, and count the attempt."""
    claim = Claim(type(job), job.pk, submission_id, uuid4(), is_suspect)
    type(job)._default_manager.filter(pk=job.pk).update(
        lease_token=claim.lease_token,
        lease_until=Now() + timedelta(seconds=LEASE_S),
        claimed_at=timezone.now(),
        attempt=F("attempt") + 1,
        stage="",
        percent=0,
    )
    return claim


def held(claim: Claim) -> QuerySet[LeasedJob]:
    """The claimed job while the lease is still ours; whatever is written goes through this."""
    return claim.jobs._default_manager.filter(
        pk=claim.job_id, lease_token=claim.lease_token, outcome=""
    )


def is_worn_out(job: LeasedJob) -> bool:
    return job.attempt >= MAX_ATTEMPTS


def try_later(claim: Claim, *, attempt: int, code: str) -> bool:
    """Give the lease back; the job is ready again after a while that grows with its attempts.

    False where it was not ours any more: then nothing was changed.
    """
    given_back = held(claim).update(
        error_code=code,
        lease_token=None,
        lease_until=None,
        ready_at=timezone.now() + timedelta(seconds=RETRY_DELAY_S * attempt),
    )
    return given_back == 1


def put_off(claim: Claim, *, code: str) -> bool:
    """Give the lease back as if it had never been taken; the job is ready again after PUT_OFF_S.

    False where it was not ours any more: then nothing was changed.
    """
    given_back = held(claim).update(
        error_code=code,
        lease_token=None,
        lease_until=None,
        attempt=F("attempt") - 1,
        ready_at=timezone.now() + timedelta(seconds=PUT_OFF_S),
    )
    return given_back == 1


def close(jobs: QuerySet[Job], *, outcome: JobOutcome, code: str = "") -> int:
    """End open jobs, whoever holds them. Returns how many were open."""
    told = {"error_code": code} if code else {}
    return jobs.filter(outcome="").update(
        outcome=outcome, finished_at=timezone.now(), lease_token=None, **told
    )


@contextmanager
def renewed(
    claims: Sequence[Claim], *, limit_s: float, takes_turns: bool = False
) -> Iterator[None]:
    """Keep all leases alive from a thread of its own while the block runs.

    Work that takes longer than `limit_s`, all claims together, is hung; one that takes turns with
    other claims of this process has their time too (workers.at_work). Celery's pools without forks
    have no time limit, and a thread cannot stop another, so the process ends itself and its
    supervisor starts a new one. Where even this thread gets no turn, a watchdog outside sees that
    (deploy/pulse.py).
    """
    done = threading.Event()

    def renew(work: workers.Work) -> None:
        while not done.wait(RENEW_S):
            if time.monotonic() > work.due_s:
                log.critical("work hangs, this worker ends itself", jobs=len(claims))
                os._exit(HUNG_STATUS)
            until = Now() + timedelta(seconds=LEASE_S)
            try:
                for claim in claims:
                    held(claim).update(lease_until=until)
            except DatabaseError as error:
                log.warning("lease not renewed this time", error=type(error).__name__)
            finally:
                connection.close()

    if not claims:
        yield
        return
    what = f"{len(claims)} x {claims[0].jobs.__name__}"
    with workers.at_work(what, limit_s=limit_s, takes_turns=takes_turns) as work:
        thread = threading.Thread(target=renew, args=(work,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def reporter(claim: Claim, *, is_watched: bool = True) -> Callable[[str, float], None]:
    """A progress callback that writes at most every PROGRESS_EVERY_S and stops a lost job.

    The participant's phone looks again each time, if it `is_watched`.
    """
    last_at = 0.0
    last_stage = ""

    def report(stage: str, done: float) -> None:
        nonlocal last_at, last_stage
        now = time.monotonic()
        if stage == last_stage and now - last_at < PROGRESS_EVERY_S:
            return
        last_at, last_stage = now, stage
        if not held(claim).update(stage=stage, percent=round(100 * done)):
            raise Cancelled
        if is_watched:
            progress.nudge(claim.submission_id)

    return report
