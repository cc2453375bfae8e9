"""The hosted engine's accounts: what was asked of the provider for a job, and what it cost.

A row is written before a request goes out. A worker that dies leaves it open, and the next one
picks the same request up again, so that no picture is paid for twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

import structlog
from django.core import signing
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from campaign import spending
from campaign.models import GenerationJob, HostedRequest
from figurine.errors import BudgetSpent, Cancelled

log = structlog.get_logger(__name__)

DONE: Final = "done"
NOT_DROPPED: Final = "not_dropped"
"""Of a request whose provider never answered for it."""
GIVE_UP_AFTER: Final = timedelta(hours=1)
"""How long after its job's end a request is asked to be dropped. The slowest endpoint voids what
has not begun after two minutes (endpoints.toml); by then it is done, or never will be.
"""
MOST_DROPS: Final = 50
DROPPING_S: Final = 30.0
"""Of one sweep, so that orders are not kept waiting by a provider that does not answer."""
_SIGNER: Final = signing.Signer(salt="campaign.hosted", sep=".")


class JobLedger:
    """One job's account book in the database, as figurine.engines.hosted.ledger.Ledger says it."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id

    def find(self, key: str) -> str | None:
        return self._standing(key).values_list("request_id", flat=True).first()

    def open_for_s(self, key: str) -> float:
        row = self._standing(key).first()
        if row is None:
            return float("inf")
        return (timezone.now() - row.submitted_at) / timedelta(seconds=1)

    def opening(self, key: str, *, endpoint: str, cost_usd: float) -> None:
        cost = usd(cost_usd)
        now = timezone.now()
        with transaction.atomic():
            job = GenerationJob.objects.select_related("submission__campaign").get(pk=self._job_id)
            campaign = job.submission.campaign
            if not spending.may_spend(campaign, cost):
                log.warning("budget spent", campaign=campaign.slug, needs_usd=str(cost))
                raise BudgetSpent(f"{cost} USD more than campaign {campaign.slug!r} may spend")
            again = HostedRequest.objects.filter(key=self._full(key)).update(
                request_id="",
                endpoint=endpoint,
                openings=F("openings") + 1,
                cost_usd=F("cost_usd") + cost,
                submitted_at=now,
                finished_at=None,
                outcome="",
            )
            if not again:
                HostedRequest.objects.create(
                    job=job,
                    key=self._full(key),
                    endpoint=endpoint,
                    cost_usd=cost,
                    submitted_at=now,
                )

    def record(self, key: str, request_id: str) -> None:
        written = HostedRequest.objects.filter(
            key=self._full(key), request_id__in=("", request_id)
        ).update(request_id=request_id)
        if not written:
            # Two workers at once: the first's request is the one that will be picked up
            log.warning("request not recorded, another is", key=self._full(key))

    def is_finished(self, request_id: str) -> bool:
        return HostedRequest.objects.filter(
            request_id=request_id, finished_at__isnull=False
        ).exists()

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        rows = self._standing(key)
        rows.filter(finished_at__isnull=True).update(finished_at=timezone.now())
        rows.update(outcome=outcome, cost_usd=F("cost_usd") - usd(refund_usd))

    def is_over(self) -> bool:
        return not GenerationJob.objects.filter(pk=self._job_id, outcome="").exists()

    def ticket(self, key: str) -> str:
        rows = HostedRequest.objects.filter(key=self._full(key))
        opening = rows.values_list("openings", flat=True).first() or 1
        return _SIGNER.sign(f"{self._full(key)}-{opening}")

    def _standing(self, key: str) -> QuerySet[HostedRequest]:
        """Open, or done: a picture that was paid for and lost before it was stored can be had again
        while the provider keeps it."""
        return HostedRequest.objects.filter(key=self._full(key), outcome__in=("", DONE))

    def _full(self, key: str) -> str:
        return f"{self._job_id}-{key}"


def usd(amount: float) -> Decimal:
    """As the column has it: to the hundredth of a cent."""
    return Decimal(str(amount)).quantize(Decimal("0.0001"))


@dataclass(frozen=True)
class Ticket:
    """What a webhook is told by: the row, and which of its requests."""

    key: str
    opening: int


def read(ticket: str) -> Ticket | None:
    """What a webhook's ticket stands for, or None for one that we never gave out."""
    try:
        key, _, opening = _SIGNER.unsign(ticket).rpartition("-")
        return Ticket(key, int(opening))
    except (signing.BadSignature, ValueError):
        return None


def finished(ticket: Ticket, request_id: str) -> bool:
    """Take down that the provider is done, and the id if nobody has had the time to.

    False where that changes nothing: told before, collected already, or of a request that is not
    the one that is waited for, such as an earlier one of the same row.
    """
    row = HostedRequest.objects.filter(
        key=ticket.key,
        openings=ticket.opening,
        request_id__in=("", request_id),
        finished_at__isnull=True,
        outcome="",
    )
    return row.update(request_id=request_id, finished_at=timezone.now()) == 1


def abandoned() -> QuerySet[HostedRequest]:
    """Requests that are out, as far as anyone knows, for jobs that are over; the newest first, as
    those can still be stopped."""
    open_rows = HostedRequest.objects.filter(outcome="").exclude(request_id="")
    return open_rows.exclude(job__outcome="").order_by("-submitted_at")


def drop_abandoned(drop: Callable[[str, str], bool]) -> int:
    """Have the provider drop what nobody waits for, and close what it has answered for. Returns how
    many were closed.

    drop: of an endpoint and a request's id, whether the provider has answered. What has been
    finished meanwhile is not fetched, and what it costs stays counted. A row that is not answered
    for is asked about again, until an hour after its job's end.
    """
    closed = 0
    deadline_s = time.monotonic() + DROPPING_S
    for row in abandoned().select_related("job")[:MOST_DROPS]:
        if time.monotonic() > deadline_s:
            break
        outcome = Cancelled.code
        if not drop(row.endpoint, row.request_id):
            ended_at = row.job.finished_at or row.submitted_at
            if timezone.now() - ended_at < GIVE_UP_AFTER:
                log.warning("hosted request not dropped yet", key=row.key)
                continue
            log.error("hosted request never dropped", key=row.key, request=row.request_id)
            outcome = NOT_DROPPED
        closed += HostedRequest.objects.filter(
            pk=row.pk, request_id=row.request_id, outcome=""
        ).update(outcome=outcome, finished_at=row.finished_at or timezone.now())
    return closed
