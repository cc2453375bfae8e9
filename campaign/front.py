"""The admin's first page and its sidebar: what waits and what is live, from everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from campaign import cards, desk_guard, queries, showings, spending, workers
from campaign.enums import SubmissionState, WorkerState
from campaign.models import Campaign, HostedRequest, Submission
from campaign.router import HOSTED

S = SubmissionState

NEAR: Final = Decimal("0.9")

SYMBOLS = {
    "Campaign": "storefront",
    "Submission": "face",
    "Transition": "timeline",
    "Consent": "handshake",
    "ConsentText": "description",
    "GenerationJob": "precision_manufacturing",
    "Keepsake": "redeem",
    "HostedRequest": "cloud_upload",
    "EngineWorker": "memory",
    "Screen": "tv",
    "Wall": "view_module",
    "ScreenCommand": "bolt",
    "Booking": "push_pin",
    "Play": "play_circle",
    "User": "person",
    "Group": "group",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: the desk first, then every registered model by its app."""
    rooms = {"review": (_("Review"), "gavel"), "live": (_("Live"), "grid_view")}
    desk_items = [
        {
            "title": title,
            "icon": symbol,
            "link": reverse(f"admin:campaign_submission_{room}"),
            "permission": lambda request: request.user.has_perm(desk_guard.PERMISSION),
            "badge": f"campaign.front.{room}_badge",
            "badge_variant": "warning" if room == "review" else "success",
        }
        for room, (title, symbol) in rooms.items()
    ]
    desk_items.append(
        {
            "title": _("On now"),
            "icon": "live_tv",
            "link": reverse("admin:billboard_screen_on_now"),
            "permission": lambda request: request.user.has_perm("billboard.view_screen"),
        }
    )
    apps = admin.site.get_app_list(request)
    groups = [
        {
            "title": app["name"],
            "separator": True,
            "items": [
                {
                    "title": model["name"],
                    "icon": SYMBOLS.get(model["object_name"], "circle"),
                    "link": model["admin_url"],
                }
                for model in app["models"]
                if model["admin_url"]
            ],
        }
        for app in sorted(apps, key=lambda app: app["app_label"] != "campaign")
    ]
    return [{"title": _("Desk"), "items": desk_items}, *groups]


def review_badge(request: HttpRequest) -> str:
    return format_html('<span data-count="waiting">{}</span>', cards.tally(None).waiting)


def live_badge(request: HttpRequest) -> str:
    return format_html('<span data-count="live">{}</span>', cards.tally(None).live)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the admin's first page shows beside the models."""
    may_review = request.user.has_perm(desk_guard.PERMISSION)
    oldest = queries.review_queue().order_by("state_since_at").first() if may_review else None
    funnel = (
        Submission.objects.order_by()
        .values("campaign__name", "campaign__slug")
        .annotate(**{state.value: Count("pk", filter=Q(state=state)) for state in S})
    )
    return {
        **context,
        "may_review": may_review,
        "tally": cards.tally(None),
        "oldest": oldest,
        "funnel": funnel,
        "engines": [_engine_line(seen) for seen in workers.snapshot()],
        "costs": _costs(),
        "promises": [_promise_line(outlook) for outlook in showings.promises()],
        "states": [S.REVIEW, S.HELD, S.QUEUED, S.GENERATING, S.APPROVED, S.FAILED],
    }


@dataclass(frozen=True)
class EngineLine:
    """One worker as the first page shows it."""

    name: str
    engine: str
    words: str
    is_well: bool
    device: str
    peak_gb: str


def _engine_line(seen: workers.Seen) -> EngineLine:
    state = WorkerState(seen.state)
    since = timezone.localtime(seen.beat_at)
    words = state.label if seen.is_heard else _("Silent since %s") % since.strftime("%H:%M")
    return EngineLine(
        name=seen.node,
        engine=seen.engine,
        words=str(words),
        is_well=seen.is_heard and state != WorkerState.STUCK,
        device=seen.device,
        peak_gb=f"{seen.peak_bytes / 1e9:.1f} GB" if seen.peak_bytes else "",
    )


@dataclass(frozen=True)
class Cost:
    words: str
    is_near: bool
    """Nine tenths of its budget are gone."""


@dataclass(frozen=True)
class PromiseLine:
    """How soon whoever is approved is on a screen."""

    campaign: str
    promised: str
    expected: str
    waiting: int
    slots_an_hour: int
    words: str
    holds: bool
    troubles: tuple[str, ...]


def _promise_line(outlook: showings.Outlook) -> PromiseLine:
    if outlook.holds:
        words = _("Holds")
    elif not outlook.slots_an_hour:
        words = _("Does not hold: no screen shows anything")
    else:
        words = _("Does not hold: add a screen, shorten the slot or use mosaics")
    return PromiseLine(
        campaign=outlook.campaign,
        promised=_("%d min") % (outlook.promised_s // 60),
        expected=_expected(outlook),
        waiting=outlook.waiting,
        slots_an_hour=outlook.slots_an_hour,
        words=words,
        holds=outlook.holds,
        troubles=outlook.troubles,
    )


def _expected(outlook: showings.Outlook) -> str:
    if not outlook.slots_an_hour:
        return "\N{EN DASH}"
    if outlook.expected_s < 60:
        return _("under 1 min")
    return _("%d min") % -(-outlook.expected_s // 60)


@dataclass(frozen=True)
class CostLine:
    """What a campaign has spent on hosted figurines."""

    campaign: str
    costs: tuple[Cost, Cost]
    """Of the last hour, and in all."""


def _costs() -> list[CostLine]:
    """A line for each campaign that asks the hosted engine, or has."""
    asks = Q(engine=HOSTED) | Q(second_engine=HOSTED)
    has = Exists(HostedRequest.objects.filter(job__submission__campaign=OuterRef("pk")))
    lines = []
    for campaign in Campaign.objects.filter(asks | has).order_by("name"):
        so_far = spending.spent(campaign)
        hour = _cost(so_far.hour_usd, campaign.hourly_budget_usd)
        whole = _cost(so_far.campaign_usd, campaign.budget_usd)
        lines.append(CostLine(campaign.name, (hour, whole)))
    return lines


def _cost(spent: Decimal, cap: Decimal | None) -> Cost:
    if cap is None:
        return Cost(f"{spent:.2f} USD", is_near=False)
    words = _("%(spent)s of %(cap)s USD") % {"spent": f"{spent:.2f}", "cap": f"{cap:.2f}"}
    return Cost(words, is_near=spent >= cap * NEAR)
