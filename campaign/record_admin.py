"""The record in the crew's admin, read only: moves, consents, jobs, keepsakes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import formats
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaign import media
from campaign.enums import JobOutcome, SubmissionState
from campaign.models import Consent, ConsentText, GenerationJob, Keepsake, LeasedJob, Transition

S = SubmissionState

STATE_COLOURS = dict.fromkeys(S, "default") | {
    S.HELD: "warning",
    S.REVIEW: "warning",
    S.APPROVED: "success",
    S.RECALLED: "danger",
    S.REJECTED: "danger",
    S.FAILED: "danger",
}

NOTHING = "\N{EN DASH}"


def to_the_second(moment: datetime) -> str:
    """What a record is read for."""
    return formats.date_format(localtime(moment), "j M, H:i:s")


class RecordAdmin(ModelAdmin):
    """The record is read here, and written by the product alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Transition)
class TransitionAdmin(RecordAdmin):
    list_display = ("moved_at", "submission", "from_state", "shown_to", "by", "reason", "note")
    list_filter = ("to_state", "actor_kind", "submission__campaign", "at")
    list_select_related = ("submission", "actor")
    search_fields = ("submission__plaque", "submission__number", "actor__username", "note")
    date_hierarchy = "at"
    ordering = ("-id",)

    @display(description=_("At"), ordering="id")
    def moved_at(self, obj: Transition) -> str:
        return to_the_second(obj.at)

    @display(description=_("By"), ordering="actor__username")
    def by(self, obj: Transition) -> str:
        return str(obj.actor or obj.actor_kind)

    @display(description=_("To"), ordering="to_state", label=STATE_COLOURS)
    def shown_to(self, obj: Transition) -> tuple[str, str]:
        return obj.to_state, obj.get_to_state_display()


@admin.register(Consent)
class ConsentAdmin(RecordAdmin):
    list_display = ("submission", "version", "given_at", "language", "text_sha256")
    list_filter = ("version", "submission__campaign", "agreed_at")
    list_select_related = ("submission",)
    search_fields = ("submission__number", "text_sha256")
    ordering = ("-agreed_at",)

    @display(description=_("Agreed at"), ordering="agreed_at")
    def given_at(self, obj: Consent) -> str:
        return to_the_second(obj.agreed_at)


@admin.register(ConsentText)
class ConsentTextAdmin(RecordAdmin):
    list_display = ("short", "used_at", "words")
    search_fields = ("sha256", "text")
    ordering = ("-first_used_at",)

    @display(description=_("Hash"), ordering="sha256")
    def short(self, obj: ConsentText) -> str:
        return str(obj)

    @display(description=_("First used at"), ordering="first_used_at")
    def used_at(self, obj: ConsentText) -> str:
        return to_the_second(obj.first_used_at)

    @display(description=_("Words"))
    def words(self, obj: ConsentText) -> str:
        return Truncator(obj.text).words(20)


class LeasedJobAdmin(RecordAdmin):
    """Work that a worker holds: how far it is, or how it ended."""

    ordering = ("-id",)

    @display(
        description=_("Outcome"),
        ordering="outcome",
        label={JobOutcome.DONE: "success", JobOutcome.FAILED: "danger", "": "info"},
    )
    def shown_outcome(self, obj: LeasedJob) -> tuple[str, str]:
        words = obj.get_outcome_display() if obj.outcome else obj.stage or gettext("Waiting")
        return obj.outcome, words

    @display(description=_("Took"))
    def took(self, obj: LeasedJob) -> str:
        if not obj.finished_at:
            return NOTHING
        return f"{(obj.finished_at - obj.created_at).total_seconds():.1f} s"

    @display(description=_("Asked at"), ordering="created_at")
    def asked_at(self, obj: LeasedJob) -> str:
        return to_the_second(obj.created_at)


@admin.register(GenerationJob)
class GenerationJobAdmin(LeasedJobAdmin):
    list_display = ("submission", "shown_outcome", "attempt", "took", "error_code", "asked_at")
    list_filter = ("outcome", "error_code", "submission__campaign", "created_at")
    list_select_related = ("submission",)
    search_fields = ("submission__number", "error_code")


@admin.register(Keepsake)
class KeepsakeAdmin(LeasedJobAdmin):
    list_display = ("of", "kind", "shown_outcome", "attempt", "took", "error_code", "asked_at")
    list_filter = ("kind", "outcome", "error_code", "figurine__submission__campaign", "created_at")
    list_select_related = ("figurine__submission",)
    search_fields = ("figurine__submission__number", "error_code")
    exclude = ("file", "webm", "lease_token")

    @display(description=_("Submission"), ordering="figurine__submission__number")
    def of(self, obj: Keepsake) -> str:
        return str(obj.figurine.submission)


@dataclass(frozen=True)
class KeptCard:
    """A keepsake on a submission's page, with the address of its file for those who review."""

    keepsake: Keepsake
    url: str


def keepsakes_of(pk: UUID | None, *, with_files: bool) -> list[KeptCard]:
    rows = Keepsake.objects.filter(figurine__submission=pk, figurine__is_chosen=True)
    crew = media.Audience.CREW
    return [
        KeptCard(
            row,
            media.address(row.figurine, media.picture_of(row), audience=crew)
            if with_files and row.is_done
            else "",
        )
        for row in rows.select_related("figurine").order_by("kind")
    ]
