"""A watchdog outside the worker: a process that hangs in a driver's call cannot end itself.

The worker writes its pulse into a file (deploy/heart.py). Two things count as hung, and end with
SIGKILL for its whole process group:

- the pulse stops: no thread of the process gets a turn, as when a call never gives Python back;
- the pulse goes on, but the work in hand has taken twice its limit: at once its limit the process
  ends itself where it can (campaign/leases.py), with a status of its own, and counts as hung too.

A pulse that the disk does not take says nothing: it stops counting until the disk takes it again.

Its leases lapse, and its jobs are made again. `make run`'s supervisor watches by itself; elsewhere
this is a command that starts a worker, watches over it and starts it anew when it had to be killed:

    python -m deploy.pulse --name worker-gpu-0 -- python -m celery -A deploy.celery worker …
    python -m deploy.pulse --name worker-gpu-0 --ready    # exit status, for a container's check
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from deploy.reaper import Reaper, kill_group

ROOT: Final = Path(__file__).resolve().parent.parent

EVERY_S: Final = 1.0
"""Between two beats of a pulse, and between two looks at it."""
SILENCE_S: Final = 30.0
"""Thirty missed beats. Importing torch and reading weights hold the interpreter for seconds."""
START_S: Final = 120.0
"""To the first beat: Python, Django and Celery, from a cold disk."""
HUNG_STATUS: Final = 75
"""Of a worker that ended itself because its work hung, as in campaign/leases.py, which this process
does not load. Source: sysexits(3), EX_TEMPFAIL."""
LIMITS: Final = 2.0
"""How many times its limit work may take."""
BLOCK_BYTES: Final = 4096
"""What a disk must have left; less may lie where a full one still has room.
Source: kernel.org, ext4, "Inline Data"."""
GRACE_S: Final = 8.0
"""From the polite signal to the other one; container engines give ten before they do it."""


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What a worker last said. Moments are time.monotonic(): since boot, alike in all processes."""

    at_s: float
    state: str
    """starting, ready, stuck or stopping."""
    work: str = ""
    since_s: float = 0.0
    limit_s: float = 0.0
    """Of the work in hand, if there is any."""


def file_of(name: str, *, var: Path) -> Path:
    """Where the worker of this name has its pulse."""
    return var / "run" / f"{name}.pulse"


def write(file: Path, pulse: Pulse) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    beside = file.with_suffix(".next")
    beside.write_text(json.dumps(asdict(pulse)))
    beside.replace(file)


def read(file: Path) -> Pulse | None:
    """The last beat; None where there is none that can be read."""
    try:
        return Pulse(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


@dataclass(kw_only=True)
class Watch:
    """Which pulse is watched, and how patiently."""

    file: Path
    silence_s: float = SILENCE_S
    start_s: float = START_S
    every_s: float = EVERY_S
    _full_s: float = field(init=False, default=-math.inf)
    """When the disk last took nothing: no pulse either."""

    def begin(self) -> float:
        """Forget whoever was there before. Returns the moment from which `complaint` counts."""
        self.file.unlink(missing_ok=True)
        return time.monotonic()

    def complaint(self, *, started_s: float, now_s: float) -> str:
        """Why the process counts as hung, in words; empty while it does not."""
        pulse = read(self.file)
        if pulse is None:
            is_silent = self._is_silent(started_s, for_s=self.start_s, now_s=now_s)
            return "no first beat" if is_silent else ""
        if self._is_silent(pulse.at_s, for_s=self.silence_s, now_s=now_s):
            return f"no beat for {now_s - pulse.at_s:.0f} s" + (
                f" in {pulse.work}" if pulse.work else ""
            )
        # As of the last beat: since then it may have ended, and the disk not have taken that.
        took_s = pulse.at_s - pulse.since_s
        if pulse.work and took_s > LIMITS * pulse.limit_s:
            return f"{pulse.work} takes {took_s:.0f} s of at most {pulse.limit_s:.0f}"
        return ""

    def _is_silent(self, since_s: float, *, for_s: float, now_s: float) -> bool:
        """Whether nothing was heard for so long that could have been."""
        if now_s - max(since_s, self._full_s) <= for_s:
            return False
        beside = self.file.with_suffix(".watch")
        try:
            beside.write_bytes(bytes(BLOCK_BYTES))
            beside.unlink()
        except OSError:
            self._full_s = now_s
            return False
        return True

    def word(self) -> str:
        """How the worker is: its own word while that is fresh, otherwise "away"."""
        pulse = read(self.file)
        # After a boot the clock begins anew: a beat that is yet to come is from before.
        is_fresh = pulse is not None and 0 <= time.monotonic() - pulse.at_s <= self.silence_s
        return pulse.state if pulse and is_fresh else "away"


def watch_over(command: Sequence[str], watch: Watch, *, grace_s: float = GRACE_S) -> int:
    """Run the command until it ends or somebody asks to stop; whenever it hangs, start it anew.

    SIGTERM and SIGINT are passed on, and after `grace_s` all that is left is killed. Returns its
    exit status, 128 and the signal's number where a signal ended it. Whoever watches is killed?
    Then nothing of it lives on (deploy/reaper.py).
    """
    asked_s: list[float] = []
    process: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        asked_s.append(time.monotonic())
        if process:
            process.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    reaper = Reaper()
    status, is_hung = 0, True
    try:
        while is_hung and not asked_s:
            reaper.ensure()
            started_s = watch.begin()
            process = subprocess.Popen(  # noqa: S603 - the operator's own command
                command, start_new_session=True, preexec_fn=reaper.enrol
            )
            reaper.add(process.pid)
            if asked_s:  # between the look above and here
                process.send_signal(signal.SIGTERM)
            why = ""
            while not why and process.poll() is None:
                now_s = time.monotonic()
                if not asked_s:
                    why = watch.complaint(started_s=started_s, now_s=now_s)
                elif now_s > asked_s[0] + grace_s:
                    why = "it does not stop when asked"
                if not why:
                    _wait(process, watch.every_s)
            if why:
                print(f"pulse: {why}; killing {process.pid}", file=sys.stderr, flush=True)
            kill_group(process.pid)  # it, if it hung, and all that it left behind
            status = process.wait()
            reaper.release(process.pid)
            is_hung = bool(why) or status == HUNG_STATUS
    finally:
        reaper.close()
    return status if status >= 0 else 128 - status


def _wait(process: subprocess.Popen[bytes], for_s: float) -> None:
    try:
        process.wait(for_s)
    except subprocess.TimeoutExpired:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """The command of this module. Returns the exit status."""
    options = _parse(arguments)
    folder = file_of(options.name, var=options.var).parent
    watch = Watch(
        file=file_of(options.name, var=options.var),
        silence_s=options.silence_s,
        start_s=options.start_s,
        every_s=options.every_s,
    )
    if options.ready:
        word = watch.word()
        print(word)
        return 0 if word == "ready" else 1
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return watch_over(options.command, watch, grace_s=options.grace_s)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.pulse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", default="worker-gpu-0", help="the worker's, without its machine")
    parser.add_argument(
        "--var",
        type=Path,
        default=Path(os.environ.get("DIORAMA_VAR", ROOT / "var")),
        metavar="FOLDER",
        help="where everything is kept; the pulse is below it, in run/",
    )
    parser.add_argument("--ready", action="store_true", help="only ask whether it is")
    parser.add_argument("--silence-s", type=float, default=SILENCE_S, help="without a beat")
    parser.add_argument("--start-s", type=float, default=START_S, help="to the first beat")
    parser.add_argument("--every-s", type=float, default=EVERY_S, help="between two looks")
    parser.add_argument("--grace-s", type=float, default=GRACE_S, help="to end when asked to")
    parser.add_argument("command", nargs="*", help="what to run, after --")
    options = parser.parse_args(arguments)
    if bool(options.command) == options.ready:
        parser.error("give either a command after --, or --ready")
    return options


if __name__ == "__main__":
    sys.exit(main())
