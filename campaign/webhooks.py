"""What the hosted engine's provider tells us: a request is done, so that its worker collects it.

A doorbell, as every other: one that is lost costs a poll's time. Nothing in it is believed but the
request's id, and that only with the provider's signature and a ticket that we gave out.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Final

import structlog
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campaign import hosted
from campaign.provider_keys import KeyRing, Unreachable

log = structlog.get_logger(__name__)

MAX_BODY_BYTES: Final = 12_000_000
"""The result rides along, a picture in base64; it is not looked at."""
LEEWAY_S: Final = 300
"""Source: the provider's documentation, "Webhooks"."""
MAX_HEADER: Final = 200
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

ring = KeyRing()


@csrf_exempt
@require_POST
async def fal(request: HttpRequest, ticket: str) -> HttpResponse:
    """Mark a request finished. Replays change nothing.

    404 for a ticket we never gave out, 413 for too long a body, 401 for a signature that is not
    the provider's or not of now, 503 while its keys cannot be had (it will try again). 204 for
    everything else, whether or not we know the request.
    """
    told = hosted.read(ticket)
    if told is None:
        return HttpResponse(status=404)
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return HttpResponse(status=413)
    try:
        if not await _is_signed(request, body):
            return HttpResponse(status=401)
    except Unreachable:
        return HttpResponse(status=503)
    request_id = _request_id(body)
    if request_id and await sync_to_async(hosted.finished)(told, request_id):
        log.info("hosted request finished", key=told.key)
    return HttpResponse(status=204)


async def _is_signed(request: HttpRequest, body: bytes) -> bool:
    """Ed25519 over id, account, moment and the body's SHA-256, each on a line. Raises Unreachable.

    Source: the provider's documentation, "Webhooks".
    """
    told = [
        request.headers.get(f"X-Fal-Webhook-{name}", "")
        for name in ("Request-Id", "User-Id", "Timestamp", "Signature")
    ]
    if not all(0 < len(value) <= MAX_HEADER for value in told):
        return False
    *lines, signature = told
    moment = lines[-1]
    if not (moment.isascii() and moment.isdigit() and abs(time.time() - int(moment)) <= LEEWAY_S):
        return False
    try:
        signed = bytes.fromhex(signature)
    except ValueError:
        return False
    message = "\n".join([*lines, hashlib.sha256(body).hexdigest()])
    return await ring.verifies(signed, message.encode())


def _request_id(body: bytes) -> str:
    """The id by which the queue knows the request, or "" where there is none to be read."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    request_id = told.get("request_id") if isinstance(told, dict) else None
    is_one = isinstance(request_id, str) and REQUEST_ID.fullmatch(request_id)
    return str(request_id) if is_one else ""
