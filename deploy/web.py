"""`python -m deploy.web -p PORT deploy.asgi:application`: daphne, at once and within bounds.

Of a body no more is kept than is read (`body_spool.py`). And what is written goes out at once:

Twisted asks the system to say when a socket can be written to, writes, and asks it to say so no
more. Nearly every socket can be written to at any time, so two of these three calls of the system
are for nothing, for each frame to each screen. Here it writes first, and asks only where the system
takes no more.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.main import installReactor


class EagerReactor(AsyncioSelectorReactor):
    """Twisted's, whose writers have a first try in the next turn of the event loop."""

    def __init__(self, eventloop: asyncio.AbstractEventLoop) -> None:
        super().__init__(eventloop)
        self._loop = eventloop
        self._to_try: set[Any] = set()

    def addWriter(self, writer: Any) -> None:  # Twisted's name
        if writer in self._writers or writer in self._to_try:
            return
        self._to_try.add(writer)
        # Not right now: Twisted is in the midst of what it does with it.
        self._loop.call_soon(self._try, writer)

    def removeWriter(self, writer: Any) -> None:
        self._to_try.discard(writer)
        super().removeWriter(writer)

    def _try(self, writer: Any) -> None:
        if writer not in self._to_try:
            return  # it was closed meanwhile
        self._readOrWrite(writer, False)
        if writer in self._to_try:  # it has more to write than the system takes
            self._to_try.discard(writer)
            super().addWriter(writer)


def main() -> None:
    """Daphne's command line. It takes a reactor of Twisted's asyncio kind that is there already."""
    installReactor(EagerReactor(asyncio.new_event_loop()))
    # Not before: daphne installs a reactor of its own where there is none.
    cli, server, body_spool = map(
        importlib.import_module, ("daphne.cli", "daphne.server", "deploy.body_spool")
    )
    vars(server)["HTTPFactory"] = body_spool.BoundedFactory  # It asks nobody which to take.
    cli.CommandLineInterface.entrypoint()


if __name__ == "__main__":
    main()
