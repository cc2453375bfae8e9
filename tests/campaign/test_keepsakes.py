"""Clips, models and print files: who may have one, and how they are counted and told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaign import keepsakes, lifecycle, media, retention, tasks
from campaign.enums import KeepsakeKind, SubmissionState
from campaign.errors import IntakeError, NotHandedOut
from campaign.media import Audience, Picture
from campaign.models import Submission
from tests.campaign.sakes import files, there

S = SubmissionState
K = KeepsakeKind
OWNERS = {S.REVIEW, S.QUEUED, S.GENERATING, S.APPROVED, S.RECALLED}
OPEN = {
    (Audience.SCREEN, Picture.CLIP_MP4, S.APPROVED),
    (Audience.SCREEN, Picture.CLIP_WEBM, S.APPROVED),
    *((Audience.PARTICIPANT, Picture.CLIP_MP4, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.CLIP_WEBM, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.MODEL, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.PRINT, state) for state in OWNERS),
}
"""Who may have what, and while what; nothing else opens."""

pytestmark = pytest.mark.usefixtures("moving_engine")


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("audience", [Audience.SCREEN, Audience.PARTICIPANT])
@pytest.mark.parametrize("picture", media.KEEPSAKES)
def test_address_opens_only_for_its_audience_while_the_state_allows(
    up: Submission, state: SubmissionState, audience: Audience, picture: Picture
) -> None:
    from django.contrib.auth.models import AnonymousUser

    keepsakes.ask(up, kind=K.GLB)
    keepsakes.ask(up, kind=K.STL)
    tasks.cast()
    tasks.film()
    Submission.objects.filter(pk=up.pk).update(state=state)
    address = media.address(up.figurines.get(), picture, audience=audience)
    found = media.resolve(address.rpartition("/")[2], user=AnonymousUser())
    assert (found is not None) is ((audience, picture, state) in OPEN)


def test_receipt_counts_every_file(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    tasks.cast()
    tasks.film()
    assert len(files()) == 3
    receipt = retention.erase(up, actor=lifecycle.PARTICIPANT)
    assert receipt.files == 3 + 3, "selfie, still and cut-out; clip twice, and the model"


def test_orphans_hour_spares_what_a_keepsake_names(up: Submission) -> None:
    keepsakes.run_clip()
    later = timezone.now() + retention.ORPHAN_AGE + timedelta(minutes=1)
    retention.purge_orphans(now=later)
    assert there(files()) == [True, True]


@pytest.mark.parametrize("error", [NotHandedOut])
def test_refusals_have_a_code_a_sentence_and_an_advice(error: type[IntakeError]) -> None:
    assert error.code != IntakeError.code
    assert error.sentence.endswith(".")
    assert error.advice.endswith(".")
