"""The watchdog and what it watches are real processes; those that hang, hang in earnest."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from campaign import leases
from deploy import pulse
from deploy.pulse import Pulse, Watch
from deploy.supervisor import Backoff
from tests.deploy.conftest import ROOT, Start, is_alive, until, wait_for

# Each life writes its and a grandchild's number as a line; only the first one does what is asked.
WORKER = """
import ctypes, os, subprocess, sys, threading, time
from dataclasses import replace
from pathlib import Path
from deploy import pulse

file, lives = Path(sys.argv[1]), Path(sys.argv[2])
work = pulse.Pulse(at_s=0, state="ready")

def beat():
    while True:
        pulse.write(file, replace(work, at_s=time.monotonic()))
        time.sleep(0.02)

def take(limit_s):
    global work
    work = replace(work, work="1 x Job", since_s=time.monotonic(), limit_s=limit_s)

def told():
    while not (said := pulse.read(file)) or said.work != work.work:
        time.sleep(0.01)

def first_life():
    HOW

grandchild = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
is_first = not lives.exists()
with lives.open("a") as numbers:
    numbers.write(f"{os.getpid()} {grandchild.pid}\\n")
threading.Thread(target=beat, daemon=True).start()
if is_first:
    first_life()
time.sleep(60)
"""
IN_C = "take(60); told(); ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the interpreter's lock"
IN_PYTHON = "take(0.2); told(); threading.Event().wait()"
SLOW = "take(1.0); time.sleep(1.5); lives.with_suffix('.done').touch(); take(60)"
DIES = "sys.exit(3)"
ENDS_ITSELF = f"os._exit({pulse.HUNG_STATUS})"
KILLED = "os.kill(os.getpid(), 9)"
MUTE = "pass"


class Watched:
    """`python -m deploy.pulse` over a worker that does `how` in its first life."""

    def __init__(self, folder: Path, how: str, *, is_heard: bool = True, **patience: float) -> None:
        self.lives = folder / "lives"
        self.file = pulse.file_of("worker", var=folder)
        asked = {"silence-s": 20.0, "start-s": 20.0, "grace-s": 5.0, "every-s": 0.02} | patience
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.pulse", "--name", "worker", "--var", str(folder)),
                *(f"--{name}={value}" for name, value in asked.items()),
                *("--", sys.executable, "-c", WORKER.replace("HOW", how)),
                *(str(self.file if is_heard else folder / "elsewhere"), str(self.lives)),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self) -> list[list[int]]:
        """Of each life so far: the worker's and its grandchild's."""
        if not self.lives.exists():
            return []
        return [[int(pid) for pid in line.split()] for line in self.lives.read_text().splitlines()]

    def has_work(self) -> bool:
        beat = pulse.read(self.file)
        return beat is not None and beat.work != ""

    def end(self) -> str:
        """Ask it to stop; returns what it has said."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=10)[1]


Watching = Callable[..., Watched]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watching]:
    everybody: list[Watched] = []

    def start(how: str, **asked: Any) -> Watched:
        everybody.append(Watched(tmp_path, how, **asked))
        return everybody[-1]

    yield start
    for one in everybody:
        one.process.kill()
        one.process.communicate()


def test_worker_that_hangs_in_c_is_killed_with_its_children_and_started_anew(
    watched: Watching,
) -> None:
    # No thread of it gets a turn, so it is the pulse that stops.
    one = watched(IN_C, **{"silence-s": 0.5})
    wait_for(lambda: len(one.pids()) >= 2)
    assert [is_alive(pid) for pid in one.pids()[0]] == [False, False]
    assert re.match(r"pulse: no beat for \d+ s in 1 x Job; killing ", one.end())


def test_worker_whose_work_takes_twice_its_limit_is_killed_though_its_pulse_goes_on(
    watched: Watching,
) -> None:
    one = watched(IN_PYTHON)
    wait_for(lambda: len(one.pids()) >= 2)
    assert [is_alive(pid) for pid in one.pids()[0]] == [False, False]
    first, *_ = one.pids()
    said = rf"pulse: 1 x Job takes \d+ s of at most 0; killing {first[0]}\n"
    assert re.fullmatch(said, one.end())


def test_worker_that_is_merely_slow_lives(watched: Watching, tmp_path: Path) -> None:
    one = watched(SLOW)
    wait_for(lambda: (tmp_path / "lives.done").exists())
    (life,) = one.pids()
    assert is_alive(life[0])
    assert one.end() == ""


def test_worker_that_never_beats_is_killed(watched: Watching) -> None:
    one = watched(MUTE, is_heard=False, **{"start-s": 0.5})
    assert one.process.stderr
    assert one.process.stderr.readline().startswith("pulse: no first beat; killing ")


def test_worker_that_ended_itself_because_its_work_hung_is_started_anew(watched: Watching) -> None:
    one = watched(ENDS_ITSELF)
    wait_for(lambda: len(one.pids()) >= 2)
    assert [is_alive(pid) for pid in one.pids()[0]] == [False, False]
    assert pulse.HUNG_STATUS == leases.HUNG_STATUS
    assert one.end() == ""


@pytest.mark.parametrize(("how", "status"), [(DIES, 3), (KILLED, 128 + signal.SIGKILL)])
def test_worker_that_ends_by_itself_ends_the_watch_with_its_status(
    watched: Watching, how: str, status: int
) -> None:
    one = watched(how)
    assert one.process.wait(10) == status
    assert [is_alive(pid) for pid in one.pids()[0]] == [False, False]


def test_watchdog_asked_to_stop_asks_the_worker(watched: Watching) -> None:
    one = watched("import signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(5)); take(60)")
    wait_for(one.has_work)
    assert one.end() == ""
    assert one.process.returncode == 5


def test_watchdog_asked_to_stop_kills_a_worker_that_does_not(watched: Watching) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); take(60)"
    one = watched(stubborn, **{"grace-s": 0.1})
    wait_for(one.has_work)
    (life,) = one.pids()
    assert one.end() == f"pulse: it does not stop when asked; killing {life[0]}\n"
    assert not any(map(is_alive, life))


def test_watchdog_killed_leaves_nothing(watched: Watching) -> None:
    one = watched(MUTE)
    wait_for(lambda: one.file.exists())
    one.process.kill()
    wait_for(lambda: not any(map(is_alive, one.pids()[0])))


async def test_supervisor_watches_by_itself(start: Start, tmp_path: Path, terminal: Path) -> None:
    file, lives = pulse.file_of("child", var=tmp_path), tmp_path / "lives"
    file.parent.mkdir()
    argv = ["-c", str(file), str(lives)]
    child = start(
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = {argv!r}\n"
        + WORKER.replace("HOW", IN_PYTHON),
        backoff=Backoff(first_s=0.02),
        watch=Watch(file=file, every_s=0.02),
    )
    await until(lambda: lives.exists() and len(lives.read_text().splitlines()) == 2)
    assert child.deaths == 1
    await until(lambda: "starting again" in terminal.read_text())
    hung, ended = terminal.read_text().splitlines()
    assert re.fullmatch(r"  ! child hangs: 1 x Job takes \d+ s of at most 0", hung)
    assert ended == "  ! child was ended by SIGKILL; starting again in 0.02 s"


FRESH = Pulse(at_s=100.0, state="ready", work="1 x Job", since_s=90.0, limit_s=10.0)


@pytest.mark.parametrize(
    ("beat", "now_s", "complaint"),
    [
        (FRESH, 100.0, ""),
        (FRESH, 110.0, ""),
        (FRESH, 129.5, ""),
        (replace(FRESH, at_s=110.0), 110.0, ""),
        (replace(FRESH, at_s=110.5), 110.5, "1 x Job takes 20 s of at most 10"),
        (FRESH, 130.5, "no beat for 30 s in 1 x Job"),
        (replace(FRESH, work=""), 120.0, ""),
        (replace(FRESH, work=""), 131.0, "no beat for 31 s"),
        (None, 220.0, ""),
        (None, 220.5, "no first beat"),
    ],
)
def test_what_counts_as_hung(
    tmp_path: Path, beat: Pulse | None, now_s: float, complaint: str
) -> None:
    watch = Watch(file=tmp_path / "a.pulse")
    if beat:
        pulse.write(watch.file, beat)
    assert watch.complaint(started_s=100.0, now_s=now_s) == complaint


@pytest.mark.parametrize(
    ("beat", "patience_s", "complaint"),
    [
        (FRESH, pulse.SILENCE_S, "no beat for 931 s in 1 x Job"),
        (None, pulse.START_S, "no first beat"),
    ],
    ids=["worker", "start"],
)
def test_nobody_hangs_for_a_disk_that_is_full_nor_before_it_could_beat_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    beat: Pulse | None,
    patience_s: float,
    complaint: str,
) -> None:
    def full(file: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    watch = Watch(file=tmp_path / "a.pulse")
    if beat:
        pulse.write(watch.file, beat)
    last_full_s = 1031.0 - patience_s - 1
    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        for now_s in (300.0, last_full_s):
            assert watch.complaint(started_s=100.0, now_s=now_s) == ""
    assert watch.complaint(started_s=100.0, now_s=last_full_s + patience_s) == ""
    assert watch.complaint(started_s=100.0, now_s=1031.0) == complaint
    assert set(tmp_path.iterdir()) <= {watch.file}


def test_pulse_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    for text in ("", "{}", '{"at_s": 1, "state": "ready", "mood": 3}'):
        (tmp_path / "a.pulse").write_text(text)
        assert pulse.read(tmp_path / "a.pulse") is None


@pytest.mark.parametrize(
    ("state", "age_s", "told"),
    [
        ("ready", 0.0, (0, "ready\n")),
        ("starting", 0.0, (1, "starting\n")),
        ("stuck", 0.0, (1, "stuck\n")),
        ("stopping", 0.0, (1, "stopping\n")),
        ("ready", pulse.SILENCE_S + 1, (1, "away\n")),
        ("ready", -60.0, (1, "away\n")),  # from before the machine was last started
        (None, 0.0, (1, "away\n")),
    ],
)
def test_ready_answers_a_container_s_check(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    state: str | None,
    age_s: float,
    told: tuple[int, str],
) -> None:
    file = pulse.file_of("worker-gpu-0", var=tmp_path)
    file.parent.mkdir()
    if state:
        pulse.write(file, Pulse(at_s=time.monotonic() - age_s, state=state))
    assert (pulse.main(["--ready", "--var", str(tmp_path)]), capsys.readouterr().out) == told


@pytest.mark.parametrize("arguments", [[], ["--ready", "--", "celery"]])
def test_command_and_question_exclude_each_other(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        pulse.main(arguments)
    assert ended.value.code == 2
