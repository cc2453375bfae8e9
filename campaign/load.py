"""What the router decides by, read off the record: who is there, how busy, what was spent."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from campaign import offers, spending, workers
from campaign.consent import HOSTED_TEXT
from campaign.enums import JobOutcome, WorkerState
from campaign.models import Campaign, Consent, ConsentText, GenerationJob, Submission
from campaign.router import HOSTED, SCULPT, Load, Policy, Scene, Spent
from figurine.engines.hosted import endpoints, wish
from figurine.engines.klein.frame import FRAMES
from figurine.errors import UnknownKit
from figurine.types import Recipe

ETA_SAMPLES: Final = 20
FIRST_ETA_S: Final = 8.0
"""Before anything was measured. Source: the benchmark `python -m tests.bench.spine`; of sculpt,
and a guess for the others."""


def scene(submission: Submission) -> Scene:
    """How things stand for one more figurine of this submission, which comes with its campaign."""
    campaign = submission.campaign
    engines = _allowed(submission)
    policy = Policy(
        engines=engines,
        patience_s=campaign.patience_s,
        hourly_budget_usd=campaign.hourly_budget_usd,
        budget_usd=campaign.budget_usd,
    )
    loads = of(engines)
    prices = {name: PRICES[name](campaign) for name in engines if name in PRICES}
    for name, cost_usd in prices.items():
        loads[name] = replace(loads[name], cost_usd=cost_usd)
    return Scene(policy, loads, spent(campaign, prices) if prices else Spent())


def _allowed(submission: Submission) -> tuple[str, ...]:
    """The campaign's engines, without the hosted one for whoever was never told of it: words are
    agreed to once, and a campaign may name an engine later.
    """
    engines: tuple[str, ...] = submission.campaign.engines
    if HOSTED not in engines:
        return engines
    agreed = Consent.objects.filter(submission=submission).values("text_sha256")
    words = ConsentText.objects.filter(sha256__in=agreed).values_list("text", flat=True).first()
    return tuple(name for name in engines if name != HOSTED or HOSTED_TEXT in (words or ""))


def of(engines: Iterable[str]) -> dict[str, Load]:
    """How busy each of these is."""
    names = tuple(engines)
    alive = workers.alive()
    hands = _hands()
    jobs = {
        engine: (waiting, in_hand)
        for engine, waiting, in_hand in GenerationJob.objects.filter(outcome="", engine__in=names)
        .order_by()
        .values("engine")
        .annotate(waiting=Count("pk"), in_hand=Count("pk", filter=Q(lease_until__gt=Now())))
        .values_list("engine", "waiting", "in_hand")
    }
    loads = {}
    for name in names:
        waiting, in_hand = jobs.get(name, (0, 0))
        loads[name] = Load(
            is_alive=name in alive,
            waiting=waiting,
            usual_s=usual_s(name),
            # One that has just gone may leave more in hand than those that are left can hold.
            at_once=max(1, hands.get(name, 0), in_hand),
        )
    return loads


def soonest_s(campaign: Campaign) -> float:
    """Seconds until one more figurine would be there, by the engine that is soonest. Those that are
    away count where all are: they may be back in a moment."""
    loads = of(campaign.engines).values()
    return min(load.eta_s for load in [one for one in loads if one.is_alive] or loads)


def _hands() -> dict[str, int]:
    """How many figurines all ready workers of an engine make at once, by engine."""
    hands: dict[str, int] = {}
    for worker in workers.snapshot():
        if worker.is_heard and worker.state == WorkerState.READY:
            hands[worker.engine] = hands.get(worker.engine, 0) + worker.batch
    return hands


def hosted_usd(campaign: Campaign) -> Decimal:
    """What a provider takes for one figurine of this campaign, if the first try is like enough.

    Nothing where the campaign asks for what no endpoint makes: it is refused unpaid.
    """
    plain = Recipe("hosted", campaign.kit, campaign.finish)
    recipe = offers.made_by("hosted", plain, campaign=campaign)
    try:
        wanted, endpoint = wish.read(recipe), endpoints.of(recipe)
    except UnknownKit:
        return Decimal(0)
    width_px, height_px = FRAMES[wanted.frame]
    images = 1 if wanted.references == "composite" else 2
    usd = endpoint.cost_usd(width_px=width_px, height_px=height_px, images=images)
    return Decimal(str(usd)) * wanted.candidates


PRICES: Final[dict[str, Callable[[Campaign], Decimal]]] = {HOSTED: hosted_usd}
"""Engines that take money, and how much."""


def spent(campaign: Campaign, prices: dict[str, Decimal]) -> Spent:
    """What was asked of providers, and what those jobs will take that have not asked yet."""
    so_far = spending.spent(campaign)
    unasked = (
        GenerationJob.objects.filter(
            submission__campaign=campaign, outcome="", engine__in=prices, requests__isnull=True
        )
        .order_by()
        .values_list("engine", flat=True)
    )
    soon = sum((prices[engine] for engine in unasked), Decimal(0))
    return Spent(hour_usd=so_far.hour_usd + soon, campaign_usd=so_far.campaign_usd + soon)


def usual_s(engine: str = SCULPT) -> float:
    """Median seconds from a job's last claim to its end, over the engine's last few."""
    done = GenerationJob.objects.filter(outcome=JobOutcome.DONE, engine=engine)
    recent = done.order_by("-finished_at").values_list("finished_at", "claimed_at")[:ETA_SAMPLES]
    spans = [
        (finished - claimed).total_seconds() for finished, claimed in recent if finished and claimed
    ]
    return statistics.median(spans) if spans else FIRST_ETA_S


def eta_s(job: GenerationJob) -> float:
    """Seconds until this job's figurine is there; less than none where it takes unusually long."""
    each_s = usual_s(job.engine)
    if job.lease_token and job.claimed_at:
        return each_s - (timezone.now() - job.claimed_at).total_seconds()
    ahead = jobs_ahead(job)
    at_once = of((job.engine,))[job.engine].at_once if ahead else 1
    return (ahead // at_once + 1) * each_s


def jobs_ahead(job: GenerationJob) -> int:
    """How many figurines the same engine takes up before this one."""
    return GenerationJob.objects.filter(
        engine=job.engine, outcome="", lease_token__isnull=True, ready_at__lt=job.ready_at
    ).count()
