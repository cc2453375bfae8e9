"""Bring weights here: resumable, measured while they are written, and never twice at once.

Called by a person's command alone. Nothing is fetched whose bytes are not pinned beforehand.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from figurine.weights import pins, store
from figurine.weights.manifest import File, Set
from figurine.weights.sources import Cut, FetchFailed, Source

PAUSES_S: Final = (1.0, 3.0, 9.0, 27.0)
"""Before another try that follows one without a new byte."""
SPARE_BYTES: Final = 500_000_000
"""Left free on the disk, for the database and the logs of the machine."""
PART: Final = ".part"


class Watch:
    """Is told of the work; this one does nothing with it."""

    def begin(self, file: File, *, done_bytes: int) -> None:
        """A file of a set is begun, or gone on with."""

    def read(self, size: int) -> None:
        """So many bytes more."""

    def end(self) -> None:
        """The file is done, or was given up."""

    def say(self, text: str) -> None:
        """A sentence for whoever watches."""


def fetch(
    one: Set,
    weights: Path,
    source: Source,
    *,
    watch: Watch | None = None,
    pauses_s: tuple[float, ...] = PAUSES_S,
) -> None:
    """Bring all files of a set that are not here yet, and stamp the set.

    Raises FetchFailed with a sentence; what has arrived by then stays, and the next call goes on.
    """
    watch = watch or Watch()
    if not one.is_pinned:
        raise FetchFailed(
            f"nobody has pinned what the bytes of {one.name} should be: run"
            f" {store.command('pin', one)} first"
        )
    home = weights / one.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(weights, one, watch):
            # 1. What is here already and right.
            right = {file.path: file for file in one.files if _is_here(home, file, watch)}
            wanted = [file for file in one.files if file.path not in right]
            _check_space(home, wanted)
            # 2. The rest, file by file; the stamp grows with them.
            for file in wanted:
                size = _bring(one, file, home, source, watch, pauses_s)
                right[file.path] = File(file.path, size, file.sha256)
                store.write_stamp(home, list(right.values()))
            store.write_stamp(home, list(right.values()))
    except OSError as error:
        raise FetchFailed(_of_disk(error, home)) from error


def pin(stated: Set, manifest: Set, weights: Path) -> None:
    """Write down what a source states of a set. Raises FetchFailed where the manifest disagrees."""
    for file, fixed in zip(stated.files, manifest.files, strict=True):
        if fixed.sha256 and fixed.sha256 != file.sha256:
            raise FetchFailed(f"{fixed.path} has sha256 {file.sha256}, not {fixed.sha256}")
        if fixed.bytes and fixed.bytes != file.bytes:
            raise FetchFailed(f"{fixed.path} has {file.bytes} bytes, not {fixed.bytes}")
    try:
        pins.write(weights, stated.name, revision=stated.revision, files=stated.files)
    except OSError as error:
        raise FetchFailed(_of_disk(error, weights)) from error


def _bring(
    one: Set, file: File, home: Path, source: Source, watch: Watch, pauses_s: tuple[float, ...]
) -> int:
    """Fetch one file, in as many tries as go forward; its size."""
    goal = home / file.path
    part = goal.with_name(goal.name + PART)
    goal.parent.mkdir(parents=True, exist_ok=True)
    pauses = iter(pauses_s)
    restarts = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            size, digest = _try(one, file, part, source, watch)
        except Cut as cut:
            after = part.stat().st_size if part.exists() else 0
            if after > before:
                pauses = iter(pauses_s)
            elif (pause_s := next(pauses, None)) is None:
                raise FetchFailed(
                    f"{cut}; {after:,} bytes of {file.path} are kept: run"
                    f" {store.command('fetch', one)} again to go on"
                ) from cut
            else:
                watch.say(f"{cut}; trying again in {pause_s:g} s")
                time.sleep(pause_s)
            continue
        if digest == file.sha256:
            part.replace(goal)
            return size
        part.unlink()
        # What lay there from an earlier day may be what is wrong: once from the beginning.
        if before and not restarts:
            restarts += 1
            watch.say(f"what was kept of {file.path} is not right; from the beginning")
            continue
        raise FetchFailed(
            f"{file.path} from {source} has sha256 {digest}, not {file.sha256}: it is not what was"
            " pinned, and was thrown away"
        )


def _try(one: Set, file: File, part: Path, source: Source, watch: Watch) -> tuple[int, str]:
    """Add to the part what is missing of it: its size then, and the sha256 of all of it."""
    digest, size = hashlib.sha256(), 0
    with part.open("ab+") as out:
        out.seek(0)
        while chunk := out.read(store.CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        if file.bytes and size >= file.bytes:
            return size, digest.hexdigest()  # all of it, or too much; its digest tells
        watch.begin(file, done_bytes=size)
        try:
            with source.opened(one, file, start=size) as stream:
                if stream.start != size:
                    # All of it came, or the source has less than was kept: from the beginning.
                    out.truncate(0)
                    digest, size = hashlib.sha256(), 0
                    watch.begin(file, done_bytes=0)
                if stream.start not in (0, size):
                    raise Cut(f"{source} has no byte of {file.path} where the rest should begin")
                for chunk in stream.chunks:
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    watch.read(len(chunk))
        finally:
            watch.end()
            out.flush()
        os.fsync(out.fileno())
    if file.bytes and size < file.bytes:
        raise Cut(f"{source} ended {file.path} after {size:,} of {file.bytes:,} bytes")
    return size, digest.hexdigest()


def _is_here(home: Path, file: File, watch: Watch) -> bool:
    """Whether a file is in place, by the stamp or else by reading it."""
    path = home / file.path
    if not path.is_file():
        return False
    size = path.stat().st_size
    if store.read_stamp(home).get(file.path) == File(file.path, size, file.sha256):
        return True
    if file.bytes and size != file.bytes:
        return False
    watch.say(f"reading {file.path}, which is here already")
    return store.measure(path)[1] == file.sha256


def _check_space(home: Path, wanted: list[File]) -> None:
    kept = sum(
        part.stat().st_size for file in wanted if (part := home / (file.path + PART)).exists()
    )
    needed = sum(file.bytes for file in wanted) - kept
    free = shutil.disk_usage(home).free
    if wanted and needed + SPARE_BYTES > free:
        raise FetchFailed(
            f"{home} needs {needed / 1e9:.1f} GB more and {SPARE_BYTES / 1e9:.1f} GB to spare, but"
            f" has {free / 1e9:.1f} GB free: make room or move DIORAMA_WEIGHTS"
        )


@contextmanager
def _alone(weights: Path, one: Set, watch: Watch) -> Iterator[None]:
    """Hold the set's lock, which ends with the process however that ends."""
    with (weights / f".{one.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            watch.say(f"{one.name} is being fetched by another process; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _of_disk(error: OSError, home: Path) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk of {home} is full: make room, then run the command again to go on"
    return f"{home} cannot be written: {error.strerror or error}"
