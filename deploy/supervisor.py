"""Keeps processes alive, and leaves none behind.

Own code, because what there is does not fit: honcho stops everything when one process ends,
supervisord's children outlive a `kill -9` of it, circus brings pyzmq and tornado. Here each child
is one coroutine that reads as its state machine:

    starting -> running -> (died) backing off -> starting …      until stopping -> stopped
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from deploy.console import Console
from deploy.pulse import Watch
from deploy.reaper import Reaper, kill_group

FIRST_BACKOFF_S: Final = 0.5
LAST_BACKOFF_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
"""A child that lived this long starts again without the waits it earned before."""

LOG_BYTES: Final = 5_000_000
LOG_BACKUPS: Final = 3
LINE_BYTES: Final = 65_536
"""A longer line is written in pieces."""

TAIL_LINES: Final = 30
PIPE_PATIENCE_S: Final = 0.5
"""How long to read on after a whole group was killed: only a child that left its group can hold
the pipe open."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    grace_s: float = 2.5
    """From the polite signal to the other one."""
    niceness: int = 0
    """How far it steps back for the others, 0 to 19."""
    watch: Watch | None = None
    """Whose pulse tells that it hangs; without one it is taken to be well while it runs."""


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"


@dataclass(kw_only=True)
class Backoff:
    """The waits between starts: doubling, bounded, forgotten after a healthy life."""

    first_s: float = FIRST_BACKOFF_S
    last_s: float = LAST_BACKOFF_S
    healthy_after_s: float = HEALTHY_AFTER_S
    _next_s: float = field(init=False, default=0.0)

    def wait_after(self, lived_s: float) -> float:
        """How long to wait now, given how long the child lived."""
        if lived_s >= self.healthy_after_s or not self._next_s:
            self._next_s = self.first_s
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self.last_s)
        return wait_s


class Child:
    """One program: started, restarted when it ends, stopped when asked."""

    def __init__(
        self,
        program: Program,
        *,
        reaper: Reaper,
        console: Console,
        log_folder: Path,
        backoff: Backoff | None = None,
    ) -> None:
        self.program = program
        self.state = State.STARTING
        self.deaths = 0
        self.pid = 0
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._reaper = reaper
        self._console = console
        self._backoff = backoff or Backoff()
        self._stopping = asyncio.Event()
        self._log = logging.Logger(program.name)
        self._log.addHandler(
            logging.handlers.RotatingFileHandler(
                log_folder / f"{program.name}.log",
                maxBytes=LOG_BYTES,
                backupCount=LOG_BACKUPS,
                encoding="utf-8",
                errors="backslashreplace",
            )
        )
        self._life = asyncio.create_task(self._live(), name=program.name)

    async def stop(self) -> None:
        """Returns when nothing of the child is left."""
        self._stopping.set()
        await self._life

    async def _live(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            self.state = State.STARTING
            started_at = clock()
            try:
                ending = describe(await self._run())
            except OSError as error:
                ending = f"could not be started ({error.strerror or error})"
            except Exception as error:  # whatever it was: the others live on, and so shall this one
                ending = f"could not be started ({type(error).__name__}: {error})"
            if self.pid:  # not to its end: what was started must not run beside the next
                kill_group(self.pid)
                self.pid = 0
            if self._stopping.is_set():
                break
            self.deaths += 1
            self.state = State.BACKING_OFF
            wait_s = self._backoff.wait_after(clock() - started_at)
            self._console.warn(f"{self.program.name} {ending}; starting again in {wait_s:g} s")
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
        self.state = State.STOPPED

    async def _run(self) -> int:
        """Runs the program once, to its end or to ours. Returns its exit status."""
        self._reaper.ensure()
        started_s = self.program.watch.begin() if self.program.watch else 0.0
        # Not asyncio's own pipe: `wait()` would then wait for every grandchild that holds it.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=self.program.folder,
                env=self.program.environment,
                start_new_session=True,
                preexec_fn=self._begin,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self.pid = process.pid
        self._reaper.add(process.pid)
        self.state = State.RUNNING
        lines = asyncio.create_task(self._read_lines(reading))
        exited = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        hung = asyncio.create_task(self._until_hung(started_s))

        await asyncio.wait({exited, stopping, hung}, return_when=asyncio.FIRST_COMPLETED)
        if hung.done() and not exited.done():
            self._console.warn(f"{self.program.name} hangs: {hung.result()}")
        elif not exited.done():
            # To the leader alone: it knows how to end its own pool without losing a task.
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.wait({exited}, timeout=self.program.grace_s)
        kill_group(process.pid)  # it, if it outlived its grace, and all that it left behind
        status = await exited
        self._reaper.release(process.pid)
        self.pid = 0
        stopping.cancel()
        hung.cancel()
        await asyncio.wait({lines}, timeout=PIPE_PATIENCE_S)
        lines.cancel()
        return status

    async def _until_hung(self, started_s: float) -> str:
        """Returns why the child counts as hung, and never where nobody watches it."""
        watch = self.program.watch
        if watch is None:
            return await asyncio.Future()
        while not (why := watch.complaint(started_s=started_s, now_s=time.monotonic())):
            await asyncio.sleep(watch.every_s)
        return why

    def _begin(self) -> None:
        """In the child, before the program."""
        self._reaper.enrol()
        os.nice(self.program.niceness)

    async def _read_lines(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
        )
        rest = b""
        try:
            while chunk := await reader.read(LINE_BYTES):
                *whole, rest = (rest + chunk).split(b"\n")
                if len(rest) >= LINE_BYTES:
                    whole, rest = [*whole, rest], b""
                for line in whole:
                    self._write_line(line)
        finally:
            if rest:
                self._write_line(rest)
            transport.close()

    def _write_line(self, raw: bytes) -> None:
        line = raw.decode(errors="backslashreplace").rstrip("\r")
        self.tail.append(line)
        self._log.info("%s", line)
        self._console.child(self.program.name, line)


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


@dataclass(frozen=True)
class Finished:
    """A program that ran once."""

    status: int
    output: str


class Supervisor:
    """All children of one installation. Use as an async context: leaving it stops them."""

    def __init__(self, *, console: Console, reaper: Reaper, log_folder: Path) -> None:
        self._console = console
        self._reaper = reaper
        self._log_folder = log_folder
        self._children: list[Child] = []

    def start(self, program: Program) -> Child:
        """Starts a program and keeps it alive."""
        child = Child(
            program, reaper=self._reaper, console=self._console, log_folder=self._log_folder
        )
        self._children.append(child)
        return child

    async def run_once(self, program: Program) -> Finished:
        """Runs a program to its end, its standard error in its log. Cancelling kills it."""
        self._reaper.ensure()
        with open(self._log_folder / f"{program.name}.log", "ab") as log:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=program.folder,
                env=program.environment,
                start_new_session=True,
                preexec_fn=self._reaper.enrol,
            )
        self._reaper.add(process.pid)
        try:
            output, _ = await process.communicate()
        finally:
            kill_group(process.pid)
            status = await process.wait()
            self._reaper.release(process.pid)
        return Finished(status, output.decode())

    async def stop(self) -> None:
        """Stops all: the first started last, because the others say goodbye to it."""
        for together in (self._children[1:], self._children[:1]):
            await asyncio.gather(*(child.stop() for child in together))
        self._children.clear()
