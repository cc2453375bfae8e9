"""Where the crew commands screens: a panel on a screen's page, and actions on the list of them;
and where it says that a browser which was a screen is gone.

Both work as plain forms; static/js/desk/orders.js keeps their outcomes current.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from billboard import commands, dark, said
from billboard.models import CommandKind, CommandState, Layout, Screen, ScreenCommand
from billboard.setting import BRIGHTNESS_LEAST

K = CommandKind

SHOWN_ROWS: Final = 8
SCREENS_A_LOOK: Final = 200
OPEN: Final = (CommandState.ASKED, CommandState.SENT)

BULK: Final = (
    (K.IDENTIFY, "", gettext_lazy("Identify: its name, large, for 10 s")),
    (K.RELOAD, "", gettext_lazy("Reload")),
    (K.PAUSE, "", gettext_lazy("Pause")),
    (K.RESUME, "", gettext_lazy("Go on after a pause")),
    (K.BLANK, "", gettext_lazy("Make it black")),
    (K.UNBLANK, "", gettext_lazy("Show again after black")),
    (K.BRIGHTNESS, "100", gettext_lazy("Brightness 100 %%")),
    (K.BRIGHTNESS, "70", gettext_lazy("Brightness 70 %%")),
    (K.BRIGHTNESS, "40", gettext_lazy("Brightness 40 %%")),
    (K.BRIGHTNESS, "", gettext_lazy("Brightness by the hour")),
    *((K.LAYOUT, layout.value, layout.label) for layout in Layout),
)
"""What can be asked of many at once, in this order. Django fills the words in, so %% is %."""


def urls() -> list[URLPattern]:
    """What ScreenAdmin puts before its own addresses."""
    return [
        path(
            "<int:pk>/orders/",
            admin.site.admin_view(orders),
            name="billboard_screen_orders",
        ),
        path("<int:pk>/gone/", admin.site.admin_view(gone), name="billboard_screen_gone"),
        path("orders/", admin.site.admin_view(outcomes), name="billboard_screen_outcomes"),
    ]


def latest() -> QuerySet[ScreenCommand]:
    """The last command of each screen, to be prefetched."""
    return ScreenCommand.objects.filter(asked_at=F("screen__ordered_at"))


# --- one screen -----------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def orders(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for something; or, what became of what was asked, as a part of the page."""
    if not request.user.has_perm("billboard.view_screen"):
        raise PermissionDenied
    screen = get_object_or_404(Screen, pk=pk)
    if request.method == "POST":
        if not request.user.has_perm("billboard.change_screen"):
            raise PermissionDenied
        try:
            kind = CommandKind(request.POST.get("kind", ""))
            value = request.POST.get(kind.value, "")
            commands.ask([screen], kind, by=cast("User", request.user), value=value)
        except ValueError as error:
            words = str(error) if isinstance(error, commands.BadOrder) else _("No such command.")
            if _is_script(request):
                return JsonResponse({"words": words}, status=400)
            messages.error(request, words)
        if not _is_script(request):
            return redirect("admin:billboard_screen_change", pk)
    return render(request, "admin/billboard/screen/orders_live.html", panel(str(pk)))


@require_POST
def gone(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody of the crew says that a browser which was this screen shows nobody any more."""
    if not request.user.has_perm("billboard.change_screen"):
        raise PermissionDenied
    screen = get_object_or_404(Screen, pk=pk)
    stint = request.POST.get("browser", "")
    with transaction.atomic():
        if stint.isdecimal() and dark.note_gone(screen, int(stint[:18])):
            words = "Said that a browser which was this screen is gone."
            LogEntry.objects.log_actions(
                cast("User", request.user).pk, [screen], CHANGE, words, single_object=True
            )
    return redirect("admin:billboard_screen_change", pk)


def panel(pk: str) -> dict[str, Any]:
    """What the panel's template needs; nothing where there is no such screen."""
    found = Screen.objects.select_related("blanked_by", "paused_by")
    screen = found.filter(pk=pk).first() if pk.isdecimal() else None
    if screen is None:
        return {}
    asked = list(screen.commands.select_related("asked_by")[:SHOWN_ROWS])
    return {
        "ordered": screen,
        "status": said.status(screen),
        "vitals": said.vitals(screen),
        "lasting": said.lasting(screen),
        "rows": [_row(command) for command in asked],
        "is_open": any(command.standing in OPEN for command in asked),
        "layouts": Layout.choices,
        "lost": dark.lost(screen),
        "brightness_least": BRIGHTNESS_LEAST,
    }


def _row(command: ScreenCommand) -> dict[str, Any]:
    return {
        "what": said.command(command),
        "who": command.asked_by or _("the system"),
        "at": command.asked_at,
        "standing": command.standing.value,
        "outcome": said.outcome(command),
    }


def _is_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "fetch"


# --- many screens ---------------------------------------------------------------------------------


def live_cell(screen: Screen) -> str:
    """The last command and what came of it, kept current; `latest` is prefetched."""
    last = next(iter(getattr(screen, "latest_commands", ())), None)
    return format_html(
        '<span data-command-of="{}"{}>{}</span>',
        screen.pk,
        mark_safe(' data-open=""') if last and last.standing in OPEN else "",
        _words(last) if last else "\N{EN DASH}",
    )


@never_cache
@require_safe
def outcomes(request: HttpRequest) -> HttpResponse:
    """What became of the last command of each of these screens."""
    if not request.user.has_perm("billboard.view_screen"):
        raise PermissionDenied
    asked = [pk for pk in request.GET.get("of", "").split(",") if pk.isdecimal()]
    found = latest().filter(screen__in=[int(pk[:18]) for pk in asked[:SCREENS_A_LOOK]])
    told = {
        str(command.screen_id): {"words": _words(command), "is_open": command.standing in OPEN}
        for command in found
    }
    return JsonResponse({"screens": told})


def _words(command: ScreenCommand) -> str:
    return f"{said.command(command)}: {said.outcome(command)}"


def _bulk(kind: CommandKind, value: str, words: Any) -> Callable[..., None]:
    def ask(desk: ModelAdmin, request: HttpRequest, chosen: QuerySet[Screen]) -> None:
        asked = commands.ask(chosen, kind, by=cast("User", request.user), value=value)
        count = len(asked)
        messages.success(
            request,
            _("Asked %(count)d: %(what)s. The list says what came of it.")
            % {"count": count, "what": said.command(asked[0]) if asked else ""},
        )

    ask.__name__ = f"ask_{kind.value}_{value}"
    described = gettext_lazy("Layout: %s") % words if kind == K.LAYOUT else words
    named: Callable[..., None] = action(description=described, permissions=["change"])(ask)
    return named


ACTIONS: Final = tuple(_bulk(*each) for each in BULK)


# --- the record -----------------------------------------------------------------------------------


@admin.register(ScreenCommand)
class ScreenCommandAdmin(ModelAdmin):
    """Who asked what of which screen: to read, not to change."""

    list_display = ("asked_at", "screen", "what", "asked_by", "came_of_it")
    list_filter = ("screen", "kind", "asked_by")
    list_select_related = ("screen", "asked_by")
    date_hierarchy = "asked_at"

    @display(description=gettext_lazy("Command"))
    def what(self, obj: ScreenCommand) -> str:
        return said.command(obj)

    @display(description=gettext_lazy("What came of it"))
    def came_of_it(self, obj: ScreenCommand) -> str:
        return said.outcome(obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
