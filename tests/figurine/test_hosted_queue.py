"""engines/hosted: requests at a provider on this machine, over HTTP, with everything that fails."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import pytest

from figurine.engines.hosted import endpoints, wire
from figurine.engines.hosted.desk import Ask, Desk, Pace
from figurine.engines.hosted.ledger import Loose
from figurine.engines.hosted.queue import Queue
from figurine.errors import (
    BudgetSpent,
    Cancelled,
    FigurineError,
    ProviderBroke,
    ProviderBusy,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnpaid,
)
from figurine.types import Pixels
from tests.figurine.queue_server import KEY, Fault, QueueServer, Step, noise, png

ENDPOINT = replace(next(iter(endpoints.shelf().values())), wait_s=5.0)
PACE = Pace(poll_s=0.0, slow_poll_s=0.0, heed_s=0.002, unsure_s=0.1, in_flight_s=0.03)
WEBHOOK = "https://diorama.example/webhooks/fal/"
FACE = "data:image/jpeg;base64,c29tZWJvZHkncyBmYWNl"


class Book(Loose):
    """Remembers what it was told, and may be told what a webhook brought."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, ...]] = []
        self.cost_usd = 0.0
        self.budget_usd = float("inf")
        self.finished: set[str] = set()
        self.opened_s: dict[str, float] = {}
        self.news: dict[str, str] = {}

    def find(self, key: str) -> str | None:
        if self.rows.get(key) == "" and key in self.news:
            self.rows[key] = self.news[key]
        return super().find(key)

    def open_for_s(self, key: str) -> float:
        return time.monotonic() - self.opened_s.get(key, float("-inf"))

    def opening(self, key: str, *, endpoint: str, cost_usd: float) -> None:
        if self.cost_usd + cost_usd > self.budget_usd:
            raise BudgetSpent("enough")
        super().opening(key, endpoint=endpoint, cost_usd=cost_usd)
        self.opened_s[key] = time.monotonic()
        self.told.append(("opening", key, endpoint))
        self.cost_usd = round(self.cost_usd + cost_usd, 4)

    def record(self, key: str, request_id: str) -> None:
        super().record(key, request_id)
        self.told.append(("record", key, request_id))

    def is_finished(self, request_id: str) -> bool:
        return request_id in self.finished

    def close(self, key: str, *, outcome: str, refund_usd: float = 0.0) -> None:
        super().close(key, outcome=outcome, refund_usd=refund_usd)
        self.told.append(("close", key, outcome))
        self.cost_usd = round(self.cost_usd - refund_usd, 4)


@pytest.fixture(scope="module")
def provider() -> Iterator[QueueServer]:
    with QueueServer() as server:
        yield server


@pytest.fixture
def server(provider: QueueServer, monkeypatch: pytest.MonkeyPatch) -> QueueServer:
    # Whoever hangs is given up soon
    monkeypatch.setattr(wire, "TIMEOUT", httpx.Timeout(0.3))
    provider.forget()
    return provider


queue = functools.cache(Queue)
"""One a server: certificates are read anew for each."""


@pytest.fixture
def book() -> Book:
    return Book()


def desk(
    server: QueueServer,
    book: Book,
    *,
    webhook: str = "",
    pace: Pace = PACE,
    wait_s: float = 5.0,
) -> Desk:
    endpoint = replace(ENDPOINT, wait_s=wait_s)
    return Desk(queue(key=KEY, base=server.base), book, endpoint, webhook=webhook, pace=pace)


def ask(key: str = "1-0") -> Ask:
    return Ask(key, {"prompt": "a toy", "image_urls": [FACE], "seed": 1}, 0.03)


def obtain(desk: Desk, *keys: str) -> list[Pixels | FigurineError]:
    return desk.obtain([ask(key) for key in keys or ("1-0",)], progress=lambda stage, done: None)


def outcome(desk: Desk) -> type[FigurineError] | None:
    """What came of one picture; None for the picture itself."""
    try:
        (made,) = obtain(desk)
    except FigurineError as error:
        return type(error)
    return type(made) if isinstance(made, FigurineError) else None


def test_picture_comes_back_and_is_written_down(server: QueueServer, book: Book) -> None:
    told: list[tuple[str, float]] = []
    (made,) = desk(server, book).obtain([ask()], progress=lambda *at: told.append(at))
    assert isinstance(made, np.ndarray)
    assert (made.shape, made[0, 0].tolist()) == ((1280, 1024, 3), [128, 128, 0])
    assert book.told == [
        ("opening", "1-0", ENDPOINT.path),
        ("record", "1-0", "r-1"),
        ("close", "1-0", "done"),
    ]
    assert book.cost_usd == 0.03
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == ["waiting", "painting", "collecting"]
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1][1] == 1.0


def test_request_asks_that_nothing_is_kept(server: QueueServer, book: Book) -> None:
    obtain(desk(server, book))
    (asked,) = server.asked.values()
    assert asked.path == "fal-ai/flux-2/klein/4b/edit"
    assert asked.arguments["image_urls"] == [FACE]
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert headers["x-fal-store-io"] == "0"
    assert headers["x-fal-object-lifecycle-preference"] == '{"expiration_duration_seconds": 60}'
    assert headers["x-fal-request-timeout"] == "5.0"
    assert headers["authorization"] == f"Key {KEY}"
    assert asked.webhook == ""


def test_webhook_is_told_by_a_ticket(server: QueueServer, book: Book) -> None:
    obtain(desk(server, book, webhook=WEBHOOK))
    assert server.asked["r-1"].webhook == f"{WEBHOOK}1-0"


def test_pictures_are_out_at_the_same_time(server: QueueServer, book: Book) -> None:
    made = obtain(desk(server, book), "1-0", "1-1", "1-2")
    assert [isinstance(one, np.ndarray) for one in made] == [True] * 3
    assert server.calls[:3] == ["submit"] * 3
    assert book.cost_usd == 0.09


def test_result_elsewhere_is_fetched_without_the_key(server: QueueServer, book: Book) -> None:
    server.is_inline = False
    assert outcome(desk(server, book)) is None
    assert server.calls[-1] == "picture"


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("https://v3.fal.media/files/x.png", True),
        ("https://fal.media/files/x.png", True),
        ("https://queue.test:8443/x.png", True),
        ("http://v3.fal.media/files/x.png", False),
        ("https://v3.fal.media:8443/x.png", False),
        ("https://notfal.media/x.png", False),
        ("https://fal.media.evil.example/x.png", False),
        ("https://fal.media@evil.example/x.png", False),
        ("http://queue.test:8443/x.png", False),
        ("https://169.254.169.254/latest", False),
        ("file:///etc/passwd", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_results_are_fetched_from_the_provider_alone(url: str, is_trusted: bool) -> None:
    assert wire.is_trusted(url, base="https://queue.test:8443") is is_trusted


def test_result_at_a_strange_address_is_not_fetched(server: QueueServer, book: Book) -> None:
    server.picture_url = "http://169.254.169.254/latest/meta-data"
    assert outcome(desk(server, book)) is ProviderBroke
    assert book.find("1-0") == "r-1"  # paid, so it is not asked for again


@pytest.mark.parametrize("base", ["http://queue.example", "ftp://queue.example", "queue.example"])
def test_key_is_sent_in_the_clear_to_nobody(base: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Queue(key=KEY, base=base)


@pytest.mark.parametrize(
    ("fault", "error", "rows", "cost_usd"),
    [
        (400, ProviderRefused, None, 0.0),
        (401, ProviderUnpaid, None, 0.0),
        (402, ProviderUnpaid, None, 0.0),
        (403, ProviderUnpaid, None, 0.0),
        (422, ProviderRefused, None, 0.0),
        (429, ProviderBusy, None, 0.0),
        # From here on nobody knows whether it was taken
        (500, ProviderBroke, "", 0.03),
        (503, ProviderBroke, "", 0.03),
        (504, ProviderTimeout, "", 0.03),
        ("hang", ProviderTimeout, "", 0.03),
        ("cut", ProviderBroke, "", 0.03),
        ("html", ProviderBroke, "", 0.03),
        ("junk", ProviderBroke, "", 0.03),
        ("flood", ProviderBroke, "", 0.03),
        ("redirect", ProviderBroke, "", 0.03),
    ],
)
def test_submission_that_fails_has_its_code(
    server: QueueServer,
    book: Book,
    fault: Fault,
    error: type[FigurineError],
    rows: str | None,
    cost_usd: float,
) -> None:
    server.faults["submit"].append(fault)
    assert outcome(desk(server, book)) is error
    assert server.calls == ["submit"]  # never sent twice, whatever the client would do
    assert (book.find("1-0"), book.cost_usd) == (rows, cost_usd)


@pytest.mark.parametrize(
    ("fault", "error", "rows", "cost_usd"),
    [
        (422, ProviderRefused, None, 0.03),
        (500, ProviderBroke, None, 0.0),
        (504, ProviderTimeout, None, 0.0),
        (404, ProviderBroke, None, 0.03),
        # It is there, and can be had once the key is in order again
        (403, ProviderUnpaid, "r-1", 0.03),
    ],
)
def test_result_that_is_an_error_has_its_code(
    server: QueueServer,
    book: Book,
    fault: Fault,
    error: type[FigurineError],
    rows: str | None,
    cost_usd: float,
) -> None:
    server.faults["result"].append(fault)
    assert outcome(desk(server, book)) is error
    assert (book.find("1-0"), book.cost_usd) == (rows, cost_usd)


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("status", "cut"),
        ("status", "html"),
        ("status", 429),
        ("result", "cut"),
        ("result", "hang"),
        ("result", "html"),
        ("picture", "cut"),
    ],
)
def test_answer_that_is_lost_is_asked_for_again(
    server: QueueServer, book: Book, step: Step, fault: Fault
) -> None:
    server.is_inline = step != "picture"
    server.faults[step].append(fault)
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


def test_provider_that_stays_away_is_left_for_the_next_try(server: QueueServer, book: Book) -> None:
    server.faults["status"] += ["cut"] * 5
    assert outcome(desk(server, book)) is ProviderBroke
    assert book.find("1-0") == "r-1"
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


@pytest.mark.parametrize(
    "picture",
    [b"", b"<html>", b"\x89PNG\r\n\x1a\nrubbish", png()[:2000], png(20_000, 20_000)],
    ids=["nothing", "page", "rubbish", "half", "enormous"],
)
@pytest.mark.parametrize("is_inline", [True, False])
def test_result_that_is_no_picture_is_broken(
    server: QueueServer, book: Book, picture: bytes, is_inline: bool
) -> None:
    server.picture, server.is_inline = picture, is_inline
    assert outcome(desk(server, book)) is ProviderBroke
    assert (book.find("1-0"), book.cost_usd) == (None, 0.03)


@pytest.mark.parametrize("is_inline", [True, False])
def test_result_that_is_too_long_is_not_read_to_its_end(
    server: QueueServer, book: Book, is_inline: bool
) -> None:
    server.is_inline = is_inline
    server.faults["result" if is_inline else "picture"] += ["flood"] * 5
    assert outcome(desk(server, book)) is ProviderBroke


def test_picture_of_noise_is_within_bounds(server: QueueServer, book: Book) -> None:
    server.picture = noise(1024, 1280)
    assert outcome(desk(server, book)) is None


def test_black_picture_of_a_safety_checker_is_refused(server: QueueServer, book: Book) -> None:
    server.is_unsafe = True
    assert outcome(desk(server, book)) is ProviderRefused
    assert book.cost_usd == 0.03


def test_provider_that_is_not_there_is_busy(server: QueueServer, book: Book) -> None:
    with QueueServer() as gone:
        away = desk(gone, book)
    assert outcome(away) is ProviderBusy
    assert (book.find("1-0"), book.cost_usd) == (None, 0.0)


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


def test_cancelling_that_fails_is_still_a_leaving(server: QueueServer, book: Book) -> None:
    def leave(stage: str, done: float) -> None:
        if server.asked:
            raise Cancelled

    server.faults["cancel"].append(400)
    with pytest.raises(Cancelled):
        desk(server, book).obtain([ask()], progress=leave)


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
