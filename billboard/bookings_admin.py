"""Pins and sponsors at the crew's desk."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from billboard import bookings
from billboard.models import Screen
from billboard.models.bookings import EVERY_DAY, Booking

DAYS = (
    ("0", gettext_lazy("Monday")),
    ("1", gettext_lazy("Tuesday")),
    ("2", gettext_lazy("Wednesday")),
    ("3", gettext_lazy("Thursday")),
    ("4", gettext_lazy("Friday")),
    ("5", gettext_lazy("Saturday")),
    ("6", gettext_lazy("Sunday")),
)

NAMED: Final = frozenset({"name", "kind"})
"""What plays are reported under; neither the plan nor what is counted goes by it."""
AHEAD: Final = NAMED | {"one_in", "until_at"}
"""Where no more than this is another, plays of before its end count as they did."""


class ScreensField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Screen) -> str:
        name = f"{obj.campaign.name} · {obj.name}"
        return name if obj.is_active else _("%s (switched off)") % name


class BookingForm(forms.ModelForm):  # type: ignore[type-arg]
    days = forms.MultipleChoiceField(
        label=gettext_lazy("Days"),
        choices=DAYS,
        initial=list(EVERY_DAY),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Those on which its hours begin."),
        error_messages={"required": gettext_lazy("Tick a day at least.")},
    )
    screens = ScreensField(
        Screen.objects.none(),
        label=gettext_lazy("Screens"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None ticked: every screen of the campaign."),
    )

    class Meta:
        model = Booking
        fields = (
            *("name", "kind", "submission", "one_in", "screens"),
            *("since_at", "until_at", "days", "opens", "closes"),
        )
        help_texts = {
            "name": gettext_lazy(
                "Plays are reported under it: a sponsor, an occasion. "
                "The name of a pin is deleted together with the person."
            )
        }
        labels = {
            "since_at": gettext_lazy("From"),
            "until_at": gettext_lazy("Until"),
            "opens": gettext_lazy("Daily from"),
            "closes": gettext_lazy("Daily until"),
            "one_in": gettext_lazy("One in so many slots"),
            "submission": gettext_lazy("Who"),
        }

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        if "screens" in self.fields:
            # One that is booked and switched off has a box, too: without it, it would be dropped.
            booked = Q(pk__in=self.instance.screens.values("pk")) if self.instance.pk else Q()
            offered: Any = self.fields["screens"]
            offered.queryset = Screen.objects.filter(Q(is_active=True) | booked).select_related(
                "campaign"
            )
        if "submission" in self.fields:
            self.fields["submission"].error_messages["invalid_choice"] = _(
                "Nobody who may be shown: they were never approved, or are taken down. "
                "Choose somebody who is live."
            )
        if "since_at" in self.fields:
            # Whether it was changed is told by what is on record, not by what the page says was.
            self.fields["since_at"].show_hidden_initial = False
        if self.instance.pk:
            self.initial["days"] = list(self.instance.days)

    def clean_days(self) -> str:
        return "".join(sorted(self.cleaned_data["days"]))

    def clean(self) -> dict[str, Any] | None:
        said = self.cleaned_data
        since_at, until_at = said.get("since_at"), said.get("until_at")
        if since_at and until_at and until_at <= since_at:
            self.add_error("until_at", _("The end is before the begin."))
        opens, closes = said.get("opens"), said.get("closes")
        if (opens is None) != (closes is None):
            self.add_error("closes", _("Give both hours, or neither for all day."))
        elif opens is not None and opens == closes:
            self.add_error(
                "closes", _("It would end when it begins. Leave both empty for all day.")
            )
        self._check_screens()
        if not self.errors:
            self._check_share()
        return said

    def _check_screens(self) -> None:
        who = self.cleaned_data.get("submission") or getattr(self.instance, "submission", None)
        for screen in self.cleaned_data.get("screens") or ():
            if who and screen.campaign_id != who.campaign_id:
                words = _("%s shows another campaign than theirs.") % screen.name
                self.add_error("screens", words)

    def _check_share(self) -> None:
        said = dict(self.cleaned_data)
        screens = list(said.pop("screens", ()))
        said.setdefault("submission", getattr(self.instance, "submission", None))
        clash = bookings.clash(Booking(pk=self.instance.pk, **said), screens)
        if clash is None:
            return
        told = {"screen": clash.screen, "others": ", ".join(clash.others), "n": clash.one_in}
        if clash.one_in:
            words = _(
                "With %(others)s more than half of %(screen)s would be booked. "
                "One in %(n)d is left at that time."
            )
        else:
            words = _("Half of %(screen)s is booked by %(others)s at that time: nothing is left.")
        self.add_error("one_in", words % told)


@admin.register(Booking)
class BookingAdmin(ModelAdmin):
    form = BookingForm
    list_display = ("__str__", "kind", "submission", "where", "when", "share", "stands", "why")
    list_filter = ("kind", "submission__campaign")
    list_select_related = ("submission",)
    search_fields = ("name",)
    autocomplete_fields = ("submission",)
    list_per_page = 50
    actions = ("end_now",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "submission", "one_in")}),
        (gettext_lazy("Where"), {"fields": ("screens",)}),
        (
            gettext_lazy("When"),
            {"fields": ("since_at", "until_at", "days", ("opens", "closes"))},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        found: QuerySet[Booking] = super().get_queryset(request).prefetch_related("screens")
        return found

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Each campaign is looked at once, not for every cell."""
        page = super().get_changelist_instance(request)
        boards: dict[int, bookings.Board] = {}
        for one in page.result_list:
            of = one.submission.campaign_id
            board = boards[of] = boards.get(of) or bookings.Board(of)
            one.words = board.trouble(one)
        return page

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Somebody else is another booking: proof goes by it."""
        return ("submission",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its plays are proof; it is ended instead."""
        return False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        booking, changed = form.instance, set(form.changed_data)
        if not change or changed - NAMED:
            field = "until_at" if change and changed <= AHEAD else "since_at"
            moments = [at for at in (form.initial.get(field), getattr(booking, field)) if at]
            bookings.changed(booking, since_at=min(moments, default=timezone.now()))
        # As it is on record now, with its screens.
        words = bookings.trouble(Booking.objects.get(pk=booking.pk))
        if words:
            messages.warning(request, words)

    @admin.action(description=gettext_lazy("End now"), permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        now = timezone.now()
        running = [one for one in queryset if one.until_at is None or one.until_at > now]
        for booking in running:
            bookings.end(booking)
        messages.success(request, _("%d ended.") % len(running))

    @display(description=gettext_lazy("Screens"))
    def where(self, obj: Booking) -> str:
        return ", ".join(screen.name for screen in obj.screens.all()) or _("All")

    @display(description=gettext_lazy("When"), ordering="since_at")
    def when(self, obj: Booking) -> str:
        begin = _short(obj.since_at)
        words = (
            f"{begin} \N{EN DASH} {_short(obj.until_at)}" if obj.until_at else _("from %s") % begin
        )
        if obj.days != EVERY_DAY:
            words += ", " + " ".join(str(dict(DAYS)[day])[:3] for day in obj.days)
        if obj.opens and obj.closes:
            words += f", {obj.opens:%H:%M}\N{EN DASH}{obj.closes:%H:%M}"
        return words

    @display(description=gettext_lazy("Share"), ordering="one_in")
    def share(self, obj: Booking) -> str:
        return _("1 in %d") % obj.one_in

    @display(
        description=gettext_lazy("Stands"),
        label={"runs": "success", "later": "info", "over": "default", "trouble": "danger"},
    )
    def stands(self, obj: Booking) -> tuple[str, str]:
        now = timezone.now()
        if obj.until_at and obj.until_at <= now:
            return "over", _("Over")
        if self.why(obj):
            return "trouble", _("Cannot be kept")
        return ("later", _("Later")) if obj.since_at > now else ("runs", _("Runs"))

    @display(description="")
    def why(self, obj: Any) -> str:
        """`obj` with what get_changelist_instance found."""
        return str(obj.words)


def _short(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment), "j M Y, H:i")
