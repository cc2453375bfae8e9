"""engines/hosted: one request at a provider, over HTTP, with everything that fails."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from figurine.engines.hosted import wire
from figurine.engines.hosted.desk import PATIENCE, Desk
from figurine.engines.hosted.queue import Queue
from figurine.errors import (
    FigurineError,
    ProviderBroke,
    ProviderBusy,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnpaid,
)
from tests.figurine.hosted_desk import (
    ENDPOINT,
    FACE,
    PACE,
    WEBHOOK,
    Book,
    ask,
    desk,
    obtain,
    outcome,
)
from tests.figurine.queue_server import KEY, Fault, OfModel, QueueServer, Step, noise, png


@pytest.fixture
def server(provider: QueueServer, monkeypatch: pytest.MonkeyPatch) -> QueueServer:
    # Whoever hangs is given up soon
    monkeypatch.setattr(wire, "TIMEOUT", httpx.Timeout(0.3))
    provider.forget()
    return provider


@pytest.fixture
def book() -> Book:
    return Book()


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


@pytest.mark.parametrize(
    "base", ["http://queue.example", "ftp://queue.example", "queue.example", "https://"]
)
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
        (OfModel(500), ProviderBroke, None, 0.0),
        (OfModel(503), ProviderBroke, None, 0.0),
        (OfModel(504), ProviderTimeout, None, 0.0),
        (OfModel(500, "X-Fal-Retryable"), ProviderBroke, None, 0.0),
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
        ("status", 404),
        ("status", 422),
        ("status", 429),
        ("status", 500),
        ("status", 503),
        ("result", 404),
        *[("result", status) for status in (500, 502, 503, 504, 520, 524)],
        ("result", "cut"),
        ("result", "hang"),
        ("result", "html"),
        ("picture", "cut"),
        ("picture", "redirect"),
        ("picture", 500),
    ],
)
def test_answer_that_is_lost_is_asked_for_again(
    server: QueueServer, book: Book, step: Step, fault: Fault
) -> None:
    server.is_inline = step != "picture"
    server.faults[step].append(fault)
    assert outcome(desk(server, book)) is None
    assert (server.calls.count("submit"), book.cost_usd) == (1, 0.03)


def test_gateway_that_stays_broken_costs_no_second_picture(server: QueueServer, book: Book) -> None:
    server.faults["result"] += [504] * PATIENCE
    assert outcome(desk(server, book)) is ProviderTimeout
    assert (book.find("1-0"), book.cost_usd) == ("r-1", 0.03)
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
    server.faults["result" if is_inline else "picture"] += ["flood"] * PATIENCE
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


def test_key_that_no_header_takes_is_not_paid_for(server: QueueServer, book: Book) -> None:
    broken = Desk(Queue(key="k\n", base=server.base), book, ENDPOINT, webhook="", pace=PACE)
    assert outcome(broken) is ProviderBusy
    assert (book.find("1-0"), book.cost_usd) == (None, 0.0)
