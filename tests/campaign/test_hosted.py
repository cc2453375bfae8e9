"""campaign/hosted.py: what was asked of the provider stands in the database, and is paid once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from campaign import hosted
from campaign.consent import HOSTED_LINE, HOSTED_TEXT, KEPT_TEXT, SQUAD_TEXT
from campaign.hosted import JobLedger, Ticket
from campaign.models import Campaign, GenerationJob, HostedRequest, Submission
from figurine.engines.hosted import endpoints
from figurine.engines.hosted.desk import Ask, Desk, Pace
from figurine.engines.hosted.ledger import Ledger
from figurine.engines.hosted.queue import Queue
from figurine.errors import BudgetSpent, FigurineError, ProviderBroke
from figurine.types import Pixels
from tests.figurine.queue_server import KEY, OfModel, QueueServer

PATH = "fal-ai/flux-2/klein/4b/edit"
PACE = Pace(poll_s=0.0, slow_poll_s=0.0, heed_s=0.002, unsure_s=5.0, in_flight_s=0.0)
WEBHOOK = "https://diorama.example/webhooks/fal"


@pytest.fixture
def job(bare: Submission) -> GenerationJob:
    return GenerationJob.objects.create(submission=bare, recipe={}, seed=1)


@pytest.fixture
def ledger(job: GenerationJob) -> Ledger:
    return JobLedger(job.pk)


@pytest.fixture
def server() -> Iterator[QueueServer]:
    with QueueServer() as server:
        yield server


def row() -> HostedRequest:
    return HostedRequest.objects.get()


def finished(ticket: str, request_id: str) -> bool:
    """A webhook comes to that address."""
    told = hosted.read(ticket)
    assert told is not None
    return hosted.finished(told, request_id)


def opened(ledger: Ledger, key: str = "1-0", *, request_id: str = "") -> None:
    ledger.opening(key, endpoint=PATH, cost_usd=0.03)
    if request_id:
        ledger.record(key, request_id)


def test_row_is_there_before_the_request_goes_out(ledger: Ledger, job: GenerationJob) -> None:
    assert ledger.find("1-0") is None
    assert ledger.open_for_s("1-0") == float("inf")
    opened(ledger)
    assert ledger.find("1-0") == ""
    assert 0 <= ledger.open_for_s("1-0") < 5
    assert (row().job, row().key, row().request_id) == (job, f"{job.pk}-1-0", "")
    assert (row().endpoint, row().cost_usd, row().outcome) == (PATH, Decimal("0.03"), "")


def test_recorded_request_is_found_by_the_next_worker(ledger: Ledger, job: GenerationJob) -> None:
    opened(ledger, request_id="r-1")
    assert JobLedger(job.pk).find("1-0") == "r-1"
    assert JobLedger(job.pk).find("1-1") is None
    assert JobLedger(job.pk + 1).find("1-0") is None


def test_second_workers_record_changes_nothing(ledger: Ledger) -> None:
    opened(ledger, request_id="r-1")
    ledger.record("1-0", "r-2")
    assert ledger.find("1-0") == "r-1"


def test_picture_that_was_collected_can_be_had_again(ledger: Ledger) -> None:
    opened(ledger, request_id="r-1")
    ledger.close("1-0", outcome=hosted.DONE)
    assert ledger.find("1-0") == "r-1"
    assert (row().outcome, row().cost_usd) == ("done", Decimal("0.03"))
    assert row().finished_at is not None


def test_request_that_failed_is_not_found_again(ledger: Ledger) -> None:
    opened(ledger, request_id="r-1")
    ledger.close("1-0", outcome="provider_broke", refund_usd=0.03)
    assert ledger.find("1-0") is None
    assert (row().outcome, row().cost_usd) == ("provider_broke", Decimal(0))


def test_row_that_is_opened_again_keeps_what_it_may_have_cost(ledger: Ledger) -> None:
    opened(ledger)
    opened(ledger, request_id="r-2")
    assert (row().cost_usd, row().request_id, row().outcome) == (Decimal("0.06"), "r-2", "")


def test_spent_budget_opens_nothing(ledger: Ledger, campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(budget_usd=Decimal("0.02"))
    with pytest.raises(BudgetSpent):
        opened(ledger)
    assert HostedRequest.objects.count() == 0


def test_webhook_marks_what_is_waited_for(ledger: Ledger) -> None:
    opened(ledger, request_id="r-1")
    assert not ledger.is_finished("r-1")
    assert finished(ledger.ticket("1-0"), "r-1")
    assert ledger.is_finished("r-1")
    assert not finished(ledger.ticket("1-0"), "r-1")


def test_webhook_brings_the_id_that_nobody_recorded(ledger: Ledger) -> None:
    opened(ledger)
    assert finished(ledger.ticket("1-0"), "r-1")
    assert ledger.find("1-0") == "r-1"


def test_webhook_of_another_request_changes_nothing(ledger: Ledger) -> None:
    opened(ledger, request_id="r-2")
    assert not finished(ledger.ticket("1-0"), "r-1")
    assert not hosted.finished(Ticket("1000-1-0", 1), "r-2")
    assert ledger.find("1-0") == "r-2"
    assert not ledger.is_finished("r-2")


def test_ticket_nobody_gave_out_is_nobodys(ledger: Ledger, job: GenerationJob) -> None:
    ticket = ledger.ticket("1-0")
    assert hosted.read(ticket) == Ticket(f"{job.pk}-1-0", 1)
    assert [hosted.read(wrong) for wrong in (ticket[:-1], f"2{ticket}", "1-1-0-1", "")] == [
        None
    ] * 4
    assert ticket.replace(".", "").replace("-", "").replace("_", "").isalnum()  # as it is in a path


@pytest.mark.parametrize(
    ("engine", "second", "is_told"),
    [("hosted", "", True), ("klein", "hosted", True), ("klein", "", False), ("sculpt", "", False)],
)
def test_people_agree_to_the_provider_where_it_may_be_used(
    campaign: Campaign, engine: str, second: str, is_told: bool
) -> None:
    campaign.engine, campaign.second_engine, campaign.consent_text = engine, second, "Yes."
    told = [HOSTED_TEXT] if is_told else []
    kept = KEPT_TEXT.format(kept_for="30 days")
    assert campaign.terms.split("\n\n")[1:] == ["Yes.", kept, *told]
    assert (HOSTED_LINE in campaign.consent_lines) is is_told
    campaign.most_faces = 2
    assert campaign.terms.split("\n\n")[1:] == ["Yes.", kept, SQUAD_TEXT, *told]


# -- with the engine's own desk, over HTTP


def obtain(server: QueueServer, ledger: Ledger, *, webhook: str = "") -> Pixels | FigurineError:
    desk = Desk(
        Queue(key=KEY, base=server.base),
        ledger,
        endpoints.shelf()[PATH],
        webhook=webhook,
        pace=PACE,
    )
    ask = Ask("1-0", {"prompt": "a toy"}, 0.03)
    (made,) = desk.obtain([ask], progress=lambda stage, done: None)
    return made


def test_worker_that_died_before_storing_pays_once(
    server: QueueServer, ledger: Ledger, job: GenerationJob
) -> None:
    assert isinstance(obtain(server, ledger), np.ndarray)
    assert isinstance(obtain(server, JobLedger(job.pk)), np.ndarray)
    assert server.calls.count("submit") == 1
    assert row().cost_usd == Decimal("0.03")


def test_result_that_the_provider_forgot_is_paid_for_anew(
    server: QueueServer, ledger: Ledger
) -> None:
    assert isinstance(obtain(server, ledger), np.ndarray)
    server.asked.clear()
    assert isinstance(obtain(server, ledger), ProviderBroke)
    assert row().outcome == "provider_broke"
    assert isinstance(obtain(server, ledger), np.ndarray)
    assert (row().cost_usd, row().outcome) == (Decimal("0.06"), "done")


def test_webhook_saves_a_submission_nobody_recorded(server: QueueServer, ledger: Ledger) -> None:
    server.faults["submit"].append("cut")
    with pytest.raises(ProviderBroke):
        obtain(server, ledger, webhook=WEBHOOK)
    base, _, ticket = server.asked["r-1"].webhook.rpartition("/")
    assert base == WEBHOOK
    assert finished(ticket, "r-1")
    assert isinstance(obtain(server, ledger, webhook=WEBHOOK), np.ndarray)
    assert server.calls == ["submit", "result"]
    assert row().cost_usd == Decimal("0.03")


def test_webhook_of_a_dead_request_comes_while_its_follower_is_submitted(
    server: QueueServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["result"].append(OfModel(500))
    assert isinstance(obtain(server, ledger, webhook=WEBHOOK), ProviderBroke)
    dead = server.asked["r-1"].webhook.rpartition("/")[2]
    record = JobLedger.record

    def late(self: JobLedger, key: str, request_id: str) -> None:
        finished(dead, "r-1")
        record(self, key, request_id)

    monkeypatch.setattr(JobLedger, "record", late)
    assert isinstance(obtain(server, ledger, webhook=WEBHOOK), np.ndarray)
    assert (row().request_id, row().outcome) == ("r-2", "done")
    assert (server.calls.count("submit"), row().cost_usd) == (2, Decimal("0.03"))


def test_submission_nobody_heard_of_is_counted_twice(server: QueueServer, ledger: Ledger) -> None:
    server.faults["submit"].append("cut")
    with pytest.raises(ProviderBroke):
        obtain(server, ledger)
    HostedRequest.objects.update(submitted_at=timezone.now() - timedelta(minutes=1))
    assert isinstance(obtain(server, ledger), np.ndarray)
    assert row().cost_usd == Decimal("0.06")
