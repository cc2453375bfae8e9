"""Addresses for private files: signed, expiring, and true to the submission's state.

An address names a picture and an audience. The signature alone is not enough: whoever presents it
gets the picture only while the submission's state still allows that audience, so a recalled
figurine's old addresses stop working at once. The crew's addresses also ask who presents them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zlib import crc32

from django.core import signing
from django.db.models.fields.files import FieldFile
from django.urls import reverse
from django.utils import timezone

from campaign.enums import IN_WORK, JobRole, KeepsakeKind, SubmissionState
from campaign.models import Figurine, Keepsake, Submission

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

S = SubmissionState

CREW_PERMISSION: Final = "campaign.review_submission"

TTL_S: Final = 3600
"""Addresses live one to two hours: the expiry is rounded up, so that a cache sees one address. To a
moment of the hour that is each owner's own: else all would run out at once, and all screens ask."""


class Audience(StrEnum):
    SCREEN = "screen"
    PARTICIPANT = "participant"
    CREW = "crew"


class Picture(StrEnum):
    SELFIE = "selfie"
    STILL = "still"
    CUTOUT = "cutout"
    CLIP_MP4 = "clip_mp4"
    CLIP_WEBM = "clip_webm"
    MODEL = "model"
    PRINT = "print"


KEEPSAKES: Final = {
    Picture.CLIP_MP4: (KeepsakeKind.CLIP, "file"),
    Picture.CLIP_WEBM: (KeepsakeKind.CLIP, "webm"),
    Picture.MODEL: (KeepsakeKind.GLB, "file"),
    Picture.PRINT: (KeepsakeKind.STL, "file"),
}
"""Where the file of each lies: which keepsake of the figurine, which field of it."""

FOR_SCREENS: Final = frozenset({Picture.CUTOUT, Picture.STILL, Picture.CLIP_MP4, Picture.CLIP_WEBM})


MAY_SEE: Final = {
    Audience.SCREEN: frozenset({S.APPROVED}),
    # While a re-roll is made, the figurine before it is still theirs to see.
    Audience.PARTICIPANT: frozenset({S.REVIEW, S.QUEUED, S.GENERATING, S.APPROVED, S.RECALLED}),
    Audience.CREW: frozenset(S) - {S.ERASED, S.EXPIRED},
}


def may_see(submission: Submission, audience: Audience) -> bool:
    """Whether this audience sees any picture of it, as it stands."""
    if audience == Audience.PARTICIPANT and submission.is_turned_down:
        return False
    return S(submission.state) in MAY_SEE[audience]


@dataclass(frozen=True)
class Found:
    """What an address opens."""

    file: FieldFile
    audience: Audience


_signer = signing.Signer(salt="diorama.media")


def address(owner: Figurine | Submission, picture: Picture, *, audience: Audience) -> str:
    """A path that shows this picture to this audience for one to two hours."""
    return address_of(owner.pk, picture, audience=audience)


def address_of(owner_pk: int | UUID, picture: Picture, *, audience: Audience) -> str:
    """`address` of what is known by its number alone."""
    early_s = crc32(str(owner_pk).encode()) % TTL_S
    expires = ((int(time.time()) + early_s) // TTL_S + 2) * TTL_S - early_s
    return _folder() + _signer.sign_object([picture, str(owner_pk), audience, expires])


@cache
def _folder() -> str:
    """Asked of the routes once: that takes three times as long as a signature."""
    return reverse("campaign:media", args=["-"]).removesuffix("-")


@dataclass(frozen=True)
class Film:
    """Addresses of a clip, the same in two encodings."""

    mp4: str
    webm: str


def film(figurine: Figurine, *, audience: Audience) -> Film | None:
    """Where to see it move; None where there is no clip, or not yet.

    Reads `figurine.keepsakes`, which lists of figurines have fetched ahead.
    """
    kept = figurine.keepsakes.all()
    if not any(one.kind == KeepsakeKind.CLIP and one.is_done for one in kept):
        return None
    return film_of(figurine.pk, audience=audience)


def film_of(figurine_pk: int, *, audience: Audience) -> Film:
    """The addresses of the clip that a figurine has."""
    return Film(
        mp4=address_of(figurine_pk, Picture.CLIP_MP4, audience=audience),
        webm=address_of(figurine_pk, Picture.CLIP_WEBM, audience=audience),
    )


def picture_of(keepsake: Keepsake) -> Picture:
    """What its first file is called in an address."""
    return next(
        picture for picture, (kind, _) in KEEPSAKES.items() if kind == KeepsakeKind(keepsake.kind)
    )


def resolve(token: str, *, user: User | AnonymousUser) -> Found | None:
    """The file behind an address; None if forged, expired, gone, or not for that audience or user.

    The user is asked for the crew's pictures alone: screens and phones have no session.
    """
    try:
        picture, pk, audience, expires = _signer.unsign_object(token)
    except signing.BadSignature:
        return None
    if time.time() >= expires:
        return None
    if audience == Audience.SCREEN and picture not in FOR_SCREENS:
        return None
    if audience == Audience.CREW and not user.has_perm(CREW_PERMISSION):
        return None
    if picture == Picture.SELFIE:
        submission = Submission.objects.filter(pk=pk).defer("face", "other_faces").first()
        file = selfie_of(submission) if submission and audience == Audience.CREW else None
    else:
        figurine = Figurine.objects.filter(pk=pk).select_related("submission").first()
        if figurine and not (figurine.is_chosen or _is_preview(figurine, audience)):
            return None
        submission = figurine.submission if figurine else None
        file = _file_of(figurine, Picture(picture)) if figurine else None
    if submission is None or not file or not may_see(submission, Audience(audience)):
        return None
    return Found(file, Audience(audience))


def _is_preview(figurine: Figurine, audience: str) -> bool:
    """Whether it is sculpt's, that its owner sees until a slower engine's is there: nobody else."""
    return (
        audience == Audience.PARTICIPANT
        and figurine.role == JobRole.STAND_IN
        and S(figurine.submission.state) in IN_WORK
    )


def _file_of(figurine: Figurine, picture: Picture) -> FieldFile | None:
    if picture not in KEEPSAKES:
        found: FieldFile = getattr(figurine, picture)
        return found
    kind, field = KEEPSAKES[picture]
    keepsake = Keepsake.objects.filter(figurine=figurine, kind=kind).first()
    return getattr(keepsake, field) if keepsake else None


def selfie_of(submission: Submission) -> FieldFile | None:
    """The selfie while its day lasts, even if nobody was there to purge it."""
    is_over = submission.selfie_purge_at <= timezone.now()
    return None if is_over or not submission.selfie else submission.selfie
