"""Kills what a supervisor leaves behind, even when it was ended by `kill -9`.

The supervisor holds the writing end of a pipe, this small process the reading end. Every child
enrols its process group by itself between fork and exec, so that none can be missed; the end of
the file means that the supervisor is gone. Unlike Linux's PR_SET_PDEATHSIG this reaches
grandchildren (a Celery pool) and works on macOS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence


class Reaper:
    """The supervisor's end of the pipe."""

    def __init__(self, *, inherit: Sequence[int] = ()) -> None:
        """Starts the reaper. `inherit`: descriptors it keeps open until all is dead (the lock)."""
        self._inherit = tuple(inherit)
        self._groups: set[int] = set()
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", __file__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=self._inherit,
            start_new_session=True,
        )
        os.close(reading)
        for group in self._groups:
            self._tell(f"+{group}\n")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, line.encode())

    def ensure(self) -> None:
        """Starts the reaper again if something killed it."""
        if self._process.poll() is not None:
            os.close(self._pipe)
            self._start()

    def enrol(self) -> None:
        """Runs in the forked child, already the leader of its own group, just before exec."""
        self._tell(f"+{os.getpid()}\n")

    def add(self, group: int) -> None:
        """Remembers a group that enrolled itself, for a reaper started later."""
        self._groups.add(group)

    def release(self, group: int) -> None:
        """Forgets a group of which nothing is left, before its number is used again."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Ends the reaper, which kills whatever is still enrolled."""
        os.close(self._pipe)
        self._process.wait()


def kill_group(group: int) -> None:
    """Kills every process of the group; none left is fine."""
    # macOS answers EPERM for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Keeps the list of groups; at the end of the file kills those still on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    main()
