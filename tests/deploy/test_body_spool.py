"""deploy/body_spool.py, over real sockets and in the web process as it is started."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import requests
from django.conf import settings

from tests.web import web

CHUNK = b"0" * 1_000_000


def chunks(n: int, sent: list[int]) -> Iterator[bytes]:
    """A body without a length."""
    for _ in range(n):
        sent.append(len(CHUNK))
        yield CHUNK


@pytest.mark.django_db(transaction=True)
def test_body_without_an_end_is_hung_up_on_and_a_long_one_is_told_so() -> None:
    most = settings.UPLOAD_BODY_MAX_BYTES
    sent: list[int] = []
    with web() as address:
        told = requests.post(f"{address}/", data=chunks(most // len(CHUNK) + 2, sent), timeout=60)
        assert (told.status_code, told.json()["code"]) == (413, "too_large")
        sent.clear()
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{address}/", data=chunks(1000, sent), timeout=60)
        assert most < sum(sent) < 20 * most
        assert requests.get(f"{address}/livez", timeout=10).ok


def test_no_more_is_written_than_shows_that_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from deploy.body_spool import BoundedRequest  # installs a reactor

    hung_up: list[bool] = []

    class Channel:
        def loseConnection(self) -> None:
            hung_up.append(True)

    monkeypatch.setattr(settings, "UPLOAD_BODY_MAX_BYTES", 10)
    request = BoundedRequest.__new__(BoundedRequest)
    request.content, request.channel = io.BytesIO(), Channel()
    for _ in range(20):
        request.handleContentChunk(b"0123")
    assert (request.content.getvalue(), hung_up) == (b"01230123012", [])
    request.handleContentChunk(b"0")
    assert (len(request.content.getvalue()), hung_up) == (11, [True])
