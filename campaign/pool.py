"""The database's connections, of which a process has few."""

from __future__ import annotations

from django.db import connection


def let_go() -> None:
    """Give this thread's back while something else may take long: nobody should wait for it. The
    next question takes one anew. Within a transaction it stays."""
    if not connection.in_atomic_block:
        connection.close()
