"""The phone's pages: enlist, wait, keep, leave."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Final

import structlog
from csp.decorators import csp_update
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from campaign import (
    approval,
    intake,
    keepsakes,
    lifecycle,
    offers,
    queries,
    rerolls,
    retention,
    scenes,
    theme,
    tries,
)
from campaign.consent import text_sha256
from campaign.enums import SubmissionState
from campaign.errors import CampaignClosed, Crowded, IllegalTransition, IntakeError, StorageAway
from campaign.forms import EnlistForm, KeepsakeForm, RerollForm
from campaign.models import Campaign, Submission
from campaign.retention import Receipt
from figurine.bounds import MAX_BYTES
from figurine.errors import FigurineError, MissingModel, OutOfMemory, TooLarge

log = structlog.get_logger(__name__)

Refusal = IntakeError | FigurineError

THEME_MAX_AGE_S: Final = 60
AGAIN_S: Final = 10
"""As long as all that wait for the sandbox take (figurine/sandbox.py)."""
VIEWER_POLICY: Final = {
    "connect-src": ["blob:"],
    "style-src": ["'sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0='"],
}
"""What <model-viewer> needs beyond the strict policy: it unpacks textures into blobs and fetches
them, and has one style sheet in its shadow, named by its hash."""


# --- enlist -----------------------------------------------------------------------------------


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """The only open campaign, or all that are open."""
    now = timezone.now()
    is_open = models.Q(is_paused=False)
    is_open &= models.Q(opens_at__isnull=True) | models.Q(opens_at__lte=now)
    is_open &= models.Q(closes_at__isnull=True) | models.Q(closes_at__gt=now)
    campaigns = list(Campaign.objects.filter(is_open)[:20])
    if len(campaigns) == 1:
        return redirect("campaign:intake", campaigns[0].slug)
    return render(request, "campaign/landing.html", {"campaigns": campaigns})


@never_cache
@ensure_csrf_cookie
@require_safe
def enlist(request: HttpRequest, slug: str) -> HttpResponse:
    campaign = get_object_or_404(Campaign, slug=slug)
    if not campaign.is_open:
        closed = _message(
            request,
            campaign,
            title=CampaignClosed.sentence,
            lead=CampaignClosed.advice,
            way=_("Look again"),
            way_url=request.path,
            template="campaign/closed.html",
        )
        tries.know(request, closed)  # it asks for what was sent before, as the open one does
        return closed
    try:
        offer = offers.of(campaign)
    except MissingModel as missing:
        way = Way(_("Look again"), request.path)
        return refused(request, campaign, missing, way=way)
    page = render(
        request,
        "campaign/intake.html",
        {
            "campaign": campaign,
            "consent_sha256": text_sha256(campaign.terms),
            "idempotency_key": uuid.uuid4(),
            "entry_code": request.GET.get("e", "")[:16],
            "offer": offer,
            "upload_max_bytes": MAX_BYTES,
            "too_large": TooLarge,
            "lost": IntakeError,
        },
    )
    tries.know(request, page)
    return page


@require_GET
@cache_control(public=True, max_age=THEME_MAX_AGE_S)
def theme_css(request: HttpRequest, slug: str) -> HttpResponse:
    campaign = get_object_or_404(Campaign, slug=slug)
    return HttpResponse(theme.as_css(campaign.theme), content_type="text/css")


@never_cache
@require_POST
def submit(request: HttpRequest, slug: str) -> HttpResponse:
    """201 with the status page's address, 200 when the same key came before, or a refusal."""
    campaign = get_object_or_404(Campaign, slug=slug)
    form = EnlistForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            raise IntakeError
        received = intake.receive(
            form.photo_bytes(),
            campaign=campaign,
            request=form.intake_request(
                language=get_language() or "", paid_from=tries.purses_of(request)
            ),
        )
    except (IntakeError, FigurineError) as refusal:
        return refused(request, campaign, refusal)
    url = reverse("campaign:status", args=[received.submission.token])
    if _wants_json(request):
        return JsonResponse({"status_url": url}, status=201 if received.is_new else 200)
    return redirect(url)


@never_cache
@csrf_exempt  # it changes nothing, and no other site may read the answer
@require_POST
def mine(request: HttpRequest, slug: str) -> JsonResponse:
    """The pages of what a browser has sent, to whoever knows its keys; and which keys are over."""
    campaign = get_object_or_404(Campaign, slug=slug)
    if not tries.may_ask(request):
        return JsonResponse({}, status=429)
    found = intake.sent(campaign, request.POST.getlist("idempotency_key"))
    over = {SubmissionState.EXPIRED, SubmissionState.ERASED}
    figurines = [
        {
            "key": one.idempotency_key,
            "status_url": reverse("campaign:status", args=[one.token]),
            "name": one.plaque or _("No. %(number)s") % {"number": f"{one.number:06,d}"},
        }
        for one in found
        if one.state not in over
    ]
    gone = [one.idempotency_key for one in found if one.state in over]
    return JsonResponse({"figurines": figurines, "gone": gone})


@dataclass(frozen=True)
class Way:
    """Where a page with bad news leads on to."""

    words: str
    url: str


def refused(
    request: HttpRequest, campaign: Campaign, refusal: Refusal, *, way: Way | None = None
) -> HttpResponse:
    """What happened and what to do, to a script or to a person (there, to another selfie, or to the
    same one where that may do later)."""
    status = _refusal_status(refusal)
    tell = log.info if status < 500 else log.warning
    if isinstance(refusal, MissingModel | StorageAway):
        tell = log.error
    tell("refused", code=refusal.code, detail=str(refusal), campaign=campaign.slug, status=status)
    answer: HttpResponse
    if _wants_json(request):
        said = {"code": refusal.code, "sentence": refusal.sentence, "advice": refusal.advice}
        answer = JsonResponse(said, status=status)
    else:
        answer = _message(
            request,
            campaign,
            title=refusal.sentence,
            lead=refusal.advice,
            way=way.words if way else _("Take another") if status < 500 else _("Try again"),
            way_url=way.url if way else reverse("campaign:intake", args=[campaign.slug]),
            status=status,
        )
    if isinstance(refusal, Crowded | OutOfMemory):
        answer["Retry-After"] = str(AGAIN_S)
    return answer


def _refusal_status(refusal: Refusal) -> int:
    """503 where the same selfie may do later."""
    if isinstance(refusal, IntakeError):
        return refusal.status
    is_ours = isinstance(refusal, MissingModel) or not refusal.permanent
    return 503 if is_ours else 422


def _wants_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def _message(
    request: HttpRequest,
    campaign: Campaign,
    *,
    title: str,
    lead: str,
    way: str,
    way_url: str,
    status: int = 200,
    template: str = "campaign/message.html",
) -> HttpResponse:
    context = {"campaign": campaign, "title": title, "lead": lead, "way": way, "way_url": way_url}
    return render(request, template, context, status=status)


# --- wait, keep, leave ------------------------------------------------------------------------

View = Callable[[HttpRequest, Submission], HttpResponse]


def by_token(view: View) -> Callable[[HttpRequest, str], HttpResponse]:
    """A page whose address is its key: kept by no cache, found by no search engine.

    Its referrer policy is the site's "same-origin": nothing outside learns the address, and unlike
    "no-referrer" it leaves forms the Origin header that Django's CSRF check asks for.
    """

    @never_cache
    @wraps(view)
    def page(request: HttpRequest, token: str) -> HttpResponse:
        submissions = Submission.objects.select_related("campaign")
        response = view(request, get_object_or_404(submissions, token=token))
        response["X-Robots-Tag"] = "noindex"
        return response

    return page


@require_safe
@by_token
def status(request: HttpRequest, submission: Submission) -> HttpResponse:
    now = queries.status(submission)
    scene = scenes.of(now)
    return render(
        request,
        "campaign/status.html",
        {
            "campaign": submission.campaign,
            "token": submission.token,
            "status": now,
            "status_json": json.dumps(now.as_json()),
            "scene": scene,
            "kept": now.keepsakes,
            "stages_json": json.dumps(scenes.stage_words()),
            "number": f"{now.number:06,d}",
            "file_name": _file_name(submission),
        },
    )


def _file_name(submission: Submission) -> str:
    """Without its ending: the page adds what it hands out."""
    words = ["diorama", f"{submission.number:05d}", slugify(submission.plaque)]
    return "-".join(filter(None, words))


@require_safe
@by_token
def status_json(request: HttpRequest, submission: Submission) -> HttpResponse:
    return JsonResponse(queries.status(submission).as_json())


@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def erase(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Ask first (GET), then delete everything (POST). Whoever asks again has the receipt again: an
    answer may be lost on its way, and a button tapped twice."""
    if request.method == "POST":
        try:
            receipt = retention.erase(submission, actor=lifecycle.PARTICIPANT)
        except IllegalTransition:
            submission.refresh_from_db(fields=["state", "state_since_at"])
        else:
            return _erased(request, submission, receipt)
    if submission.state == SubmissionState.ERASED:
        return _erased(request, submission, retention.receipt(submission))
    context = {
        "campaign": submission.campaign,
        "token": submission.token,
        "title": _("Delete me?"),
        "lead": _(
            "Your photo, your figurine and your name go, here and on every screen. "
            "There is no way back."
        ),
    }
    return render(request, "campaign/erase.html", context)


def _erased(request: HttpRequest, submission: Submission, receipt: Receipt) -> HttpResponse:
    context = {"campaign": submission.campaign, "receipt": receipt}
    return render(request, "campaign/erased.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def another(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Choose kit and finish anew (GET), then have another figurine made (POST), once."""
    page = reverse("campaign:status", args=[submission.token])
    way = Way(_("Back to my page"), page)
    if request.method == "POST":
        form = RerollForm(request.POST)
        try:
            if not form.is_valid():
                raise IntakeError
            is_new = rerolls.ask(submission, form.wish())
        except (IntakeError, FigurineError) as refusal:
            return refused(request, submission.campaign, refusal, way=way)
        if _wants_json(request):
            return JsonResponse({"status_url": page}, status=201 if is_new else 200)
        return redirect(page)
    now = queries.status(submission)
    if not now.rerolls_left or now.is_on_desk:
        return redirect(page)
    context = {
        "campaign": submission.campaign,
        "token": submission.token,
        "status": now,
        "number": f"{now.number:06,d}",
        "offer": offers.of(submission.campaign).starting_with(submission.kit, submission.finish),
    }
    return render(request, "campaign/another.html", context)


@csp_update(VIEWER_POLICY)  # type: ignore[arg-type]  # its types know no arguments but the request
@require_http_methods(["GET", "HEAD", "POST"])
@by_token
def about_turn(request: HttpRequest, submission: Submission) -> HttpResponse:
    """The figurine from all sides and as a file to print (GET); have one of them made (POST)."""
    page = reverse("campaign:about-turn", args=[submission.token])
    if request.method == "POST":
        form = KeepsakeForm(request.POST)
        way = Way(_("Back to my page"), reverse("campaign:status", args=[submission.token]))
        try:
            if not form.is_valid():
                raise IntakeError
            is_new = keepsakes.ask(submission, kind=form.wanted())
        except IntakeError as refusal:
            return refused(request, submission.campaign, refusal, way=way)
        if _wants_json(request):
            return JsonResponse({}, status=202 if is_new else 200)
        return redirect(page)
    now = queries.status(submission)
    kept = now.keepsakes
    if not kept.is_offered:
        return redirect("campaign:status", submission.token)
    context = {
        "campaign": submission.campaign,
        "token": submission.token,
        "status": now,
        "kept": kept,
        "status_json": json.dumps(now.as_json()),
        "stages_json": json.dumps(scenes.stage_words()),
        "number": f"{now.number:06,d}",
        "file_name": _file_name(submission),
    }
    return render(request, "campaign/about_turn.html", context)


@require_POST
@by_token
def retry(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Queue a failed submission once more; whatever else became of it, its page tells."""
    with suppress(IllegalTransition):
        approval.retry(submission, actor=lifecycle.PARTICIPANT)
    return redirect("campaign:status", submission.token)
