"""What a moderator says on the review desk or the wall, over the wire: claims and decisions."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaign import cards, decisions
from campaign.decisions import Decision, Overtaken, Verdict
from campaign.desk_guard import CrewRequest, guarded
from campaign.enums import SubmissionState
from campaign.models import Submission


@require_POST
@guarded
def claim(request: CrewRequest, pk: UUID) -> HttpResponse:
    """Say that this moderator looks at it. Answers 409 with a name if somebody already does."""
    if not Submission.objects.filter(pk=pk, state__in=decisions.VERDICTS).exists():
        raise Http404
    held = decisions.claim(pk, user=request.user)
    if held and held.user_id != request.user.pk:
        return JsonResponse({"claimed_by": held.user.get_username()}, status=409)
    return JsonResponse({"claimed_by": ""})


@require_POST
@guarded
def decide(request: CrewRequest, pk: UUID) -> HttpResponse:
    """Carry out one decision: JSON for the outbox, a redirect with a line for a plain form.

    200: done, now or earlier, and when: what the outbox holds after it is about the version of
    that moment, not about what came since. 409: somebody else was first, with a sentence.
    404: it is gone. 400: not a decision.
    """
    wants_page = "text/html" in request.headers.get("Accept", "")
    try:
        decided = decisions.decide(_decision(request, pk), user=request.user)
    except (ValueError, KeyError):
        return JsonResponse({"sentence": _("That is not a decision.")}, status=400)
    except Submission.DoesNotExist as error:
        raise Http404 from error
    except Overtaken as overtaken:
        sentence = _overtaken(overtaken, request)
        if wants_page:
            messages.info(request, sentence)
            return redirect(_back(request))
        return JsonResponse({"sentence": sentence}, status=409)
    if wants_page:
        return redirect(_back(request))
    return JsonResponse({"since": decided.at.isoformat()})


def _decision(request: CrewRequest, pk: UUID) -> Decision:
    """`verdict` may be word:reason, so that a single button of a form can say both.

    Raises KeyError or ValueError where a field is missing or makes no sense.
    """
    word, _colon, reason = request.POST["verdict"].partition(":")
    seen_at = datetime.fromisoformat(request.POST["seen_at"])
    if seen_at.tzinfo is None:
        raise ValueError("seen_at must say its time zone")
    return Decision(
        submission_id=pk,
        verdict=Verdict(word),
        seen_at=seen_at,
        reason=reason or request.POST.get("reason", ""),
        note=request.POST.get("note", "").strip(),
    )


def _overtaken(overtaken: Overtaken, request: HttpRequest) -> str:
    label = cards.label(overtaken.submission)
    by = overtaken.by
    if by is None:
        state = SubmissionState(overtaken.submission.state).label
        return _("%(label)s cannot be moved that way now: %(state)s.") % {
            "label": label,
            "state": state,
        }
    username = by.actor.get_username() if by.actor else ""
    if by.actor_id == request.user.pk:
        username = _("You")
    return cards.tell(
        SubmissionState(by.to_state), label=label, kind=by.actor_kind, username=username
    )


def _back(request: CrewRequest) -> str:
    """The page the form was on; only ever one of ours."""
    page = "live" if request.POST.get("page") == "live" else "review"
    slug = request.POST.get("campaign", "")
    query = f"?{urlencode({'campaign': slug})}" if slug else ""
    return reverse(f"admin:campaign_submission_{page}") + query
