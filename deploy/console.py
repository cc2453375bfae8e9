"""The supervisor's terminal: steps of the start, lines of the children, nothing that can block."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Final, TextIO

# 256-colour twins of the look's palette: every terminal has them, on dark and on light.
SIGNAL: Final = "38;5;202"
ARMY: Final = "38;5;64"
KRAFT: Final = "38;5;136"
BOLD: Final = "1"
FAINT: Final = "2"

CHILD_COLOURS: Final[Mapping[str, str]] = {
    "valkey": "38;5;131",
    "web": "38;5;38",
    "generation": SIGNAL,
    "worker": ARMY,
    "beat": "38;5;140",
}

BACKLOG_LINES: Final = 2000


class Console:
    """Writes lines in the order given.

    A terminal that is paused (Ctrl-S, a selection) must not stop the children, so a thread writes
    and lines beyond the backlog are dropped here; the log files have them all.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.colour = stream.isatty() and "NO_COLOR" not in os.environ
        self.show_children = False
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._lines: queue.Queue[str | None] = queue.Queue(BACKLOG_LINES)
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def say(self, text: str = "") -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(text)

    def step(self, text: str, *, took_s: float) -> None:
        """One thing of the start that is done."""
        self.say(f"  {self.paint('✓', ARMY)} {text} {self.paint(f'{took_s:.1f} s', FAINT)}")

    def warn(self, text: str) -> None:
        self.say(f"  {self.paint('!', BOLD, SIGNAL)} {text}")

    def child(self, name: str, line: str) -> None:
        """A line that a child wrote, under its name."""
        if self.show_children:
            self.say(f"{self.paint(f'{name:>10} │', CHILD_COLOURS.get(name, KRAFT))} {line}")

    def paint(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour else text

    def close(self, *, patience_s: float = 0.5) -> None:
        """Writes what is waiting, as far as the terminal takes it in time."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(patience_s)

    def _write(self) -> None:
        # Not through the stream: its lock, held in a blocked write, would keep Python from exiting.
        with contextlib.suppress(OSError):  # the terminal went away
            while (line := self._lines.get()) is not None:
                os.write(self._descriptor, f"{line}\n".encode(self._encoding, "replace"))
