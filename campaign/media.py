"""Addresses for private pictures: signed, expiring, and true to the submission's state.

An address names a picture and an audience. The signature alone is not enough: whoever presents it
gets the picture only while the submission's state still allows that audience, so a recalled
figurine's old addresses stop working at once.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final

from django.core import signing
from django.db.models.fields.files import FieldFile
from django.urls import reverse

from campaign.enums import SubmissionState
from campaign.models import Figurine, Submission

S = SubmissionState

TTL_S: Final = 3600
"""Addresses live one to two hours: the expiry is rounded up, so that a cache sees one address."""


class Audience(StrEnum):
    SCREEN = "screen"
    PARTICIPANT = "participant"
    CREW = "crew"


class Picture(StrEnum):
    SELFIE = "selfie"
    STILL = "still"
    CUTOUT = "cutout"


MAY_SEE: Final = {
    Audience.SCREEN: frozenset({S.APPROVED}),
    Audience.PARTICIPANT: frozenset({S.REVIEW, S.APPROVED, S.RECALLED}),
    Audience.CREW: frozenset(S) - {S.ERASED, S.EXPIRED},
}

_signer = signing.Signer(salt="diorama.media")


def address(owner: Figurine | Submission, picture: Picture, *, audience: Audience) -> str:
    """A path that shows this picture to this audience for one to two hours."""
    expires = (int(time.time()) // TTL_S + 2) * TTL_S
    token = _signer.sign_object([picture, str(owner.pk), audience, expires])
    return reverse("campaign:media", args=[token])


def resolve(token: str) -> FieldFile | None:
    """The file behind an address; None if forged, expired, gone, or no longer for that audience."""
    try:
        picture, pk, audience, expires = _signer.unsign_object(token)
    except signing.BadSignature:
        return None
    if time.time() >= expires:
        return None
    if picture == Picture.SELFIE:
        submission = Submission.objects.filter(pk=pk).first()
        file = submission.selfie if submission else None
        allowed = audience == Audience.CREW
    else:
        figurine = Figurine.objects.select_related("submission").filter(pk=pk).first()
        submission = figurine.submission if figurine else None
        file = getattr(figurine, picture) if figurine else None
        allowed = True
    if submission is None or not file or not allowed:
        return None
    return file if S(submission.state) in MAY_SEE[Audience(audience)] else None
