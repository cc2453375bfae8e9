"""What the crew asks of a screen, and what came of it.

Two sorts. What *lasts* (paused, black, brightness, layout) stands in the screen's row and is told
with every connection: a screen that was off comes back as it should be. What is done *once*
(identify, reload, capture) is told until its deadline; a screen remembers what it has carried out.
Each is a row that says who asked, when, and how it ended; the nudge is a doorbell, and the beat and
the http poll tell of it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from billboard import nudges, planning
from billboard.models import CommandKind, CommandOutcome, Layout, Screen, ScreenCommand
from billboard.protocol import Obeyed
from billboard.setting import BRIGHTNESS_LEAST

log = structlog.get_logger(__name__)

K = CommandKind

DEADLINE: Final = timedelta(seconds=30)
"""A person who pressed a button and saw nothing presses again by then."""
DEADLINE_MOST: Final = timedelta(minutes=5)
KEEP: Final = timedelta(days=90)

LASTING: Final = {
    K.PAUSE: "pause",
    K.RESUME: "pause",
    K.BLANK: "blank",
    K.UNBLANK: "blank",
    K.BRIGHTNESS: "brightness",
    K.LAYOUT: "layout",
}
"""What each is about: of two about the same, the later one holds."""


class BadOrder(ValueError):
    """Nothing that a screen can be asked for."""


@dataclass(frozen=True)
class Command:
    """As a screen is told of it."""

    id: str
    kind: str
    value: str
    until: str

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "value": self.value, "until": self.until}


@dataclass(frozen=True)
class Orders:
    """All that is asked of a screen now: what lasts, and what waits to be carried out."""

    type: ClassVar[str] = "orders"
    is_paused: bool
    is_blanked: bool
    brightness: int | None
    layout: str
    commands: tuple[Command, ...] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)

    def holds(self, other: Orders) -> bool:
        """Whether who knows this one learns nothing from the other."""
        return self._state == other._state and set(other.commands) <= set(self.commands)

    @property
    def _state(self) -> dict[str, Any]:
        return {
            "is_paused": self.is_paused,
            "is_blanked": self.is_blanked,
            "brightness": self.brightness,
            "layout": self.layout,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "at": self.at.isoformat(),
            "state": self._state,
            "commands": [command.as_json() for command in self.commands],
        }


# --- asking ---------------------------------------------------------------------------------------


def ask(
    screens: Iterable[Screen],
    kind: CommandKind,
    *,
    by: User | None = None,
    value: str = "",
    within: timedelta = DEADLINE,
) -> list[ScreenCommand]:
    """Ask all of these screens for the same; a row for each. Raises BadOrder.

    `value` is the percent of a brightness, empty for the hour's own, or a layout's name.
    """
    value = _checked(kind, value)
    wanted = [screen.pk for screen in screens]
    with transaction.atomic():
        # 1. One producer at a time: whoever comes second is the one that holds. Plays that come
        # meanwhile name these rows, and need not wait.
        rows = Screen.objects.select_for_update(no_key=True).filter(pk__in=wanted)
        found = list(rows.order_by("pk"))
        now = timezone.now()
        # 2. What this one overtakes before it was carried out
        if kind in LASTING:
            rivals = [other for other, about in LASTING.items() if about == LASTING[kind]]
            who = by.get_username() if by else gettext("the system")
            overtaken = ScreenCommand.objects.select_for_update(no_key=True).filter(
                screen__in=found, kind__in=rivals, outcome=CommandOutcome.NONE, deadline_at__gt=now
            )
            # In the order in which plays.record_all takes them: neither waits for the other.
            ScreenCommand.objects.filter(
                pk__in=list(overtaken.order_by("pk").values_list("pk", flat=True))
            ).update(
                outcome=CommandOutcome.REFUSED,
                why=(gettext("overtaken by %s") % who)[:120],
                done_at=now,
            )
        # 3. The rows, and what lasts
        asked = ScreenCommand.objects.bulk_create(
            ScreenCommand(
                screen=screen,
                kind=kind,
                value=screen.name if kind == K.IDENTIFY else value,
                asked_by=by,
                asked_at=now,
                deadline_at=now + min(within, DEADLINE_MOST),
            )
            for screen in found
        )
        Screen.objects.filter(pk__in=[screen.pk for screen in found]).update(
            ordered_at=now, **_lasting_of(kind, value, by=by, now=now)
        )
        if kind in LASTING and kind != K.BRIGHTNESS:
            planning.outdate({screen.campaign_id for screen in found})
        tell(found)
    return asked


def tell(screens: Iterable[Screen]) -> None:
    """Once it is committed, call these screens: what lasts has changed, or a command waits."""
    by_campaign: dict[int, list[int]] = {}
    for screen in screens:
        by_campaign.setdefault(screen.campaign_id, []).append(screen.pk)

    def ring() -> None:
        for campaign_id, called in by_campaign.items():
            nudges.call(campaign_id, screens=called)

    transaction.on_commit(ring, robust=True)


def _checked(kind: CommandKind, value: str) -> str:
    match kind:
        case K.BRIGHTNESS:
            if value == "":
                return ""
            is_number = value.isascii() and value.isdigit() and len(value) <= 3
            if not is_number or not BRIGHTNESS_LEAST <= int(value) <= 100:
                words = gettext("Brightness is %d to 100 percent; for less there is Black.")
                raise BadOrder(words % BRIGHTNESS_LEAST)
            return str(int(value))
        case K.LAYOUT:
            if value not in Layout.values:
                raise BadOrder(gettext("There is no such layout."))
            return value
    return ""


def _lasting_of(kind: CommandKind, value: str, *, by: User | None, now: datetime) -> dict[str, Any]:
    """The fields of the screen that say it."""
    match kind:
        case K.PAUSE:
            return {"paused_at": now, "paused_by": by}
        case K.RESUME:
            return {"paused_at": None, "paused_by": None}
        case K.BLANK:
            return {"blanked_at": now, "blanked_by": by}
        case K.UNBLANK:
            return {"blanked_at": None, "blanked_by": None}
        case K.BRIGHTNESS:
            return {"brightness_now": int(value) if value else None}
        case K.LAYOUT:
            return {"layout": value}
    return {}


# --- telling the screen ---------------------------------------------------------------------------


def may_be_open(screen: Screen) -> bool:
    """Whether it is worth asking the record; most beats it is not."""
    return screen.ordered_at is not None and timezone.now() < screen.ordered_at + DEADLINE_MOST


def lasting(screen: Screen, commands: Sequence[ScreenCommand] = ()) -> Orders:
    """As its row has it, without asking the record."""
    return Orders(
        is_paused=screen.paused_at is not None,
        is_blanked=screen.blanked_at is not None,
        brightness=screen.brightness_now,
        layout=screen.layout,
        commands=tuple(
            Command(str(each.pk), each.kind, each.value, each.deadline_at.isoformat())
            for each in commands
        ),
    )


def of(screen: Screen) -> Orders:
    """All that is asked of this one."""
    if not may_be_open(screen):
        return lasting(screen)
    return lasting(screen, _waiting(screen__in=[screen]))


def of_all(campaign_id: int) -> dict[int, tuple[Screen, Orders]]:
    """The rows of a campaign's screens, and all that is asked of each."""
    waiting: dict[int, list[ScreenCommand]] = {}
    # Screens first: what is asked in between is there twice rather than not at all.
    screens = list(Screen.objects.select_related("campaign").filter(campaign=campaign_id))
    for command in _waiting(screen__campaign=campaign_id):
        waiting.setdefault(command.screen_id, []).append(command)
    return {each.pk: (each, lasting(each, waiting.get(each.pk, ()))) for each in screens}


def _waiting(**whose: Any) -> list[ScreenCommand]:
    """In the order in which they were asked."""
    return list(
        ScreenCommand.objects.filter(
            outcome=CommandOutcome.NONE, deadline_at__gt=timezone.now(), **whose
        ).order_by("asked_at")
    )


def note_sent(orders: Orders) -> None:
    if orders.commands:
        told = [command.id for command in orders.commands]
        ScreenCommand.objects.filter(pk__in=told, sent_at=None).update(sent_at=timezone.now())


# --- what came of it ------------------------------------------------------------------------------


def record(screen: Screen, obeyed: Obeyed) -> None:
    """Write how a command ended, once; another screen's is passed over."""
    command = ScreenCommand.objects.filter(
        pk=obeyed.command, screen=screen, outcome=CommandOutcome.NONE
    )
    asked_at = command.values_list("asked_at", flat=True).first()
    if asked_at is None:
        return
    # By the screen's idea of the server's clock, which may be off by a little.
    done_at = max(asked_at, min(obeyed.at, timezone.now()))
    outcome = CommandOutcome.DONE if obeyed.is_done else CommandOutcome.REFUSED
    command.update(outcome=outcome, why=obeyed.why, done_at=done_at)


def sweep() -> None:
    """Delete what was asked long ago."""
    ScreenCommand.objects.filter(asked_at__lt=timezone.now() - KEEP).delete()
