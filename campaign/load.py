"""What the router decides by, read off the record: who is there, how busy, what was spent."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Final

from django.db.models import Count, Q
from django.utils import timezone

from campaign import workers
from campaign.enums import JobOutcome
from campaign.models import Campaign, GenerationJob
from campaign.router import SCULPT, Load, Policy, Scene, Spent

ETA_SAMPLES: Final = 20
FIRST_ETA_S: Final = 8.0
"""Before anything was measured. Source: the benchmark `python -m tests.bench.spine`; of sculpt,
and a guess for the others."""


def scene(campaign: Campaign) -> Scene:
    """How things stand for one more figurine of this campaign."""
    policy = Policy(
        engines=campaign.engines,
        patience_s=campaign.patience_s,
        hourly_budget_usd=campaign.hourly_budget_usd,
        budget_usd=campaign.budget_usd,
    )
    return Scene(policy, of(campaign.engines), spent(campaign))


def of(engines: Iterable[str]) -> dict[str, Load]:
    """How busy each of these is."""
    names = tuple(engines)
    alive = workers.alive()
    hands = _hands()
    jobs = {
        engine: (waiting, in_hand)
        for engine, waiting, in_hand in GenerationJob.objects.filter(outcome="", engine__in=names)
        .order_by()
        .values_list("engine")
        .annotate(Count("pk"), Count("pk", filter=Q(lease_until__gt=timezone.now())))
    }
    loads = {}
    for name in names:
        waiting, in_hand = jobs.get(name, (0, 0))
        loads[name] = Load(
            is_alive=name in alive,
            waiting=waiting,
            usual_s=usual_s(name),
            # A worker with threads has more in hand than it says of itself.
            at_once=max(1, hands.get(name, 0), in_hand),
        )
    return loads


def _hands() -> dict[str, int]:
    """How many figurines all ready workers of an engine make at once, by engine."""
    hands: dict[str, int] = {}
    for worker in workers.snapshot():
        if worker.is_heard:
            hands[worker.engine] = hands.get(worker.engine, 0) + worker.batch
    return hands


def spent(campaign: Campaign) -> Spent:
    return Spent()


def usual_s(engine: str = SCULPT) -> float:
    """Median seconds from a job's last claim to its end, over the engine's last few."""
    done = GenerationJob.objects.filter(outcome=JobOutcome.DONE, engine=engine)
    recent = done.order_by("-finished_at").values_list("finished_at", "claimed_at")[:ETA_SAMPLES]
    spans = [
        (finished - claimed).total_seconds() for finished, claimed in recent if finished and claimed
    ]
    return statistics.median(spans) if spans else FIRST_ETA_S


def jobs_ahead(job: GenerationJob) -> int:
    """How many figurines the same engine makes before this one."""
    return GenerationJob.objects.filter(
        engine=job.engine, outcome="", lease_token__isnull=True, ready_at__lt=job.ready_at
    ).count()
