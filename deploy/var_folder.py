"""The private folder of an installation: everything it remembers. One supervisor at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import suppress
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


def _ensure_secret_key(path: Path) -> None:
    """Writes a random key, unless there is one."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
