"""What is on now: every screen as a picture that it took of itself, those in trouble first.

Reached through the admin. While the page is open it asks every few seconds, which is also how
screens know that somebody looks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billboard import commands
from billboard.models import Capture, CommandKind, Screen
from billboard.tiles import first_showings, look_at, look_at_all, summary

PERMISSION: Final = "billboard.view_screen"

View = Callable[..., HttpResponseBase]


def urls() -> list[URLPattern]:
    """What ScreenAdmin puts before its own addresses."""

    def named(route: str, view: View, name: str) -> URLPattern:
        return path(f"on-now/{route}", _guarded(view), name=f"billboard_screen_{name}")

    return [
        named("", wall, "on_now"),
        named("tiles/", tiles, "tiles"),
        named("picture/<uuid:pk>/", picture, "picture"),
        named("<int:pk>/", one, "on_now_one"),
        named("<int:pk>/tile/", tile, "tile"),
        path(
            "on-now/<int:pk>/ask/",
            _guarded(ask, permission="billboard.change_screen", method=require_POST),
            name="billboard_screen_ask_picture",
        ),
    ]


def _guarded(
    view: View, *, permission: str = PERMISSION, method: Callable[[View], View] = require_safe
) -> View:
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    checked: View = admin.site.admin_view(never_cache(method(inner)))
    return checked


def wall(request: HttpRequest) -> HttpResponse:
    """All screens, of one campaign with `?campaign=`."""
    chosen = request.GET.get("campaign", "")
    found = look_at_all(chosen)
    campaigns = Screen.objects.order_by("campaign__name").values_list(
        "campaign__slug", "campaign__name"
    )
    return _page(
        request,
        "on_now.html",
        title=_("On now"),
        tiles=found,
        summary=summary(found),
        campaigns=list(dict.fromkeys(campaigns)),
        chosen=chosen,
        query=request.GET.urlencode(),
    )


def tiles(request: HttpRequest) -> HttpResponseBase:
    """The page's poll: its tiles anew, or 304."""
    found = look_at_all(request.GET.get("campaign", ""))
    return _answer(request, {"tiles": found, "summary": summary(found)})


def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One screen, large, and the first showings on it."""
    context = _one(pk)
    return _page(
        request,
        "on_now_one.html",
        title=context["tiles"][0].name,
        screen=pk,
        may_ask=request.user.has_perm("billboard.change_screen"),
        **context,
    )


def tile(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The poll of that page."""
    return _answer(request, _one(pk))


def _one(pk: int) -> dict[str, Any]:
    """What may change on that page while it is open."""
    return {"tiles": [look_at(pk)], "is_large": True, "firsts": first_showings(pk)}


def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the screen take a large picture now; the page says when it is there."""
    screen = get_object_or_404(Screen, pk=pk)
    commands.ask([screen], CommandKind.CAPTURE, by=cast("User", request.user))
    return redirect("admin:billboard_screen_on_now_one", pk)


def _answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponseBase:
    html = render_to_string("admin/billboard/screen/on_now_tiles.html", context, request=request)
    etag = f'"{hashlib.sha256(html.encode()).hexdigest()[:20]}"'
    response = HttpResponse(html, headers={"ETag": etag})
    return get_conditional_response(request, etag=etag, response=response) or response


def picture(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The picture itself. It changes never: one that is replaced has another address."""
    capture = get_object_or_404(Capture, pk=pk)
    try:
        with capture.file.open() as file:
            content = file.read()
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    told = {**admin.site.each_context(request), "now": timezone.now().isoformat(), **context}
    return render(request, f"admin/billboard/screen/{template}", told)
