from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.body_limit import BodyLimit


async def read_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads its whole body and says how long it was."""
    length, more = 0, True
    while more:
        event = await receive()
        length += len(event.get("body", b""))
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


async def ask(*chunks: bytes, declared: bytes | None = None) -> tuple[int, bytes]:
    pending = list(chunks)
    sent: list[Any] = []

    async def receive() -> Any:
        body = pending.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(pending)}

    async def send(event: Any) -> None:
        sent.append(event)

    headers = [(b"content-length", declared)] if declared is not None else []
    await BodyLimit(read_all, max_bytes=10)({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("chunks", "declared"),
    [([b"0123456789"], b"10"), ([b"01234", b"56789"], None), ([b""], b"0")],
)
async def test_body_within_the_limit_passes(chunks: list[bytes], declared: bytes | None) -> None:
    assert await ask(*chunks, declared=declared) == (200, str(sum(map(len, chunks))).encode())


@pytest.mark.parametrize(
    ("chunks", "declared"),
    [
        ([b"x"], b"11"),
        ([b"012345", b"67890"], None),
        ([b"012345", b"67890"], b"3"),
        ([b"x"], b"nonsense"),
    ],
)
async def test_body_over_the_limit_is_refused(chunks: list[bytes], declared: bytes | None) -> None:
    status, body = await ask(*chunks, declared=declared)
    assert (status, json.loads(body)["code"]) == (413, "too_large")
