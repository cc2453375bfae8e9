"""Several people in one pass: who shares it, what it may take, and whose account it goes to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection

from campaign import generation, leases, tasks, workers
from campaign.enums import SubmissionState
from campaign.hosted import JobLedger
from campaign.models import Campaign, GenerationJob, Submission
from figurine.engines import Engine
from figurine.engines.hosted.ledger import Ledger, Loose
from tests import shelf
from tests.campaign.easel import FACE, Easel, main, states
from tests.campaign.test_workers import KLEIN

S = SubmissionState


def test_everybody_who_waits_shares_a_pass(sitters: list[Submission], easel: Easel) -> None:
    assert generation.run_ready(("klein",)) == 3
    assert (easel.passes, states(sitters)) == ([3], [S.REVIEW] * 3)
    for submission in sitters:
        figurine = submission.figurines.get()
        assert (figurine.submission_id, figurine.is_chosen) == (submission.pk, True)
        assert (figurine.likeness, float(figurine.cost_usd)) == (0.6, 0.0125)


def test_no_more_are_claimed_than_the_engine_can_take(
    sitters: list[Submission], easel: Easel
) -> None:
    easel.size = 2
    assert generation.run_ready(("klein",)) == 2
    assert generation.run_ready(("klein",)) == 1
    assert generation.run_ready(("klein",)) == 0
    assert easel.passes == [2, 1]


def test_worker_serves_its_own_engine_alone(sitters: list[Submission], easel: Easel) -> None:
    assert generation.run_ready(("hosted",)) == 0
    assert generation.ready_engines() == {"klein", "sculpt"}
    assert generation.ready_jobs().count() == 3
    assert generation.run_ready(("klein", "sculpt")) == 3  # sculpt's went with them
    assert GenerationJob.objects.filter(outcome="").count() == 0


@pytest.mark.parametrize(
    ("options", "limit_s"),
    [
        ([{}, {}, {}], 21.0),  # one pass, of the squad of three
        ([{"frame": "portrait"}, {}, {}], 28.0),  # two, one after the other
        ([{"pose": "kneeling"}, {}, {}], 21.0),
    ],
)
def test_those_who_share_a_pass_share_its_time(
    sitters: list[Submission],
    easel: Easel,
    monkeypatch: pytest.MonkeyPatch,
    options: list[dict[str, str]],
    limit_s: float,
) -> None:
    for submission, own in zip(sitters, options, strict=True):
        job = main(submission)
        job.recipe = {**job.recipe, "options": own}
        job.save()
    Submission.objects.filter(pk=sitters[2].pk).update(other_faces=[FACE, FACE])
    seen: list[tuple[float, bool]] = []
    real = leases.renewed

    def watch(claims: Sequence[leases.Claim], *, limit_s: float, takes_turns: bool) -> object:
        seen.append((limit_s, takes_turns))
        return real(claims, limit_s=limit_s, takes_turns=takes_turns)

    monkeypatch.setattr(leases, "renewed", watch)
    generation.run_ready(("klein",))
    assert seen == [(limit_s, True)]


def test_tasks_serve_their_engine_until_nothing_is_ready(
    sitters: list[Submission], easel: Easel
) -> None:
    easel.size = 1
    tasks.order()
    assert states(sitters) == [S.QUEUED] * 3
    tasks.paint()
    assert (easel.passes, states(sitters)) == ([1, 1, 1], [S.REVIEW] * 3)


@pytest.mark.django_db(transaction=True)
def test_another_thread_claims_and_stores_while_one_paints(
    sitters: list[Submission], easel: Easel
) -> None:
    """As the two of a GPU worker do."""

    def run() -> int:
        try:
            return generation.run_ready(("klein",))
        finally:
            connection.close()

    def beside() -> None:
        easel.meanwhile = lambda: None
        assert pool.submit(run).result(60.0) == 1

    easel.size, easel.meanwhile = 2, beside
    with ThreadPoolExecutor(1) as pool:
        assert generation.run_ready(("klein",)) == 2
    assert (easel.passes, states(sitters)) == ([2, 1], [S.REVIEW] * 3)
    assert [main(one).attempt for one in sitters] == [1, 1, 1]


class Till(Easel):
    """An engine that costs money, and keeps its accounts where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger = Loose()
        self.billed_to: list[Ledger] = []

    def billed(self, ledger: Ledger) -> Engine:
        self.billed_to.append(ledger)
        return self

    def drop(self, endpoint: str, request_id: str) -> bool:
        return True


def test_engine_that_costs_keeps_its_accounts_by_job(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till()
    till.size = 1
    monkeypatch.setattr(generation, "engine", lambda name: till)
    campaign.engine = "hosted"
    campaign.save()
    workers.beat(replace(KLEIN, engine="hosted"))
    monkeypatch.setattr(leases, "RENEW_S", 60.0)
    submission = shelf.put(campaign, S.QUEUED)
    Submission.objects.update(face=FACE)
    generation.run_ready(("hosted",))
    (ledger,) = till.billed_to
    assert isinstance(ledger, JobLedger)
    assert ledger._job_id == main(submission).pk
    assert shelf.state_of(submission) == S.REVIEW
