"""The admin's first page and its sidebar: what waits and what is live, from everywhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from campaign import cards, desk, queries
from campaign.enums import SubmissionState
from campaign.models import Submission

S = SubmissionState

SYMBOLS = {
    "Campaign": "storefront",
    "Submission": "face",
    "Transition": "timeline",
    "Consent": "handshake",
    "GenerationJob": "precision_manufacturing",
    "Keepsake": "redeem",
    "Screen": "tv",
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
            "permission": lambda request: request.user.has_perm(desk.PERMISSION),
            "badge": f"campaign.front.{room}_badge",
            "badge_variant": "warning" if room == "review" else "success",
        }
        for room, (title, symbol) in rooms.items()
    ]
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
    may_review = request.user.has_perm(desk.PERMISSION)
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
        "states": [S.REVIEW, S.HELD, S.QUEUED, S.GENERATING, S.APPROVED, S.FAILED],
    }
