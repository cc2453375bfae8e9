"""Look at an upload in a process of its own, bounded in memory, CPU and wall time.

It can open no file and no socket, write to no file it was given, and leaves no core dump. It is
not jailed: a broken decoder could still do what needs no descriptor, such as delete or rename this
user's files or signal this user's processes.

A warm helper (zygote.py) forks one child an upload. The first upload starts it, or `start()` ahead
of that; if it is killed, the next upload starts another. On two idle cores the first upload takes
0.7 s, then a 1 MP photo 0.1 s, a 12 MP JPEG 0.2 s and a 12 MP HEIC 1.5 s; the helper holds 100 MB,
60 of them shared with its children and with any other Python.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from figurine.bounds import MAX_BYTES
from figurine.errors import OutOfMemory, TooLarge, Undecodable, by_code
from figurine.frames import LIMITS, receive_frame, send_frame
from figurine.types import Face

TIMEOUT_S: Final = 20.0
CPU_S: Final = 10
MEMORY_BYTES: Final = 768 * 1024 * 1024
"""What a child may take on top of the helper's own."""

SLOTS: Final = 2 * (os.cpu_count() or 1)
"""Uploads looked at side by side; more wait their turn."""

WAITING: Final = 8 * SLOTS
"""So many at most: of photos that take a second each, the last is looked at in eight. Each is up to
12 MB of memory meanwhile."""

GRACE_S: Final = 5.0
"""How much longer than the child's own time-out the helper may stay silent."""


@dataclass(frozen=True)
class Upload:
    """An upload that passed: the re-encoded selfie, and the faces in it."""

    jpeg: bytes
    """Upright, sRGB, without metadata."""
    width_px: int
    height_px: int
    faces: tuple[Face, ...]
    """Left to right, in pixels of `jpeg`."""


def inspect_upload(
    data: bytes,
    *,
    most_faces: int = 1,
    timeout_s: float = TIMEOUT_S,
    cpu_s: int = CPU_S,
    memory_bytes: int = MEMORY_BYTES,
) -> Upload:
    """Decode, check and re-encode an upload in the sandbox. Safe to call from many threads.

    Raises what decode() and admit() raise; Undecodable when the upload crashes its process or wants
    more CPU or memory than it may have; OutOfMemory, which is worth another try, when WAITING
    wait already, there was no free place within timeout_s or the machine could not keep up.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{len(data)} bytes")
    limits = LIMITS.pack(timeout_s, cpu_s, memory_bytes, most_faces)
    if not _room.acquire(blocking=False):
        raise OutOfMemory(f"{WAITING} wait already")
    try:
        return _in_turn(data, limits=limits, timeout_s=timeout_s)
    finally:
        _room.release()


def _in_turn(data: bytes, *, limits: bytes, timeout_s: float) -> Upload:
    if not _slots.acquire(timeout=timeout_s):
        raise OutOfMemory(f"all {SLOTS} places taken for {timeout_s} s")
    try:
        for _ in range(2):
            zygote = _running()
            with suppress(_ZygoteLost):
                return zygote.inspect(data, limits=limits, silence_s=timeout_s + GRACE_S)
            _discard(zygote)
        raise OutOfMemory("the sandbox was killed twice")
    finally:
        _slots.release()


def start() -> None:
    """Start the helper ahead of the first upload. Returns at once; it warms up on its own."""
    _running()


def stop() -> None:
    """End the helper, and whatever it is looking at. The next upload starts another."""
    with _guard:
        zygote = _zygote
    if zygote:
        _discard(zygote)


class _ZygoteLost(Exception):
    """The helper is gone or hangs, and said nothing about this upload."""


class _Zygote:
    """The helper's near end: starts it, hands it uploads, and ends it."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-P", "-m", "figurine.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_clean_environment(),
                start_new_session=True,  # Ctrl-C is for the web process, which then closes us
            )
        self._sending = threading.Lock()

    def inspect(self, data: bytes, *, limits: bytes, silence_s: float) -> Upload:
        """Hand over one upload and wait for the verdict. Raises FigurineError or _ZygoteLost."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(silence_s)
            try:
                with theirs, self._sending:
                    socket.send_fds(self._control, [limits], [theirs.fileno()])
                with suppress(BrokenPipeError):  # its child was killed while reading: hear why
                    send_frame(ours, data)
                report = json.loads(receive_frame(ours))
                if "code" in report:
                    raise by_code(report["code"], report["detail"])
                return Upload(
                    jpeg=receive_frame(ours),
                    width_px=int(report["width_px"]),
                    height_px=int(report["height_px"]),
                    faces=tuple(Face.from_json(face) for face in report["faces"]),
                )
            except (EOFError, OSError) as error:
                raise _ZygoteLost(str(error)) from error
            except (KeyError, TypeError, ValueError) as error:
                raise Undecodable(f"the sandbox talks nonsense: {error!r}") from error

    def close(self) -> None:
        """Hang up, which ends the helper; kill it if it does not hear."""
        self._control.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _clean_environment() -> dict[str, str]:
    """Nothing of the web process's secrets, and no threads: a fork copies one thread only."""
    return {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "VECLIB_MAXIMUM_THREADS": "1",  # macOS
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",  # macOS
    }


_guard = threading.Lock()
_slots = threading.BoundedSemaphore(SLOTS)
_room = threading.BoundedSemaphore(SLOTS + WAITING)
"""Of those that are looked at and those that wait."""
_zygote: _Zygote | None = None


def _running() -> _Zygote:
    global _zygote
    with _guard:
        if _zygote is None:
            _zygote = _Zygote()
        return _zygote


def _discard(zygote: _Zygote) -> None:
    global _zygote
    with _guard:
        if _zygote is zygote:
            _zygote = None
    zygote.close()


def _forget() -> None:
    """In a forked copy of the web process: the helper, its locks and its places are not ours."""
    global _guard, _slots, _room, _zygote
    _guard, _zygote = threading.Lock(), None
    _slots = threading.BoundedSemaphore(SLOTS)
    _room = threading.BoundedSemaphore(SLOTS + WAITING)


atexit.register(stop)
os.register_at_fork(after_in_child=_forget)
