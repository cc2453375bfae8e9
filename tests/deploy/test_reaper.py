"""A supervisor ended by `kill -9` leaves nothing, not even grandchildren."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.reaper import Reaper
from tests.deploy.conftest import is_alive, wait_for

ROOT = Path(__file__).resolve().parents[2]

SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from deploy.console import Console
from deploy.reaper import Reaper
from deploy.supervisor import Program, Supervisor

GRANDCHILD = "import time; time.sleep(60)"
CHILD = (
    "import os, signal, subprocess, sys\\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
    f"grandchild = subprocess.Popen([sys.executable, '-c', {GRANDCHILD!r}])\\n"
    "print(os.getpid(), grandchild.pid, flush=True)\\n"
    "signal.pause()"
)

async def main():
    console = Console()
    console.show_children = True
    reaper = Reaper()
    print("reaper", reaper.pid, flush=True)
    supervisor = Supervisor(console=console, reaper=reaper, log_folder=Path(sys.argv[1]))
    supervisor.start(
        Program(
            name="child",
            command=(sys.executable, "-c", CHILD),
            environment=dict(os.environ),
            folder=Path.cwd(),
        )
    )
    await asyncio.Event().wait()

asyncio.run(main())
"""


def start_supervisor(folder: Path) -> tuple[subprocess.Popen[str], int, tuple[int, int]]:
    """The supervisor, its reaper, and both generations below it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    reaper = int(process.stdout.readline().split()[1])
    child, grandchild = map(int, process.stdout.readline().partition("│")[2].split())
    return process, reaper, (child, grandchild)


def test_supervisor_killed_leaves_no_orphan(tmp_path: Path) -> None:
    process, reaper, below = start_supervisor(tmp_path)
    assert [is_alive(pid) for pid in (reaper, *below)] == [True, True, True]
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(is_alive, (reaper, *below))), within_s=2.0)


def test_reaper_closed_kills_what_is_enrolled() -> None:
    reaper = Reaper()
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        start_new_session=True,
        preexec_fn=reaper.enrol,
    )
    reaper.close()
    assert child.wait(timeout=5) == -signal.SIGKILL


def test_reaper_lets_released_groups_live() -> None:
    reaper = Reaper()
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=reaper.enrol,
    )
    reaper.release(child.pid)
    reaper.close()
    child.communicate()
    assert child.returncode == 0


def test_reaper_killed_is_replaced_and_remembers() -> None:
    reaper = Reaper()
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        start_new_session=True,
        preexec_fn=reaper.enrol,
    )
    reaper.add(child.pid)
    first = reaper.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not is_alive(first))
    reaper.ensure()
    assert reaper.pid != first
    reaper.close()
    assert child.wait(timeout=5) == -signal.SIGKILL


def test_reaper_holds_what_it_inherits_until_all_is_dead(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    reaper = Reaper(inherit=[writing])
    os.close(writing)
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    reaper.close()
    assert os.read(reading, 1) == b""
    os.close(reading)
