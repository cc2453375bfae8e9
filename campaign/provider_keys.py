"""The public keys with which the provider signs its webhooks: fetched, bounded, kept for a day.

The only call that the web process makes to the outside. It runs in a thread of its own, so that no
visitor waits for it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any, Final
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

log = structlog.get_logger(__name__)

ADDRESS: Final = "https://rest.fal.ai/.well-known/jwks.json"
"""Source: the provider's documentation, "Webhooks", which also says to keep them for 24 hours."""
KEEP_S: Final = 24 * 3600.0
AGAIN_S: Final = 60.0
"""Soonest that they are fetched anew, for a signature that none of them fits: keys do change, and
whoever sends rubbish must not make us ask without end.
"""
TRUST_S: Final = 7 * 24 * 3600.0
"""Longest that keys are believed in while new ones cannot be had; after that nobody's are."""
TIMEOUT_S: Final = 5.0
"""Of the whole fetch, however slowly it drips."""
CHUNK_BYTES: Final = 4096
MAX_BYTES: Final = 64_000
MAX_KEYS: Final = 16

Keys = tuple[Ed25519PublicKey, ...]


class Unreachable(Exception):
    """There are no keys, so nobody can say whose signature that is."""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class KeyRing:
    """The keys of one address, for one event loop at a time."""

    def __init__(self) -> None:
        self._keys: Keys = ()
        self._tried_s = float("-inf")
        self._fetched_s = float("-inf")
        self._lock = asyncio.Lock()

    async def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether one of the provider's keys signed it. Raises Unreachable."""
        now = time.monotonic()
        if self._keys and now - self._fetched_s < KEEP_S and _fits(self._keys, signature, message):
            return True
        async with self._lock:  # whoever waited here finds what the one before has fetched
            if time.monotonic() - self._tried_s > AGAIN_S:
                self._tried_s = time.monotonic()
                await self._fetch()
        if not self._keys or time.monotonic() - self._fetched_s > TRUST_S:
            raise Unreachable
        return _fits(self._keys, signature, message)

    async def _fetch(self) -> None:
        address = getattr(settings, "HOSTED_KEYS_URL", "") or ADDRESS
        try:
            fetching = asyncio.to_thread(fetch, address)
            self._keys = await asyncio.wait_for(fetching, TIMEOUT_S)
            self._fetched_s = time.monotonic()
        except (OSError, ValueError) as error:
            log.warning("the provider's keys could not be fetched", error=type(error).__name__)


def fetch(address: str) -> Keys:
    """Ask for the keys once. Raises OSError, or ValueError for an answer of another shape."""
    request = Request(address, headers={"Accept": "application/json"})  # noqa: S310 - our own
    deadline_s = time.monotonic() + TIMEOUT_S
    body = b""
    # Its timeout is that of one read
    with build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S) as response:
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("too long")
            if time.monotonic() > deadline_s:
                raise TimeoutError("too slow")
    return read(body)


def read(body: bytes) -> Keys:
    """The Ed25519 keys of a JWKS (RFC 7517; RFC 8037, section 2). Raises ValueError."""
    told = json.loads(body)
    entries = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list of keys")
    found = [
        Ed25519PublicKey.from_public_bytes(_unpadded(entry["x"]))
        for entry in entries[:MAX_KEYS]
        if isinstance(entry, dict)
        and entry.get("crv") == "Ed25519"
        and isinstance(entry.get("x"), str)
    ]
    if not found:
        raise ValueError("no key")
    return tuple(found)


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _fits(keys: Keys, signature: bytes, message: bytes) -> bool:
    for key in keys:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False
