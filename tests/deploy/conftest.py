"""Real processes for the rooms of the supervisor."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from deploy.console import Console
from deploy.pulse import Watch
from deploy.reaper import Reaper
from deploy.supervisor import Backoff, Child, Program
from deploy.var_folder import VarFolder, open_var

ROOT = Path(__file__).resolve().parents[2]

Start = Callable[..., Child]


@pytest.fixture
def var(tmp_path: Path) -> Iterator[VarFolder]:
    var = open_var(tmp_path)
    yield var
    os.close(var.lock)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def wait_for(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Blocks until the condition holds; fails the test when it does not in time."""
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.02)


async def until(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Like `wait_for`, with the loop running."""
    await asyncio.to_thread(wait_for, condition, within_s=within_s)


def is_alive(pid: int) -> bool:
    """Whether a process runs: a zombie that nobody has collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """What the console has written."""
    return tmp_path / "terminal"


@pytest.fixture
def console(terminal: Path) -> Iterator[Console]:
    with terminal.open("w") as stream:
        console = Console(stream)
        yield console
        console.close()


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    reaper = Reaper()
    yield reaper
    reaper.close()


@pytest.fixture
async def start(tmp_path: Path, reaper: Reaper, console: Console) -> AsyncIterator[Start]:
    """Start a child that runs the given Python source; stopped when the test ends."""
    children: list[Child] = []

    def start(
        source: str,
        *,
        grace_s: float = 3.0,
        backoff: Backoff | None = None,
        niceness: int = 0,
        watch: Watch | None = None,
    ) -> Child:
        program = Program(
            name="child",
            command=(sys.executable, "-c", source),
            environment=dict(os.environ),
            folder=tmp_path,
            grace_s=grace_s,
            niceness=niceness,
            watch=watch,
        )
        child = Child(program, reaper=reaper, console=console, log_folder=tmp_path, backoff=backoff)
        children.append(child)
        return child

    yield start
    for child in children:
        await child.stop()
