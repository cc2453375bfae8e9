"""What the review desk and the wall show of a submission. Reads only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaign import media, queries
from campaign.decisions import VERDICTS, Verdict
from campaign.enums import (
    IN_WORK,
    FigurineMark,
    HoldReason,
    RecallReason,
    RejectReason,
    SubmissionState,
)
from campaign.media import Audience, Picture
from campaign.models import Campaign, Figurine, Submission, Transition

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

S = SubmissionState

STRIP_LENGTH: Final = 40
WALL_LENGTH: Final = 60
THUMB_WIDTH_PX: Final = 160
WALL_WIDTH_PX: Final = 480


@dataclass(frozen=True)
class Card:
    """One submission on the desk."""

    id: str
    label: str
    plaque: str
    campaign: str
    state: str
    since: str
    """ISO moment of the last move: how long it waits, and the version a decision is about."""
    entry_point: str
    kit: str
    selfie_url: str
    figurine_url: str
    thumb_url: str
    wall_url: str
    safety: float | None
    safety_hold: float
    hold_reason: str
    marks: str
    """What an engine found worth a second look at this figurine."""
    likeness: float | None
    """Of figurine and selfie, -1..1; None where nobody measured it."""
    quality: float | None
    face_px: int | None
    face_box: list[float] | None
    """x, y, width, height in pixels of the selfie."""
    claimed_by: str
    """Another moderator who looks at it right now."""
    moved_by: str
    story: str
    """Who decided what, once somebody has."""
    verdicts: tuple[Verdict, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def since_at(self) -> datetime:
        return datetime.fromisoformat(self.since)

    @property
    def quality_percent(self) -> int | None:
        return None if self.quality is None else round(100 * self.quality)

    @property
    def is_safety_high(self) -> bool:
        return self.safety is not None and self.safety >= self.safety_hold


@dataclass(frozen=True)
class Tally:
    """How much there is to do, and how much is up."""

    waiting: int
    live: int


def tally(campaign: Campaign | None) -> Tally:
    rows = Submission.objects.order_by()
    if campaign:
        rows = rows.filter(campaign=campaign)
    found = rows.aggregate(
        waiting=Count("pk", filter=Q(state__in=(S.HELD, S.REVIEW))),
        live=Count("pk", filter=Q(state=S.APPROVED)),
    )
    return Tally(**found)


def waiting(campaign: Campaign | None, *, user: User) -> list[Card]:
    """The head of the queue: what nobody else looks at first, longest waiting first."""
    taken = Q(claim__until__gt=timezone.now()) & ~Q(claim__user=user)
    rows = (
        _with_details(queries.review_queue(campaign))
        .annotate(is_taken=Case(When(taken, then=Value(1)), default=Value(0)))
        .order_by("is_taken", queries.waiting_since(), "pk")
    )
    return [_card(row, user=user) for row in rows[:STRIP_LENGTH]]


def live(
    campaign: Campaign | None,
    *,
    user: User,
    search: str = "",
    before: datetime | None = None,
) -> list[Card]:
    """Approved figurines, newest first, each with its story."""
    rows = Submission.objects.filter(state=S.APPROVED).select_related("campaign", "entry_point")
    if campaign:
        rows = rows.filter(campaign=campaign)
    if before:
        rows = rows.filter(state_since_at__lt=before)
    found = _with_details(matching(rows.prefetch_related("figurines"), search))
    return [_card(row, user=user) for row in found.order_by("-state_since_at", "pk")[:WALL_LENGTH]]


def matching(rows: QuerySet[Submission], search: str) -> QuerySet[Submission]:
    """By number, as anybody would write it ("1247", "No. 01,247"), or by a part of the name."""
    digits = search.lower().removeprefix("no.").replace(",", "").strip()
    if digits.isdecimal():
        return rows.filter(number=int(digits[:9]))
    return rows.filter(plaque__icontains=search) if search else rows


def one(submission_id: UUID, *, user: User) -> Card | None:
    """Any submission whose pictures still exist, in whatever state."""
    rows = Submission.objects.filter(pk=submission_id, state__in=media.MAY_SEE[Audience.CREW])
    details = rows.select_related("campaign", "entry_point").prefetch_related("figurines")
    row = _with_details(details).first()
    return _card(row, user=user) if row else None


class Details(TypedDict):
    quality: float | None
    face_px: float | None
    face_box: list[float] | None
    moved_by: str | None
    moved_kind: str | None


if TYPE_CHECKING:
    Row = WithAnnotations[Submission, Details]


def _with_details(rows: QuerySet[Submission]) -> QuerySet[Row]:
    """The few numbers of the face without its mesh, who looks at it, and who moved it last."""
    last = Transition.objects.moves().filter(submission=OuterRef("pk")).order_by("-id")
    return (
        rows.select_related("claim__user")
        .defer("face", "other_faces", "campaign__consent_text", "campaign__theme")
        .annotate(
            quality=F("face__mesh_score"),
            face_px=F("face__width_px"),
            face_box=F("face__box"),
            moved_by=Subquery(last.values("actor__username")[:1]),
            moved_kind=Subquery(last.values("actor_kind")[:1]),
        )
    )


def _card(row: Row, *, user: User) -> Card:
    state = S(row.state)
    # A selfie that is released once more shows no figurine of an earlier try
    figurine = None if state in {S.HELD, S.QUEUED, S.GENERATING} else row.figurine
    claim = getattr(row, "claim", None)
    is_taken = claim and claim.user_id != user.pk and claim.until > timezone.now()
    return Card(
        id=str(row.pk),
        label=label(row),
        plaque=row.plaque,
        campaign=row.campaign.name,
        state=state.value,
        since=row.state_since_at.isoformat(),
        entry_point=row.entry_point.label if row.entry_point else "",
        kit=f"{row.kit}, {row.finish}".replace("_", " ").replace("-", " "),
        selfie_url=_address(row, Picture.SELFIE) if media.selfie_of(row) else "",
        figurine_url=_address(figurine, Picture.STILL) if figurine and figurine.still else "",
        thumb_url=thumb_url(row, figurine, width_px=THUMB_WIDTH_PX),
        wall_url=thumb_url(row, figurine, width_px=WALL_WIDTH_PX),
        safety=None if row.nsfw_score is None else round(row.nsfw_score, 3),
        safety_hold=row.campaign.nsfw_hold,
        hold_reason=str(HoldReason(row.hold_reason).label) if row.hold_reason else "",
        marks=_marks(figurine),
        likeness=_likeness(figurine),
        quality=row.quality,
        face_px=None if row.face_px is None else round(row.face_px),
        face_box=row.face_box,
        claimed_by=claim.user.get_username() if claim and is_taken else "",
        moved_by=row.moved_by or "",
        story=_story(row),
        verdicts=VERDICTS.get(state, ()),
    )


def _marks(figurine: Figurine | None) -> str:
    titles = dict(FigurineMark.choices)
    return ". ".join(str(titles.get(mark, mark)) for mark in (figurine.marks if figurine else ()))


def _likeness(figurine: Figurine | None) -> float | None:
    if figurine is None or figurine.likeness is None:
        return None
    return round(figurine.likeness, 2)


def label(submission: Submission) -> str:
    return _("No. %(number)s") % {"number": f"{submission.number:06,d}"}


def thumb_url(submission: Submission, figurine: Figurine | None, *, width_px: int) -> str:
    """A small picture for the crew; it names the figurine, so that a new one is fetched anew."""
    path = reverse("admin:campaign_submission_thumb", args=[submission.pk, width_px])
    return f"{path}?of={figurine.pk}" if figurine else path


def _address(owner: Figurine | Submission, picture: Picture) -> str:
    return media.address(owner, picture, audience=Audience.CREW)


def _story(row: Row) -> str:
    if (row.state, row.reason) == (S.REVIEW, queries.RESTORED):
        return _("A backup was put back. %s is live in it, and may have been recalled since.") % (
            label(row)
        )
    is_remade = row.state in IN_WORK and row.figurine
    if row.moved_kind != "crew" and row.state != S.REJECTED and not is_remade:
        return ""
    reasons = dict(RejectReason.choices) | dict(RecallReason.choices)
    told = tell(
        S(row.state), label=label(row), kind=row.moved_kind or "", username=row.moved_by or ""
    )
    return f"{told} {reasons[row.reason]}." if row.reason in reasons else told


TOLD: Final = {
    S.APPROVED: gettext_lazy("%(who)s approved %(label)s."),
    S.REJECTED: gettext_lazy("%(who)s rejected %(label)s."),
    S.RECALLED: gettext_lazy("%(who)s recalled %(label)s."),
    S.REVIEW: gettext_lazy("%(who)s put %(label)s back for review."),
    S.HELD: gettext_lazy("%(who)s put %(label)s back for review."),
    S.QUEUED: gettext_lazy("%(label)s is being made again."),
    S.GENERATING: gettext_lazy("%(label)s is being made right now."),
    S.ERASED: gettext_lazy("%(label)s is deleted, as its owner asked."),
    S.EXPIRED: gettext_lazy("%(label)s is deleted: its day is over."),
}


def tell(state: SubmissionState, *, label: str, kind: str, username: str) -> str:
    """One calm line on who moved a submission where."""
    words = {"crew": username, "participant": _("The participant")}
    sentence = TOLD.get(state, gettext_lazy("%(label)s has moved on."))
    if (state, kind) == (S.QUEUED, "participant"):
        sentence = gettext_lazy("%(who)s asked for another figurine: %(label)s comes back with it.")
    return str(sentence) % {"who": words.get(kind) or "Diorama", "label": label}
