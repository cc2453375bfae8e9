"""What others ask about submissions. Reads only."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from campaign import keepsake_status, media, rerolls, showings
from campaign.enums import REJECT_SENTENCES, JobOutcome, RejectReason, SubmissionState
from campaign.errors import refusal_of
from campaign.keepsake_status import Keepsakes
from campaign.media import Audience, Picture
from campaign.models import Campaign, Figurine, GenerationJob, Submission
from figurine import errors as figurine_errors

S = SubmissionState

STUCK_SCREENING_S: Final = 10
JOBS_MAX: Final = 3
ETA_SAMPLES: Final = 20
FIRST_ETA_S: Final = 8.0
"""Before anything was measured. Source: the benchmark `python -m tests.bench.spine`."""


@dataclass(frozen=True)
class Status:
    """All that a participant's page shows; the same over socket, poll and first render."""

    state: str
    since: str
    """ISO moment of the last move: the version that a re-roll is about."""
    number: int
    plaque: str
    stage: str
    percent: int
    eta_s: int | None
    ahead: int
    sentence: str
    advice: str
    still_url: str
    cutout_url: str
    keepsakes: Keepsakes
    screens: tuple[str, ...]
    """Names of the screens that show the figurine right now."""
    was_shown: bool
    can_retry: bool
    rerolls_left: int
    is_on_desk: bool
    """A moderator looks at it right now."""
    is_over: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def status(submission: Submission) -> Status:
    """Read everything anew; called from sockets, polls and pages alike."""
    submission = (
        Submission.objects.select_related("campaign")
        .prefetch_related("figurines__keepsakes")
        .defer("face")
        .get(pk=submission.pk)
    )
    state = S(submission.state)
    job = submission.jobs.order_by("-id").first()
    figurine = submission.figurine if state in media.MAY_SEE[Audience.PARTICIPANT] else None
    seen = showings.of(submission.pk) if state == S.APPROVED else []
    sentence, advice = _words(submission)
    waiting = state in {S.SCREENING, S.QUEUED, S.GENERATING}
    ahead = jobs_ahead(job) if job and state == S.QUEUED else 0
    return Status(
        state=state.value,
        since=submission.state_since_at.isoformat(),
        number=submission.number,
        plaque=submission.plaque,
        stage=job.stage if job and state == S.GENERATING else "",
        percent=job.percent if job and state == S.GENERATING else 0,
        eta_s=_eta_s(job, ahead=ahead) if waiting else None,
        ahead=ahead,
        sentence=sentence,
        advice=advice,
        still_url=_url(figurine, Picture.STILL),
        cutout_url=_url(figurine, Picture.CUTOUT),
        keepsakes=keepsake_status.of(submission),
        screens=tuple(dict.fromkeys(s.screen for s in seen if s.is_on_now)),
        was_shown=bool(seen),
        can_retry=may_retry(submission),
        rerolls_left=rerolls.left(submission),
        is_on_desk=state == S.REVIEW and rerolls.is_on_desk(submission),
        is_over=state in {S.REJECTED, S.RECALLED, S.EXPIRED, S.ERASED},
    )


def _eta_s(job: GenerationJob | None, *, ahead: int) -> int:
    """Seconds until the figurine is there, at least one."""
    in_work = job.claimed_at if job and job.lease_token else None
    done_s = (timezone.now() - in_work).total_seconds() if in_work else 0.0
    return max(1, round((ahead + 1) * usual_s() - done_s))


def _url(figurine: Figurine | None, picture: Picture) -> str:
    if figurine is None:
        return ""
    return media.address(figurine, picture, audience=Audience.PARTICIPANT)


def _words(submission: Submission) -> tuple[str, str]:
    """Sentence and advice for a submission that went no further."""
    if submission.state == S.REJECTED:
        known = submission.reason in RejectReason.values
        reason = RejectReason(submission.reason) if known else RejectReason.OTHER
        return str(REJECT_SENTENCES[reason]), ""
    if submission.state == S.FAILED:
        refusal = refusal_of(submission.reason)
        return refusal.sentence, refusal.advice
    if submission.state == S.REVIEW and submission.reason not in ("", "undo"):
        return _("The new one did not come out of the mould. This one stands."), ""
    return "", ""


def may_retry(submission: Submission) -> bool:
    """Whether another try by the participant could help, and they have one left."""
    if submission.state != S.FAILED or not submission.selfie:
        return False
    known = figurine_errors.FigurineError.__subclasses__()
    is_permanent = any(kind.permanent for kind in known if kind.code == submission.reason)
    return not is_permanent and submission.jobs.count() < JOBS_MAX


def jobs_ahead(job: GenerationJob) -> int:
    return GenerationJob.objects.filter(
        outcome="", lease_token__isnull=True, ready_at__lt=job.ready_at
    ).count()


def usual_s() -> float:
    """Median seconds from a job's last claim to its end, over the last few."""
    recent = GenerationJob.objects.filter(outcome=JobOutcome.DONE).order_by("-finished_at")
    spans = [
        (finished - claimed).total_seconds()
        for finished, claimed in recent.values_list("finished_at", "claimed_at")[:ETA_SAMPLES]
        if finished and claimed
    ]
    return statistics.median(spans) if spans else FIRST_ETA_S


def review_queue(campaign: Campaign | None = None) -> QuerySet[Submission]:
    """Submissions a person must decide on, longest waiting first."""
    waiting = Submission.objects.filter(state__in=(S.HELD, S.REVIEW))
    if campaign:
        waiting = waiting.filter(campaign=campaign)
    return (
        waiting.select_related("campaign", "entry_point")
        .prefetch_related("figurines")
        .defer("face", "other_faces")
        .order_by("state_since_at")
    )


def on_show(campaign_id: int) -> QuerySet[Figurine]:
    """Figurines that screens may show now, latest approved first."""
    chosen = Figurine.objects.filter(
        submission__campaign_id=campaign_id, submission__state=S.APPROVED, is_chosen=True
    )
    return (
        chosen.exclude(cutout="")
        .select_related("submission")
        .prefetch_related("keepsakes")
        .defer("submission__face")
        .order_by("-submission__state_since_at")
    )


def stuck_in_screening() -> list[UUID]:
    """Submissions whose bell was lost."""
    before = timezone.now() - timedelta(seconds=STUCK_SCREENING_S)
    stuck = Submission.objects.filter(state=S.SCREENING, state_since_at__lt=before)
    return list(stuck.values_list("pk", flat=True))


def counts(campaign: Campaign) -> dict[SubmissionState, int]:
    """How many submissions stand in each state."""
    rows = (
        Submission.objects.filter(campaign=campaign)
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
    )
    return {S(state): count for state, count in rows}
