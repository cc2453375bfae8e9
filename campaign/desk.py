"""The review desk and the wall of what is live: views for the crew, reached through the admin.

Both pages work without script: their buttons are forms. With script, decisions are sent one by
one from an outbox in the browser to `desk_verdicts`, and `decisions.decide` makes sure that each
counts once.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from PIL import Image

from campaign import (
    approval,
    cards,
    desk_verdicts,
    lifecycle,
    media,
    pool,
    retention,
    showings,
)
from campaign.cards import Card
from campaign.decisions import Verdict
from campaign.desk_guard import CrewRequest, guarded, stay_signed_in
from campaign.desk_words import REVIEW_WORDS, WALL_WORDS
from campaign.enums import RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition
from campaign.media import Audience
from campaign.models import Campaign, Submission

THUMB_QUALITY: Final = 82
MODULES: Final = (
    "js/desk/common.js",
    "js/desk/pictures.js",
    "js/desk/strip.js",
    "js/lib/decision_outbox.js",
    "js/lib/desk_wire.js",
    "js/lib/review_line.js",
    "js/lib/spoken_time.js",
)
"""Named ahead, so that a nest of imports is one trip and not three."""


def urls() -> list[URLPattern]:
    """What SubmissionAdmin puts before its own addresses."""

    def named(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        return path(route, view, name=f"campaign_submission_{name}")

    return [
        named("review/", review, "review"),
        named("review/queue/", queue, "queue"),
        named("review/tally/", tally, "tally"),
        named("review/<uuid:pk>/decide/", desk_verdicts.decide, "decide"),
        named("review/<uuid:pk>/claim/", desk_verdicts.claim, "claim"),
        named("live/", live, "live"),
        named("live/wall/", wall, "wall"),
        named("<uuid:pk>/whereabouts/", whereabouts, "whereabouts"),
        named("<uuid:pk>/thumb/<int:width_px>/", thumb, "thumb"),
        named("<uuid:pk>/retry/", retry, "retry"),
        named("<uuid:pk>/erase/", erase, "erase"),
    ]


def _campaign(request: CrewRequest) -> Campaign | None:
    slug = request.GET.get("campaign", "")
    return get_object_or_404(Campaign, slug=slug) if slug else None


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# --- pages --------------------------------------------------------------------------------------
@require_safe
@guarded
def review(request: CrewRequest) -> HttpResponse:
    """The desk: one submission at a time; `?look=` shows a certain one."""
    campaign = _campaign(request)
    look = as_uuid(request.GET.get("look", ""))
    found = _queue(request, campaign, look=look)
    free = (card for card in found.cards if not card.claimed_by)
    return _page(
        request,
        "review",
        campaign,
        queue=found,
        card=found.current if look else next(free, None),
        reason_lists=(
            (Verdict.REJECT, _("Reject"), RejectReason.choices),
            (Verdict.RECALL, _("Recall"), RecallReason.choices),
        ),
        words=REVIEW_WORDS,
    )


@require_safe
@guarded
def live(request: CrewRequest) -> HttpResponse:
    """The wall: every approved figurine, newest first."""
    campaign = _campaign(request)
    search, before = _wall_query(request)
    found = cards.live(campaign, user=request.user, search=search, before=before)
    return _page(
        request,
        "live",
        campaign,
        cards=found,
        cards_json=[card.as_json() for card in found],
        page_length=cards.WALL_LENGTH,
        older=found[-1].since if len(found) == cards.WALL_LENGTH else "",
        search=search,
        recall_reasons=RecallReason.choices,
        words=WALL_WORDS,
    )


def _page(
    request: CrewRequest, room: str, campaign: Campaign | None, **context: Any
) -> HttpResponse:
    stay_signed_in(request)
    return render(
        request,
        f"admin/campaign/submission/{room}.html",
        {
            "room": room,
            "modules": MODULES,
            "campaign": campaign,
            "campaigns": Campaign.objects.only("slug", "name"),
            "tally": cards.tally(campaign),
            "now": timezone.now().isoformat(),
            **context,
        },
    )


# --- what the pages ask for every few seconds ---------------------------------------------------
@dataclass(frozen=True)
class Queue:
    """The head of the line, and the card that lies on the desk, in whatever state it is now."""

    waiting: int
    live: int
    cards: list[Card]
    current: Card | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _queue(request: CrewRequest, campaign: Campaign | None, *, look: UUID | None) -> Queue:
    line = cards.waiting(campaign, user=request.user)
    current = next((card for card in line if look and card.id == str(look)), None)
    if look and current is None:
        current = cards.one(look, user=request.user)
    counts = cards.tally(campaign)
    return Queue(counts.waiting, counts.live, line, current)


@require_safe
@guarded
def queue(request: CrewRequest) -> HttpResponseBase:
    """The desk's poll; 304 while nothing has changed."""
    look = as_uuid(request.GET.get("look", ""))
    return _fingerprinted(request, _queue(request, _campaign(request), look=look).as_json())


@require_safe
@guarded
def tally(request: CrewRequest) -> HttpResponse:
    """Two numbers, for the badges of the admin."""
    return JsonResponse(asdict(cards.tally(None)))


@require_safe
@guarded
def wall(request: CrewRequest) -> HttpResponseBase:
    """The wall's poll; 304 while nothing has changed."""
    campaign = _campaign(request)
    search, before = _wall_query(request)
    found = cards.live(campaign, user=request.user, search=search, before=before)
    counts = cards.tally(campaign)
    payload = {**asdict(counts), "cards": [card.as_json() for card in found]}
    return _fingerprinted(request, payload)


def _wall_query(request: CrewRequest) -> tuple[str, datetime | None]:
    before = parse_datetime(request.GET.get("before", ""))
    return request.GET.get("q", "").strip(), before


def _fingerprinted(request: CrewRequest, payload: dict[str, Any]) -> HttpResponseBase:
    body = json.dumps(payload, separators=(",", ":"))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'
    response = HttpResponse(body, content_type="application/json", headers={"ETag": etag})
    return get_conditional_response(request, etag=etag, response=response) or response


@require_safe
@guarded
def whereabouts(request: CrewRequest, pk: UUID) -> HttpResponse:
    """The screens that may still show somebody who was taken down: none, a moment later, but
    those that are away."""
    left = showings.remaining(pk)
    return JsonResponse(
        {
            "screens": [each.screen for each in left if each.is_connected],
            "away": [each.screen for each in left if not each.is_connected],
        }
    )


@require_safe
@guarded
def thumb(request: CrewRequest, pk: UUID, width_px: int) -> HttpResponse:
    """A small JPEG of the figurine, or of the selfie while there is none."""
    if width_px not in {cards.THUMB_WIDTH_PX, cards.WALL_WIDTH_PX}:
        raise Http404
    rows = Submission.objects.filter(pk=pk, state__in=media.MAY_SEE[Audience.CREW])
    submission = get_object_or_404(rows.prefetch_related("figurines"))
    figurine = submission.figurine if "of" in request.GET else None
    picture = figurine.still if figurine else media.selfie_of(submission)
    if not picture:
        raise Http404
    pool.let_go()
    out = io.BytesIO()
    try:
        with picture.open() as file, Image.open(file) as image:
            image.draft("RGB", (width_px, width_px))
            image.thumbnail((width_px, 4 * width_px))
            image.convert("RGB").save(out, "JPEG", quality=THUMB_QUALITY)
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(out.getvalue(), content_type="image/jpeg")


# --- from the page of one submission ------------------------------------------------------------
@require_POST
@guarded
def retry(request: CrewRequest, pk: UUID) -> HttpResponse:
    """Queue one failed submission once more."""
    submission = get_object_or_404(Submission, pk=pk)
    if try_again(submission, user=request.user):
        messages.success(request, _("%s is queued again.") % cards.label(submission))
    else:
        messages.info(request, _("%s needs no retry.") % cards.label(submission))
    return redirect("admin:campaign_submission_change", pk)


def try_again(submission: Submission, *, user: User) -> bool:
    """Whether a failed submission could be queued once more."""
    try:
        approval.retry(submission, actor=lifecycle.crew(user))
    except IllegalTransition:
        return False
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@guarded
def erase(request: CrewRequest, pk: UUID) -> HttpResponse:
    """Ask first (GET), then delete everything of one person and show the receipt (POST).

    Whoever is deleted already has had theirs: it is told again, as to a second tap.
    """
    submission = get_object_or_404(Submission, pk=pk)
    receipt = None
    if request.method == "POST":
        try:
            receipt = retention.erase(submission, actor=lifecycle.crew(request.user))
        except IllegalTransition:
            submission.refresh_from_db()
    if receipt is None and submission.state == SubmissionState.ERASED:
        receipt = retention.receipt(submission)
    return _page(
        request,
        "erase",
        None,
        submission=submission,
        label=cards.label(submission),
        receipt=receipt,
        words=REVIEW_WORDS,
    )
