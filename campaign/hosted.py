"""The hosted engine's accounts: what was asked of the provider for a job, and what it cost.

A row is written before a request goes out. A worker that dies leaves it open, and the next one
picks the same request up again, so that no picture is paid for twice.
"""

from __future__ import annotations

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
from figurine.errors import BudgetSpent

log = structlog.get_logger(__name__)

DONE: Final = "done"
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

    def ticket(self, key: str) -> str:
        return _SIGNER.sign(self._full(key))

    def _standing(self, key: str) -> QuerySet[HostedRequest]:
        """Open, or done: a picture that was paid for and lost before it was stored can be had again
        while the provider keeps it."""
        return HostedRequest.objects.filter(key=self._full(key), outcome__in=("", DONE))

    def _full(self, key: str) -> str:
        return f"{self._job_id}-{key}"


def usd(amount: float) -> Decimal:
    """As the column has it: to the hundredth of a cent."""
    return Decimal(str(amount)).quantize(Decimal("0.0001"))


def key_of(ticket: str) -> str | None:
    """The key that a webhook's ticket stands for, or None for one that we never gave out."""
    try:
        return _SIGNER.unsign(ticket)
    except signing.BadSignature:
        return None


def finished(key: str, request_id: str) -> bool:
    """Take down that the provider is done, and the id if nobody has had the time to.

    False where that changes nothing: told before, collected already, or of a request that is not
    the one that is waited for.
    """
    row = HostedRequest.objects.filter(
        key=key, request_id__in=("", request_id), finished_at__isnull=True, outcome=""
    )
    return row.update(request_id=request_id, finished_at=timezone.now()) == 1
