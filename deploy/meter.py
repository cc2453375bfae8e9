"""How far a fetch is: one line that is drawn over on a terminal, one line a file elsewhere."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from deploy.console import ARMY, BOLD, FAINT, SIGNAL
from figurine.weights.fetching import Watch
from figurine.weights.manifest import File

REDRAW_S: Final = 0.1
WINDOW_S: Final = 10.0
"""The speed is that of the last ten seconds."""
BAR_CELLS: Final = 24
EIGHTHS: Final = " ▏▎▍▌▋▊▉"


class Out(Protocol):
    """Django's OutputWrapper, or a text stream."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Meter(Watch):
    """Writes on a stream. `clock` is in seconds."""

    def __init__(self, out: Out, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._is_live = out.isatty()
        self._file = File("")
        self._done = 0
        self._drawn_at = 0.0
        self._past: deque[tuple[float, int]] = deque()

    def begin(self, file: File, *, done_bytes: int) -> None:
        self._file, self._done = file, done_bytes
        self._past = deque([(self._clock(), done_bytes)])
        if self._is_live:
            self._draw()
        else:
            gone_on = f", {size(done_bytes)} of it here" if done_bytes else ""
            self._write(f"  {file.path} ({size_of(file.bytes)}{gone_on})\n")

    def read(self, size: int) -> None:
        self._done += size
        now = self._clock()
        if self._is_live and now - self._drawn_at >= REDRAW_S:
            self._past.append((now, self._done))
            while self._past[0][0] < now - WINDOW_S and len(self._past) > 2:
                self._past.popleft()
            self._draw()

    def end(self) -> None:
        if not self._is_live:
            return
        if self._file.bytes and self._done >= self._file.bytes:
            mark = paint(self._out, "✓", ARMY)
            self._write(f"\r\x1b[2K  {mark} {self._file.path} {self._faint(size(self._done))}\n")
        else:
            self._write("\r\x1b[2K")

    def say(self, text: str) -> None:
        over = "\r\x1b[2K" if self._is_live else ""
        self._write(f"{over}  {paint(self._out, '!', BOLD, SIGNAL)} {text}\n")

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        facts = f"{size(self._done)} of {size(self._file.bytes)}" if self._file.bytes else ""
        if speed := self._speed():
            facts += f"  {speed / 1e6:.1f} MB/s"
            if self._file.bytes:
                facts += f"  {duration((self._file.bytes - self._done) / speed)} left"
        share = min(1.0, self._done / self._file.bytes) if self._file.bytes else 0.0
        room = shutil.get_terminal_size().columns - BAR_CELLS - len(facts) - 8
        name = self._file.path
        if len(name) > room:
            name = "…" + name[len(name) - max(0, room - 1) :]
        self._write(f"\r\x1b[2K  {bar(self._out, share)} {name} {self._faint(facts)}")

    def _speed(self) -> float:
        """Bytes a second, 0 until there is something to go by."""
        (then, before), (now, done) = self._past[0], self._past[-1]
        return (done - before) / (now - then) if now - then > REDRAW_S else 0.0

    def _faint(self, text: str) -> str:
        return paint(self._out, text, FAINT)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def bar(out: Out, share: float) -> str:
    """A bar of BAR_CELLS characters; share: 0..1."""
    eighths = round(share * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (EIGHTHS[rest] if rest else "")
    return paint(out, drawn, ARMY) + paint(out, "·" * (BAR_CELLS - len(drawn)), FAINT)


def size_of(file_bytes: int) -> str:
    """As `size`, where 0 says that nobody knows yet."""
    return size(file_bytes) if file_bytes else "size unknown"


def size(count: int) -> str:
    """Bytes for people, by thousands, as disks are sold."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def duration(seconds: float) -> str:
    """Such as 45 s, 12 min, 3 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def paint(out: Out, text: str, *codes: str) -> str:
    """Coloured on a terminal that is not asked to do without."""
    if not text or not out.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m"
