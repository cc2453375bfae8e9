"""What others ask about submissions. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from campaign import keepsake_status, load, media, rerolls, showings, upgrades
from campaign.enums import (
    IN_WORK,
    RECALL_SENTENCES,
    REJECT_SENTENCES,
    JobOutcome,
    JobRole,
    KeepsakeKind,
    RecallReason,
    RejectReason,
    SubmissionState,
)
from campaign.errors import refusal_of
from campaign.keepsake_status import Keepsakes
from campaign.media import Audience, Picture
from campaign.models import (
    Campaign,
    Figurine,
    GenerationJob,
    Keepsake,
    Submission,
    Transition,
)
from figurine import errors as figurine_errors

S = SubmissionState

RESTORED: Final = "restored"
"""The reason of moves by `manage.py restored`."""
STUCK_SCREENING_S: Final = 10
RUNG_AGAIN: Final = 20
"""At each sweep."""
TRIES_MAX: Final = 3


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
    kept_until: str
    """The day when what is theirs to keep is deleted, as an ISO moment; empty while nothing is."""
    is_preview: bool
    """That picture is sculpt's, and a slower engine is still at work on a better one."""
    keepsakes: Keepsakes
    screens: tuple[str, ...]
    """Names of the screens that show the figurine right now."""
    was_shown: bool
    next_screen: str
    """Where the next showing is planned; empty when none is, or while it is on."""
    next_at: str
    """When, as an ISO moment."""
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
    work = _work(submission, state)
    preview = upgrades.preview(submission) if state in IN_WORK else None
    chosen = submission.figurine if media.may_see(submission, Audience.PARTICIPANT) else None
    figurine = preview or chosen
    is_theirs = chosen is not None and state in {S.APPROVED, S.RECALLED}
    seen = showings.of(submission.pk) if state == S.APPROVED else []
    on_now = tuple(dict.fromkeys(s.screen for s in seen if s.is_on_now))
    planned = showings.next_of(submission.pk) if state == S.APPROVED and not on_now else None
    sentence, advice = _words(submission)
    waiting = state in {S.SCREENING, S.QUEUED, S.GENERATING}
    job = work.told
    ahead = load.jobs_ahead(job) if job and state == S.QUEUED else 0
    return Status(
        state=state.value,
        since=submission.state_since_at.isoformat(),
        number=submission.number,
        plaque=submission.plaque,
        stage=job.stage if job and state == S.GENERATING else "",
        percent=job.percent if job and state == S.GENERATING else 0,
        eta_s=_eta_s(submission, work, has_preview=preview is not None) if waiting else None,
        ahead=ahead,
        sentence=sentence,
        advice=advice,
        still_url=_url(figurine, Picture.STILL),
        cutout_url=_url(figurine, Picture.CUTOUT),
        kept_until=submission.figurine_purge_at.isoformat() if is_theirs else "",
        is_preview=work.main is not None and figurine is not None and _is_stand_in(figurine),
        keepsakes=keepsake_status.of(submission),
        screens=on_now,
        was_shown=bool(seen),
        next_screen=planned.screen if planned else "",
        next_at=planned.at.isoformat() if planned else "",
        can_retry=may_retry(submission),
        rerolls_left=rerolls.left(submission),
        is_on_desk=state == S.REVIEW and rerolls.is_on_desk(submission),
        is_over=state in {S.REJECTED, S.RECALLED, S.EXPIRED, S.ERASED},
    )


@dataclass(frozen=True)
class _Work:
    """The jobs that are open."""

    main: GenerationJob | None
    beside: GenerationJob | None

    @property
    def told(self) -> GenerationJob | None:
        """The one that the phone is told of: what is in hand, the engine's first."""
        jobs = [job for job in (self.main, self.beside) if job]
        return next((job for job in jobs if job.lease_token), jobs[0] if jobs else None)


def _work(submission: Submission, state: SubmissionState) -> _Work:
    """In the workshop, and in review while a better one is made."""
    if state not in IN_WORK and state != S.REVIEW:
        return _Work(None, None)
    by_role = {job.role: job for job in submission.jobs.filter(outcome="")}
    return _Work(by_role.get(JobRole.MAIN), by_role.get(JobRole.STAND_IN))


def _is_stand_in(figurine: Figurine) -> bool:
    return figurine.role == JobRole.STAND_IN


def _eta_s(submission: Submission, work: _Work, *, has_preview: bool) -> int:
    """Seconds until the figurine is there, at least one; no longer than patience lasts, where
    sculpt's can go to review instead.
    """
    job = work.main or work.beside
    if job is None:
        return max(1, round(load.usual_s(submission.campaign.engines[0])))
    eta_s = load.eta_s(job)
    if work.main and submission.patience_ends_at and (has_preview or work.beside):
        sculpt_s = load.eta_s(work.beside) if work.beside else 0.0
        eta_s = min(eta_s, max(sculpt_s, upgrades.patience_left_s(submission)))
    return max(1, round(eta_s))


def _url(figurine: Figurine | None, picture: Picture) -> str:
    if figurine is None:
        return ""
    return media.address(figurine, picture, audience=Audience.PARTICIPANT)


def _words(submission: Submission) -> tuple[str, str]:
    """Sentence and advice for a submission that went no further."""
    if submission.state in (S.REJECTED, S.RECALLED):
        return _why_turned_down(submission.state, submission.reason), ""
    if submission.state == S.EXPIRED:
        # Its pictures are gone within the hour; who comes back then still hears why.
        moves = Transition.objects.moves().filter(submission=submission)
        before = moves.exclude(to_state=S.EXPIRED).last()
        return _why_turned_down(before.to_state, before.reason) if before else "", ""
    if submission.state == S.FAILED:
        refusal = refusal_of(submission.reason)
        return refusal.sentence, refusal.advice
    if submission.state == S.REVIEW and submission.reason not in _QUIET:
        return _("The new one did not come out of the mould. This one stands."), ""
    return "", ""


def _why_turned_down(state: str, reason: str) -> str:
    """Why the crew did not put it up, or took it down for the same; empty where they did not."""
    if state == S.REJECTED:
        known = reason in RejectReason.values
        return str(REJECT_SENTENCES[RejectReason(reason) if known else RejectReason.OTHER])
    if state == S.RECALLED and reason in RECALL_SENTENCES:
        return str(RECALL_SENTENCES[RecallReason(reason)])
    return ""


_QUIET: Final = frozenset(
    {"", "undo", RESTORED, upgrades.PATIENCE, upgrades.FALLBACK, upgrades.UPGRADED}
)
"""Reasons of moves to review that took nothing from the visitor."""


def may_retry(submission: Submission) -> bool:
    """Whether another try by the participant could help, and they have one left."""
    if submission.state != S.FAILED or not submission.selfie:
        return False
    known = figurine_errors.FigurineError.__subclasses__()
    is_permanent = any(kind.permanent for kind in known if kind.code == submission.reason)
    tries = submission.transitions.filter(to_state=S.QUEUED).exclude(from_state__in=IN_WORK)
    return not is_permanent and tries.count() < TRIES_MAX


def unlooked(campaign_id: int, *, noticed_at: datetime) -> int:
    """How many are approved as a backup says, which a screen noticed at that moment: whoever was
    recalled since is among them. None once `manage.py restored` has moved them; where it ran
    before a screen came, none notices (campaign.signals.looked_again)."""
    live = Submission.objects.filter(campaign=campaign_id, state=S.APPROVED)
    return live.filter(state_since_at__lt=noticed_at).count()


def review_queue(campaign: Campaign | None = None) -> QuerySet[Submission]:
    """Submissions a person must decide on, longest waiting first."""
    waiting = Submission.objects.filter(state__in=(S.HELD, S.REVIEW))
    if campaign:
        waiting = waiting.filter(campaign=campaign)
    return (
        waiting.select_related("campaign", "entry_point")
        .prefetch_related("figurines")
        .defer("face", "other_faces")
        .order_by(waiting_since())
    )


def waiting_since() -> Coalesce:
    """Since when a person should decide: one whose picture gives way to a better one meanwhile
    (upgrades.py) has moved, and keeps its place."""
    came = Transition.objects.filter(submission=OuterRef("pk"), to_state=OuterRef("state"))
    moved = came.exclude(from_state=S.REVIEW, to_state=S.REVIEW).order_by("-id")
    return Coalesce(Subquery(moved.values("at")[:1]), F("state_since_at"))


def on_show(campaign_id: int) -> QuerySet[Figurine]:
    """Figurines that screens may show now, latest approved first."""
    chosen = Figurine.objects.filter(
        submission__campaign_id=campaign_id, submission__state=S.APPROVED, is_chosen=True
    )
    return chosen.exclude(cutout="").order_by("-submission__state_since_at")


def figurines(pks: QuerySet[Any] | Sequence[int]) -> QuerySet[Figurine]:
    """These, whatever has become of them."""
    return Figurine.objects.filter(pk__in=pks)


def has_clip() -> Exists:
    """Whether each figurine of a query moves; as `media.film`."""
    clips = Keepsake.objects.filter(kind=KeepsakeKind.CLIP, outcome=JobOutcome.DONE)
    return Exists(clips.filter(figurine=OuterRef("pk")))


def campaigns_not_over() -> QuerySet[Campaign]:
    """What may still take somebody in, now or later."""
    return Campaign.objects.exclude(closes_at__lte=timezone.now())


def stuck_in_screening() -> list[UUID]:
    """Submissions whose bell may be lost: those that have waited longest, a few at a time. In a
    crowd their bells are only behind others, and rung anew for all they would fill the queue.
    One that came in the time to come did so before the clock was set back."""
    now, span = timezone.now(), timedelta(seconds=STUCK_SCREENING_S)
    fresh = Q(state_since_at__range=(now - span, now + span))
    stuck = Submission.objects.filter(~fresh, state=S.SCREENING).values_list("pk", flat=True)
    lost = stuck.filter(state_since_at__lt=now).order_by("state_since_at")
    ahead = stuck.filter(state_since_at__gt=now).order_by("state_since_at")
    return [*lost[:RUNG_AGAIN], *ahead[:RUNG_AGAIN]]


def counts(campaign: Campaign) -> dict[SubmissionState, int]:
    """How many submissions stand in each state."""
    rows = (
        Submission.objects.filter(campaign=campaign)
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
    )
    return {S(state): count for state, count in rows}
