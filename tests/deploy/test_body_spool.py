"""deploy/body_spool.py, over real sockets and in the web process as it is started."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from django.conf import settings

from deploy.certificate import ensure_certificate
from tests.stack import wait_until
from tests.web import web

CHUNK = b"0" * 1_000_000
BODY = 12 * CHUNK


def chunks(n: int, sent: list[int]) -> Iterator[bytes]:
    """A body without a length."""
    for _ in range(n):
        sent.append(len(CHUNK))
        yield CHUNK


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_body_without_an_end_is_hung_up_on_and_a_long_one_is_told_so(
    tmp_path: Path, is_tls: bool
) -> None:
    most = settings.UPLOAD_BODY_MAX_BYTES
    sent: list[int] = []
    tls = ensure_certificate(tmp_path, hosts=[]) if is_tls else None
    with web(tls=tls) as address, requests.Session() as browser:
        browser.trust_env = False  # It would go before `verify`.
        browser.verify = str(tls.certificate) if tls else True
        told = browser.post(f"{address}/", data=chunks(most // len(CHUNK) + 2, sent), timeout=60)
        assert (told.status_code, told.json()["code"]) == (413, "too_large")
        sent.clear()
        with pytest.raises(requests.ConnectionError):
            browser.post(f"{address}/", data=chunks(300, sent), timeout=60)
        assert most < sum(sent) < 20 * most
        assert browser.get(f"{address}/livez", timeout=10).ok


def test_no_more_is_written_than_shows_that_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from deploy.body_spool import BoundedRequest  # installs a reactor

    hung_up: list[bool] = []

    class Transport:
        def abortConnection(self) -> None:
            hung_up.append(True)

    monkeypatch.setattr(settings, "UPLOAD_BODY_MAX_BYTES", 10)
    request = BoundedRequest.__new__(BoundedRequest)
    request.transport = Transport()
    request.gotLength(40)
    for _ in range(20):
        request.handleContentChunk(b"0123")
    assert (request.content.getvalue(), hung_up) == (b"01230123012", [])
    request.handleContentChunk(b"0")
    assert (len(request.content.getvalue()), hung_up) == (11, [True])


@contextmanager
def half_sent(address: str, *headers: str) -> Iterator[socket.socket]:
    """A body of 12 MB of which 9 have come."""
    to = urlsplit(address)
    with socket.create_connection((str(to.hostname), int(to.port or 80))) as sock:
        told = [
            *("POST / HTTP/1.1", f"Host: {to.netloc}", f"Content-Length: {len(BODY)}"),
            *("Content-Type: multipart/form-data; boundary=photo", *headers),
        ]
        sock.sendall("\r\n".join([*told, "", ""]).encode() + 9 * CHUNK)
        yield sock


def posted(address: str, body: bytes = BODY) -> requests.Response:
    """As a phone sends a photo."""
    return requests.post(f"{address}/", files={"photo": body}, timeout=60)


def spooled_bytes() -> int:
    """Of all bodies that the web process holds: files that have no name. The last few kB of each
    are on their way."""
    held = 0
    for child in psutil.Process().children(recursive=True):
        for fd in Path(f"/proc/{child.pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                held += fd.stat().st_size if "(deleted)" in os.readlink(fd) else 0
    return held


def is_full(address: str) -> bool:
    return posted(address).status_code == 503


@pytest.mark.django_db(transaction=True)
def test_bodies_under_way_have_an_end_together() -> None:
    with web(DIORAMA_BODIES_MAX_BYTES="22000000") as address:
        assert not is_full(address)
        with ExitStack() as under_way:
            senders = [under_way.enter_context(half_sent(address)) for _ in range(2)]
            # Not asked by a body of our own, which would take what is theirs
            wait_until(lambda: spooled_bytes() > 17.9 * len(CHUNK), within_s=30, what="both came")
            told = posted(address)
            assert (told.json()["code"], told.headers["Retry-After"]) == ("too_many_at_once", "10")
            assert posted(address, b"recall").status_code != 503, "what is short is always taken"
            # Who has come so far is heard to the end
            senders[0].sendall(3 * CHUNK)
            assert b" 503 " not in senders[0].recv(64)
        wait_until(lambda: not is_full(address), within_s=30, what="there is room again")
        # A body before a socket counts no longer than it lasts
        for _ in range(2):
            upgrade = ("Upgrade: websocket", "Connection: Upgrade")
            with half_sent(address, *upgrade) as sock:
                sock.sendall(3 * CHUNK)
                sock.recv(64)
                assert not is_full(address)


def test_body_that_is_slower_than_any_phone_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from deploy import body_spool  # installs a reactor

    now_s = 1000.0
    hung_up: list[float] = []

    class Transport:
        def abortConnection(self) -> None:
            hung_up.append(now_s)

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    request = body_spool.BoundedRequest.__new__(body_spool.BoundedRequest)
    request.transport = Transport()
    request.gotLength(5_000_000)
    for _ in range(100):  # 20 kB/s
        now_s += 1
        request.handleContentChunk(b"0" * 20_000)
    assert hung_up == []
    while not hung_up and now_s < 2000:  # from then on a byte a second
        now_s += 1
        request.handleContentChunk(b"0")
    # 2 MB are worth 200 s, and 30 are given.
    assert hung_up == [1231]
    request._let_go()
    assert body_spool.BoundedRequest.under_way_bytes == 0
