"""deploy/web.py: what is written goes out at once, and waits for nobody who does not read."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from deploy.web import EagerReactor

MUCH = b"x" * 8_000_000
"""More than the system takes for one socket."""


class Counting(EagerReactor):
    """Counts how often the system is asked to say when a socket can be written to."""

    asked = 0

    def __init__(self, eventloop: asyncio.AbstractEventLoop) -> None:
        super().__init__(eventloop)
        add_writer: Any = eventloop.add_writer

        def counted(*arguments: Any) -> None:
            self.asked += 1
            add_writer(*arguments)

        eventloop.add_writer = counted  # type: ignore[method-assign,assignment]


class Line:
    """One connection of a running reactor, from both ends."""

    def __init__(self, reactor: Counting, near: socket.socket) -> None:
        self.reactor, self.near = reactor, near
        self.far: Any
        self.lost = threading.Event()

    def do(self, work: Any) -> None:
        """In the reactor's thread; returns once it is done."""
        done = threading.Event()

        def worked() -> None:
            work()
            done.set()

        self.reactor.callFromThread(worked)
        assert done.wait(10)

    def read(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            more = self.near.recv(min(65536, size - len(got)))
            assert more, "closed"
            got += more
        return bytes(got)


@pytest.fixture
def line() -> Iterator[Line]:
    reactor: Any = Counting(asyncio.new_event_loop())
    made: list[Line] = []
    is_there = threading.Event()

    class Server(Protocol):
        def connectionMade(self) -> None:
            made[0].far = self.transport
            is_there.set()

        def connectionLost(self, *_: Any) -> None:
            made[0].lost.set()

    listening: Any = reactor.listenTCP(0, Factory.forProtocol(Server), interface="127.0.0.1")
    running = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False})
    with socket.socket() as near:
        made.append(Line(reactor, near))
        running.start()
        near.settimeout(10)
        near.connect(("127.0.0.1", listening.getHost().port))
        assert is_there.wait(10)
        yield made[0]
        reactor.callFromThread(reactor.stop)
        running.join(10)
    assert not running.is_alive()


def test_what_fits_is_written_without_asking(line: Line) -> None:
    line.do(lambda: [line.far.write(b"one "), line.far.write(b"two")])
    assert line.read(7) == b"one two"
    assert line.reactor.asked == 0


def test_whoever_reads_slowly_gets_all_of_it_in_order(line: Line) -> None:
    line.do(lambda: line.far.write(MUCH))
    line.do(lambda: line.far.write(b"and this"))
    assert line.read(len(MUCH)) == MUCH
    assert line.read(8) == b"and this"
    assert line.reactor.asked > 0


def test_what_was_written_before_the_end_is_sent(line: Line) -> None:
    line.do(lambda: [line.far.write(b"bye"), line.far.loseConnection()])
    assert line.read(3) == b"bye"
    assert line.near.recv(1) == b""
    assert line.lost.wait(10)


def test_whoever_hung_up_is_let_go(line: Line) -> None:
    line.near.close()
    assert line.lost.wait(10)
    line.do(lambda: line.far.write(b"nobody"))


def test_aborted_with_words_to_send_leaves_nothing_behind(line: Line) -> None:
    line.do(lambda: [line.far.write(b"never"), line.far.abortConnection()])
    assert line.lost.wait(10)
    assert not line.reactor._to_try
