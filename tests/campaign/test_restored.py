"""A database that was put back from a backup."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from billboard import feed
from campaign import approval, cards, generation, lifecycle, queries, retention, screening
from campaign.enums import RecallReason, SubmissionState
from campaign.errors import SelfieGone
from campaign.models import Campaign, Figurine, Submission
from figurine import sandbox
from tests import shelf
from tests.campaign.workshop import FrameEngine

S = SubmissionState
pytestmark = pytest.mark.django_db(transaction=True)


class Backup:
    """What rows said of one submission at a moment. Their files are in no backup."""

    def __init__(self, submission: Submission) -> None:
        self.rows = (
            Submission.objects.filter(pk=submission.pk),
            Figurine.objects.filter(submission=submission),
        )
        self.said: list[Any] = [rows.values().get() for rows in self.rows]

    def put_back(self) -> None:
        for rows, said in zip(self.rows, self.said, strict=True):
            rows.update(**said)


def restored(*options: str) -> str:
    out = StringIO()
    call_command("restored", *options, stdout=out)
    return out.getvalue()


def shown(campaign: Campaign) -> list[str]:
    return [item.plaque for item in feed.snapshot(campaign.pk).items]


def test_restored_shows_nobody_until_a_person_looks_again(
    campaign: Campaign, moderator: User
) -> None:
    recalled = shelf.put(campaign, S.APPROVED, plaque="MAE")
    rejected = shelf.put(campaign, S.REJECTED)
    shelf.put(campaign, S.APPROVED, plaque="SALLY")
    backup = Backup(recalled)
    approval.recall(recalled, actor=lifecycle.SYSTEM, reason=RecallReason.PARTICIPANT)
    backup.put_back()
    assert sorted(shown(campaign)) == ["MAE", "SALLY"]
    assert restored() == (
        "Back in review, to be looked at again: 2\nDeleted, since their pictures are gone: 0\n"
    )
    assert shown(campaign) == []
    move = recalled.transitions.order_by("-id")[0]
    assert (move.from_state, move.to_state, move.reason) == (S.APPROVED, S.REVIEW, "restored")
    card = cards.one(recalled.pk, user=moderator)
    assert card is not None
    assert card.story == (
        "A backup was put back. No. 00,001 is live in it, and may have been recalled since."
    )
    assert shelf.state_of(rejected) == S.REJECTED
    assert queries.status(Submission.objects.get(pk=recalled.pk)).sentence == ""
    assert "again: 0" in restored(), "harmless when run again"


def test_restored_deletes_who_was_erased_after_the_backup(campaign: Campaign) -> None:
    erased, there = shelf.put(campaign, S.APPROVED, plaque="MAE"), shelf.put(campaign)
    backup = Backup(erased)
    retention.erase(erased, actor=lifecycle.PARTICIPANT)
    backup.put_back()
    assert "gone: 1" in restored()
    erased.refresh_from_db()
    assert (erased.state, erased.plaque, erased.face) == (S.EXPIRED, "", None)
    assert (bool(erased.selfie), shelf.state_of(there)) == (False, S.REVIEW)


def test_restored_keeps_who_has_one_picture_left(campaign: Campaign) -> None:
    """The selfie's day has ended after the backup was made."""
    submission = shelf.put(campaign)
    storages["private"].delete(str(submission.selfie.name))
    shelf.put(campaign)
    assert "gone: 0" in restored()
    assert shelf.state_of(submission) == S.REVIEW


def test_restored_deletes_nobody_where_no_picture_is_there(campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    figurine = submission.figurines.get()
    for picture in (submission.selfie, figurine.still, figurine.cutout):
        storages["private"].delete(str(picture.name))
    with pytest.raises(CommandError, match="Give the server its pictures back"):
        restored()
    assert shelf.state_of(submission) == S.REVIEW
    assert "gone: 1" in restored("--pictures-lost")
    assert shelf.state_of(submission) == S.EXPIRED


@pytest.mark.parametrize("state", [S.SCREENING, S.QUEUED])
def test_who_was_in_work_is_measured_anew(
    state: S, receive: Callable[..., Submission], engine: FrameEngine
) -> None:
    """Their selfie is there, but no backup has their measurements in it."""
    submission = receive()
    measured = submission.face
    if state == S.QUEUED:
        screening.screen(submission.pk)
    Submission.objects.update(face=None, other_faces=[])
    if state == S.SCREENING:
        screening.screen(submission.pk)
    generation.run_ready()
    submission.refresh_from_db()
    assert (submission.state, submission.reason) == (S.REVIEW, "")
    assert measured is not None and submission.face is not None
    assert submission.face["width_px"] == pytest.approx(measured["width_px"], rel=0.02)


def test_who_is_purged_while_measured_anew_keeps_no_face(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = receive()
    Submission.objects.update(face=None)
    submission.refresh_from_db()
    measure = sandbox.inspect_upload

    def late(photo: bytes, *, most_faces: int) -> sandbox.Upload:
        retention.purge(now=submission.selfie_purge_at)
        return measure(photo, most_faces=most_faces)

    monkeypatch.setattr(sandbox, "inspect_upload", late)
    with pytest.raises(SelfieGone):
        screening.load_selfie(submission)
    assert Submission.objects.get().face is None


def test_purge_deals_with_who_came_back_without_pictures(campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    backup = Backup(submission)
    retention.erase(submission, actor=lifecycle.PARTICIPANT)
    backup.put_back()
    retention.purge(now=submission.selfie_purge_at)
    submission.refresh_from_db()
    assert (bool(submission.selfie), submission.face) == (False, None)
    retention.purge(now=submission.figurine_purge_at)
    submission.refresh_from_db()
    assert (submission.state, submission.plaque) == (S.EXPIRED, "")
