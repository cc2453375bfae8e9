"""The screen's page and its way over plain http, for when sockets fail.

A screen is known by a cookie that is HttpOnly and SameSite=Strict. The two posts are exempt from
Django's CSRF token, which a player that runs for weeks would outlive: what keeps other sites out is
that the cookie does not travel with their requests, that JSON forces a browser to ask first
(a preflight, which nobody here answers), and that a foreign Origin is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from billboard import feed, page, pairing, plays, protocol
from billboard.models import Screen
from billboard.protocol import Acked, Acks, BadFrame, Here

View = Callable[[HttpRequest], HttpResponse]


def _refused(code: str, *, status: int) -> JsonResponse:
    return JsonResponse({"code": code}, status=status)


def _for_screens(view: Callable[[HttpRequest, Screen], HttpResponse]) -> View:
    """403 for anyone without a screen's cookie."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        screen = _screen(request)
        return view(request, screen) if screen else _refused("unpaired", status=403)

    return wrapped


def _same_origin_json(view: View) -> View:
    """415 for what is not JSON, 403 for what another site sent."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if request.content_type != "application/json":
            return _refused("not_json", status=415)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.get_host():
            return _refused("other_site", status=403)
        return view(request)

    return csrf_exempt(wrapped)


def _screen(request: HttpRequest) -> Screen | None:
    return pairing.find(request.COOKIES.get(pairing.COOKIE, ""))


def _remember(response: HttpResponse, token: str) -> None:
    """Keep this browser a screen, from now on for as long as browsers keep a cookie."""
    response.set_cookie(
        pairing.COOKIE,
        token,
        max_age=pairing.COOKIE_MAX_AGE_S,
        secure=settings.IS_HTTPS,
        httponly=True,
        samesite="Strict",
    )


@never_cache
@require_safe
def screen(request: HttpRequest) -> HttpResponse:
    """The player, or how to become one. Changes nothing but how long the cookie lasts."""
    found = _screen(request)
    if found is None:
        return render(request, "billboard/unpaired.html")
    around = page.of(found.campaign)
    response = render(request, "billboard/screen.html", {"page": around, "screen": found})
    _remember(response, request.COOKIES[pairing.COOKIE])
    return response


@require_POST
@_same_origin_json
def session(request: HttpRequest) -> HttpResponse:
    """Exchange a key for the cookie that makes this browser a screen."""
    try:
        key = json.loads(request.body)["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _refused("no_key", status=400)
    if not isinstance(key, str) or pairing.find(key) is None:
        return _refused("unpaired", status=403)
    response = HttpResponse(status=204)
    _remember(response, key)
    return response


@never_cache
@require_safe
@_for_screens
def feed_since(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What the socket would have said to `pull`."""
    try:
        place = protocol.place(request.GET.get("epoch"), request.GET.get("seq"))
    except BadFrame:
        return _refused("bad_place", status=400)
    return JsonResponse(feed.since(screen.campaign_id, place).as_json())


@require_POST
@_same_origin_json
@_for_screens
def acks(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What the socket takes as `acks` and `here`."""
    try:
        frame = protocol.parse(request.body.decode())
    except (BadFrame, UnicodeDecodeError):
        return _refused("bad_frame", status=400)
    match frame:
        case Here():
            plays.heard(screen, frame)
            return HttpResponse(status=204)
        case Acks():
            plays.record(screen, frame)
            return JsonResponse(Acked(frame.n).as_json())
    return _refused("bad_frame", status=400)


@never_cache
@require_safe
@_for_screens
def qr(request: HttpRequest, screen: Screen) -> HttpResponse:
    """The way from the street to the phone page."""
    svg = page.qr_svg(page.of(screen.campaign).intake_url)
    return HttpResponse(svg, content_type="image/svg+xml")
