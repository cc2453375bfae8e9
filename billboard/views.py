"""The screen's page and its way over plain http, for when sockets fail.

A screen is known by a cookie that is HttpOnly and SameSite=Strict. The posts are exempt from
Django's CSRF token, which a player that runs for weeks would outlive: what keeps other sites out is
that the cookie does not travel with their requests, that JSON forces a browser to ask first
(a preflight, which nobody here answers), and that a foreign Origin is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from billboard import (
    captures,
    codes,
    commands,
    feed,
    page,
    pairing,
    planning,
    plays,
    protocol,
    shell,
)
from billboard.models import Screen
from billboard.protocol import Acked, Acks, BadFrame, Here
from campaign import callers

DEVICE_COOKIE: Final = "diorama_pairing"
PIXELS_MOST: Final = 100_000

View = Callable[[HttpRequest], HttpResponse]

SHELL_HEADER: Final = "Diorama-Shell"
"""With the player's page: its version. What lacks it is no page of ours (screen/worker.js)."""

UNPAIRED_HEADER: Final = "Diorama-Unpaired"
"""The server's word that this browser is no screen: it deletes what it kept."""


def _refused(code: str, *, status: int) -> JsonResponse:
    return JsonResponse({"code": code}, status=status)


def _never_cached(response: HttpResponse) -> HttpResponse:
    add_never_cache_headers(response)
    return response


def _unpaired() -> JsonResponse:
    response = _refused("unpaired", status=403)
    response[UNPAIRED_HEADER] = "1"
    return response


def _for_screens(view: Callable[[HttpRequest, Screen], HttpResponse]) -> View:
    """403 for anyone without a screen's cookie."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        screen = _screen(request)
        return view(request, screen) if screen else _unpaired()

    return wrapped


def _same_origin_json(view: View) -> View:
    """415 for what is not JSON, 403 for what another site sent."""
    return _same_origin(view, types=("application/json",), code="not_json")


def _same_origin_picture(view: View) -> View:
    """415 for what is no picture, 403 for what another site sent."""
    return _same_origin(view, types=("image/webp", "image/jpeg", "image/png"), code="not_a_picture")


def _same_origin(view: View, *, types: tuple[str, ...], code: str) -> View:
    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if request.content_type not in types:
            return _refused(code, status=415)
        origin = request.headers.get("Origin")
        if origin is None or _is_ours(origin, request):
            return view(request)
        return _refused("other_site", status=403)

    return csrf_exempt(wrapped)


def _is_ours(origin: str, request: HttpRequest) -> bool:
    """As Django's forms see it: a proxy may call this machine by another name than the world."""
    return origin in settings.CSRF_TRUSTED_ORIGINS or urlsplit(origin).netloc == request.get_host()


def _screen(request: HttpRequest) -> Screen | None:
    return pairing.admit(request.COOKIES.get(pairing.COOKIE, ""))


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
    """The player, or how to become one."""
    found = _screen(request)
    if found is None:
        response = render(request, "billboard/unpaired.html")
        response[UNPAIRED_HEADER] = "1"
        return response
    html = _player(request, found)
    response = HttpResponse(html)
    response[SHELL_HEADER] = shell.of(found, html).version
    return response


def _player(request: HttpRequest, screen: Screen) -> str:
    around = page.of(screen)
    context = {"page": around, "screen": screen}
    return render_to_string("billboard/screen.html", context, request=request)


@never_cache
@require_safe
@_for_screens
def shell_list(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What the screen's worker holds: a version, and the files that belong to it."""
    return JsonResponse(shell.of(screen, _player(request, screen)).as_json())


@never_cache
@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker: from here, its scope is the screen's pages and no others."""
    return HttpResponse(shell.worker(), content_type="text/javascript")


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


@require_POST
@_same_origin_json
@_for_screens
def renew(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What a screen asks now and then: a new token, where it is time for one."""
    response = HttpResponse(status=204)
    renewed = pairing.renew(request.COOKIES[pairing.COOKIE])
    if renewed:
        _remember(response, renewed)
    return response


@require_POST
@_same_origin_json
def ask(request: HttpRequest) -> HttpResponse:
    """A code for a browser that would be a screen, and its secret in a cookie."""
    try:
        body = json.loads(request.body)
        size = [_pixels(body, side) for side in ("width_px", "height_px")]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return _refused("bad_request", status=400)
    try:
        asked = codes.ask(
            address=callers.address_of(request),
            browser=callers.browser_of(request),
            width_px=size[0],
            height_px=size[1],
            instead_of=request.COOKIES.get(DEVICE_COOKIE, ""),
        )
    except codes.TooMany:
        return _refused("too_many", status=429)
    address = settings.PUBLIC_URL + reverse("admin:billboard_screen_pair")
    direct = f"{address}?code={asked.code}"
    response = JsonResponse(
        {
            "user_code": asked.code,
            "verification_uri": address,
            "verification_uri_complete": direct,
            "expires_in": int(codes.LIFETIME.total_seconds()),
            "interval": codes.INTERVAL_S,
            "qr_svg": page.qr_svg(direct).decode(),
        }
    )
    response.set_cookie(
        DEVICE_COOKIE,
        asked.device,
        max_age=int(codes.KEEP.total_seconds()),
        path=reverse("billboard:screen"),
        secure=settings.IS_HTTPS,
        httponly=True,
        samesite="Strict",
    )
    return _never_cached(response)


def _pixels(body: dict[str, object], side: str) -> int | None:
    value = body.get(side)
    return value if type(value) is int and 0 < value <= PIXELS_MOST else None


@require_POST
@_same_origin_json
def poll(request: HttpRequest) -> HttpResponse:
    """204 and the screen's cookie once a producer has confirmed; until then, why not."""
    answer = codes.poll(request.COOKIES.get(DEVICE_COOKIE, ""))
    if answer.error:
        return _never_cached(_refused(answer.error, status=400))
    response = HttpResponse(status=204)
    _remember(response, answer.token)
    response.delete_cookie(DEVICE_COOKIE, path=reverse("billboard:screen"), samesite="Strict")
    return _never_cached(response)


@never_cache
@gzip_page
@require_safe
@_for_screens
def feed_since(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What the socket would have said to `pull`, with what a beat says and the plan there is; or to
    `rest`."""
    try:
        if "rest" in request.GET:
            part = feed.rest(screen.campaign_id, protocol.after(request.GET["rest"]))
            return JsonResponse(protocol.dated(part.as_json()))
        place = protocol.place(request.GET.get("epoch"), request.GET.get("seq"))
    except BadFrame:
        return _refused("bad_place", status=400)
    feed.heed(screen, place)
    news = protocol.dated(feed.since(screen.campaign_id, place).as_json())
    plan = planning.told(screen)
    beat = {"page": page.of(screen).fingerprint, "watched": screen.is_watched}
    return JsonResponse({**news, **beat, "plan": plan.as_json() if plan else None})


@require_POST
@_same_origin_json
@_for_screens
def acks(request: HttpRequest, screen: Screen) -> HttpResponse:
    """What the socket takes as `acks` and `here`; whoever is here hears what is asked of it."""
    try:
        frame = protocol.parse(request.body.decode())
    except (BadFrame, UnicodeDecodeError):
        return _refused("bad_frame", status=400)
    match frame:
        case Here():
            plays.heard(screen, frame)
            if screen.has_turns:
                planning.ensure(screen)
            orders = commands.of(screen)
            commands.note_sent(orders)
            return JsonResponse(orders.as_json())
        case Acks():
            plays.record(screen, frame)
            return JsonResponse(Acked(frame.n).as_json())
    return _refused("bad_frame", status=400)


@require_POST
@_same_origin_picture
@_for_screens
def captures_of(request: HttpRequest, screen: Screen) -> HttpResponse:
    """A picture of what is on it now; the header says which kind, and who is on it."""
    try:
        told = captures.parse(request.headers.get("Diorama-Capture", ""))
        # Django's own limit for bodies is for forms.
        picture = request.read(captures.BYTES_MOST[told.kind] + 1)
        captures.keep(screen, told, picture)
    except captures.Refused as refusal:
        return _refused(refusal.code, status=refusal.status)
    return HttpResponse(status=204)


@never_cache
@require_safe
@_for_screens
def qr(request: HttpRequest, screen: Screen) -> HttpResponse:
    """The way from the street to the phone page."""
    svg = page.qr_svg(page.of(screen).intake_url)
    return HttpResponse(svg, content_type="image/svg+xml")
