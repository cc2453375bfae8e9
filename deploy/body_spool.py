"""A body on its way to the disk: Twisted writes down whatever comes, before the application runs.

One request without an end would fill the disk, and with a full disk nobody can be recalled. So no
more of a body is written than shows that it is too long (`body_limit.py` says so, once all of it
has come); whoever goes on for long after that is hung up on.
"""

from __future__ import annotations

from typing import Final

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

HEARD_OUT: Final = 8
"""So many times the limit is read, and not kept: a browser that is hung up on while it sends shows
no answer, and a photo that is too heavy is to be told so."""


class BoundedRequest(WebRequest):
    """Daphne's, of which no more is kept than one byte over the limit."""

    came = 0
    """Bytes of its body, kept or not."""

    def handleContentChunk(self, data: bytes) -> None:  # Twisted's name
        most = settings.UPLOAD_BODY_MAX_BYTES
        room = max(0, most + 1 - self.came)
        super().handleContentChunk(data[:room])
        self.came += len(data)
        if self.came > HEARD_OUT * most:
            self.channel.loseConnection()


class BoundedFactory(HTTPFactory):
    """Daphne's, whose requests are bounded."""

    def buildProtocol(self, addr: object) -> object:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
