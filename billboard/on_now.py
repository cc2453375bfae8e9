"""What is on now: every screen as a picture that it took of itself, those in trouble first.

Reached through the admin. While the page is open it asks every few seconds, which is also how
screens know that somebody looks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import wraps
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from billboard import commands, said
from billboard.models import (
    Capture,
    CaptureKind,
    CommandKind,
    CommandState,
    FeedEntry,
    Play,
    Screen,
)
from billboard.plays import END_LATE

PERMISSION: Final = "billboard.view_screen"
LOOK_EVERY: Final = timedelta(seconds=4)
"""Less than the page's own pause: each poll says once that somebody looks."""
NAMES_MOST: Final = 4
RELATED: Final = ("campaign", "paused_by", "blanked_by")
FIRSTS_SHOWN: Final = 24
OVERDUE: Final = timedelta(seconds=150)
"""More than two pictures of a screen that nobody watched."""
FRESH_FOR: Final = timedelta(minutes=1)
"""A picture that was asked for stands this long before the small ones of every ten seconds."""

TROUBLE: Final = ("offline", "still")
ON: Final = ("paused", "online")
ORDER: Final = (*TROUBLE, "never", "black", *ON, "off")
"""The words of said.status, whoever is needed first."""

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Tile:
    """One screen on the page."""

    id: int
    name: str
    campaign: str
    state: str
    """One of ORDER."""
    words: str
    people: str
    """Who is on, by their plaques."""
    capture: Capture | None
    note: str = ""
    """What came of a picture that was asked for."""


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
    found = _tiles(request)
    campaigns = Screen.objects.order_by("campaign__name").values_list(
        "campaign__slug", "campaign__name"
    )
    return _page(
        request,
        "on_now.html",
        title=_("On now"),
        tiles=found,
        summary=_summary(found),
        campaigns=list(dict.fromkeys(campaigns)),
        chosen=request.GET.get("campaign", ""),
        query=request.GET.urlencode(),
    )


def tiles(request: HttpRequest) -> HttpResponseBase:
    """The page's poll: its tiles anew, or 304."""
    found = _tiles(request)
    return _answer(request, {"tiles": found, "summary": _summary(found)})


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
    firsts = Capture.objects.filter(screen=pk, kind=CaptureKind.FIRST).order_by("-at")
    return {"tiles": [_large(pk)], "is_large": True, "firsts": _with_names(firsts[:FIRSTS_SHOWN])}


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


# --- what is known of screens ---------------------------------------------------------------------
def _tiles(request: HttpRequest) -> list[Tile]:
    screens = Screen.objects.select_related(*RELATED)
    if slug := request.GET.get("campaign", ""):
        screens = screens.filter(campaign__slug=slug)
    _look(screens)
    return sorted(_told(list(screens)), key=lambda tile: ORDER.index(tile.state))


def _large(pk: int) -> Tile:
    """One screen, with the picture that was asked for while it is fresh. Raises Http404."""
    screen = get_object_or_404(Screen.objects.select_related(*RELATED), pk=pk)
    _look(Screen.objects.filter(pk=pk))
    (found,) = _told([screen])
    asked = _latest([screen], CaptureKind.ASKED).get(pk)
    is_fresh = asked is not None and (
        found.capture is None or found.capture.at - asked.at < FRESH_FOR
    )
    return replace(
        found, capture=asked if is_fresh else found.capture, note=_note(screen) or found.note
    )


def _note(screen: Screen) -> str:
    command = screen.commands.filter(
        kind=CommandKind.CAPTURE, asked_at__gt=timezone.now() - FRESH_FOR
    ).first()
    if command is None:
        return ""
    match command.standing:
        case CommandState.DONE:
            return ""
        case CommandState.LATE:
            return _("No picture: the screen was not heard in time.")
        case CommandState.REFUSED:
            return _("No picture: %s") % command.why
    return _("A picture is being taken.")


def _look(screens: Any) -> None:
    """Somebody looks at these: they tell more often for a while."""
    now = timezone.now()
    seldom = Q(looked_at=None) | Q(looked_at__lt=now - LOOK_EVERY)
    Screen.objects.filter(seldom, pk__in=screens.filter(is_active=True).values("pk")).update(
        looked_at=now
    )


def _told(screens: list[Screen]) -> list[Tile]:
    """In three queries, however many they are."""
    glances = _latest(screens, CaptureKind.GLANCE)
    people = _people(screens)
    found = []
    for screen in screens:
        state, words = _state(screen)
        capture = glances.get(screen.pk)
        found.append(
            Tile(
                id=screen.pk,
                name=screen.name,
                campaign=screen.campaign.name,
                state=state,
                words=words,
                people=_names(people.get(screen.pk, [])) if state in ON else "",
                capture=capture,
                note=_overdue(capture) if state in ON else "",
            )
        )
    return found


def _state(screen: Screen) -> tuple[str, str]:
    """A screen without a browser is off: nobody need go there."""
    if screen.is_active and screen.token_hash is None:
        return "off", _("No browser: pair one")
    return said.status(screen)


def _overdue(capture: Capture | None) -> str:
    """A screen that is on and sends no picture any more may not draw what it says."""
    if capture is None or timezone.now() - capture.at < OVERDUE:
        return ""
    return _("No new picture for a while: go and look at it.")


def _summary(found: list[Tile]) -> str:
    bad = sum(tile.state in TROUBLE for tile in found)
    on = sum(tile.state in ON for tile in found)
    well = ngettext("%d is on", "%d are on", on) % on
    if not bad:
        return well
    return f"{ngettext('%d needs somebody', '%d need somebody', bad) % bad} · {well}"


def _latest(screens: list[Screen], kind: CaptureKind) -> dict[int, Capture]:
    found = Capture.objects.filter(screen__in=screens, kind=kind).order_by("at")
    return {capture.screen_id: capture for capture in found}


def _people(screens: list[Screen]) -> dict[int, list[str]]:
    """Who is on each, as the screens themselves reported it, latest first."""
    if not screens:
        return {}
    now = timezone.now()
    slots = {screen.pk: timedelta(seconds=screen.campaign.slot_s) + END_LATE for screen in screens}
    plays = Play.objects.filter(
        screen__in=screens, duration_ms=None, started_at__gt=now - max(slots.values())
    )
    found: dict[int, list[str]] = {}
    for pk, started_at, plaque, number in plays.values_list(
        "screen", "started_at", "submission__plaque", "submission__number"
    ):
        if now < started_at + slots[pk]:
            found.setdefault(pk, []).append(_name(plaque, number))
    return found


def _name(plaque: str, number: int) -> str:
    return plaque or f"No. {number:05}"


def _names(names: Iterable[str]) -> str:
    known = list(dict.fromkeys(names))
    more = len(known) - NAMES_MOST
    said = ", ".join(known[:NAMES_MOST])
    return _("%(names)s and %(n)d more") % {"names": said, "n": more} if more > 0 else said


def _with_names(captures: Iterable[Capture]) -> list[tuple[Capture, str]]:
    found = list(captures)
    people: dict[UUID, list[UUID]] = {}
    for capture, submission in (
        Capture.objects.filter(pk__in=[each.pk for each in found], people__is_first=True)
        .values_list("pk", "people__submission")
        .order_by("people__pk")
    ):
        people.setdefault(capture, []).append(submission)
    # By the feed: a picture is often here before the word that a showing began.
    entries = FeedEntry.objects.filter(
        submission__in={pk for pks in people.values() for pk in pks}
    ).order_by()
    names = {
        pk: _name(plaque, number)
        for pk, plaque, number in entries.values_list(
            "submission", "submission__plaque", "submission__number"
        ).distinct()
    }
    return [
        (each, _names(names[pk] for pk in people.get(each.pk, []) if pk in names)) for each in found
    ]
