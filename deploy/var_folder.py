"""The private folder of an installation: everything it remembers. One supervisor at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.exits import ExitCode, StartFailure

LOCK_PATIENCE_S: Final = 1.0
"""A supervisor that was just killed holds the lock until its children are dead."""


@dataclass(frozen=True)
class VarFolder:
    """Readable by its owner only."""

    path: Path
    lock: int
    """Descriptor of the lock file; the lock is held while anything keeps it open."""

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def run(self) -> Path:
        """What means nothing once all processes are gone."""
        return self.path / "run"

    @property
    def secret_key(self) -> Path:
        return self.path / "secret_key"


def open_var(path: Path) -> VarFolder:
    """Makes the folder and locks it. Raises StartFailure: UNWRITABLE, ALREADY_RUNNING."""
    path = path.resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        var = VarFolder(path, os.open(path / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600))
        for folder in (var.logs, var.run):
            folder.mkdir(mode=0o700, exist_ok=True)
        _lock(var)
        _ensure_secret_key(var.secret_key)
    except OSError as error:
        raise StartFailure(
            ExitCode.UNWRITABLE,
            f"The folder {path} cannot be written ({error.strerror}); "
            "make it yours, or name another: make run VAR=/some/folder",
        ) from None
    return var


def _lock(var: VarFolder) -> None:
    give_up_at = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(var.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise StartFailure(
                    ExitCode.ALREADY_RUNNING,
                    f"Diorama already runs on {var.path} (process {_holder(var)}); stop it first, "
                    "or give this one a folder of its own: make run VAR=/some/folder",
                ) from None
            time.sleep(0.05)
        else:
            os.truncate(var.lock, 0)
            os.pwrite(var.lock, str(os.getpid()).encode(), 0)
            return


def _holder(var: VarFolder) -> str:
    return os.pread(var.lock, 20, 0).decode() or "unknown"


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner reads: as a whole, or, where the start is cut off, not at
    all. Raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # of one that was cut off
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)  # or a power cut leaves the new name on an empty file
    beside.replace(path)


def _ensure_secret_key(path: Path) -> None:
    """Writes a random key, unless there is one. Older versions could leave an empty file."""
    if not (path.exists() and path.read_bytes().strip()):
        write_private(path, secrets.token_urlsafe(48).encode())
