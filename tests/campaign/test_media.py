from __future__ import annotations

import time

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from campaign import media
from campaign.enums import SubmissionState
from campaign.media import Audience, Picture
from campaign.models import Figurine, Submission

S = SubmissionState


@pytest.fixture
def figurine(bare: Submission) -> Figurine:
    made = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    made.still.save("still.jpg", ContentFile(b"still"), save=False)
    made.cutout.save("cutout.webp", ContentFile(b"cutout"), save=False)
    made.save()
    return made


def put(figurine: Figurine, state: S) -> None:
    Submission.objects.filter(pk=figurine.submission_id).update(state=state)


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("state", S)
def test_address_opens_only_while_the_state_allows(
    client: Client, figurine: Figurine, audience: Audience, state: S
) -> None:
    put(figurine, state)
    answer = client.get(media.address(figurine, Picture.CUTOUT, audience=audience))
    assert answer.status_code == (200 if state in media.MAY_SEE[audience] else 404)


def test_screens_see_what_is_approved_and_nothing_else() -> None:
    assert media.MAY_SEE[Audience.SCREEN] == {S.APPROVED}


def test_address_gives_the_stored_bytes_guarded(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    answer = client.get(media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN))
    assert b"".join(answer) == b"cutout"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Content-Type"] == "image/webp"


def test_recalled_address_stops_at_once(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN)
    assert client.get(address).status_code == 200
    put(figurine, S.RECALLED)
    assert client.get(address).status_code == 404


def test_address_expires(
    client: Client, figurine: Figurine, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.STILL, audience=Audience.SCREEN)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + media.TTL_S)
    assert client.get(address).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 2 * media.TTL_S)
    assert client.get(address).status_code == 404


def test_address_forged_is_not_found(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.STILL, audience=Audience.SCREEN)
    forged = address[:-3] + ("AAA" if not address.endswith("AAA") else "BBB")
    assert client.get(forged).status_code == 404


def test_address_stays_the_same_within_the_hour(
    figurine: Figurine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3600 * (int(time.time()) // 3600)
    monkeypatch.setattr(time, "time", lambda: hour + 1)
    first = media.address(figurine, Picture.STILL, audience=Audience.SCREEN)
    monkeypatch.setattr(time, "time", lambda: hour + 3599)
    assert media.address(figurine, Picture.STILL, audience=Audience.SCREEN) == first


def test_selfie_is_for_the_crew_alone(client: Client, bare: Submission) -> None:
    bare.selfie.save("selfie.jpg", ContentFile(b"selfie"))
    put_state = Submission.objects.filter(pk=bare.pk).update
    put_state(state=S.REVIEW)
    got = {
        audience: client.get(media.address(bare, Picture.SELFIE, audience=audience)).status_code
        for audience in Audience
    }
    assert got == {Audience.SCREEN: 404, Audience.PARTICIPANT: 404, Audience.CREW: 200}


def test_private_folder_has_no_address_of_its_own(client: Client, figurine: Figurine) -> None:
    for path in (f"/media/{figurine.still.name}", f"/static/{figurine.still.name}"):
        assert client.get(path).status_code == 404
