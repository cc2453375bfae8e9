"""Screens at the crew's desk."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from billboard import (
    bookings,
    bookings_admin,  # noqa: F401 - registers itself
    commands,
    dark,
    on_now,
    orders_desk,
    pairing,
    pairing_desk,
    planning,
    proof_admin,  # noqa: F401 - registers itself
    said,
)
from billboard.models import FeedEntry, Play, Screen, Wall

NOTHING: Final = "\N{EN DASH}"


@admin.register(Screen)
class ScreenAdmin(ModelAdmin):
    list_display = (
        "name",
        "campaign",
        "status",
        "vitals",
        "last_command",
        "position",
        "last_play",
        "resolution",
    )
    list_filter = ("campaign", "is_active")
    list_select_related = ("campaign__feed", "blanked_by", "paused_by")
    search_fields = ("name",)
    readonly_fields = ("position", "last_play", "resolution", "version")
    fieldsets = (
        (None, {"fields": ("campaign", "name", "is_active", *readonly_fields)}),
        (_("Picture"), {"fields": ("layout", "words")}),
        (_("Where it hangs"), {"fields": ("rotation", "safe_area", "brightness", "drift_px")}),
        (_("Wall of screens"), {"fields": ("wall", "window")}),
        (_("Wall of panels"), {"fields": ("panels_across", "panels_down", "bezel_px")}),
    )
    actions_list = ("go_and_look", "go_and_pair")
    actions_submit_line = ("issue_link", "unpair")
    actions = orders_desk.ACTIONS
    list_before_template = "admin/billboard/screen/orders_list.html"
    change_form_outer_before_template = "admin/billboard/screen/orders.html"

    def get_urls(self) -> list[URLPattern]:
        own = [*pairing_desk.urls(), *on_now.urls(), *orders_desk.urls()]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        told = {**(extra_context or {}), **orders_desk.panel(object_id)}
        answer: HttpResponse = super().change_view(request, object_id, form_url, told)
        return answer

    def get_queryset(self, request: HttpRequest) -> QuerySet[Screen]:
        found: QuerySet[Screen] = super().get_queryset(request)
        latest = Prefetch("commands", orders_desk.latest(), to_attr="latest_commands")
        # Each screen's last of an index: of all its plays there are millions.
        plays = Play.objects.filter(screen=OuterRef("pk")).order_by("-started_at")
        lines = FeedEntry.objects.filter(
            campaign=OuterRef("campaign"),
            epoch=OuterRef("confirmed_epoch"),
            seq__gt=OuterRef("confirmed_seq"),
        )
        return found.annotate(
            last_play_at=Subquery(plays.values("started_at")[:1]),
            lines_behind=Subquery(lines.values("campaign").values(many=Count("pk"))),
        ).prefetch_related(latest)

    def has_delete_permission(self, request: HttpRequest, obj: Screen | None = None) -> bool:
        """Its plays are proof; a screen is switched off instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Screen, form: Any, change: bool) -> None:
        """What was changed and no more: a command may come meanwhile."""
        campaigns = {obj.campaign_id}
        if change:
            now = Screen.objects.select_for_update(no_key=True).get(pk=obj.pk)
            for field in Screen._meta.concrete_fields:
                if field.name not in form.changed_data:
                    setattr(obj, field.attname, getattr(now, field.attname))
            if now.campaign_id != obj.campaign_id or not obj.is_active:
                dark.note_leaving(now)
            # By its layout, its wall or its switch others are next, on the others too.
            campaigns.add(now.campaign_id)
            planning.outdate(campaigns)
        super().save_model(request, obj, form, change)
        if {"wall", "campaign"} & set(form.changed_data):
            bookings.walls_changed(campaigns)
        if change:
            commands.tell([obj])  # its layout changes where it is
        else:
            self.issue_link(request, obj)

    @action(description=_("What is on now"), permissions=["view"])
    def go_and_look(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:billboard_screen_on_now")

    @action(description=_("Pair a screen"), permissions=["change"])
    def go_and_pair(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:billboard_screen_pair")

    @action(description=_("Save and unpair"), permissions=["change"])
    def unpair(self, request: HttpRequest, obj: Screen) -> None:
        """Its browser is no screen from the next beat on; its settings stay for the next one."""
        pairing.unpair(obj)
        words = _("%s has no browser any more. Pair one by the code it shows.") % obj.name
        messages.success(request, words)

    @action(description=_("Save and issue a new link"), permissions=["change"])
    def issue_link(self, request: HttpRequest, obj: Screen) -> None:
        """Show the address that makes a browser this screen, once. The old one stops working."""
        token = pairing.issue_token(obj)
        address = f"{settings.PUBLIC_URL}{reverse('billboard:screen')}#key={token}"
        words = _("Open this on the screen, once. It is shown only now, and it ends older links:")
        messages.success(request, format_html('{}<br><a href="{}">{}</a>', words, address, address))

    @display(description=_("Status"), label=said.COLOURS)
    def status(self, obj: Screen) -> tuple[str, str]:
        return said.status(obj)

    @display(description=_("Says of itself"))
    def vitals(self, obj: Screen) -> str:
        return said.vitals(obj, is_brief=True) or NOTHING

    @display(description=_("Last command"))
    def last_command(self, obj: Screen) -> str:
        return orders_desk.live_cell(obj)

    @display(description=_("Feed"))
    def position(self, obj: Screen) -> str:
        if obj.confirmed_epoch is None:
            return NOTHING
        log = getattr(obj.campaign, "feed", None)
        if log is None or obj.confirmed_epoch != log.epoch:
            return str(_("not yet there"))
        behind: int = getattr(obj, "lines_behind", None) or 0
        return str(_("%d behind") % behind) if behind else str(_("up to date"))

    @display(description=_("Last play"))
    def last_play(self, obj: Screen) -> str:
        played_at: datetime | None = getattr(obj, "last_play_at", None)
        return said.ago(played_at, after=str(_("ago"))) if played_at else NOTHING

    @display(description=_("Resolution"))
    def resolution(self, obj: Screen) -> str:
        return f"{obj.width_px} × {obj.height_px}" if obj.width_px else NOTHING  # noqa: RUF001


@admin.register(Wall)
class WallAdmin(ModelAdmin):
    """Its screens choose it in their own forms."""

    list_display = ("name", "campaign", "screens")
    list_filter = ("campaign",)
    list_select_related = ("campaign",)
    search_fields = ("name",)
    readonly_fields = ("screens",)
    fields = ("campaign", "name", "width", "height", "screens")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Wall]:
        found: QuerySet[Wall] = super().get_queryset(request)
        return found.prefetch_related("members")

    @display(description=_("Screens"))
    def screens(self, obj: Wall) -> str:
        names = [screen.name for screen in obj.members.all()] if obj.pk else []
        return ", ".join(names) or str(_("None yet. A screen's own form puts it on the wall."))

    def save_model(self, request: HttpRequest, obj: Wall, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        # Those of the campaign it was moved away from hang by themselves.
        left = obj.members.exclude(campaign=obj.campaign)
        of = set(left.values_list("campaign_id", flat=True))
        left.update(wall=None)
        bookings.walls_changed(of)
