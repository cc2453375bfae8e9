"""Proof of play at the crew's desk: plays to read, their hours, and the file of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from billboard import proof, proof_export
from billboard.models import PLACES, Play, Screen
from billboard.models.hours import PlayHour
from billboard.proof_export import TYPES, Wanted

NOTHING: Final = "\N{EN DASH}"
SHADES: Final = 5
"""Of a cell by its share of the fullest; static/css/desk_admin.css knows them."""


class LayoutFilter(admin.SimpleListFilter):
    """The field's own would look for its values in all plays."""

    title = gettext_lazy("layout")
    parameter_name = "layout"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(layout.value, str(layout.label)) for layout in PLACES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Play]) -> QuerySet[Play]:
        return queryset.filter(layout=self.value()) if self.value() else queryset


class Pages(InfinitePaginator):
    template_name = "admin/billboard/play/pages.html"


@admin.register(Play)
class PlayAdmin(ModelAdmin):
    """Proof of what was shown: to read, not to change. A month brings tens of millions, so that a
    page reads its own rows along an index, and nothing counts or sorts them all."""

    list_display = ("began", "screen", "layout", "submission", "lasted", "heard_after")
    list_filter = ("started_at", "screen", LayoutFilter)
    # Joined, a database may begin with the other tables.
    list_select_related = ()
    sortable_by = ("began",)
    paginator = Pages
    show_full_result_count = False
    actions_list = ("go_to_hours",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Play]:
        found: QuerySet[Play] = super().get_queryset(request)
        return found.prefetch_related("screen", "submission")

    def get_urls(self) -> list[URLPattern]:
        site = admin.site.admin_view
        return [
            path("hours/", site(by_hour), name="billboard_play_hours"),
            path("export/", site(export), name="billboard_play_export"),
            *super().get_urls(),
        ]

    @action(description=gettext_lazy("Hours and export"), permissions=["view"])
    def go_to_hours(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:billboard_play_hours")

    @display(description=gettext_lazy("Began"), ordering="started_at")
    def began(self, obj: Play) -> str:
        return f"{timezone.localtime(obj.started_at):%Y-%m-%d %H:%M:%S}"

    @display(description=gettext_lazy("Lasted"), ordering="duration_ms")
    def lasted(self, obj: Play) -> str:
        return NOTHING if obj.duration_ms is None else f"{obj.duration_ms / 1000:.1f} s"

    @display(description=gettext_lazy("Heard after"))
    def heard_after(self, obj: Play) -> str:
        return f"{(obj.reported_at - obj.started_at).total_seconds():.1f} s"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Play | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Play | None = None) -> bool:
        return False


class ExportForm(forms.Form):
    """Which days, of which campaign, as what."""

    since = forms.DateField(
        label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=gettext_lazy("To the end of"), widget=forms.DateInput(attrs={"type": "date"})
    )
    campaign = forms.ChoiceField(label=gettext_lazy("Campaign"), required=False)
    by = forms.ChoiceField(
        label=gettext_lazy("A line for"),
        choices=[("hour", gettext_lazy("each hour")), ("play", gettext_lazy("each play"))],
    )
    format = forms.ChoiceField(
        label=gettext_lazy("File"), choices=[("csv", "CSV"), ("jsonl", "JSON lines")]
    )

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        field: Any = self.fields["campaign"]
        field.choices = [("", _("All")), *_campaigns()]

    def clean(self) -> dict[str, Any] | None:
        said = self.cleaned_data
        for name in ("since", "until"):
            if name in said and not proof_export.has_sense(said[name]):
                self.add_error(name, _no_such_year())
        if "since" in said and "until" in said and said["until"] < said["since"]:
            self.add_error("until", _("That is before the first day."))
        return said


@dataclass
class ScreenDay:
    """One screen's day as the page shows it."""

    name: str
    campaign: str
    plays: int = 0
    unended: int = 0
    shown_ms: int = 0
    people: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    hours: dict[datetime, int] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    @property
    def minutes(self) -> str:
        return f"{self.shown_ms / 60_000:.1f}"

    def add(self, row: PlayHour) -> None:
        self.plays += row.plays
        self.unended += row.unended
        self.shown_ms += row.shown_ms
        self.first_at = min(self.first_at or row.first_at, row.first_at)
        self.last_at = max(self.last_at or row.last_at, row.last_at)
        self.hours[row.hour_at] = self.hours.get(row.hour_at, 0) + row.plays


@dataclass
class BookedDay:
    """What was shown under one booking that day."""

    name: str
    kind: str
    plays: int = 0
    shown_ms: int = 0

    @property
    def minutes(self) -> str:
        return f"{self.shown_ms / 60_000:.1f}"


@dataclass(frozen=True)
class Cell:
    plays: int
    shade: int
    """From 0, nothing, to SHADES."""


@never_cache
@require_safe
def by_hour(request: HttpRequest) -> HttpResponse:
    """A day by its hours, one line a screen and campaign."""
    _check(request)
    today = timezone.localdate()
    asked = _day(request.GET.get("day", "")) or today
    day = asked if proof_export.has_sense(asked) else today
    campaign = request.GET.get("campaign", "")
    form = ExportForm(
        initial={"since": day.replace(day=1), "until": day, "campaign": campaign, "by": "hour"}
    )
    if day != asked:
        messages.warning(request, _no_such_year())
    return _page(request, form, day=day, campaign=campaign, status=200 if day == asked else 422)


@never_cache
@require_safe
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The file; or the page again, with words beside what cannot be."""
    _check(request)
    form = ExportForm(request.GET)
    if not form.is_valid():
        return _page(request, form, day=timezone.localdate(), campaign="", status=422)
    said = form.cleaned_data
    since, until = said["since"], said["until"]
    wanted = Wanted(
        since=proof_export.midnight(since),
        until=proof_export.midnight(until + timedelta(days=1)),
        campaign=said["campaign"],
        by=said["by"],
        format=said["format"],
    )
    # What is no async iterator would be read whole before the first byte goes.
    found = proof_export.pieces(wanted)
    answer = StreamingHttpResponse(
        _one_by_one(found) if isinstance(request, ASGIRequest) else found,
        content_type=TYPES[wanted.format],
    )
    of = f"{wanted.campaign}-" if wanted.campaign else ""
    name = f"{of}{wanted.by}s-{since:%Y-%m-%d}-{until:%Y-%m-%d}.{wanted.format}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


async def _one_by_one(found: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await sync_to_async(partial(next, found, b""))():
        yield piece


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("billboard.view_play"):
        raise PermissionDenied


def _campaigns() -> list[tuple[str, str]]:
    found = Screen.objects.order_by("campaign__name").values_list(
        "campaign__slug", "campaign__name"
    )
    return list(found.distinct())


def _no_such_year() -> str:
    first, last = proof_export.YEARS
    return _("Is the year right? Days are from %(first)d to %(last)d.") % {
        "first": first,
        "last": last,
    }


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _page(
    request: HttpRequest, form: ExportForm, *, day: date, campaign: str, status: int = 200
) -> HttpResponse:
    since = proof_export.midnight(day)
    until = proof_export.midnight(day + timedelta(days=1))
    days, booked = _days(since, until, campaign)
    begins = list(_hours(since, until))
    most = max((plays for one in days for plays in one.hours.values()), default=0)
    for one in days:
        one.cells = [_cell(one.hours.get(at, 0), most) for at in begins]
    context = {
        **admin.site.each_context(request),
        "title": _("Plays by the hour"),
        "day": day,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1) if day < timezone.localdate() else None,
        "zone": timezone.get_current_timezone_name(),
        "campaign": campaign,
        "campaigns": _campaigns(),
        "hours": begins,
        "days": days,
        "booked": booked,
        "plays": sum(one.plays for one in days),
        "minutes": f"{sum(one.shown_ms for one in days) / 60_000:.1f}",
        "unended": sum(one.unended for one in days),
        "each": _plays_between(since, until),
        "form": form,
    }
    return render(request, "admin/billboard/play/hours.html", context, status=status)


def _plays_between(since: datetime, until: datetime) -> str:
    """The address of the list of plays, as its own filter by time says it."""
    asked = {"started_at__gte": str(since), "started_at__lt": str(until)}
    return f"{reverse('admin:billboard_play_changelist')}?{urlencode(asked)}"


def _days(
    since: datetime, until: datetime, campaign: str
) -> tuple[list[ScreenDay], list[BookedDay]]:
    days: dict[tuple[int, int], ScreenDay] = {}
    booked: dict[int, BookedDay] = {}
    for rows in proof.hours(since=since, until=until, campaign=campaign):
        for row in rows:
            key = (row.screen_id, row.campaign_id)
            days.setdefault(key, ScreenDay(row.screen.name, row.campaign.name)).add(row)
            if row.booking:
                new = BookedDay(str(row.booking), row.booking.get_kind_display())
                one = booked.setdefault(row.booking.pk, new)
                one.plays += row.plays
                one.shown_ms += row.shown_ms
    people = (
        Play.objects.filter(started_at__gte=since, started_at__lt=until)
        .order_by()
        .values_list("screen_id", "submission__campaign_id")
        .annotate(Count("submission_id", distinct=True))
    )
    for screen, of, many in people:
        if (screen, of) in days:
            days[screen, of].people = many
    found = sorted(days.values(), key=lambda one: (one.campaign, one.name))
    return found, sorted(booked.values(), key=lambda one: one.name)


def _hours(since: datetime, until: datetime) -> Iterator[datetime]:
    """23 or 25 of them where clocks are put."""
    at = proof.hour_of(since)
    while at < until:
        yield timezone.localtime(at)
        at += proof.HOUR


def _cell(plays: int, most: int) -> Cell:
    return Cell(plays, -(-plays * SHADES // most) if plays else 0)
