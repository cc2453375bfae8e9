"""The crew's admin: campaigns, submissions, accounts; the record is in record_admin.py."""

from __future__ import annotations

from typing import Any

import segno
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from campaign import cards, desk, desk_guard, media, queries, record_admin, spending
from campaign.campaign_form import CampaignForm
from campaign.desk_guard import CrewRequest
from campaign.enums import SubmissionState
from campaign.models import (
    Campaign,
    EntryPoint,
    GenerationJob,
    Submission,
    Transition,
)
from campaign.record_admin import NOTHING, STATE_COLOURS, RecordAdmin, to_the_second

S = SubmissionState


# --- campaigns ----------------------------------------------------------------------------------
def phone_address(campaign: Campaign, entry_code: str = "") -> str:
    """What a QR code on the street says."""
    query = f"?e={entry_code}" if entry_code else ""
    return f"{settings.PUBLIC_URL}{reverse('campaign:intake', args=[campaign.slug])}{query}"


def _qr(address: str, *, side_px: int) -> str:
    picture = segno.make(address, error="m").svg_data_uri(border=2, dark="#14170f", light="#fff")
    return format_html(
        '<a class="qr" href="{address}"><img src="{picture}" width="{side_px}" height="{side_px}"'
        ' alt="QR"> <span>{address}</span></a>',
        address=address,
        picture=picture,
        side_px=side_px,
    )


class EntryPointInline(TabularInline):
    model = EntryPoint
    extra = 0
    can_delete = False
    fields = ("label", "code", "address")
    readonly_fields = ("address",)

    @display(description=_("QR or link to give out"))
    def address(self, obj: EntryPoint) -> str:
        return _qr(phone_address(obj.campaign, obj.code), side_px=72) if obj.pk else NOTHING


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    form = CampaignForm
    list_display = ("name", "is_open", "waiting", "live", "all_told", "link")
    list_filter = ("is_paused",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (EntryPointInline,)
    readonly_fields = ("phone_page", "tally", "spending")
    fieldsets = (
        (None, {"fields": ("name", "slug", "phone_page", "tally")}),
        (_("Opening hours"), {"fields": ("is_paused", "opens_at", "closes_at")}),
        (_("Look"), {"fields": ("headline", "strapline", "theme")}),
        (
            _("Figurines"),
            {
                "fields": (
                    ("kit", "finish"),
                    "kits",
                    "finishes",
                    ("most_faces", "rerolls"),
                    ("slot_s", "promise_min"),
                )
            },
        ),
        (
            _("Engines"),
            {
                "fields": (
                    ("engine", "second_engine", "patience_s"),
                    ("candidates", "likeness"),
                    "engine_options",
                    ("hourly_budget_usd", "budget_usd"),
                    "spending",
                )
            },
        ),
        (
            _("To take home"),
            {"fields": (("makes_clips", "offers_models", "offers_prints"),)},
        ),
        (
            _("Policy"),
            {
                "fields": (
                    ("nsfw_hold", "nsfw_reject", "quality_hold"),
                    ("selfie_retention_h", "figurine_retention_days"),
                    "consent_version",
                    "consent_text",
                )
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        found: QuerySet[Campaign] = super().get_queryset(request)
        return found.annotate(
            waiting_count=Count("submissions", filter=Q(submissions__state__in=(S.HELD, S.REVIEW))),
            live_count=Count("submissions", filter=Q(submissions__state=S.APPROVED)),
            all_count=Count("submissions"),
        )

    @display(description=_("Open"), boolean=True)
    def is_open(self, obj: Campaign) -> bool:
        return obj.is_open

    @display(description=_("Waiting"), ordering="waiting_count")
    def waiting(self, obj: Any) -> int:
        return int(obj.waiting_count)

    @display(description=_("Live"), ordering="live_count")
    def live(self, obj: Any) -> int:
        return int(obj.live_count)

    @display(description=_("All told"), ordering="all_count")
    def all_told(self, obj: Any) -> int:
        return int(obj.all_count)

    @display(description=_("Phone page"))
    def link(self, obj: Campaign) -> str:
        address = phone_address(obj)
        return format_html('<a href="{}">{}</a>', address, address)

    @display(description=_("Phone page"))
    def phone_page(self, obj: Campaign) -> str:
        return _qr(phone_address(obj), side_px=140) if obj.pk else NOTHING

    @display(description=_("Spent on hosted figurines"))
    def spending(self, obj: Campaign) -> str:
        if not obj.pk:
            return NOTHING
        so_far = spending.spent(obj)
        return gettext("%(hour)s USD in the last hour, %(all)s USD in all") % {
            "hour": f"{so_far.hour_usd:.2f}",
            "all": f"{so_far.campaign_usd:.2f}",
        }

    @display(description=_("Submissions"))
    def tally(self, obj: Campaign) -> str:
        if not obj.pk:
            return NOTHING
        found = queries.counts(obj)
        told = [f"{found[state]} {state.label.lower()}" for state in S if state in found]
        return ", ".join(told) or gettext("None yet")


# --- submissions --------------------------------------------------------------------------------
@admin.register(Submission)
class SubmissionAdmin(RecordAdmin):
    list_display = ("picture", "label", "shown_state", "campaign", "came_by", "came_at")
    list_display_links = ("picture", "label")
    list_filter = ("state", "campaign", "entry_point", "hold_reason", "created_at")
    list_select_related = ("campaign", "entry_point")
    list_per_page = 50
    search_fields = ("plaque",)
    search_help_text = _("Number or name")
    ordering = ("-created_at",)
    actions = ("retry_failed",)
    change_form_outer_before_template = "admin/campaign/submission/paper.html"
    fields = (
        "plaque",
        "kit",
        "finish",
        "campaign",
        "came_by",
        "language",
        "safety",
        "hold_reason",
        "reason",
        "selfie_until",
    )
    readonly_fields = ("came_by", "safety", "selfie_until")

    def get_urls(self) -> list[URLPattern]:
        return [*desk.urls(), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """Faces are for those who review."""
        hidden = () if self.has_review_permission(request) else ("picture",)
        return [column for column in self.list_display if column not in hidden]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Submission]:
        found: QuerySet[Submission] = super().get_queryset(request)
        return found.defer("face", "other_faces").prefetch_related("figurines")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Submission], search_term: str
    ) -> tuple[QuerySet[Submission], bool]:
        return cards.matching(queryset, search_term.strip()), False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(desk_guard.PERMISSION)

    @display(description="")
    def picture(self, obj: Submission) -> str:
        if obj.state in {S.ERASED, S.EXPIRED} or not (obj.figurine or media.selfie_of(obj)):
            return NOTHING
        address = cards.thumb_url(obj, obj.figurine, width_px=cards.THUMB_WIDTH_PX)
        return format_html('<img class="thumb" src="{}" loading="lazy" alt="">', address)

    @display(description=_("Submission"), ordering="number")
    def label(self, obj: Submission) -> str:
        return str(obj)

    @display(description=_("State"), ordering="state", label=STATE_COLOURS)
    def shown_state(self, obj: Submission) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("Came by"), ordering="entry_point__label")
    def came_by(self, obj: Submission) -> str:
        return obj.entry_point.label if obj.entry_point else NOTHING

    @display(description=_("Came at"), ordering="created_at")
    def came_at(self, obj: Submission) -> str:
        return to_the_second(obj.created_at)

    @display(description=_("Safety score"))
    def safety(self, obj: Submission) -> str:
        return NOTHING if obj.nsfw_score is None else f"{obj.nsfw_score:.3f}"

    @display(description=_("Selfie is kept until"))
    def selfie_until(self, obj: Submission) -> str:
        return to_the_second(obj.selfie_purge_at) if obj.selfie else gettext("Deleted")

    @admin.action(description=_("Try failed ones again"), permissions=["review"])
    def retry_failed(self, request: CrewRequest, queryset: QuerySet[Submission]) -> None:
        failed = list(queryset.filter(state=S.FAILED))
        done = sum(desk.try_again(submission, user=request.user) for submission in failed)
        messages.success(request, gettext("%d queued again.") % done)

    def change_view(
        self,
        request: CrewRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        pk = desk.as_uuid(object_id)
        may_review = self.has_review_permission(request)
        context = {
            "card": cards.one(pk, user=request.user) if pk and may_review else None,
            "moves": Transition.objects.filter(submission=pk).select_related("actor"),
            "jobs": GenerationJob.objects.filter(submission=pk).order_by("id"),
            "keepsakes": record_admin.keepsakes_of(pk, with_files=may_review),
            "may_review": may_review,
            **(extra_context or {}),
        }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response


# --- accounts -----------------------------------------------------------------------------------
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Their decisions are part of the record; an account is switched off instead."""
        return False


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


admin.site.index_template = "admin/campaign/home.html"
admin.site.index_title = _("Today")
