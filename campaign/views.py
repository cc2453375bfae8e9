"""The phone's pages: enlist, wait, keep, leave. And the door to private pictures."""

from __future__ import annotations

import json
import mimetypes
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

import structlog
from csp.decorators import csp_update
from django.conf import settings
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
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
    media,
    offers,
    queries,
    rerolls,
    retention,
    scenes,
    theme,
)
from campaign.consent import text_sha256
from campaign.enums import SubmissionState
from campaign.errors import CampaignClosed, IllegalTransition, IntakeError
from campaign.forms import EnlistForm, KeepsakeForm, RerollForm
from campaign.models import Campaign, Submission
from figurine.bounds import MAX_BYTES
from figurine.errors import FigurineError, MissingModel, TooLarge

log = structlog.get_logger(__name__)

Refusal = IntakeError | FigurineError

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
SOLIDS: Final = {"glb": "model/gltf-binary", "stl": "model/stl"}
"""Python knows them from 3.13 and 3.14 on. Source: IANA, media types of the group `model`."""
THEME_MAX_AGE_S: Final = 60
PICTURE_MAX_AGE_S: Final = 600
REDIRECT_MAX_AGE_S: Final = 30
"""Half of what a presigned address lives (settings.PRIVATE_STORAGE, querystring_expire)."""

VIEWER_POLICY: Final = {
    "connect-src": ["blob:"],
    "style-src": ["'sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0='"],
}
"""What <model-viewer> needs beyond the strict policy: it unpacks textures into blobs and fetches
them, and has one style sheet in its shadow, named by its hash."""

NO_STORE: Final = "private, no-store"
"""For selfies: no browser's disk may keep a face past its day."""


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
        return _message(
            request,
            campaign,
            title=CampaignClosed.sentence,
            lead=CampaignClosed.advice,
            way=_("Look again"),
            way_url=request.path,
        )
    try:
        offer = offers.of(campaign)
    except MissingModel as missing:
        way = Way(_("Look again"), request.path)
        return refused(request, campaign, missing, way=way)
    return render(
        request,
        "campaign/intake.html",
        {
            "campaign": campaign,
            "consent_sha256": text_sha256(campaign.consent_text),
            "idempotency_key": uuid.uuid4(),
            "entry_code": request.GET.get("e", "")[:16],
            "offer": offer,
            "upload_max_bytes": MAX_BYTES,
            "too_large": TooLarge,
            "lost": IntakeError,
        },
    )


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
            request=form.intake_request(language=get_language() or ""),
        )
    except (IntakeError, FigurineError) as refusal:
        return refused(request, campaign, refusal)
    url = reverse("campaign:status", args=[received.submission.token])
    if _wants_json(request):
        return JsonResponse({"status_url": url}, status=201 if received.is_new else 200)
    return redirect(url)


@dataclass(frozen=True)
class Way:
    """Where a page with bad news leads on to."""

    words: str
    url: str


def refused(
    request: HttpRequest, campaign: Campaign, refusal: Refusal, *, way: Way | None = None
) -> HttpResponse:
    """What happened and what to do, to a script or to a person (there, to another selfie)."""
    status = _refusal_status(refusal)
    tell = log.info if status < 500 else log.warning
    if isinstance(refusal, MissingModel):
        tell = log.error
    tell("refused", code=refusal.code, detail=str(refusal), campaign=campaign.slug, status=status)
    if _wants_json(request):
        said = {"code": refusal.code, "sentence": refusal.sentence, "advice": refusal.advice}
        return JsonResponse(said, status=status)
    return _message(
        request,
        campaign,
        title=refusal.sentence,
        lead=refusal.advice,
        way=way.words if way else _("Take another"),
        way_url=way.url if way else reverse("campaign:intake", args=[campaign.slug]),
        status=status,
    )


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
) -> HttpResponse:
    context = {"campaign": campaign, "title": title, "lead": lead, "way": way, "way_url": way_url}
    return render(request, "campaign/message.html", context, status=status)


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
    """Ask first (GET), then delete everything and hand out the receipt (POST)."""
    if request.method != "POST":
        if submission.state == SubmissionState.ERASED:
            return redirect("campaign:status", submission.token)
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
    try:
        receipt = retention.erase(submission, actor=lifecycle.PARTICIPANT)
    except IllegalTransition:
        return redirect("campaign:status", submission.token)
    return render(
        request, "campaign/erased.html", {"campaign": submission.campaign, "receipt": receipt}
    )


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


# --- private pictures -------------------------------------------------------------------------


@require_safe
def media_file(request: HttpRequest, token: str, name: str = "") -> HttpResponse:
    """The file behind a signed address. `?download=name.jpg` saves it under that name."""
    found = media.resolve(token, user=request.user)
    if found is None:
        raise Http404
    file = found.file
    is_selfie = found.picture == media.Picture.SELFIE
    saved_as = request.GET.get("download", "")
    wants_copy = bool(FILE_NAME.fullmatch(saved_as))
    disposition = content_disposition_header(wants_copy, saved_as if wants_copy else "") or "inline"
    if settings.S3_BUCKET:
        # The S3 storage alone takes parameters; the presigned address carries them signed.
        presigned: Any = file.storage
        asked = {
            "ResponseContentDisposition": disposition,
            "ResponseCacheControl": (
                NO_STORE if is_selfie else f"private, max-age={PICTURE_MAX_AGE_S}"
            ),
        }
        response: HttpResponse = redirect(presigned.url(file.name, parameters=asked))
        max_age_s = REDIRECT_MAX_AGE_S
    else:
        ending = str(file.name).rpartition(".")[2]
        kind = SOLIDS.get(ending) or mimetypes.guess_type(str(file.name))[0]
        try:
            with file.open() as stored:
                response = HttpResponse(
                    stored.read(), content_type=kind or "application/octet-stream"
                )
        except FileNotFoundError as error:  # purged since the row was read
            raise Http404 from error
        response["Content-Disposition"] = disposition
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response["X-Content-Type-Options"] = "nosniff"
        max_age_s = PICTURE_MAX_AGE_S
    if is_selfie:
        response["Cache-Control"] = NO_STORE
    else:
        patch_cache_control(response, private=True, max_age=max_age_s)
    return response
