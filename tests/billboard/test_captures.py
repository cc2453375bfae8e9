"""Pictures that screens take of themselves: what is kept, of whom, and for how long."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection, transaction
from django.utils import timezone
from PIL import Image
from storages.backends.s3 import S3Storage

from billboard import captures, commands, feed, pairing, plays
from billboard.models import (
    CAPTURES,
    Capture,
    CaptureKind,
    CaptureOn,
    CommandKind,
    Feed,
    Screen,
    ScreenCommand,
)
from billboard.models.hours import StaleHour
from billboard.protocol import Acks, Shown
from campaign import lifecycle, retention
from campaign.models import Campaign, Submission
from campaign.signals import tidying
from tests.billboard.captured import SIZE, Send, drawn, kept_files, seen
from tests.billboard.rows import approved, in_review, recall
from tests.campaign.test_storage import bucket  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("no_captures")


@pytest.mark.django_db(transaction=True)
def test_latest_picture_of_a_screen_is_kept_and_the_one_before_deleted(
    campaign: Campaign, screen: Screen, send: Send
) -> None:
    mae, ellen = approved(campaign), approved(campaign)
    assert send(seen(mae), seen(ellen)).status_code == 204
    first = Capture.objects.get()
    assert send(seen(ellen)).status_code == 204
    capture = Capture.objects.get()
    assert capture.pk != first.pk
    assert (capture.screen, capture.width_px, capture.height_px) == (screen, *SIZE)
    assert [on.submission for on in capture.people.all()] == [ellen.pk]
    assert [f"{CAPTURES}/{name}" for name in kept_files()] == [capture.file.name]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ["recall", "erase", "expire"])
def test_picture_goes_with_the_first_of_those_on_it(
    campaign: Campaign, screen: Screen, send: Send, end: str
) -> None:
    mae, ellen = approved(campaign), approved(campaign)
    for kind in CaptureKind.values:
        assert send(seen(mae, is_first=True), seen(ellen), kind=kind).status_code == 204
    assert len(kept_files()) == 3
    if end == "recall":
        recall(ellen)
    elif end == "erase":
        retention.erase(ellen, actor=lifecycle.PARTICIPANT)
    else:
        old = timezone.now() - timedelta(days=campaign.figurine_retention_days, hours=1)
        Submission.objects.filter(pk=ellen.pk).update(created_at=old)
        assert retention.purge() == 1
    assert (Capture.objects.count(), CaptureOn.objects.count(), kept_files()) == (0, 0, [])


def test_picture_is_gone_in_the_transaction_of_the_recall(campaign: Campaign, send: Send) -> None:
    mae = approved(campaign)
    send(seen(mae))
    with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
        recall(mae)
        assert Capture.objects.count() == 0
        raise RuntimeError("undone")
    assert Capture.objects.count() == 1
    assert len(kept_files()) == 1


@pytest.mark.django_db(transaction=True)
def test_picture_of_somebody_who_may_not_be_shown_is_refused(
    campaign: Campaign, other_campaign: Campaign, send: Send
) -> None:
    mae = approved(campaign)
    before = seen(mae)
    recall(mae)
    ellen = approved(campaign)
    stranger = {"submission": str(uuid4()), "seq": 1}
    for wrong in (
        before,
        seen(mae),
        seen(in_review(campaign)),
        seen(approved(other_campaign)),
        stranger,
        {**seen(ellen), "seq": 1},
    ):
        answer = send(seen(ellen), wrong)
        assert (answer.status_code, answer.json()) == (409, {"code": "not_on_show"})
    assert (Capture.objects.count(), kept_files()) == (0, [])


@pytest.mark.django_db(transaction=True)
def test_recall_that_comes_between_the_look_and_the_keeping_waits_or_wins(
    campaign: Campaign, screen: Screen, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recall begins when the picture is about to be kept: in whatever order they end, the
    picture is gone."""
    mae = approved(campaign)
    told = captures.Told(CaptureKind.GLANCE, (captures.Seen(mae.pk, seen(mae)["seq"], False),))
    screen.refresh_from_db()
    recalls = threading.Thread(target=_recall_elsewhere, args=(mae,))
    check = captures._check

    def slow(*args: Any) -> Any:
        found = check(*args)
        if connection.in_atomic_block:
            recalls.start()
            recalls.join(0.5)  # as far as it comes while the feed is locked
        return found

    monkeypatch.setattr(captures, "_check", slow)
    captures.keep(screen, told, drawn())
    recalls.join(20)
    assert not recalls.is_alive()
    assert Submission.objects.get(pk=mae.pk).state == "recalled"
    assert (Capture.objects.count(), kept_files()) == (0, [])


def _recall_elsewhere(submission: Submission) -> None:
    recall(submission)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_restored_database_asks_for_places_of_its_own_epoch(
    campaign: Campaign, screen: Screen, send: Send
) -> None:
    mae = approved(campaign)
    Feed.objects.update(epoch=uuid4())
    assert send(seen(mae)).status_code == 409
    assert feed.snapshot(campaign.pk).items[0].seq == 0
    assert send({**seen(mae), "seq": 0}).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_screen_that_is_none_keeps_no_picture(
    campaign: Campaign, screen: Screen, send: Send, token: str
) -> None:
    mae = approved(campaign)
    for end in ("off", "unpaired"):
        assert send(seen(mae)).status_code == 204
        found = Screen.objects.get(pk=screen.pk)
        if end == "off":
            found.is_active = False
            found.save()
        else:
            pairing.unpair(found)
        assert (Capture.objects.count(), kept_files()) == (0, [])
        assert send(seen(mae)).status_code == 403
        found.is_active, found.token_hash = True, pairing.hashed(token)
        found.save()


@pytest.mark.django_db(transaction=True)
def test_picture_that_is_under_way_when_its_screen_is_switched_off_is_refused(
    campaign: Campaign, screen: Screen, token: str
) -> None:
    told = captures.Told(CaptureKind.GLANCE, ())
    Screen.objects.update(is_active=False)
    with pytest.raises(captures.Refused, match="unpaired"):
        captures.keep(screen, told, drawn())
    assert kept_files() == []


@pytest.mark.django_db(transaction=True)
def test_picture_whose_people_went_while_it_was_drawn_anew_is_refused(
    campaign: Campaign, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    mae = approved(campaign)
    redrawn = captures._redrawn

    def slow(picture: bytes) -> Any:
        recall(mae)
        return redrawn(picture)

    monkeypatch.setattr(captures, "_redrawn", slow)
    assert send(seen(mae)).status_code == 409
    monkeypatch.setattr(captures, "_redrawn", None)  # what is refused at once costs nothing
    assert send(seen(mae)).status_code == 409
    assert kept_files() == []


@pytest.mark.django_db(transaction=True)
def test_first_showing_is_pictured_once_on_each_screen(
    campaign: Campaign, screen: Screen, send: Send
) -> None:
    mae, ellen = approved(campaign), approved(campaign)
    both = (seen(mae, is_first=True), seen(ellen, is_first=True))
    assert send(both[0], seen(ellen), kind="first").status_code == 204
    assert send(*both, kind="first").status_code == 204
    again = send(*both, kind="first")
    assert (again.status_code, again.json()) == (412, {"code": "not_first"})
    firsts = CaptureOn.objects.filter(is_first=True).order_by("pk")
    assert list(firsts.values_list("submission", flat=True)) == [mae.pk, ellen.pk]
    assert Capture.objects.count() == 2


def test_only_so_often(campaign: Campaign, send: Send) -> None:
    assert send().status_code == 204
    assert send(is_soon=True).status_code == 429
    assert send().status_code == 204


def test_clock_that_was_set_back_keeps_no_picture_out(campaign: Campaign, send: Send) -> None:
    assert send().status_code == 204
    Capture.objects.update(at=timezone.now() + timedelta(hours=1))
    assert send(is_soon=True).status_code == 204


def test_stored_picture_is_drawn_anew(campaign: Campaign, send: Send) -> None:
    image = Image.new("RGB", SIZE, "#c79d6c")
    exif = Image.Exif()
    exif[0x010E] = "secret words"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    sent = out.getvalue() + b"<script>more</script>"
    assert send(picture=sent, content_type="image/jpeg").status_code == 204
    with Capture.objects.get().file.open() as file:
        stored = file.read()
    assert stored[:2] == b"\xff\xd8"
    assert b"secret words" not in stored
    assert b"script" not in stored
    with Image.open(io.BytesIO(stored)) as again:
        assert again.size == SIZE


def test_file_that_no_row_names_is_swept_after_an_hour(
    campaign: Campaign, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    send()
    named = kept_files()
    store = storages["private"]
    store.save(f"{CAPTURES}/orphan.webp", ContentFile(b"half"))
    assert captures.sweep() == 0
    monkeypatch.setattr(captures, "ORPHAN_AGE", timedelta(0))
    assert captures.sweep() == 1
    assert kept_files() == named


@pytest.mark.django_db(transaction=True)
def test_bucket_keeps_the_latest_and_nobody_who_was_recalled(
    campaign: Campaign,
    send: Send,
    bucket: S3Storage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captures, "storages", {"private": bucket})
    mae = approved(campaign)
    for _ in range(2):
        assert send(seen(mae)).status_code == 204
    assert [f"{CAPTURES}/{name}" for name in bucket.listdir(CAPTURES)[1]] == [
        Capture.objects.get().file.name
    ]
    bucket.save(f"{CAPTURES}/orphan.webp", ContentFile(b"half"))
    recall(mae)
    assert bucket.listdir(CAPTURES)[1] == ["orphan.webp"]
    monkeypatch.setattr(captures, "ORPHAN_AGE", -timedelta(seconds=5))
    assert captures.sweep() == 1


def test_file_that_cannot_be_deleted_stops_nobody_else(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = storages["private"]
    for name in ("a", "b", "c"):
        store.save(f"{CAPTURES}/{name}.webp", ContentFile(b"half"))
    delete = type(store).delete

    def is_stuck(self: Any, name: str) -> None:
        if name.endswith("b.webp"):
            raise PermissionError(name)
        delete(self, name)

    monkeypatch.setattr(type(store), "delete", is_stuck)
    monkeypatch.setattr(captures, "ORPHAN_AGE", timedelta(0))
    assert captures.sweep() == 2
    assert kept_files() == ["b.webp"]
    monkeypatch.undo()


def test_storage_that_is_away_keeps_no_other_tidying_waiting(
    campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = timezone.now() - commands.KEEP - timedelta(days=1)
    (asked,) = commands.ask([screen], CommandKind.IDENTIFY)
    ScreenCommand.objects.filter(pk=asked.pk).update(asked_at=long_ago)
    told = Shown(
        play_id=uuid4(),
        submission=(mae := approved(campaign)).pk,
        figurine=mae.figurines.get().pk,
        seq=1,
        started_at=timezone.now(),
        duration_ms=8000,
    )
    plays.record(screen, Acks(1, (told,)))

    def is_away(*_: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(type(storages["private"]), "listdir", is_away)
    tidying.send_robust(sender=None)
    monkeypatch.undo()
    assert (ScreenCommand.objects.count(), StaleHour.objects.count()) == (0, 0)
