"""`python -m deploy.up` as a newcomer runs it: real processes, a folder and a port of its own."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import psutil
import pytest
from django.conf import settings

from deploy.exits import ExitCode
from deploy.up import main
from tests.deploy.conftest import wait_for

ROOT = Path(__file__).resolve().parents[2]
UP_WITHIN_S = 120.0
STOPPED_WITHIN_S = 5.0
FILES = (1024, 4096)
"""How many may be open at once, by itself and at most, where `make run` is started."""


def environment() -> dict[str, str]:
    """Without what the other tests stand on."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DIORAMA_", "DJANGO_"))
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


KEEP = """
from campaign.enums import SubmissionState
from campaign.models import Campaign
from tests import shelf
# The first step alone: the workers that run here take the next ones.
shelf.put(Campaign.objects.get(), SubmissionState.SCREENING)
"""


class Up:
    """A supervisor and what it says."""

    def __init__(self, var: Path, *options: str, **told: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.up", "--var", str(var), *options],
            cwd=ROOT,
            env=environment() | told,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=few_files,
        )
        self.said = ""
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def until_said(self, words: str, *, within_s: float = UP_WITHIN_S) -> None:
        give_up_at = time.monotonic() + within_s
        while words not in self.said:
            with suppress(Empty):
                line = self._lines.get(timeout=max(give_up_at - time.monotonic(), 0.01))
                self.said += line
                if line:
                    continue
            pytest.fail(f"{words!r} was not said, but:\n{self.said}")

    def after(self, label: str) -> str:
        """The word behind a label of the summary."""
        found = re.search(rf"^ *{label} +(\S+)", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def below(self) -> list[psutil.Process]:
        """Every process it has started, and theirs."""
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def holders(self) -> list[psutil.Process]:
        """Those that may hold a face: not Valkey, which has ids and words, nor the reaper."""
        ours = ("deploy.asgi:application", "deploy.celery", "figurine.zygote")
        return [one for one in self.below() if set(ours) & set(one.cmdline())]


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as response:
        return int(response.status)


def few_files() -> None:
    """As a login shell gives them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, FILES)


def is_dumped_never(process: psutil.Process) -> bool:
    return bool(process.rlimit(psutil.RLIMIT_CORE) == (1, 1))


def alive(processes: list[psutil.Process]) -> list[str]:
    return [
        " ".join(process.cmdline())
        for process in processes
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def up(var: Path) -> Iterator[Up]:
    up = Up(var, "--port", str(free_port()))
    yield up
    if up.process.poll() is None:
        up.process.send_signal(signal.SIGINT)
        up.process.wait(timeout=10)


def test_everything_starts_serves_mends_itself_stops_and_resumes(up: Up, var: Path) -> None:
    # 1. It comes up and says where
    up.until_said("Ctrl-C stops everything.")
    for label in ("Phone", "Desk", "Screen"):
        assert status(up.after(label).partition("#")[0]) == 200
    origin = up.after("Phone").partition("/c/")[0]
    assert status(f"{origin}/readyz") == 200
    assert up.after("Password") in (var / "moderator.txt").read_text()
    for private in ("moderator.txt", "screen.txt", "secret_key", "diorama.sqlite3"):
        assert (var / private).stat().st_mode & 0o077 == 0

    # It has room for many phones, and a crash writes nobody's face down
    (web,) = [process for process in up.below() if "deploy.web" in process.cmdline()]
    assert web.rlimit(psutil.RLIMIT_NOFILE) == (FILES[1], FILES[1])
    wait_for(lambda: len(holders := up.holders()) >= 8 and all(map(is_dumped_never, holders)))

    # 2. A second one keeps its hands off
    second = subprocess.run(
        [sys.executable, "-m", "deploy.up", "--var", str(var), "--port", str(free_port())],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == ExitCode.ALREADY_RUNNING
    assert second.stderr.startswith(f"Diorama already runs on {var} (process {up.process.pid});")

    # 3. What dies comes back, and it is said
    web = next(process for process in up.below() if "deploy.web" in process.cmdline())
    web.kill()
    up.until_said("! web was ended by SIGKILL; starting again in 0.5 s", within_s=5)
    wait_for(lambda: any("deploy.web" in process.cmdline() for process in up.below()))

    # 4. Ctrl-C stops all, and says who is kept
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", KEEP],
        cwd=ROOT,
        env=environment() | {"DIORAMA_VAR": str(var)},
        check=True,
    )
    below = up.below()
    assert len(below) >= 8
    asked_at = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=STOPPED_WITHIN_S) == ExitCode.STOPPED
    # What made a session of its own (the sandbox's helper) ends when it hears that nobody listens.
    wait_for(lambda: alive(below) == [], within_s=STOPPED_WITHIN_S - (time.monotonic() - asked_at))
    up.until_said("! 1 selfie is kept here, the first due to be deleted on ", within_s=1)

    # 5. The next start goes on from there
    again = Up(var, "--port", str(free_port()))
    try:
        again.until_said("Ctrl-C stops everything.")
        assert "shown this once" not in again.said
        assert again.after("Screen").partition("#")[2] == up.after("Screen").partition("#")[2]
    finally:
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(timeout=STOPPED_WITHIN_S) == ExitCode.STOPPED


def test_bucket_that_is_away_stops_no_start_and_is_said(var: Path) -> None:
    """Else nobody could be recalled. Nor is Valkey started where both doorbells are elsewhere."""
    up = Up(
        var,
        *("--port", str(free_port())),
        DIORAMA_S3_BUCKET="pics",
        DIORAMA_S3_ENDPOINT="http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="hush",
        DIORAMA_BROKER_URL=settings.BROKER_URL,
        DIORAMA_CHANNEL_URL=settings.CHANNEL_URL,
    )
    try:
        up.until_said("! The pictures' storage is away (EndpointConnectionError): ")
        assert status(up.after("Desk")) == 200
        assert not [one for one in up.below() if "valkey" in one.name()]
    finally:
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(timeout=STOPPED_WITHIN_S) == ExitCode.STOPPED


def test_supervisor_killed_takes_everything_with_it(up: Up) -> None:
    up.until_said("Ctrl-C stops everything.")
    # The pool of the default worker is two processes below a child.
    wait_for(lambda: len(up.below()) >= 8, within_s=30)
    below = up.below()
    up.process.kill()
    up.process.wait()
    wait_for(lambda: alive(below) == [], within_s=2.0)


def test_interrupted_start_stops_and_leaves_nothing(up: Up) -> None:
    up.until_said("Valkey answers")
    below = up.below()
    assert alive(below) != []
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=STOPPED_WITHIN_S) == ExitCode.STOPPED
    assert alive(below) == []


def refused(*options: str, **variables: str) -> tuple[int, str]:
    """Exit status and the sentence of a start that cannot be."""
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.up", *options],
        cwd=ROOT,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert finished.stdout == ""
    return finished.returncode, finished.stderr


def test_port_taken_ends_with_one_sentence(var: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as sock:
        port = sock.getsockname()[1]
        assert refused("--var", str(var), "--port", str(port)) == (
            ExitCode.PORT_UNAVAILABLE,
            f"Port {port} is taken; choose another: make run PORT={port + 1}\n",
        )


def test_folder_unwritable_ends_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, sentence = refused("--var", str(tmp_path / "file" / "var"))
    assert code == ExitCode.UNWRITABLE
    assert sentence.count("\n") == 1


def test_gpu_worker_without_weights_ends_with_the_command(var: Path) -> None:
    listen = ("--var", str(var), "--port", str(free_port()))
    code, sentence = refused(*listen, DIORAMA_GPU_WORKERS="1")
    assert code == ExitCode.MISCONFIGURED
    assert "run `python manage.py weights fetch klein-4b`" in sentence
    assert sentence.count("\n") == 1


def test_port_that_is_none_ends_with_usage() -> None:
    code, said = refused("--port", "70000")
    assert code == ExitCode.USAGE
    assert said.endswith("argument --port: a port is a number from 1 to 65535, not '70000'\n")


def test_help_explains_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    explained = capsys.readouterr().out.partition("exit status:\n")[2].splitlines()
    assert [int(line.split()[0]) for line in explained] == list(range(12))
    assert all(len(line.split()) > 2 for line in explained)


def test_wheel_missing_ends_with_one_sentence(var: Path) -> None:
    # Without site-packages nothing of the set is there, and nothing of it may be imported either.
    finished = subprocess.run(
        [sys.executable, "-S", "-m", "deploy.up", "--var", str(var)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert finished.returncode == ExitCode.MISSING_PACKAGE
    assert finished.stderr.count("\n") == 1
    assert "not installed; `make run` installs what is missing" in finished.stderr
    assert not var.exists()
