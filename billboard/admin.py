"""Screens at the crew's desk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from billboard import feed, pairing
from billboard.models import Play, Screen

NOTHING: Final = "\N{EN DASH}"
MINUTE: Final = timedelta(minutes=1)


@admin.register(Screen)
class ScreenAdmin(ModelAdmin):
    list_display = (
        "name",
        "campaign",
        "status",
        "position",
        "last_play",
        "resolution",
        "version",
    )
    list_filter = ("campaign", "is_active")
    list_select_related = ("campaign",)
    search_fields = ("name",)
    readonly_fields = ("status_words", "position", "last_play", "resolution", "version")
    fields = ("campaign", "name", "is_active", *readonly_fields)
    actions_submit_line = ("issue_link",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Screen]:
        found: QuerySet[Screen] = super().get_queryset(request)
        return found.annotate(last_play_at=Max("plays__started_at"))

    def has_delete_permission(self, request: HttpRequest, obj: Screen | None = None) -> bool:
        """Its plays are proof; a screen is switched off instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Screen, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            self.issue_link(request, obj)

    @action(description=_("Save and issue a new link"), permissions=["change"])
    def issue_link(self, request: HttpRequest, obj: Screen) -> None:
        """Show the address that makes a browser this screen, once. The old one stops working."""
        token = pairing.issue_token(obj)
        address = f"{settings.PUBLIC_URL}{reverse('billboard:screen')}#key={token}"
        words = _("Open this on the screen, once. It is shown only now, and it ends older links:")
        messages.success(request, format_html('{}<br><a href="{}">{}</a>', words, address, address))

    @display(
        description=_("Status"),
        label={"online": "success", "offline": "danger", "off": "info", "never": "warning"},
    )
    def status(self, obj: Screen) -> tuple[str, str]:
        if not obj.is_active:
            return "off", str(_("Switched off"))
        if obj.last_seen_at is None:
            return "never", str(_("Never opened"))
        if obj.is_online:
            return "online", str(_("Online"))
        return "offline", _ago(obj.last_seen_at, before=str(_("Offline for")))

    @display(description=_("Status"))
    def status_words(self, obj: Screen) -> str:
        words: str = self.status(obj)[1]
        return words

    @display(description=_("Feed"))
    def position(self, obj: Screen) -> str:
        if obj.confirmed_epoch is None:
            return NOTHING
        head = feed.head(obj.campaign_id)
        if obj.confirmed_epoch != head.epoch:
            return str(_("not yet there"))
        behind = head.seq - obj.confirmed_seq
        return str(_("%d behind") % behind) if behind > 0 else str(_("up to date"))

    @display(description=_("Last play"))
    def last_play(self, obj: Screen) -> str:
        played_at: datetime | None = getattr(obj, "last_play_at", None)
        return _ago(played_at, after=str(_("ago"))) if played_at else NOTHING

    @display(description=_("Resolution"))
    def resolution(self, obj: Screen) -> str:
        return f"{obj.width_px} × {obj.height_px}" if obj.width_px else NOTHING  # noqa: RUF001


@admin.register(Play)
class PlayAdmin(ModelAdmin):
    """Proof of what was shown: to read, not to change."""

    list_display = ("began", "screen", "submission", "lasted", "heard_after")
    list_filter = ("screen",)
    list_select_related = ("screen", "submission")
    date_hierarchy = "started_at"

    @display(description=_("Began"), ordering="started_at")
    def began(self, obj: Play) -> str:
        return f"{timezone.localtime(obj.started_at):%Y-%m-%d %H:%M:%S}"

    @display(description=_("Lasted"), ordering="duration_ms")
    def lasted(self, obj: Play) -> str:
        return NOTHING if obj.duration_ms is None else f"{obj.duration_ms / 1000:.1f} s"

    @display(description=_("Heard after"))
    def heard_after(self, obj: Play) -> str:
        return f"{(obj.reported_at - obj.started_at).total_seconds():.1f} s"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Play | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Play | None = None) -> bool:
        return False


def _ago(moment: datetime, *, before: str = "", after: str = "") -> str:
    """Seconds while there is less than a minute, then Django's words."""
    gone = timezone.now() - moment
    words = timesince(moment, depth=1) if gone >= MINUTE else f"{gone.seconds} s"
    return f"{before} {words} {after}".strip()
