"""engines/hosted: pictures are paid for once, whoever dies, leaves or comes late."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest

from figurine.engines.hosted import wire
from figurine.engines.hosted.desk import PATIENCE
from figurine.errors import (
    BudgetSpent,
    Cancelled,
    FigurineError,
    ProviderBroke,
    ProviderTimeout,
)
from tests.figurine.hosted_desk import (
    FACE,
    PACE,
    WEBHOOK,
    Book,
    ask,
    desk,
    obtain,
    outcome,
)
from tests.figurine.queue_server import KEY, Fault, QueueServer


@pytest.fixture
def server(provider: QueueServer, monkeypatch: pytest.MonkeyPatch) -> QueueServer:
    # Whoever hangs is given up soon
    monkeypatch.setattr(wire, "TIMEOUT", httpx.Timeout(0.3))
    provider.forget()
    return provider


@pytest.fixture
def book() -> Book:
    return Book()


def test_request_that_the_provider_knows_no_more_is_made_anew(
    server: QueueServer, book: Book
) -> None:
    server.faults["status"] += [404] * PATIENCE
    assert outcome(desk(server, book)) is ProviderBroke
    assert (book.find("1-0"), book.cost_usd) == (None, 0.03)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_file_that_is_there_no_more_is_made_anew(
    server: QueueServer, book: Book, status: Fault
) -> None:
    server.is_inline = False
    server.faults["picture"].append(status)
    assert outcome(desk(server, book)) is ProviderBroke
    assert (book.find("1-0"), book.cost_usd) == (None, 0.03)


def test_one_that_is_late_takes_nothing_from_the_other(
    server: QueueServer, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "TIMEOUT", httpx.Timeout(1.3))
    server.looks = 0
    patient = desk(server, book, wait_s=1.05)
    server.faults["result"] += ["hang"]
    one, other = obtain(patient, "1-0", "1-1")
    assert isinstance(one, ProviderTimeout)
    assert isinstance(other, np.ndarray)


def test_provider_that_stays_away_is_left_for_the_next_try(server: QueueServer, book: Book) -> None:
    server.faults["status"] += ["cut"] * PATIENCE
    assert outcome(desk(server, book)) is ProviderBroke
    assert book.find("1-0") == "r-1"
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


def test_request_that_takes_too_long_is_picked_up_by_the_next_try(
    server: QueueServer, book: Book
) -> None:
    server.looks = 10**6
    assert outcome(desk(server, book, wait_s=1.05)) is ProviderTimeout
    assert server.calls.count("cancel") == 0
    server.looks = 0
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


def test_worker_that_died_after_submitting_pays_once(server: QueueServer, book: Book) -> None:
    class Died(BaseException):
        pass

    def die(stage: str, done: float) -> None:
        if book.find("1-0"):
            raise Died

    with pytest.raises(Died):
        desk(server, book).obtain([ask()], progress=die)
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


def test_submission_nobody_recorded_is_found_by_its_webhook(
    server: QueueServer, book: Book
) -> None:
    server.faults["submit"].append("cut")
    assert outcome(desk(server, book, webhook=WEBHOOK)) is ProviderBroke
    assert book.find("1-0") == ""
    looks = 0

    def wait(stage: str, done: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            book.news["1-0"] = "r-1"

    (made,) = desk(server, book, webhook=WEBHOOK).obtain([ask()], progress=wait)
    assert isinstance(made, np.ndarray)
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


@pytest.mark.parametrize("webhook", ["", WEBHOOK])
def test_submission_nobody_heard_of_is_made_again_and_counted_twice(
    server: QueueServer, book: Book, webhook: str
) -> None:
    server.faults["submit"].append("cut")
    assert outcome(desk(server, book, webhook=webhook)) is ProviderBroke
    began_s = time.monotonic()
    assert outcome(desk(server, book, webhook=webhook)) is None
    assert time.monotonic() - began_s > (0.05 if webhook else 0.01)
    assert (server.calls.count("submit"), book.cost_usd) == (2, 0.06)


def test_webhook_has_the_result_collected_at_once(server: QueueServer, book: Book) -> None:
    seldom = replace(PACE, slow_poll_s=60.0)
    server.looks = 10**6

    def ring(stage: str, done: float) -> None:
        if "status" in server.calls:
            book.finished.add("r-1")

    (made,) = desk(server, book, webhook=WEBHOOK, pace=seldom).obtain([ask()], progress=ring)
    assert isinstance(made, np.ndarray)
    assert server.calls == ["submit", "status", "result"]


def test_whoever_leaves_has_everything_dropped(server: QueueServer, book: Book) -> None:
    def leave(stage: str, done: float) -> None:
        if stage == "painting":
            raise Cancelled

    server.looks = 1
    with pytest.raises(Cancelled):
        desk(server, book).obtain([ask("1-0"), ask("1-1")], progress=leave)
    assert [asked.is_cancelled for asked in server.asked.values()] == [True, True]
    assert [told for told in book.told if told[0] == "close"] == [
        ("close", "1-0", "cancelled"),
        ("close", "1-1", "cancelled"),
    ]
    assert book.cost_usd == 0.06  # nobody says that it was not


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        (400, None),  # done already
        (404, None),
        # Nobody knows: whoever keeps the ledger asks again
        (401, "r-1"),
        (429, "r-1"),
        (500, "r-1"),
        ("cut", "r-1"),
        ("hang", "r-1"),
        ("html", "r-1"),
        ("junk", "r-1"),
    ],
)
def test_row_is_closed_once_the_provider_has_answered(
    server: QueueServer, book: Book, fault: Fault, row: str | None
) -> None:
    def leave(stage: str, done: float) -> None:
        if server.asked:
            raise Cancelled

    server.faults["cancel"].append(fault)
    with pytest.raises(Cancelled):
        desk(server, book).obtain([ask()], progress=leave)
    assert book.find("1-0") == row


def test_worker_that_lost_its_lease_drops_nothing(server: QueueServer, book: Book) -> None:
    def leave(stage: str, done: float) -> None:
        if server.asked:
            raise Cancelled

    book.is_going_on = True
    with pytest.raises(Cancelled):
        desk(server, book).obtain([ask()], progress=leave)
    assert (book.find("1-0"), server.calls.count("cancel")) == ("r-1", 0)
    assert outcome(desk(server, book)) is None
    assert server.calls.count("submit") == 1


def test_budget_that_is_spent_is_asked_before_anything_is_sent(
    server: QueueServer, book: Book
) -> None:
    book.budget_usd = 0.02
    assert outcome(desk(server, book)) is BudgetSpent
    assert server.calls == []


def test_budget_for_one_of_two_makes_one(server: QueueServer, book: Book) -> None:
    book.budget_usd = 0.05
    one, other = obtain(desk(server, book), "1-0", "1-1")
    assert isinstance(one, np.ndarray)
    assert isinstance(other, BudgetSpent)


@pytest.mark.parametrize("fault", [422, 500, 403, "cut", "html"])
def test_neither_key_nor_face_is_told(
    server: QueueServer, book: Book, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults["submit"].append(fault)
    with pytest.raises(FigurineError) as caught:
        obtain(desk(server, book, webhook=WEBHOOK))
    error: BaseException | None = caught.value
    said = [caplog.text]
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    told = "\n".join(said)
    secrets = (KEY, "its-secret", FACE, "a face", "secret words", WEBHOOK)
    assert [secret for secret in secrets if secret in told] == []
