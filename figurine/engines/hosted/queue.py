"""The provider's queue: submit, ask how it stands, collect, cancel."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from dataclasses import dataclass
from typing import Any, Final

import fal_client
import httpx

from figurine import bounds, decode
from figurine.engines.hosted import address, wire
from figurine.engines.hosted.wire import Failure, Wire
from figurine.errors import NotAnImage, ProviderBroke, ProviderRefused, TooLarge, Undecodable
from figurine.types import Pixels

FORGET_AFTER_S: Final = 60
"""What the provider stores is to be gone after this long: its client's own "immediate"; zero would
mean for ever.
"""
HEADERS: Final = {
    "X-Fal-Object-Lifecycle-Preference": json.dumps(
        {"expiration_duration_seconds": FORGET_AFTER_S}
    ),
    # Neither prompt nor pictures in the account's history.
    "X-Fal-Store-IO": "0",
}
"""Source: the provider's documentation, "Data Retention & Storage"."""

GONE: Final = 404
DONE_ALREADY: Final = 400
CANCELLED: Final = frozenset({"OK", "CANCELLATION_REQUESTED", "ALREADY_COMPLETED", "NOT_FOUND"})
"""What ends a request for good: these statuses, or 2xx with one of these words.
Source: the provider's documentation, "Queue API", "Cancel a request".
"""
EXPIRED: Final = frozenset({403, 404, 410})
"""A store's answers for a file that is there no more."""
MISSHAPEN: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading an answer of another shape than the documented one may raise."""

# httpx tells every address at INFO, and the submit's has the webhook's ticket in it.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Client(fal_client.SyncClient):
    """The provider's client over our wire: no retries of its own, no redirects."""

    def __init__(self, key: str, base: str) -> None:
        super().__init__(key=key)
        # Where the frozen base class caches the client that it would build itself.
        self.__dict__["_client"] = httpx.Client(
            transport=Wire(base),
            headers={"Authorization": f"Key {key}"},
            follow_redirects=False,
        )


@dataclass(frozen=True)
class Standing:
    """How a request stands."""

    stage: str
    """"waiting", "painting" or "collecting"."""
    position: int = 0
    """How many are before it while it waits."""


class Queue:
    """One endpoint's requests. Raises Failure throughout."""

    def __init__(self, *, key: str, base: str) -> None:
        address.check_base(base)
        self._client = Client(key, base)
        self._base = base

    def submit(
        self, path: str, arguments: dict[str, Any], *, webhook: str, start_within_s: float
    ) -> str:
        """Send a request once, and return its id. It is void unless it is begun in time."""
        with _reading():
            handle = self._client.submit(
                path,
                arguments,
                webhook_url=webhook or None,
                headers=dict(HEADERS),
                start_timeout=start_within_s,
            )
            return _word(handle.request_id)

    def standing(self, path: str, request_id: str) -> Standing:
        """Ask once."""
        with _reading():
            status = self._client.status(path, request_id)
        if isinstance(status, fal_client.Queued):
            return Standing("waiting", max(0, int(status.position)))
        return Standing("collecting" if isinstance(status, fal_client.Completed) else "painting")

    def collect(self, path: str, request_id: str) -> Pixels:
        """The one picture of a request that is done: (H, W, 3) uint8 sRGB."""
        handle = self._client.get_handle(path, request_id)
        with _reading():
            answer = handle.client.get(handle.response_url).json()
            if any(answer.get("has_nsfw_concepts") or ()):
                # It comes with a black picture, which must never pass for a figurine
                raise Failure(ProviderRefused("content policy"), is_final=True)
            url = str(answer["images"][0]["url"])
            data = _unpacked(url) if url.startswith("data:") else self._fetched(url)
        try:
            return decode.decode(data)
        except (NotAnImage, TooLarge, Undecodable) as error:
            # Not its words: they may quote the file
            broke = ProviderBroke(f"the result is no picture: {error.code}")
            raise Failure(broke, is_final=True) from None

    def cancel(self, path: str, request_id: str) -> bool:
        """Ask the provider to drop it. Whether it has answered: that it does, that it was done
        with it already, or that it knows no such request.
        """
        handle = self._client.get_handle(path, request_id)
        try:
            with _reading():
                told = handle.client.put(handle.cancel_url).json()["status"]
        except Failure as failure:
            return failure.status in (DONE_ALREADY, GONE)
        return told in CANCELLED

    def _fetched(self, url: str) -> bytes:
        try:
            return wire.download(url, base=self._base, max_bytes=bounds.MAX_BYTES)
        except Failure as failure:
            if failure.status is None:
                raise
            # Of the store, which knows nothing of keys and accounts
            broke = ProviderBroke(f"the result cannot be fetched: status {failure.status}")
            raise Failure(broke, is_final=failure.status in EXPIRED) from None


class _reading:
    """Turns an answer of another shape than documented into a Failure, quoting nothing of it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, MISSHAPEN):
            raise Failure(ProviderBroke(f"an answer of another shape: {kind.__name__}")) from None


def _word(request_id: object) -> str:
    """The id, if it can go into an address and a column. Raises ValueError."""
    told = str(request_id)
    if not (0 < len(told) <= 64 and told.replace("-", "").replace("_", "").isalnum()):
        raise ValueError("not an id")
    return told


def _unpacked(url: str) -> bytes:
    if len(url) > wire.MAX_ANSWER_BYTES:
        raise ValueError("too long")
    head, _, packed = url.partition(",")
    if not head.endswith(";base64"):
        raise ValueError("not base64")
    try:
        return base64.b64decode(packed, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
