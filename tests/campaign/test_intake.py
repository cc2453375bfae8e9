from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone
from PIL import Image

from campaign import intake, load
from campaign.consent import SQUAD_TEXT, text_sha256
from campaign.enums import JobOutcome, JobRole, SubmissionState
from campaign.errors import (
    CampaignClosed,
    ConsentMissing,
    ConsentOutdated,
    IntakeError,
    NoPhoto,
    Refusal,
    SlowDown,
    WorkshopFull,
)
from campaign.models import (
    Campaign,
    Consent,
    ConsentText,
    EngineWorker,
    GenerationJob,
    Submission,
    Transition,
)
from campaign.screening import load_selfie
from figurine.bounds import MAX_BYTES
from figurine.errors import BadPlaque, FigurineError, ManyFaces, NotAnImage, TooLarge, UnknownKit
from tests.photos import portrait
from tests.squads import group_photo

S = SubmissionState


def stored_files() -> set[str]:
    store = storages["private"]
    try:
        days, _ = store.listdir("selfies")
    except FileNotFoundError:
        return set()
    return {f"selfies/{day}/{name}" for day in days for name in store.listdir(f"selfies/{day}")[1]}


def test_receive_portrait_stores_submission_consent_and_moves(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    submission = receive(plaque="mae", idempotency_key="k1", language="en")
    assert (submission.state, submission.number, submission.plaque) == (S.SCREENING, 1, "MAE")
    consent = Consent.objects.get(submission=submission)
    assert (consent.version, consent.text_sha256) == (
        campaign.consent_version,
        text_sha256(campaign.terms),
    )
    moves = Transition.objects.filter(submission=submission).values_list("from_state", "to_state")
    assert list(moves) == [(S.RECEIVED, S.SCREENING)]
    assert submission.selfie_purge_at - submission.created_at == timedelta(hours=22)
    assert submission.figurine_purge_at - submission.created_at == timedelta(days=30)
    assert ConsentText.objects.get(pk=consent.text_sha256).text == campaign.terms


def test_receive_keeps_a_clean_copy_and_never_the_upload(
    receive: Callable[..., Submission],
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "my home address"
    image = Image.open(io.BytesIO(portrait().read_bytes())).convert("RGB")
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"my home address")
    submission = receive(out.getvalue())
    with submission.selfie.open() as file:
        kept = file.read()
    assert b"my home address" in out.getvalue()
    assert b"my home address" not in kept
    with Image.open(io.BytesIO(kept)) as copy:
        assert (copy.format, dict(copy.getexif())) == ("JPEG", {})


def test_receive_same_key_makes_one_submission(receive: Callable[..., Submission]) -> None:
    first = receive(idempotency_key="same")
    again = receive(idempotency_key="same", plaque="OTHER")
    assert (again.pk, again.plaque) == (first.pk, "")
    assert Submission.objects.count() == 1


def test_receive_same_key_is_answered_after_closing(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    first = receive(idempotency_key="same")
    campaign.is_paused = True
    campaign.save(update_fields=["is_paused"])
    assert receive(idempotency_key="same", campaign=campaign).pk == first.pk


@pytest.mark.django_db(transaction=True)
def test_receive_same_key_at_once_makes_one_submission_and_one_file(
    receive: Callable[..., Submission],
) -> None:
    before = stored_files()
    barrier = threading.Barrier(4)
    got: list[Submission] = []

    def send() -> None:
        barrier.wait()
        got.append(receive(idempotency_key="same"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({submission.pk for submission in got}) == 1
    assert len(got) == 4
    assert Submission.objects.count() == 1
    assert stored_files() - before == {Submission.objects.get().selfie.name}


def test_receive_numbers_a_series_without_gaps(receive: Callable[..., Submission]) -> None:
    assert [receive().number for _ in range(3)] == [1, 2, 3]


def test_receive_other_campaign_has_its_own_series(receive: Callable[..., Submission]) -> None:
    other = Campaign.objects.create(slug="other", name="Other")
    assert [receive().number, receive(campaign=other).number] == [1, 1]


@pytest.mark.parametrize(
    ("words", "photo", "refusal"),
    [
        ({"consent_sha256": ""}, None, ConsentMissing),
        ({"consent_sha256": "0" * 64}, None, ConsentOutdated),
        ({}, b"", NoPhoto),
        ({}, b"\xff\xd8\xff" + bytes(MAX_BYTES), TooLarge),
        ({}, b"<html>", NotAnImage),
        ({"finish": "gold"}, None, UnknownKit),
        ({"kit": "wizard"}, None, UnknownKit),
        ({"plaque": "ME \U0001f600"}, None, BadPlaque),
    ],
)
def test_receive_refused_leaves_nothing(
    campaign: Campaign, words: dict[str, Any], photo: bytes | None, refusal: type[Exception]
) -> None:
    before = stored_files()
    request = intake.Request(
        **{"idempotency_key": "k", "consent_sha256": text_sha256(campaign.terms), **words}
    )
    with pytest.raises(refusal):
        intake.receive(
            portrait().read_bytes() if photo is None else photo, campaign=campaign, request=request
        )
    assert (Submission.objects.count(), stored_files()) == (0, before)


@pytest.mark.parametrize(
    "hours",
    [
        {"is_paused": True},
        {"opens_at": timezone.now() + timedelta(hours=1)},
        {"closes_at": timezone.now() - timedelta(hours=1)},
    ],
)
def test_receive_closed_campaign_is_refused(
    receive: Callable[..., Submission], campaign: Campaign, hours: dict[str, object]
) -> None:
    for name, value in hours.items():
        setattr(campaign, name, value)
    with pytest.raises(CampaignClosed):
        receive(campaign=campaign)


def test_receive_many_from_one_device_is_slowed(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "DEVICE_LIMIT", 2)
    receive(device="phone")
    receive(device="phone")
    with pytest.raises(SlowDown):
        receive(device="phone")
    assert receive(device="another").number == 3


def test_receive_of_what_would_not_be_made_in_time_is_refused_until_there_is_room(
    campaign: Campaign,
    receive: Callable[..., Submission],
    bare: Submission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an hour half is left to make it in."""
    monkeypatch.setattr(load, "usual_s", lambda engine: 600.0)
    campaign.selfie_retention_h, campaign.series_head = 1, bare.number
    campaign.save()
    for role in JobRole:
        GenerationJob.objects.create(submission=bare, recipe={}, engine="sculpt", role=role)
    with pytest.raises(WorkshopFull):
        receive(campaign=campaign)
    assert list(Submission.objects.all()) == [bare]
    GenerationJob.objects.filter(role=JobRole.STAND_IN).update(outcome=JobOutcome.DONE)
    assert receive(campaign=campaign).number == 2


def test_receive_asks_the_engine_that_is_soonest(
    painted: Campaign,
    receive: Callable[..., Submission],
    bare: Submission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "usual_s", lambda engine: 4e4)
    Campaign.objects.update(series_head=bare.number)
    for role in JobRole:
        GenerationJob.objects.create(submission=bare, recipe={}, engine="sculpt", role=role)
    assert load.soonest_s(painted) == 4e4
    assert receive(campaign=painted)
    EngineWorker.objects.filter(engine="klein").delete()
    with pytest.raises(WorkshopFull):
        receive(campaign=painted, idempotency_key="late")


def test_every_refusal_has_a_code_a_sentence_and_a_way_on() -> None:
    figurine_kinds: list[Refusal] = list(FigurineError.__subclasses__())
    kinds = figurine_kinds + list(IntakeError.__subclasses__())
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert [kind.code for kind in kinds if not (kind.sentence and kind.advice)] == []
    assert [
        kind.code for kind in kinds if "error" in f"{kind.sentence} {kind.advice}".lower()
    ] == []


def photo_of_two() -> bytes:
    out = io.BytesIO()
    Image.fromarray(group_photo(2)).save(out, "JPEG", quality=95)
    return out.getvalue()


def test_receive_squad_keeps_every_face_left_to_right(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    campaign.most_faces = 2
    campaign.save(update_fields=["most_faces"])
    submission = receive(photo_of_two(), campaign=campaign)
    left, right = load_selfie(submission).faces
    assert left.mesh[:, 0].mean() < right.mesh[:, 0].mean()
    assert len(submission.other_faces) == 1
    assert ConsentText.objects.get().text.endswith(SQUAD_TEXT)


def test_receive_squad_where_none_is_made_is_refused(receive: Callable[..., Submission]) -> None:
    with pytest.raises(ManyFaces):
        receive(photo_of_two())


def test_receive_squad_with_a_yes_for_one_is_asked_again(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    for_one = text_sha256(campaign.terms)
    campaign.most_faces = 2
    campaign.save(update_fields=["most_faces"])
    with pytest.raises(ConsentOutdated):
        intake.receive(
            photo_of_two(),
            campaign=campaign,
            request=intake.Request(idempotency_key="k", consent_sha256=for_one),
        )


def test_receive_one_alone_has_no_others(receive: Callable[..., Submission]) -> None:
    assert receive().other_faces == []
