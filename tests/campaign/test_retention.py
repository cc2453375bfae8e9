from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaign import approval, lifecycle, retention, screening, volume
from campaign.enums import KeepsakeKind, RecallReason, RejectReason, SubmissionState
from campaign.models import Campaign, Figurine, GenerationJob, Keepsake, Submission, Transition
from campaign.retention import Receipt
from tests import shelf

S = SubmissionState
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def elsewhere(db: None) -> Campaign:
    return Campaign.objects.create(slug="pier", name="Pier 17")


@pytest.fixture
def reviewed(receive: Callable[..., Submission]) -> Submission:
    submission = receive(plaque="MAE", device="phone")
    screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    lifecycle.transition(submission, S.GENERATING, actor=lifecycle.SYSTEM)
    figurine = Figurine(
        submission=submission, recipe={"plaque": "MAE"}, seed=1, engine_version="1", is_chosen=True
    )
    figurine.still.save("still.jpg", ContentFile(b"still"), save=False)
    figurine.cutout.save("cutout.webp", ContentFile(b"cutout"), save=False)
    figurine.save()
    GenerationJob.objects.update(outcome="done")
    lifecycle.transition(submission, S.REVIEW, actor=lifecycle.SYSTEM)
    return submission


def exists(*names: str | None) -> list[bool]:
    return [storages["private"].exists(name or "") for name in names]


def test_erase_leaves_nothing_of_the_person(reviewed: Submission) -> None:
    figurine = reviewed.figurines.get()
    files = (reviewed.selfie.name, figurine.still.name, figurine.cutout.name)
    assert exists(*files) == [True] * 3
    receipt = retention.erase(reviewed, actor=lifecycle.PARTICIPANT)
    assert exists(*files) == [False] * 3
    reviewed.refresh_from_db()
    figurine.refresh_from_db()
    assert (reviewed.state, reviewed.plaque, reviewed.device_hash) == (S.ERASED, "", "")
    assert (reviewed.face, bool(reviewed.selfie)) == (None, False)
    assert (figurine.recipe, bool(figurine.still), bool(figurine.cutout)) == ({}, False, False)
    assert [job.recipe for job in GenerationJob.objects.all()] == [{}]
    assert (len(receipt.number), receipt.files) == (10, 3)


@pytest.mark.parametrize("state", [S.ERASED, S.EXPIRED])
def test_what_the_crew_wrote_of_somebody_goes_with_them(
    reviewed: Submission,
    receive: Callable[..., Submission],
    moderator: User,
    state: SubmissionState,
) -> None:
    crew = lifecycle.crew(moderator)
    approval.approve(reviewed, actor=crew, note="Mae from the pub")
    lifecycle.note(reviewed, actor=crew, reason="released", note="Mae again")
    lifecycle.note(reviewed, actor=lifecycle.SYSTEM, reason="no_face", note="klein failed")
    other = receive()
    lifecycle.note(other, actor=crew, reason="released", note="of another")
    moves = list(reviewed.transitions.values_list("id", "to_state", "reason"))
    if state == S.ERASED:
        retention.erase(reviewed, actor=lifecycle.PARTICIPANT)
    else:
        retention.purge(now=reviewed.figurine_purge_at)
        other.refresh_from_db()
    notes = Transition.objects.filter(submission=reviewed).exclude(note="")
    assert list(notes.filter(actor_kind="crew")) == []
    assert notes.filter(note="klein failed").count() == 1
    assert list(reviewed.transitions.values_list("id", "to_state", "reason"))[:-1] == moves
    assert other.transitions.filter(note="of another").exists() is (other.state != S.EXPIRED)


def test_receipt_is_told_again_without_its_files(reviewed: Submission) -> None:
    receipt = retention.erase(reviewed, actor=lifecycle.PARTICIPANT)
    again = retention.receipt(Submission.objects.get(pk=reviewed.pk))
    assert again == replace(receipt, files=None)


def test_receipt_is_the_same_on_every_database(bare: Submission) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    Submission.objects.filter(pk=bare.pk).update(state=S.ERASED, state_since_at=at)
    text = f"{bare.pk}2026-03-01 12:00:00.250000+00:00"
    number = hashlib.sha256(text.encode()).hexdigest()[:10].upper()
    assert retention.receipt(Submission.objects.get()) == Receipt(number, at)


@pytest.mark.parametrize(
    ("reason", "at_first", "by_day"),
    [
        (RejectReason.MINOR, S.EXPIRED, S.EXPIRED),
        (RejectReason.SOMEONE_ELSE, S.EXPIRED, S.EXPIRED),
        (RejectReason.POOR_QUALITY, S.REJECTED, S.EXPIRED),
        (RecallReason.MINOR, S.EXPIRED, S.EXPIRED),
        (RecallReason.SOMEONE_ELSE, S.EXPIRED, S.EXPIRED),
        (RecallReason.MODERATION, S.RECALLED, S.EXPIRED),
    ],
)
def test_turned_down_keeps_nothing_past_its_day(
    reviewed: Submission,
    reason: RejectReason | RecallReason,
    at_first: SubmissionState,
    by_day: SubmissionState,
) -> None:
    figurine = reviewed.figurines.get()
    files = (reviewed.selfie.name, figurine.still.name, figurine.cutout.name)
    if isinstance(reason, RecallReason):
        approval.approve(reviewed, actor=lifecycle.SYSTEM)
        approval.recall(reviewed, actor=lifecycle.SYSTEM, reason=reason)
    else:
        approval.reject(reviewed, actor=lifecycle.SYSTEM, reason=reason)
    reviewed.refresh_from_db()
    before, moved_at = reviewed.state, reviewed.state_since_at

    retention.purge(now=moved_at + timedelta(minutes=59))
    reviewed.refresh_from_db()
    assert (reviewed.state, exists(*files)) == (before, [True] * 3)

    for now, state in (
        (moved_at + retention.UNDO, at_first),
        (reviewed.selfie_purge_at, by_day),
    ):
        retention.purge(now=now)
        reviewed.refresh_from_db()
        assert (reviewed.state, exists(*files)) == (state, [state == before] * 3)
    assert (reviewed.plaque, reviewed.face) == ("", None)


@pytest.mark.parametrize("reason", [RecallReason.PARTICIPANT, RecallReason.PRODUCER])
def test_recalled_for_another_reason_keeps_its_figurine(
    reviewed: Submission, reason: RecallReason
) -> None:
    approval.approve(reviewed, actor=lifecycle.SYSTEM)
    approval.recall(reviewed, actor=lifecycle.SYSTEM, reason=reason)
    retention.purge(now=reviewed.selfie_purge_at + retention.UNDO)
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.plaque, bool(reviewed.selfie)) == (S.RECALLED, "MAE", False)


def test_rejection_that_was_taken_back_keeps_its_figurine(reviewed: Submission) -> None:
    approval.reject(reviewed, actor=lifecycle.SYSTEM, reason=RejectReason.MINOR)
    approval.undo(reviewed, actor=lifecycle.SYSTEM)
    retention.purge(now=timezone.now() + 2 * retention.UNDO)
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.plaque) == (S.REVIEW, "MAE")


def test_erase_forgets_everyone_of_a_squad(reviewed: Submission) -> None:
    reviewed.other_faces = [reviewed.face]
    reviewed.save(update_fields=["other_faces"])
    retention.erase(reviewed, actor=lifecycle.PARTICIPANT)
    reviewed.refresh_from_db()
    assert (reviewed.face, reviewed.other_faces) == (None, [])


def test_erase_rolled_back_keeps_the_files(reviewed: Submission) -> None:
    name = reviewed.selfie.name
    with pytest.raises(IntegrityError), transaction.atomic():
        retention.erase(reviewed, actor=lifecycle.PARTICIPANT)
        raise IntegrityError
    assert exists(name) == [True]
    assert Submission.objects.get(pk=reviewed.pk).selfie.name == name


def test_purge_after_its_day_deletes_the_selfie_and_keeps_the_figurine(
    reviewed: Submission,
) -> None:
    name, still = reviewed.selfie.name, reviewed.figurines.get().still.name
    assert retention.purge(now=reviewed.selfie_purge_at - timedelta(seconds=1)) == 0
    assert exists(name, still) == [True, True]
    assert retention.purge(now=reviewed.selfie_purge_at) == 1
    assert exists(name, still) == [False, True]
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.face) == (S.REVIEW, None)


def test_purge_heeds_hours_that_were_lowered_since(
    receive: Callable[..., Submission], campaign: Campaign, elsewhere: Campaign
) -> None:
    here, there = receive(), receive(campaign=elsewhere)
    Campaign.objects.filter(pk=campaign.pk).update(selfie_retention_h=1)
    in_time = here.created_at + timedelta(minutes=55)
    retention.purge(now=in_time - timedelta(seconds=1))
    here.refresh_from_db()
    assert (here.selfie_purge_at, bool(here.selfie)) == (in_time, True)
    retention.purge(now=in_time)
    assert exists(here.selfie.name, there.selfie.name) == [False, True]


def test_purge_heeds_hours_that_were_lowered_when_the_day_was_almost_over(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    """What is left of the longer time is less than all of the shorter one."""
    Campaign.objects.update(selfie_retention_h=2)
    campaign.refresh_from_db()
    submission = receive()
    Campaign.objects.update(selfie_retention_h=1)
    retention.purge(now=submission.created_at + timedelta(minutes=60))
    assert exists(submission.selfie.name) == [False]


def test_purge_puts_nothing_off(receive: Callable[..., Submission], campaign: Campaign) -> None:
    Campaign.objects.update(selfie_retention_h=1)
    campaign.refresh_from_db()
    submission = receive()
    Campaign.objects.update(selfie_retention_h=24)
    retention.purge()
    assert Submission.objects.get().selfie_purge_at == submission.selfie_purge_at


def test_days_that_are_raised_are_for_who_comes_later(
    reviewed: Submission, receive: Callable[..., Submission], campaign: Campaign
) -> None:
    promised = reviewed.figurine_purge_at
    Campaign.objects.update(figurine_retention_days=365)
    campaign.refresh_from_db()
    later = receive()
    retention.purge(now=promised - timedelta(seconds=1))
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.figurine_purge_at) == (S.REVIEW, promised)
    assert later.figurine_purge_at - later.created_at == timedelta(days=365)
    retention.purge(now=promised)
    reviewed.refresh_from_db()
    assert reviewed.state == S.EXPIRED


def test_days_that_are_lowered_are_for_who_is_there_too(
    reviewed: Submission,
    receive: Callable[..., Submission],
    campaign: Campaign,
    elsewhere: Campaign,
) -> None:
    there = receive(campaign=elsewhere)
    Campaign.objects.filter(pk=campaign.pk).update(figurine_retention_days=7)
    in_time = reviewed.created_at + timedelta(days=7)
    retention.purge(now=in_time - timedelta(seconds=1))
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.figurine_purge_at) == (S.REVIEW, in_time)
    retention.purge(now=in_time)
    reviewed.refresh_from_db()
    assert reviewed.state == S.EXPIRED
    promised = Submission.objects.get(pk=there.pk).figurine_purge_at
    assert promised == there.figurine_purge_at


def test_purge_keeps_no_selfie_longer_since_a_clock_was_ahead(
    receive: Callable[..., Submission],
) -> None:
    now, a_day = timezone.now(), timedelta(days=1)
    submission = receive()
    Submission.objects.update(
        created_at=submission.created_at + a_day, selfie_purge_at=submission.selfie_purge_at + a_day
    )
    retention.purge(now=now)
    retention.purge(now=now + timedelta(hours=1))
    assert Submission.objects.get().selfie_purge_at == now + timedelta(hours=22)


def test_purge_expires_what_cannot_go_on_without_a_selfie(
    receive: Callable[..., Submission],
) -> None:
    submission = receive()
    screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    name = submission.selfie.name
    retention.purge(now=submission.selfie_purge_at)
    submission.refresh_from_db()
    assert (submission.state, exists(name)) == (S.EXPIRED, [False])
    assert GenerationJob.objects.get().outcome == "cancelled"


def test_purge_after_the_campaigns_days_takes_the_figurine_too(reviewed: Submission) -> None:
    still = reviewed.figurines.get().still.name
    lifecycle.transition(reviewed, S.APPROVED, actor=lifecycle.SYSTEM)
    retention.purge(now=reviewed.created_at + timedelta(days=31))
    reviewed.refresh_from_db()
    assert (reviewed.state, exists(still)) == (S.EXPIRED, [False])


def test_submission_tells_screens_the_moment_its_purge_waits_for(reviewed: Submission) -> None:
    retention.purge(now=reviewed.figurine_purge_at - timedelta(seconds=1))
    assert Submission.objects.get().state == S.REVIEW
    retention.purge(now=reviewed.figurine_purge_at)
    assert Submission.objects.get().state == S.EXPIRED


def test_purge_orphans_deletes_old_files_that_no_row_names(reviewed: Submission) -> None:
    store = storages["private"]
    volume.adopt()  # other tests' files are there, too
    orphan = store.save("figurines/orphan.jpg", ContentFile(b"half-written"))
    assert retention.purge_orphans() == 0
    later = timezone.now() + retention.ORPHAN_AGE + timedelta(minutes=1)
    foreign = store.save("backups/db.dump", ContentFile(b"not ours"))
    assert retention.purge_orphans(now=later) >= 1
    assert exists(foreign) == [True]
    store.delete(foreign)
    figurine = reviewed.figurines.get()
    assert exists(orphan, reviewed.selfie.name, figurine.still.name) == [False, True, True]


def test_purge_orphans_asks_as_much_for_many_files_as_for_few(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what rows name it asks no file's age, which is a request each where they lie on S3."""
    store = storages["private"]
    asked: list[str] = []
    volume.adopt()
    retention.purge_orphans(now=timezone.now() + timedelta(hours=25))  # other tests' files
    monkeypatch.setattr(type(store), "get_modified_time", lambda _, name: asked.append(name))
    counted, named = [], set[str | None]()
    for _ in range(2):
        submission = shelf.put(campaign)
        figurine = submission.figurines.get()
        Keepsake.objects.create(
            figurine=figurine,
            kind=KeepsakeKind.CLIP,
            file=store.save("figurines/clip.mp4", ContentFile(b"mp4")),
            webm=store.save("figurines/clip.webm", ContentFile(b"webm")),
        )
        clip = figurine.keepsakes.get()
        named |= {submission.selfie.name, figurine.still.name, figurine.cutout.name}
        named |= {clip.file.name, clip.webm.name}
        with CaptureQueriesContext(connection) as found:
            assert retention.purge_orphans(now=timezone.now() + timedelta(hours=25)) == 0
        counted.append(len(found))
    assert (counted[0], asked, exists(*named)) == (counted[1], [], [True] * 10)


def test_purge_orphans_leaves_what_a_row_names_by_then(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = storages["private"]
    late = store.save("selfies/late.jpg", ContentFile(b"selfie"))
    age = type(store).get_modified_time

    def and_meanwhile(self: Storage, name: str) -> datetime:
        Submission.objects.filter(pk=bare.pk).update(selfie=late)
        return age(self, name)

    monkeypatch.setattr(type(store), "get_modified_time", and_meanwhile)
    retention.purge_orphans(now=timezone.now() + timedelta(hours=25))
    assert exists(late) == [True]


def test_private_files_are_readable_by_their_owner_alone(reviewed: Submission) -> None:
    assert oct(os.stat(reviewed.selfie.path).st_mode & 0o777) == "0o600"
    assert oct(os.stat(os.path.dirname(reviewed.selfie.path)).st_mode & 0o777) == "0o700"


def test_purge_looks_at_each_row_as_it_is_then(
    reviewed: Submission, receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approved while earlier rows are being dealt with: only its selfie goes."""
    Submission.objects.filter(pk=reviewed.pk).update(state=S.GENERATING)
    earlier = receive()
    Submission.objects.filter(pk=earlier.pk).update(created_at=earlier.created_at - timedelta(1))
    purge_selfie = retention._purge_selfie

    def and_meanwhile(submission: Submission, **words: datetime) -> bool:
        if submission.pk == earlier.pk:
            Submission.objects.filter(pk=reviewed.pk).update(state=S.APPROVED)
        return purge_selfie(submission, **words)

    monkeypatch.setattr(retention, "_purge_selfie", and_meanwhile)
    retention.purge(now=timezone.now() + timedelta(hours=23))
    reviewed.refresh_from_db()
    assert (reviewed.state, bool(reviewed.selfie)) == (S.APPROVED, False)
    assert exists(reviewed.figurines.get().still.name) == [True]


def test_purge_goes_on_after_a_row_that_breaks(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [receive().selfie.name for _ in range(3)]
    store = storages["private"]
    delete = type(store).delete

    def refuse_the_first(self: object, name: str) -> None:
        if name == names[0]:
            raise PermissionError(name)
        delete(store, name)

    monkeypatch.setattr(type(store), "delete", refuse_the_first)
    retention.purge(now=timezone.now() + timedelta(hours=23))
    assert exists(*names) == [True, False, False]
    monkeypatch.undo()
    volume.adopt()
    retention.purge_orphans(now=timezone.now() + timedelta(hours=25))
    assert exists(*names) == [False] * 3
