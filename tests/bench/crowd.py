"""Many screens without their browsers, and real servers for them to speak to."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import websockets

from tests.stack import ROOT, free_port, wait_until

START_LIMIT_S = 60
CACHED_S, DARK_S = 0.05, 0.034
"""Before a player says so: a picture comes and is decoded; two frames are drawn. Two hundred that
answered at once, in this one process, would do so before the last of them has read."""


class Crowd:
    """Screens, and when each of them heard what."""

    def __init__(self, addresses: Sequence[str], cookies: Sequence[str]) -> None:
        self.screens = [
            Client(addresses[n % len(addresses)], cookie) for n, cookie in enumerate(cookies)
        ]

    async def __aenter__(self) -> Crowd:
        for screen in self.screens:
            screen.living = asyncio.create_task(screen.live())
        return self

    async def __aexit__(self, *_: object) -> None:
        for screen in self.screens:
            screen.living.cancel()
        await asyncio.gather(*(s.living for s in self.screens), return_exceptions=True)

    async def until(self, happens: Any, *, within_s: float, what: str) -> None:
        """Until `happens` is true of every screen."""
        deadline = time.perf_counter() + within_s
        while left := [screen for screen in self.screens if not happens(screen)]:
            broken = [repr(s.living.exception()) for s in left if s.living.done()]
            assert not broken, broken[0]
            assert time.perf_counter() < deadline, f"{what}: {len(left)} not within {within_s} s"
            await asyncio.sleep(0.005)

    def hang_up(self) -> None:
        """Every connection ends at once, without a word; each screen comes back immediately."""
        for screen in self.screens:
            screen.places.clear()
            screen.socket.transport.abort()


@dataclass(eq=False)
class Client:
    """Speaks billboard.protocol as the player does; holds no picture."""

    address: str
    cookie: str
    epoch: str | None = None
    seq: int = 0
    living: asyncio.Task[None] = field(init=False)
    socket: Any = None
    told: int = 0
    people: int = 0
    """Of whom a snapshot and its parts told."""
    rest: int | None = None
    """What the next part of it comes after."""
    saying: set[asyncio.Task[None]] = field(default_factory=set)
    places: dict[int, float] = field(default_factory=dict)
    """When it heard of each place of the feed."""
    dark: dict[str, float] = field(default_factory=dict)
    """When the server said that this removal is on record."""
    _waiting: dict[int, str] = field(default_factory=dict)

    async def live(self) -> None:
        headers = {"Cookie": self.cookie}
        origin = self.address.replace("ws://", "http://").removesuffix("/ws/screen/")
        while True:
            with suppress(OSError, websockets.WebSocketException, TimeoutError):
                async with websockets.connect(
                    self.address,
                    additional_headers=headers,
                    origin=websockets.Origin(origin),
                    ping_interval=None,
                    compression=None,
                    proxy=None,
                    open_timeout=60,
                ) as self.socket:
                    await self._say({"type": "here", **self._here()})
                    await self._say({"type": "pull", **self._place()})
                    async for text in self.socket:
                        await self._take(json.loads(text))

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "rest":
                await self._take_part(frame)
            case "snapshot" | "changes":
                if frame["type"] == "snapshot":
                    self.people = 0
                    await self._take_part(frame)
                self.epoch, self.seq = frame["epoch"], frame["seq"]
                self.places.setdefault(self.seq, time.perf_counter())
                for change in frame.get("changes", ()):
                    self._acknowledge(change)
            case "acked":
                if submission := self._waiting.pop(frame["n"], None):
                    self.dark[submission] = time.perf_counter()
            case "beat":
                await self._say({"type": "here", **self._here()})

    async def _take_part(self, frame: dict[str, Any]) -> None:
        """The next is asked for when this one is here, as static/js/lib/link.js does."""
        self.people += len(frame["items"])
        self.rest = frame["more"]
        if self.rest is not None:
            await self._say({"type": "rest", "after": self.rest})

    def _acknowledge(self, change: dict[str, Any]) -> None:
        self.told += 1
        kind, after_s = ("cached", CACHED_S) if change["item"] else ("dark", DARK_S)
        if kind == "dark":
            self._waiting[self.told] = change["submission"]
        ack = {"ack": kind, "submission": change["submission"], **self._place()}
        said = {"type": "acks", "n": self.told, "acks": [ack]}
        # Not a task right now: those who have not read yet would wait for two hundred of them.
        asyncio.get_running_loop().call_later(after_s, self._say_soon, said)

    def _say_soon(self, frame: dict[str, Any]) -> None:
        task = asyncio.create_task(self._say(frame))
        self.saying.add(task)
        task.add_done_callback(self._said)

    def _said(self, task: asyncio.Task[None]) -> None:
        self.saying.discard(task)
        if not task.cancelled():
            task.exception()  # The connection was lost; it is told anew where it counts.

    async def _say(self, frame: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(frame))

    def _place(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seq": self.seq}

    def _here(self) -> dict[str, Any]:
        return {**self._place(), "version": "bench", "width_px": 1920, "height_px": 1080}


@dataclass
class Servers:
    """Web processes as `make run` starts them, on the record and the bell of this process."""

    programs: list[subprocess.Popen[bytes]]
    ports: list[int]
    log: Path

    @property
    def addresses(self) -> list[str]:
        return [f"ws://127.0.0.1:{port}/ws/screen/" for port in self.ports]

    def rss_bytes(self) -> int:
        return sum(psutil.Process(p.pid).memory_info().rss for p in self.programs)

    def cpu_s(self) -> float:
        return sum(sum(psutil.Process(p.pid).cpu_times()[:2]) for p in self.programs)


@contextmanager
def servers(var: Path, *, processes: int) -> Iterator[Servers]:
    log = var / "web.log"
    with log.open("ab") as out:
        ports = [free_port() for _ in range(processes)]
        programs = [
            _start(
                "-m", "deploy.web", "-v", "0", *_listen(port), "deploy.asgi:application", out=out
            )
            for port in ports
        ]
    try:
        for port in ports:
            wait_until(partial(_answers, port), within_s=START_LIMIT_S, what="server up")
        yield Servers(programs, ports, log)
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(30)


@contextmanager
def bare_fan_out(var: Path, *, url: str) -> Iterator[str]:
    """Valkey's pub/sub and the websockets library alone; yields its address."""
    port = free_port()
    with (var / "floor.log").open("ab") as out:
        program = _start("-m", "tests.bench.floor", str(port), url, out=out)
    try:
        wait_until(lambda: _answers(port), within_s=START_LIMIT_S, what="the floor is up")
        yield f"ws://127.0.0.1:{port}/"
    finally:
        program.terminate()
        program.wait(30)


def _listen(port: int) -> tuple[str, ...]:
    return ("-b", "127.0.0.1", "-p", str(port))


def _start(*words: str, out: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=dict(os.environ), stdout=out, stderr=out
    )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
