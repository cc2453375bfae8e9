"""Children are real processes: tiny Python programs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from deploy.console import Console
from deploy.reaper import Reaper
from deploy.supervisor import Backoff, Program, State, Supervisor, describe
from tests.deploy.conftest import Start, is_alive, until

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
POLITE = (
    "import signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('goodbye', flush=True)))\n"
    "print('up', flush=True)\n"
    "signal.pause()"
)
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)"
)


async def test_child_killed_is_started_again_and_said_so(start: Start, terminal: Path) -> None:
    child = start(SLEEP, backoff=Backoff(first_s=0.05))
    await until(lambda: list(child.tail) == ["up"])
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: list(child.tail) == ["up", "up"])
    assert child.pid != first
    assert child.state is State.RUNNING
    assert child.deaths == 1
    await until(terminal.read_text)
    assert terminal.read_text() == "  ! child was ended by SIGKILL; starting again in 0.05 s\n"


async def test_child_that_keeps_ending_waits_longer_each_time(start: Start, terminal: Path) -> None:
    child = start("raise SystemExit(3)", backoff=Backoff(first_s=0.02, last_s=0.05))
    await until(lambda: child.deaths >= 4)
    await child.stop()
    await until(lambda: terminal.read_text().count("starting again") >= 4)
    waits = [line.split()[-2] for line in terminal.read_text().splitlines()]
    assert waits[:4] == ["0.02", "0.04", "0.05", "0.05"]


async def test_child_that_cannot_be_started_backs_off(start: Start, terminal: Path) -> None:
    child = start("", backoff=Backoff(first_s=60.0))
    await child.stop()
    missing = Program(name="missing", command=("/nowhere",), environment={}, folder=Path("/"))
    assert child.state is State.STOPPED
    lost = type(child)(
        missing,
        reaper=child._reaper,
        console=child._console,
        log_folder=terminal.parent,
        backoff=Backoff(first_s=60.0),
    )
    await until(lambda: lost.state is State.BACKING_OFF)
    await lost.stop()
    await until(terminal.read_text)  # a thread writes it
    assert terminal.read_text().splitlines()[-1] == (
        "  ! missing could not be started (No such file or directory); starting again in 60 s"
    )


async def test_child_that_breaks_its_supervision_is_heard_of_and_started_again(
    start: Start, terminal: Path, tmp_path: Path
) -> None:
    first = start(SLEEP)
    await until(lambda: list(first.tail) == ["up"])
    # A null byte is no OSError.
    broken = Program(name="broken", command=("a\0b",), environment={}, folder=tmp_path)
    child = type(first)(
        broken,
        reaper=first._reaper,
        console=first._console,
        log_folder=tmp_path,
        backoff=Backoff(first_s=0.02),
    )
    await until(lambda: child.deaths >= 2)
    await child.stop()
    assert child.state is State.STOPPED
    await until(terminal.read_text)
    assert terminal.read_text().splitlines()[0] == (
        "  ! broken could not be started (ValueError: embedded null byte); starting again in 0.02 s"
    )


async def test_child_whose_supervision_breaks_does_not_run_beside_the_next(
    start: Start, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def lose(pid: int) -> None:
        started.append(pid)
        raise RuntimeError("lost")

    monkeypatch.setattr(reaper, "add", lose)
    child = start(SLEEP, backoff=Backoff(first_s=0.02))
    await until(lambda: child.deaths >= 2)
    await child.stop()
    await until(lambda: not any(is_alive(pid) for pid in started))


def test_backoff_doubles_to_its_bound() -> None:
    backoff = Backoff()
    waits = [backoff.wait_after(1.0) for _ in range(8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_backoff_after_a_healthy_life_begins_anew() -> None:
    backoff = Backoff()
    waits = [backoff.wait_after(lived_s) for lived_s in (1.0, 1.0, 59.9, 60.0, 1.0)]
    assert waits == [0.5, 1.0, 2.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with status 0"),
        (3, "ended with status 3"),
        (-9, "was ended by SIGKILL"),
        (-99, "was ended by signal 99"),
    ],
)
def test_exit_status_in_words(status: int, words: str) -> None:
    assert describe(status) == words


async def test_stop_lets_a_child_say_goodbye(start: Start, tmp_path: Path) -> None:
    child = start(POLITE)
    await until(lambda: list(child.tail) == ["up"])
    await child.stop()
    assert (tmp_path / "child.log").read_text() == "up\ngoodbye\n"
    assert child.state is State.STOPPED
    assert child.deaths == 0


async def test_stop_kills_a_child_that_does_not_listen(start: Start) -> None:
    child = start(STUBBORN, grace_s=0.2)
    await until(lambda: list(child.tail) == ["up"])
    pid = child.pid
    started_at = time.monotonic()
    await child.stop()
    assert not is_alive(pid)
    assert 0.2 <= time.monotonic() - started_at < 2.0


async def test_stop_while_backing_off_does_not_wait(start: Start) -> None:
    child = start("", backoff=Backoff(first_s=60.0))
    await until(lambda: child.state is State.BACKING_OFF)
    started_at = time.monotonic()
    await child.stop()
    assert time.monotonic() - started_at < 1.0
    assert child.state is State.STOPPED


async def test_stop_right_after_start_leaves_nothing(start: Start) -> None:
    child = start(SLEEP)
    await child.stop()
    assert child.state is State.STOPPED
    assert child.pid == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_grandchildren_go_with_their_parent(start: Start, how: signal.Signals) -> None:
    child = start(PARENT, backoff=Backoff(first_s=60.0))
    await until(lambda: child.tail)
    grandchild = int(child.tail[0])
    os.kill(child.pid, how)
    await until(lambda: child.state is State.BACKING_OFF)
    await until(lambda: not is_alive(grandchild))


async def test_lines_are_shown_under_the_name_once_asked(
    start: Start, console: Console, terminal: Path
) -> None:
    console.show_children = True
    child = start("print('Größe'); print('x' * 10, end='')", backoff=Backoff(first_s=60.0))
    await until(lambda: child.state is State.BACKING_OFF)
    await until(lambda: len(terminal.read_text().splitlines()) == 3)
    assert terminal.read_text().splitlines()[:2] == [
        "     child │ Größe",
        "     child │ xxxxxxxxxx",
    ]


async def test_line_without_end_is_written_in_pieces(start: Start, tmp_path: Path) -> None:
    child = start("print('x' * 200_000)", backoff=Backoff(first_s=60.0))
    await until(lambda: child.state is State.BACKING_OFF)
    lines = (tmp_path / "child.log").read_text().splitlines()
    assert sum(map(len, lines)) == 200_000
    assert len(lines) > 1


async def test_supervisor_stops_the_first_last(
    tmp_path: Path, console: Console, reaper: Reaper
) -> None:
    supervisor = Supervisor(console=console, reaper=reaper, log_folder=tmp_path)
    source = (
        "import signal, sys, time\n"
        "def goodbye(*_):\n"
        "    time.sleep(0.3 if sys.argv[1] == 'worker' else 0)\n"
        "    with open('order', 'a') as file: file.write(sys.argv[1] + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, goodbye)\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    children = [
        supervisor.start(
            Program(
                name=name,
                command=(sys.executable, "-c", source, name),
                environment=dict(os.environ),
                folder=tmp_path,
            )
        )
        for name in ("broker", "worker")
    ]
    await until(lambda: all(child.tail for child in children))
    await supervisor.stop()
    assert (tmp_path / "order").read_text() == "worker broker "


async def test_run_once_gives_output_and_status(
    tmp_path: Path, console: Console, reaper: Reaper
) -> None:
    supervisor = Supervisor(console=console, reaper=reaper, log_folder=tmp_path)
    source = "import sys; print('out'); print('why', file=sys.stderr); sys.exit(4)"
    finished = await supervisor.run_once(
        Program(
            name="once",
            command=(sys.executable, "-c", source),
            environment=dict(os.environ),
            folder=tmp_path,
        )
    )
    assert (finished.status, finished.output) == (4, "out\n")
    assert (tmp_path / "once.log").read_text() == "why\n"


async def test_run_once_cancelled_leaves_nothing(
    tmp_path: Path, console: Console, reaper: Reaper
) -> None:
    supervisor = Supervisor(console=console, reaper=reaper, log_folder=tmp_path)
    source = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    task = asyncio.create_task(
        supervisor.run_once(
            Program(
                name="once",
                command=(sys.executable, "-c", source),
                environment=dict(os.environ),
                folder=tmp_path,
            )
        )
    )
    pid_file = tmp_path / "pid"
    await until(lambda: pid_file.exists() and pid_file.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(int(pid_file.read_text()))


async def test_child_steps_back_for_the_others_as_far_as_its_program_says(start: Start) -> None:
    own = os.nice(0)
    child = start("import os, time; print(os.nice(0), flush=True); time.sleep(60)", niceness=3)
    await until(lambda: list(child.tail) == [str(min(19, own + 3))])
