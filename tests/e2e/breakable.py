"""What stands between a screen and the record, to be broken by hand."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import requests
from django.conf import settings

from tests.stack import ROOT
from tests.web import STOP_LIMIT_S, database_url

TIMES: Final = 10
"""How many times as quick as in the street."""
BEAT_S: Final = 5 / TIMES

PATIENCE: Final = {
    "lib/link.js": "POLL_MS SILENT_MS PULL_AGAIN_MS BACKOFF_FIRST_MS BACKOFF_MOST_MS",
    "lib/skips.js": "SKIP_MS LATE_SKIP_MS",
    "screen/main.js": "FRESH_EVERY_MS EXPIRE_EVERY_MS STOCK_EVERY_MS",
    "screen/player.js": "HOLD_MS COLD_HOLD_MS",
    "screen/turns.js": "AGAIN_MS",
    "screen/worker.js": "ANSWER_MS FILL_MS",
}
"""What a player waits for, but for what it draws: that keeps its pace."""

T = TypeVar("T")


def hurried(folder: Path) -> Path:
    """A copy of static/ whose player waits a tenth of its time."""
    static = Path(shutil.copytree(settings.BASE_DIR / "static", folder / "static"))
    for name, constants in PATIENCE.items():
        file = static / "js" / name
        text = file.read_text()
        for constant in constants.split():
            stated = rf"const {constant} = ([0-9_]+);"
            (waits,) = re.findall(stated, text)
            text = re.sub(stated, f"const {constant} = {int(waits) // TIMES};", text)
        file.write_text(text)
    return static


class Wire:
    """A port that passes everything on to another, until it is cut, away, or holds it back."""

    def __init__(self, there: int) -> None:
        self.there = there
        self.is_there = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._flows = asyncio.Event()
        self._ways: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Wire:
        self._thread.start()
        self._flows.set()
        self._listening = self._do(asyncio.start_server(self._meet, "127.0.0.1", 0))
        self.port = int(self._listening.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._listening.close)
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut(self) -> None:
        """Every connection there is now. What is held back on them is lost."""
        self._do(self._cut())

    def take_away(self) -> None:
        self.is_there = False
        self.cut()

    def hold(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def mend(self) -> None:
        """What was held back arrives now."""
        self.is_there = True
        self._loop.call_soon_threadsafe(self._flows.set)

    @property
    def is_held(self) -> bool:
        return not self._flows.is_set()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _cut(self) -> None:
        ways = tuple(self._ways)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _meet(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way
        self._ways.add(way)
        ends = [to_near]
        passing: list[asyncio.Task[None]] = []
        try:
            if not self.is_there:
                raise ConnectionResetError
            far, to_far = await asyncio.open_connection("127.0.0.1", self.there)
            ends.append(to_far)
            passing += [
                asyncio.create_task(self._pass_on(near, to_far)),
                asyncio.create_task(self._pass_on(far, to_near)),
            ]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.close()  # what was written still arrives
        except (asyncio.CancelledError, OSError):
            for end in ends:
                end.transport.abort()
        finally:
            for each in passing:
                each.cancel()
            self._ways.discard(way)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()


class Server:
    """daphne on the test's database, always on the same port; nobody waits for it to come up."""

    def __init__(self, port: int, **environment: str) -> None:
        self.port = port
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this is

    def start(self) -> None:
        """Unless it runs."""
        if self.process and self.process.poll() is None:
            return
        told = {
            **os.environ,
            "DIORAMA_DATABASE_URL": database_url(),
            "QUICK_BEAT_S": str(BEAT_S),
            **self.environment,
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.web", "-b", "127.0.0.1", "-p", str(self.port)),
                "tests.e2e.quick:application",
            ],
            cwd=ROOT,
            env=told,
            stdout=self.log,
            stderr=self.log,
        )

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(STOP_LIMIT_S)

    def is_up(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/livez", timeout=2).ok
        except requests.RequestException:
            return False

    @property
    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")
