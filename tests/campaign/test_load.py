from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from campaign import load, workers
from campaign.consent import text_sha256
from campaign.models import (
    Campaign,
    Consent,
    ConsentText,
    GenerationJob,
    HostedRequest,
    Submission,
)
from campaign.router import Load, Spent
from tests.campaign.test_workers import KLEIN, SCULPT


def done(submission: Submission, engine: str, seconds: float) -> GenerationJob:
    now = timezone.now()
    return GenerationJob.objects.create(
        submission=submission,
        recipe={},
        engine=engine,
        outcome="done",
        claimed_at=now - timedelta(seconds=seconds),
        finished_at=now,
    )


def test_usual_s_is_the_median_of_what_was_measured_of_that_engine(bare: Submission) -> None:
    for seconds in (1, 3, 100):
        done(bare, "sculpt", seconds)
    done(bare, "klein", 50)
    assert (load.usual_s(), load.usual_s("klein")) == (3, 50)
    assert load.usual_s("hosted") == load.FIRST_ETA_S


def test_load_is_of_each_engine_alone(bare: Submission) -> None:
    workers.beat(KLEIN)
    workers.beat(SCULPT)
    workers.beat(replace(SCULPT, node="generation@other"))
    done(bare, "klein", 4)
    GenerationJob.objects.create(submission=bare, recipe={}, engine="klein")
    GenerationJob.objects.create(
        submission=bare,
        recipe={},
        engine="sculpt",
        role="stand_in",
        lease_until=timezone.now() + timedelta(seconds=5),
    )
    assert load.of(("klein", "hosted", "sculpt")) == {
        "klein": Load(is_alive=True, waiting=1, usual_s=4, at_once=8),
        "hosted": Load(is_alive=False, waiting=0, usual_s=load.FIRST_ETA_S, at_once=1),
        "sculpt": Load(is_alive=True, waiting=1, usual_s=load.FIRST_ETA_S, at_once=2),
    }


def test_jobs_ahead_and_eta_are_of_the_same_engine(bare: Submission, campaign: Campaign) -> None:
    other = Submission.objects.create(
        campaign=campaign,
        number=2,
        idempotency_key="other",
        selfie_purge_at=timezone.now(),
        figurine_purge_at=timezone.now(),
    )
    workers.beat(KLEIN)
    for submission in (bare, other):
        for engine, role in (("klein", "main"), ("sculpt", "stand_in")):
            GenerationJob.objects.create(submission=submission, recipe={}, engine=engine, role=role)
    mains = GenerationJob.objects.filter(role="main").order_by("id")
    besides = GenerationJob.objects.filter(role="stand_in").order_by("id")
    assert [load.jobs_ahead(job) for job in mains] == [0, 1]
    each_s = load.FIRST_ETA_S
    assert [load.eta_s(job) for job in mains] == [each_s, each_s]  # eight share a pass
    assert [load.eta_s(job) for job in besides] == [each_s, 2 * each_s]


def test_hosted_usd_is_what_the_first_try_of_a_figurine_takes() -> None:
    options = {"usd_per_megapixel": 1.0}
    one = load.hosted_usd(Campaign(engine="hosted", engine_options=options))
    three = load.hosted_usd(Campaign(engine="hosted", engine_options=options, candidates=3))
    assert (one, three) == (Decimal(3), Decimal(9))  # the picture and its two references


def test_hosted_usd_of_what_no_endpoint_makes_is_nothing() -> None:
    options = {"endpoint": "nobody/has/it"}
    assert load.hosted_usd(Campaign(engine="hosted", engine_options=options)) == 0


def agree(submission: Submission) -> None:
    """To every word that the campaign says now."""
    words = submission.campaign.terms
    ConsentText.objects.create(sha256=text_sha256(words), text=words)
    Consent.objects.create(submission=submission, version="1", text_sha256=text_sha256(words))


def test_scene_is_without_the_hosted_engine_for_whom_it_was_not_told(bare: Submission) -> None:
    bare.campaign.engine = "klein"
    agree(bare)
    bare.campaign.second_engine = "hosted"
    assert load.scene(bare).policy.engines == ("klein", "sculpt")
    assert set(load.scene(bare).loads) == {"klein", "sculpt"}


def test_scene_counts_what_was_asked_and_what_will_be(bare: Submission) -> None:
    campaign = bare.campaign
    campaign.engine, campaign.budget_usd = "hosted", Decimal(1)
    agree(bare)
    asked = done(bare, "hosted", 3)
    HostedRequest.objects.create(
        job=asked, key="1-1-0", endpoint="any", cost_usd=Decimal("0.25"), outcome="done"
    )
    one = load.hosted_usd(campaign)
    assert load.scene(bare).spent == Spent(Decimal("0.25"), Decimal("0.25"))
    GenerationJob.objects.create(submission=bare, recipe={}, engine="hosted")
    scene = load.scene(bare)
    assert scene.spent == Spent(Decimal("0.25") + one, Decimal("0.25") + one)
    assert (scene.loads["hosted"].cost_usd, scene.policy.budget_usd) == (one, Decimal(1))
    assert scene.policy.engines == ("hosted", "sculpt")


def test_scene_of_sculpt_alone_asks_for_no_accounts(
    bare: Submission, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):
        scene = load.scene(bare)
    assert (scene.policy.engines, scene.spent) == (("sculpt",), Spent())


@pytest.mark.parametrize(
    ("engine", "second", "order"),
    [
        ("sculpt", "", ("sculpt",)),
        ("sculpt", "klein", ("sculpt",)),
        ("klein", "", ("klein", "sculpt")),
        ("klein", "hosted", ("klein", "hosted", "sculpt")),
        ("klein", "klein", ("klein", "sculpt")),
        ("klein", "sculpt", ("klein", "sculpt")),
    ],
)
def test_sculpt_is_the_last_rung_of_every_campaign(
    engine: str, second: str, order: tuple[str, ...]
) -> None:
    assert Campaign(engine=engine, second_engine=second).engines == order
