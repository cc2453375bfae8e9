"""campaign/hosted.py: what is out at the provider for nobody is dropped, whoever died."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import httpx
import pytest
from django.utils import timezone

from campaign import generation, hosted, leases, tasks
from campaign.enums import JobOutcome
from campaign.hosted import JobLedger
from campaign.models import GenerationJob, HostedRequest, Submission
from figurine.engines.base import Engine
from figurine.engines.hosted import wire
from figurine.engines.hosted.engine import HostedEngine
from figurine.engines.workshop import Workshop
from tests.figurine.queue_server import KEY, Fault, QueueServer

PATH = "fal-ai/flux-2/klein/4b/edit"


@pytest.fixture(scope="module")
def provider() -> Iterator[QueueServer]:
    with QueueServer() as server:
        yield server


@pytest.fixture(scope="module")
def maker(provider: QueueServer) -> HostedEngine:
    return HostedEngine(Workshop(hosted_key=KEY, hosted_queue=provider.base))


@pytest.fixture
def server(
    provider: QueueServer, maker: HostedEngine, monkeypatch: pytest.MonkeyPatch
) -> QueueServer:
    def engine(name: str) -> Engine:
        return maker

    # Whoever hangs is given up soon, and a machine under load is not taken for one
    monkeypatch.setattr(wire, "TIMEOUT", httpx.Timeout(2.0))
    monkeypatch.setattr(generation, "engine", engine)
    provider.forget()
    return provider


@pytest.fixture
def job(bare: Submission) -> GenerationJob:
    return GenerationJob.objects.create(submission=bare, recipe={}, seed=1, engine="hosted")


def out(server: QueueServer, maker: HostedEngine, job: GenerationJob, key: str = "1-0") -> None:
    """Have a picture made for a job whose worker then dies."""
    ledger = JobLedger(job.pk)
    ledger.opening(key, endpoint=PATH, cost_usd=0.03)
    request_id = maker._queue().submit(PATH, {}, webhook="", start_within_s=60.0)
    ledger.record(key, request_id)
    server.calls.clear()


def over(job: GenerationJob, outcome: JobOutcome = JobOutcome.CANCELLED) -> None:
    leases.close(GenerationJob.objects.filter(pk=job.pk), outcome=outcome)


def row() -> HostedRequest:
    return HostedRequest.objects.get()


def test_requests_are_dropped_between_orders_however_many_wait(
    server: QueueServer, maker: HostedEngine, job: GenerationJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders, dropped_at_s = iter(range(7, -1, -1)), []
    now_s = 100.0
    drop = hosted.drop_abandoned

    def run_ready(names: object) -> int:
        nonlocal now_s
        now_s += 2.0
        return next(orders)

    def note(how: Callable[[str, str], bool]) -> int:
        dropped_at_s.append(now_s)
        return drop(how)

    monkeypatch.setattr(generation, "run_ready", run_ready)
    monkeypatch.setattr(hosted, "drop_abandoned", note)
    monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(tasks, "_let_go_at_s", float("-inf"))
    out(server, maker, job)
    over(job)
    tasks.order()
    assert server.asked["r-1"].is_cancelled
    assert dropped_at_s == [102.0, 108.0, 114.0]  # the first moments after 5 s more


def test_worker_s_other_threads_go_on_while_one_drops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One order each, during whose drop the other thread's ends."""
    orders = {"first": iter([1, 0]), "second": iter([1, 0])}
    ends: list[str] = []

    def run_ready(names: object) -> int:
        return next(orders[threading.current_thread().name])

    def drop(how: Callable[[str, str], bool]) -> int:
        second.start()
        second.join(10)
        ends.append("dropped")
        return 0

    def work() -> None:
        tasks.order()
        ends.append(threading.current_thread().name)

    monkeypatch.setattr(generation, "run_ready", run_ready)
    monkeypatch.setattr(hosted, "drop_abandoned", drop)
    monkeypatch.setattr(tasks, "_let_go_at_s", float("-inf"))
    first, second = (threading.Thread(target=work, name=name) for name in orders)
    first.start()
    first.join(10)
    assert ends == ["second", "dropped", "first"]


@pytest.mark.parametrize("outcome", [JobOutcome.CANCELLED, JobOutcome.FAILED, JobOutcome.DONE])
def test_request_of_a_job_that_is_over_is_dropped(
    server: QueueServer, maker: HostedEngine, job: GenerationJob, outcome: JobOutcome
) -> None:
    out(server, maker, job)
    over(job, outcome)
    tasks.let_go()
    assert server.asked["r-1"].is_cancelled
    assert server.calls == ["cancel"]  # and nothing is fetched, finished or not
    assert (row().outcome, row().cost_usd) == ("cancelled", Decimal("0.03"))
    assert row().finished_at is not None
    tasks.let_go()
    assert server.calls == ["cancel"]


def test_request_of_a_job_that_goes_on_is_left_alone(
    server: QueueServer, maker: HostedEngine, job: GenerationJob
) -> None:
    out(server, maker, job)
    tasks.let_go()
    assert (server.calls, row().outcome) == ([], "")


@pytest.mark.parametrize("fault", [400, 404])
def test_request_that_the_provider_is_done_with_is_closed(
    server: QueueServer, maker: HostedEngine, job: GenerationJob, fault: Fault
) -> None:
    out(server, maker, job)
    over(job)
    server.faults["cancel"].append(fault)
    tasks.let_go()
    assert (server.calls, row().outcome) == (["cancel"], "cancelled")


@pytest.mark.parametrize("fault", [401, 429, 500, 503, "cut", "hang", "html", "junk"])
def test_provider_that_does_not_answer_is_asked_again(
    server: QueueServer, maker: HostedEngine, job: GenerationJob, fault: Fault
) -> None:
    out(server, maker, job)
    over(job)
    server.faults["cancel"].append(fault)
    tasks.let_go()
    assert (server.calls, row().outcome) == (["cancel"], "")
    tasks.let_go()
    assert (server.calls, row().outcome) == (["cancel", "cancel"], "cancelled")
    assert server.asked["r-1"].is_cancelled


def test_provider_that_never_answers_is_given_up(
    server: QueueServer, maker: HostedEngine, job: GenerationJob
) -> None:
    out(server, maker, job)
    over(job)
    GenerationJob.objects.update(finished_at=timezone.now() - timedelta(minutes=61))
    server.faults["cancel"].append(500)
    tasks.let_go()
    assert (row().outcome, row().cost_usd) == (hosted.NOT_DROPPED, Decimal("0.03"))


def test_one_that_is_not_answered_for_keeps_no_other(
    server: QueueServer, maker: HostedEngine, job: GenerationJob
) -> None:
    out(server, maker, job, "1-0")
    out(server, maker, job, "1-1")
    over(job)
    server.faults["cancel"].append(500)
    tasks.let_go()
    left, closed = HostedRequest.objects.order_by("outcome")
    assert (left.outcome, closed.outcome) == ("", "cancelled")
    assert left.request_id == "r-2"  # the newest was first


def test_sweep_does_not_wait_for_ever(
    server: QueueServer, maker: HostedEngine, job: GenerationJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    out(server, maker, job)
    over(job)
    monkeypatch.setattr(hosted, "DROPPING_S", -1.0)
    tasks.let_go()
    assert (server.calls, row().outcome) == ([], "")


def test_request_whose_id_nobody_knows_waits_for_its_webhook(
    server: QueueServer, job: GenerationJob
) -> None:
    JobLedger(job.pk).opening("1-0", endpoint=PATH, cost_usd=0.03)
    over(job)
    tasks.let_go()
    assert (server.calls, row().outcome) == ([], "")
    HostedRequest.objects.update(request_id="r-1", finished_at=timezone.now())
    tasks.let_go()
    assert (server.calls, row().outcome) == (["cancel"], "cancelled")
