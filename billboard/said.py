"""What screens say of themselves, in a producer's words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billboard.commands import LASTING
from billboard.models import CommandKind, CommandState, Layout, Screen, ScreenCommand

MINUTE: Final = timedelta(minutes=1)
VERSION_CHARS: Final = 7

COLOURS: Final = {
    "online": "success",
    "still": "warning",
    "offline": "danger",
    "off": "info",
    "never": "info",
    "black": "primary",
    "paused": "primary",
}
"""Of the words of `status`."""


def status(screen: Screen) -> tuple[str, str]:
    """Whether it shows anything, and if not, why not: a word of COLOURS, and a sentence."""
    if not screen.is_active:
        return "off", _("Switched off")
    if screen.last_seen_at is None:
        return "never", _("Never opened")
    if not screen.is_heard:
        return "offline", ago(screen.last_seen_at, before=_("Offline for"))
    if screen.is_drawing is False:
        return "still", _("Heard, but it draws nothing")
    if screen.blanked_at:
        return "black", _by(_("Blanked by %(who)s, %(ago)s"), screen.blanked_by, screen.blanked_at)
    if screen.paused_at:
        return "paused", _by(_("Paused by %(who)s, %(ago)s"), screen.paused_by, screen.paused_at)
    if screen.is_drawing is None:
        return "online", _("Online; drawing not told")
    return "online", _("Online")


def lasting(screen: Screen) -> str:
    """What the crew wants of it until further notice, whether it is there or not."""
    wanted = []
    if screen.blanked_at:
        wanted.append(_by(_("Blanked by %(who)s, %(ago)s"), screen.blanked_by, screen.blanked_at))
    if screen.paused_at:
        wanted.append(_by(_("Paused by %(who)s, %(ago)s"), screen.paused_by, screen.paused_at))
    if screen.brightness_now is not None:
        wanted.append(_("Brightness %d %%") % screen.brightness_now)
    return " · ".join(wanted)


def vitals(screen: Screen, *, is_brief: bool = False) -> str:
    """“60 fps · 182 MB · 240 pictures kept · clock +0.02 s · v0c1d2e3”, and more where there is
    room for it."""
    told = []
    if screen.fps is not None:
        told.append(_("%d fps") % screen.fps)
    if screen.dropped_frames:
        told.append(_("%d film frames dropped") % screen.dropped_frames)
    if screen.heap_mb is not None:
        told.append(_("%d MB") % screen.heap_mb)
    if screen.kept_items is not None:
        kept = screen.kept_items
        told.append(ngettext("%d picture kept", "%d pictures kept", kept) % kept)
    if screen.kept_mb is not None and screen.quota_mb and not is_brief:
        told.append(
            _("%(held)d of %(quota)d MB of disk")
            % {"held": screen.kept_mb, "quota": screen.quota_mb}
        )
    if screen.clock_off_ms is not None:
        off_s = round(screen.clock_off_ms / 1000, 2) or 0.0  # no minus before nothing
        told.append(_("clock %+.2f s") % off_s)
    if screen.up_s is not None and not is_brief:
        now = timezone.now()
        told.append(_("up %s") % timesince(now - timedelta(seconds=screen.up_s), now, depth=1))
    if screen.version:
        told.append(f"v{screen.version[:VERSION_CHARS]}")
    return " · ".join(told)


def command(asked: ScreenCommand) -> str:
    """What was asked."""
    if asked.kind == CommandKind.BRIGHTNESS:
        return _("Brightness %s %%") % asked.value if asked.value else _("Brightness by the hour")
    if asked.kind == CommandKind.LAYOUT:
        name = Layout(asked.value).label if asked.value in Layout.values else asked.value
        return _("Layout: %s") % str(name).partition(":")[0]
    return str(CommandKind(asked.kind).label)


def outcome(asked: ScreenCommand) -> str:
    """What came of it."""
    match asked.standing:
        case CommandState.DONE if asked.done_at:
            took = (asked.done_at - asked.asked_at).total_seconds()
            return _("done after %.1f s") % took
        case CommandState.REFUSED:
            return _("refused: %s") % asked.why
        case CommandState.SENT:
            return _("told; no answer yet")
        case CommandState.ASKED:
            return _("asked; not told yet")
    if asked.sent_at:
        return _("told, but no answer came")
    if asked.kind in LASTING:
        return _("the screen was not heard; it will be so when it is back")
    return _("not carried out: the screen was not heard")


def ago(moment: datetime, *, before: str = "", after: str = "") -> str:
    """Seconds while there is less than a minute, then Django's words."""
    gone = timezone.now() - moment
    words = timesince(moment, depth=1) if gone >= MINUTE else f"{gone.seconds} s"
    return f"{before} {words} {after}".strip()


def _by(words: str, who: object | None, since: datetime) -> str:
    return words % {"who": who or _("somebody"), "ago": ago(since, after=_("ago"))}
