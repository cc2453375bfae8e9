"""campaign/spending.py: what hosted figurines cost, and caps that two workers cannot overrun."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaign import spending
from campaign.hosted import JobLedger
from campaign.models import Campaign, GenerationJob, HostedRequest, Submission
from campaign.spending import Spent
from figurine.errors import BudgetSpent


def job_of(campaign: Campaign, number: int = 1) -> GenerationJob:
    submission = Submission.objects.create(
        campaign=campaign,
        number=number,
        idempotency_key=f"key-{number}",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
        figurine_purge_at=timezone.now() + timedelta(days=30),
    )
    return GenerationJob.objects.create(submission=submission, recipe={}, seed=1)


def paid(job: GenerationJob, usd: str, *, ago: timedelta = timedelta(0)) -> None:
    HostedRequest.objects.create(
        job=job,
        key=f"{job.pk}-{HostedRequest.objects.count()}",
        endpoint="one",
        cost_usd=Decimal(usd),
        submitted_at=timezone.now() - ago,
    )


def may_spend(campaign: Campaign, usd: str) -> bool:
    with transaction.atomic():
        return spending.may_spend(campaign, Decimal(usd))


def test_nothing_is_spent_at_first(campaign: Campaign) -> None:
    assert spending.spent(campaign) == Spent(hour_usd=Decimal(0), campaign_usd=Decimal(0))


@pytest.mark.parametrize("count", [1, 3])
def test_spending_is_summed_by_the_hour_and_for_good_in_one_query(
    campaign: Campaign, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    job = job_of(campaign)
    other = Campaign.objects.create(slug="other", name="Other")
    paid(job_of(other), "5")
    for _ in range(count):
        paid(job, "0.03", ago=timedelta(minutes=59))
        paid(job, "0.04", ago=timedelta(minutes=61))
    with django_assert_num_queries(1):
        so_far = spending.spent(campaign)
    assert so_far == Spent(Decimal("0.03") * count, Decimal("0.07") * count)


@pytest.mark.parametrize(
    ("hourly", "in_all", "may"),
    [
        (None, None, True),
        ("0.06", None, True),
        ("0.05", None, False),
        (None, "0.10", True),
        (None, "0.09", False),
        ("0.05", "1000", False),
        ("1000", "0.09", False),
        ("0", None, False),
    ],
)
def test_caps_include_what_comes(
    campaign: Campaign, hourly: str | None, in_all: str | None, may: bool
) -> None:
    campaign.hourly_budget_usd = Decimal(hourly) if hourly else None
    campaign.budget_usd = Decimal(in_all) if in_all else None
    campaign.save(update_fields=["hourly_budget_usd", "budget_usd"])
    job = job_of(campaign)
    paid(job, "0.03")
    paid(job, "0.04", ago=timedelta(hours=2))
    assert may_spend(campaign, "0.03") is may


def test_cap_is_the_one_that_stands_now(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(budget_usd=Decimal("0.01"))
    assert not may_spend(campaign, "0.03")


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_both_spend_the_last_of_it(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(budget_usd=Decimal("0.05"))
    jobs = [job_of(campaign, number) for number in range(1, 5)]
    start = threading.Barrier(len(jobs))
    refused: list[int] = []

    def work(job_id: int) -> None:
        start.wait()
        try:
            JobLedger(job_id).opening("1-0", endpoint="one", cost_usd=0.03)
        except BudgetSpent:
            refused.append(job_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job.pk,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert spending.spent(campaign).campaign_usd == Decimal("0.03")
