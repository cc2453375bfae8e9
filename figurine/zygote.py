"""The sandbox's warm parent: `python -m figurine.zygote CONTROL_FD`.

Loads the decoders and models once, then forks one child an upload. It stays single-threaded, since
a fork copies one thread only, and it never reads an upload itself. It ends when its control socket
does, however the web process at the other end died, and takes its children with it.
"""

from __future__ import annotations

import gc
import io
import json
import os
import resource
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from figurine import dumps, gate
from figurine.decode import decode, encode_selfie
from figurine.errors import FigurineError, OutOfMemory, Undecodable
from figurine.frames import LIMITS, receive_frame, send_frame
from figurine.gate import admit

STATM: Final = Path("/proc/self/statm")


def main() -> None:
    """Warm up, then serve until the control socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    cv2.setNumThreads(1)
    _warm_up()
    gc.freeze()  # the collector would write into pages that children share
    _serve(control)


def _warm_up() -> None:
    """Bring in all that a child may not open any more: every decoder and every model."""
    sample = Image.fromarray(np.full((64, 64, 3), 128, np.uint8))
    for kind in ("JPEG", "PNG", "WEBP", "HEIF"):
        buffer = io.BytesIO()
        sample.save(buffer, kind)
        encode_selfie(decode(buffer.getvalue()))
    with suppress(FigurineError):  # there is no face; a missing model is told to each visitor
        gate.warm_up()
        admit(np.asarray(sample))


def _serve(control: socket.socket) -> None:
    waiting: dict[int, socket.socket] = {}  # child's pid to the socket of the one who waits
    bell, ringer = socket.socketpair()
    bell.setblocking(False)
    ringer.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(bell, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if bell in ready:
                bell.recv(4096)
                _reap(waiting)
            if control in ready:
                limits, fds, *_ = socket.recv_fds(control, LIMITS.size, 1)
                if not fds:
                    break
                _fork(limits, socket.socket(fileno=fds[0]), waiting, control)
    signal.set_wakeup_fd(-1)
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)


def _fork(
    limits: bytes,
    visitor: socket.socket,
    waiting: dict[int, socket.socket],
    control: socket.socket,
) -> None:
    """Start a child for one upload; the visitor is told when there is no room for one."""
    try:
        pid = os.fork()
    except OSError as error:
        with suppress(OSError), visitor:
            _refuse(visitor, OutOfMemory(f"fork: {error}"))
        return
    if pid:
        waiting[pid] = visitor
        return
    try:
        control.close()
        for stranger in waiting.values():
            stranger.close()
        _work(visitor, *LIMITS.unpack(limits))
    finally:
        os._exit(0)


def _reap(waiting: dict[int, socket.socket]) -> None:
    """Collect ended children, and speak for those that were killed before they could."""
    while waiting:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with suppress(OSError), waiting.pop(pid) as visitor:
            if os.WIFSIGNALED(status):
                _refuse(visitor, _verdict(os.WTERMSIG(status)))


def _verdict(killed_by: int) -> FigurineError:
    """Blame the upload for what it did itself, and the machine for what it suffered."""
    name = signal.Signals(killed_by).name
    # the kernel out of memory, or out of time without having worked: trying again may help
    if killed_by in (signal.SIGKILL, signal.SIGALRM, signal.SIGTERM):
        return OutOfMemory(f"sandbox ended by {name}")
    return Undecodable(f"sandbox ended by {name}")


def _work(
    visitor: socket.socket, wall_s: float, cpu_s: int, memory_bytes: int, most_faces: int
) -> None:
    """Be the child: read one upload, look at it behind the limits, answer."""
    visitor.setblocking(True)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, wall_s)
    upload = receive_frame(visitor)
    _confine(cpu_s, memory_bytes)
    try:
        pixels = decode(upload)
        faces_in = admit(pixels, most_faces=most_faces).faces
        jpeg = encode_selfie(pixels)
    except (MemoryError, OutOfMemory):
        _refuse(visitor, Undecodable(f"needs more than {memory_bytes >> 20} MiB"))
    except FigurineError as error:
        _refuse(visitor, error)
    except Exception as error:
        _refuse(visitor, Undecodable(repr(error)))
    else:
        height_px, width_px = pixels.shape[:2]
        found = [face.as_json() for face in faces_in]
        report = {"width_px": width_px, "height_px": height_px, "faces": found}
        send_frame(visitor, json.dumps(report).encode())
        send_frame(visitor, jpeg)


def _confine(cpu_s: int, memory_bytes: int) -> None:
    """Give up what a decoder has no business with: memory, time, files and sockets.

    No file descriptor can be opened any more, so there is no disk and no network to reach. Threads
    stay allowed, for the HEIF decoder cannot do without.
    """
    if STATM.exists():  # macOS has neither this nor a working RLIMIT_AS
        in_use_bytes = int(STATM.read_text().split()[0]) * resource.getpagesize()
        bound = in_use_bytes + memory_bytes
        _limit(resource.RLIMIT_AS, bound, bound)
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)  # SIGXCPU first, SIGKILL a second later
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        _limit(what, 0, 0)
    dumps.forbid()


def _limit(what: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(what)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(what, (soft, hard))


def _refuse(visitor: socket.socket, error: FigurineError) -> None:
    send_frame(visitor, json.dumps({"code": error.code, "detail": str(error)}).encode())


if __name__ == "__main__":
    main()
