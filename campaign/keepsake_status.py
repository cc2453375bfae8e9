"""How keepsakes stand with their visitor: the clip that plays, what is offered, made or ready."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from campaign import keepsakes, media
from campaign.enums import JobOutcome, SubmissionState
from campaign.errors import SelfieGone, refusal_of
from campaign.models import Figurine, Keepsake, Submission

S = SubmissionState


class Stand(StrEnum):
    """How a solid stands with its visitor."""

    NONE = ""
    OFFERED = "offered"
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    HOPELESS = "hopeless"
    GONE = "gone"
    """It cannot be made any more: the selfie is deleted."""


@dataclass(frozen=True)
class Solid:
    """One of the solids, as the visitor's page knows it."""

    stand: str = Stand.NONE
    percent: int = 0
    url: str = ""
    sentence: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Keepsakes:
    """All that there is to take home beside the picture."""

    clip: media.Film | None = None
    glb: Solid = Solid()
    stl: Solid = Solid()

    @property
    def is_offered(self) -> bool:
        return bool(self.glb.stand or self.stl.stand)

    @property
    def is_gone(self) -> bool:
        """There would be something, had the selfie not been deleted."""
        return self.is_offered and not self.is_at_hand

    @property
    def is_at_hand(self) -> bool:
        """There is one, or it can be made."""
        return any(solid.stand not in (Stand.NONE, Stand.GONE) for solid in (self.glb, self.stl))


def of(submission: Submission) -> Keepsakes:
    """What the participant's page shows. The submission comes with campaign and figurines."""
    figurine = submission.figurine
    is_theirs = submission.state in {S.APPROVED, S.RECALLED} and not submission.is_turned_down
    if figurine is None or not is_theirs:
        return Keepsakes()
    rows = {keepsake.kind: keepsake for keepsake in figurine.keepsakes.all()}
    given = keepsakes.handed_out(submission, figurine)
    return Keepsakes(
        clip=media.film(figurine, audience=media.Audience.PARTICIPANT),
        **{kind: _solid(submission, rows.get(kind)) for kind in given},
    )


def _solid(submission: Submission, row: Keepsake | None) -> Solid:
    if row and row.is_done:
        return Solid(Stand.READY, 100, url=_url(row.figurine, media.picture_of(row)))
    if submission.state != S.APPROVED:
        return Solid()
    if row and row.is_open:
        return Solid(Stand.MAKING, row.percent)
    if not media.selfie_of(submission):
        return Solid(Stand.GONE, sentence=SelfieGone.sentence, advice=SelfieGone.advice)
    if row and keepsakes.is_hopeless(row):
        refusal = refusal_of(row.error_code)
        return Solid(Stand.HOPELESS, sentence=refusal.sentence, advice=refusal.advice)
    if row and row.outcome == JobOutcome.FAILED:
        sentence = _("It did not come out of the mould this time.")
        return Solid(Stand.FAILED, sentence=sentence, advice=_("Try once more."))
    return Solid(Stand.OFFERED)


def _url(figurine: Figurine, picture: media.Picture) -> str:
    return media.address(figurine, picture, audience=media.Audience.PARTICIPANT)
