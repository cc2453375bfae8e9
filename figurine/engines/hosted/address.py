"""Where the provider's queue may lie; light enough for any process."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def check_base(base: str) -> None:
    """Refuse a queue to which the key and the pictures would go in the clear. Raises ValueError."""
    parts = urlsplit(base)
    if parts.scheme == "https" and parts.hostname:
        return
    if not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(f"the hosted queue must be https: {parts.scheme}://{parts.hostname}")
