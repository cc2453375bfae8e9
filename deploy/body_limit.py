"""Refuses a request body that is too large, counting bytes instead of believing headers.

daphne has no limit of its own and spools a body to a file without a name before the application
runs; `body_spool.py` sees to it that no more of it is written than this needs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from figurine.errors import TooLarge

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class BodyTooLarge(Exception):
    """Raised into the application, which must not have answered yet."""


class BodyLimit:
    """ASGI middleware: 413 with a code and a sentence once more than `max_bytes` have come."""

    def __init__(self, app: Application, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.max_bytes:
            await self._refuse(send)
            return
        seen = 0
        over = False

        async def counted() -> Event:
            nonlocal seen, over
            event = await receive()
            if event["type"] == "http.request":
                seen += len(event.get("body", b""))
                if seen > self.max_bytes:
                    over = True
                    raise BodyTooLarge
            return event

        try:
            await self.app(scope, counted, send)
        except BodyTooLarge:
            if over:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        body = json.dumps(
            {"code": TooLarge.code, "sentence": TooLarge.sentence, "advice": TooLarge.advice}
        ).encode()
        start: Event = {
            "type": "http.response.start",
            "status": 413,
            "headers": [(b"content-type", b"application/json"), (b"connection", b"close")],
        }
        end: Event = {"type": "http.response.body", "body": body, "more_body": False}
        await send(start)
        await send(end)
