"""What is known of screens at this moment: how each is, who is on, and its latest picture.

Whoever asks looks: the screens hear of it, and tell more often for a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billboard import said
from billboard.models import (
    Capture,
    CaptureKind,
    CommandKind,
    CommandState,
    FeedEntry,
    Play,
    Screen,
)
from billboard.plays import on_since

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
    is_overdue: bool = False
    """It is on and sends no picture any more: it may not draw what it says."""
    note: str = ""
    """What came of a picture that was asked for, or that it is overdue."""

    @property
    def needs_somebody(self) -> bool:
        return self.state in TROUBLE or self.is_overdue


def look_at_all(campaign: str = "") -> list[Tile]:
    """All screens, or one campaign's, whoever is needed first; `campaign` is a slug."""
    screens = Screen.objects.select_related(*RELATED)
    if campaign:
        screens = screens.filter(campaign__slug=campaign)
    _look(screens)
    return sorted(
        _told(list(screens)),
        key=lambda tile: (not tile.needs_somebody, ORDER.index(tile.state)),
    )


def look_at(pk: int) -> Tile:
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


def first_showings(pk: int) -> list[tuple[Capture, str]]:
    """The latest pictures of first showings on a screen, and whose they are."""
    firsts = Capture.objects.filter(screen=pk, kind=CaptureKind.FIRST).order_by("-at")
    found = list(firsts[:FIRSTS_SHOWN])
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


def summary(found: list[Tile]) -> str:
    bad = sum(tile.needs_somebody for tile in found)
    on = sum(tile.state in ON and not tile.needs_somebody for tile in found)
    well = ngettext("%d is on", "%d are on", on) % on
    if not bad:
        return well
    return f"{ngettext('%d needs somebody', '%d need somebody', bad) % bad} · {well}"


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
        is_overdue = state in ON and _is_overdue(screen, capture)
        found.append(
            Tile(
                id=screen.pk,
                name=screen.name,
                campaign=screen.campaign.name,
                state=state,
                words=words,
                people=_names(people.get(screen.pk, [])) if state in ON else "",
                capture=capture,
                is_overdue=is_overdue,
                note=_("No new picture for a while: go and look at it.") if is_overdue else "",
            )
        )
    return found


def _state(screen: Screen) -> tuple[str, str]:
    """A screen without a browser is off: nobody need go there."""
    if screen.is_active and screen.token_hash is None:
        return "off", _("No browser: pair one")
    return said.status(screen)


def _is_overdue(screen: Screen, capture: Capture | None) -> bool:
    """Without any, by how long its page has been up: one that was deleted with somebody on it has
    a new one within seconds."""
    if capture is None:
        return (screen.up_s or 0) >= OVERDUE / timedelta(seconds=1)
    return timezone.now() - capture.at >= OVERDUE


def _latest(screens: list[Screen], kind: CaptureKind) -> dict[int, Capture]:
    found = Capture.objects.filter(screen__in=screens, kind=kind).order_by("at")
    return {capture.screen_id: capture for capture in found}


def _people(screens: list[Screen]) -> dict[int, list[str]]:
    """Who is on each, as the screens themselves reported it, latest first."""
    if not screens:
        return {}
    now = timezone.now()
    since = {screen.pk: on_since(screen, now) for screen in screens}
    on = Q()
    # Apart: a screen that was paused weeks ago does not have weeks of all others looked through.
    for is_paused in (False, True):
        alike = [screen.pk for screen in screens if (screen.paused_at is not None) is is_paused]
        if alike:
            on |= Q(screen__in=alike, started_at__gt=min(since[pk] for pk in alike))
    plays = Play.objects.filter(on, duration_ms=None)
    found: dict[int, list[str]] = {}
    for pk, started_at, plaque, number in plays.values_list(
        "screen", "started_at", "submission__plaque", "submission__number"
    ):
        if started_at > since[pk]:
            found.setdefault(pk, []).append(_name(plaque, number))
    return found


def _name(plaque: str, number: int) -> str:
    return plaque or f"No. {number:05}"


def _names(names: Iterable[str]) -> str:
    known = list(dict.fromkeys(names))
    more = len(known) - NAMES_MOST
    said = ", ".join(known[:NAMES_MOST])
    return _("%(names)s and %(n)d more") % {"names": said, "n": more} if more > 0 else said
