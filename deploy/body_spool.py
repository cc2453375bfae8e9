"""A body on its way to the disk: Twisted writes down whatever comes, before the application runs.

With a full disk nobody can be recalled. So no more of a body is written than shows that it is too
long (`body_limit.py` says so, once all of it has come), and of all that are under way no more than
`BODIES_MAX_BYTES`: whoever comes on top of that is told to come again. Who goes on for long after
that, or is slower than any phone, is hung up on.

Short ones, by which the crew decides and recalls, stay in memory and are always taken.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

from campaign.errors import TooManyAtOnce

HEARD_OUT: Final = 8
"""So many times the limit is read, and not kept: a browser that is hung up on while it sends shows
no answer, and a photo that is too heavy is to be told so."""

SPOOLED_FROM_BYTES: Final = 100_000
"""What is declared shorter is kept in memory. Source: twisted.web.http, _getContentFile."""

SLOWEST_BYTES_PER_S: Final = 10_000
GRACE_S: Final = 30.0
"""The poorest of mobile networks brings 80 kbit/s, and may need a while to begin."""

RETRY_AFTER_S: Final = 10


class BoundedRequest(WebRequest):
    """Daphne's, of which no more is kept than one byte over the limit."""

    under_way_bytes = 0
    """Of all requests whose body is kept on the disk."""

    came = 0
    """Bytes of its body, kept or not."""
    held = 0
    """Those that count as under way."""
    _parsePOSTFormSubmission = False
    """Twisted would take a form apart in the event loop, which Daphne has no use for, and answer
    400 to one whose body is not kept."""
    is_spooled = False
    is_turned_away = False
    began_s = 0.0

    def gotLength(self, length: int | None) -> None:  # Twisted's name
        super().gotLength(length)
        self.is_spooled = length is None or length >= SPOOLED_FROM_BYTES
        self.began_s = time.monotonic()

    def handleContentChunk(self, data: bytes) -> None:  # Twisted's name
        most = settings.UPLOAD_BODY_MAX_BYTES
        self._keep(data[: max(0, most + 1 - self.came)])
        self.came += len(data)
        late_s = time.monotonic() - self.began_s - self.came / SLOWEST_BYTES_PER_S
        if self.came > HEARD_OUT * most or late_s > GRACE_S:
            # Not in order: over https that waits for an answer, and whoever sends on gives none.
            self.transport.abortConnection()

    def process(self) -> Any:
        if self.is_turned_away:
            return self._turn_away()
        done = super().process()
        if self.transport is None:  # a socket by now, which ends without this request
            self._let_go()
        return done

    def finish(self) -> None:
        super().finish()
        self._let_go()

    def connectionLost(self, reason: object) -> None:  # Twisted's name
        super().connectionLost(reason)
        self._let_go()

    def _keep(self, data: bytes) -> None:
        if self.is_turned_away:
            return
        if not self.is_spooled:
            super().handleContentChunk(data)
            return
        if BoundedRequest.under_way_bytes + len(data) > settings.BODIES_MAX_BYTES:
            self.is_turned_away = True
            self.content.seek(0)
            self.content.truncate()
            self._let_go()
            return
        BoundedRequest.under_way_bytes += len(data)
        self.held += len(data)
        super().handleContentChunk(data)

    def _let_go(self) -> None:
        BoundedRequest.under_way_bytes -= self.held
        self.held = 0

    def _turn_away(self) -> None:
        error = TooManyAtOnce
        words = {"code": error.code, "sentence": error.sentence, "advice": error.advice}
        headers = [
            (b"content-type", b"application/json"),
            (b"retry-after", str(RETRY_AFTER_S).encode()),
        ]
        start = {"type": "http.response.start", "status": error.status, "headers": headers}
        self.handle_reply(start)
        self.handle_reply({"type": "http.response.body", "body": json.dumps(words).encode()})


class BoundedFactory(HTTPFactory):
    """Daphne's, whose requests are bounded."""

    def buildProtocol(self, addr: object) -> object:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
