"""The way to the provider: every answer bounded in size and time, every failure with its code.

The provider's client would send a request again by itself when its answer is late or cut off, and
so pay again: its retries see httpx's errors and its own, so what is raised here is neither.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import urlsplit

import httpx
from fal_client.client import QUEUE_URL_FORMAT, BackupDomainTransport

from figurine.errors import (
    FigurineError,
    ProviderBroke,
    ProviderBusy,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnpaid,
)

MAX_ANSWER_BYTES: Final = 17_000_000
"""As much as the largest picture that is decoded at all (bounds.MAX_BYTES) takes in base64."""
ANSWER_S: Final = 30.0
"""Longest that one answer may take, drop by drop."""
TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)
CALL_S: Final = 2 * 5.0 + 15.0 + 15.0 + ANSWER_S + 15.0
"""Longest that one question takes at a provider that is slow: two addresses tried, sent, waited for
the first word of the answer, its drops, and the last of them.
"""
HOSTS: Final = ("fal.media", "fal.run", "fal.ai")
"""Where the provider keeps pictures: these and what is below them."""
WORD: Final = re.compile(r"[a-z_]{1,48}")
"""An error's type. Its message is never repeated: it may hold what was sent, a face."""
OWN_WORDS: Final = ("x-fal-error-type", "x-fal-retryable")
"""Headers of an error that came of the request itself: the first where its runner failed, the
second where the model did. Source: the provider's documentation, "Request Error Types" and "Model
Errors".
"""

UNSENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.LocalProtocolError,  # no request: a key with a newline in it, for example
)
STATUS_ERRORS: Final[dict[int, type[FigurineError]]] = {
    401: ProviderUnpaid,
    402: ProviderUnpaid,
    403: ProviderUnpaid,  # also "user is locked": the account is empty
    404: ProviderBroke,
    408: ProviderTimeout,
    409: ProviderBusy,
    425: ProviderBusy,
    429: ProviderBusy,
    504: ProviderTimeout,
}


@dataclass(eq=False)
class Failure(Exception):
    """What went wrong on the way, and what that says about the request."""

    error: FigurineError
    status: int | None = None
    """The provider's own answer; None where there was none, or none that could be read."""
    was_sent: bool = True
    is_models: bool = False
    """The answer says that it is the model's or its runner's own, and not of what stands before."""
    is_final: bool = False
    """The request is done, and this is what came of it."""

    @property
    def is_refusal(self) -> bool:
        """The provider did not take what was submitted, so nothing is out and nothing charged."""
        return not self.was_sent or (self.status is not None and 400 <= self.status < 500)

    @property
    def is_broken(self) -> bool:
        return self.status is not None and self.status >= 500


class Wire(httpx.BaseTransport):
    """Sends what is meant for the provider's queue to `base`, and reads answers whole, in bounds.

    Raises Failure for every answer but 2xx and for none at all.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/") + "/"
        self._inner = BackupDomainTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url.startswith(QUEUE_URL_FORMAT):
            request.url = httpx.URL(self._base + url.removeprefix(QUEUE_URL_FORMAT))
            request.headers["Host"] = request.url.netloc.decode("ascii")
        request.headers["Accept-Encoding"] = "identity"
        # The client's own are up to two minutes
        request.extensions["timeout"] = TIMEOUT.as_dict()
        try:
            response = self._inner.handle_request(request)
            try:
                body = b"".join(_bounded(response, MAX_ANSWER_BYTES))
            finally:
                response.close()
        except httpx.HTTPError as error:
            _fail(error)
        if not 200 <= response.status_code < 300:
            raise Failure(
                _error_of(response, body),
                status=response.status_code,
                is_models=any(name in response.headers for name in OWN_WORDS),
            )
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    def close(self) -> None:
        self._inner.close()


def download(url: str, *, base: str, max_bytes: int) -> bytes:
    """Fetch a result without the key: from the provider's hosts over https, or from `base`'s own
    origin; no redirects. Raises Failure.
    """
    if not is_trusted(url, base=base):
        raise Failure(ProviderBroke("the result lies at an address that is not the provider's"))
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, headers=headers) as client,
            client.stream("GET", url) as response,
        ):
            body = b"".join(_bounded(response, max_bytes))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _fail(error)
    if response.status_code != 200:
        raise Failure(_error_of(response, body), status=response.status_code)
    return body


def is_trusted(url: str, *, base: str) -> bool:
    """Whether a result may be fetched from there."""
    try:
        parts, ours = urlsplit(url), urlsplit(base)
        here = (parts.scheme, parts.hostname, parts.port)
        if here == (ours.scheme, ours.hostname, ours.port):
            return True
    except ValueError:
        return False
    host = parts.hostname or ""
    return (
        parts.scheme == "https"
        and parts.port in (None, 443)
        and any(host == known or host.endswith(f".{known}") for known in HOSTS)
    )


def _bounded(response: httpx.Response, max_bytes: int) -> Iterator[bytes]:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Failure(ProviderBroke("an answer that is packed, though none was asked for"))
    deadline_s = time.monotonic() + ANSWER_S
    seen = 0
    for chunk in response.iter_raw():
        seen += len(chunk)
        if seen > max_bytes:
            raise Failure(ProviderBroke(f"an answer of more than {max_bytes} bytes"))
        if time.monotonic() > deadline_s:
            raise Failure(ProviderTimeout(f"an answer that takes more than {ANSWER_S:.0f} s"))
        yield chunk


def _fail(error: Exception) -> NoReturn:
    """Translate, and drop what httpx knows: the request, its address and its headers."""
    name = type(error).__name__
    if isinstance(error, UNSENT):
        raise Failure(ProviderBusy(f"not reached: {name}"), was_sent=False) from None
    if isinstance(error, httpx.TimeoutException):
        raise Failure(ProviderTimeout(f"no answer: {name}")) from None
    raise Failure(ProviderBroke(f"no answer: {name}")) from None


def _error_of(response: httpx.Response, body: bytes) -> FigurineError:
    status = response.status_code
    told = response.headers.get("x-fal-error-type", "")
    if not WORD.fullmatch(told):
        told = _type_in(body)
    detail = f"status {status} {told}".strip()
    fallback = ProviderRefused if 400 <= status < 500 else ProviderBroke
    return STATUS_ERRORS.get(status, fallback)(detail)


def _type_in(body: bytes) -> str:
    """The error's type out of the provider's list of what is wrong, if it is a plain word."""
    found = re.search(rb'"(?:error_)?type"\s*:\s*"([a-z_]{1,48})"', body[:4000])
    return found[1].decode("ascii") if found else ""
