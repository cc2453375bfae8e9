from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from campaign import lifecycle, media, retention
from campaign.enums import JobOutcome, KeepsakeKind, RecallReason, SubmissionState
from campaign.media import Audience, Picture
from campaign.models import Figurine, Keepsake, Submission

S = SubmissionState


@pytest.fixture
def figurine(bare: Submission) -> Figurine:
    made = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    made.still.save("still.jpg", ContentFile(b"still"), save=False)
    made.cutout.save("cutout.webp", ContentFile(b"cutout"), save=False)
    made.save()
    return made


@pytest.fixture
def selfie(bare: Submission) -> Submission:
    bare.selfie.save("selfie.jpg", ContentFile(b"selfie"))
    Submission.objects.filter(pk=bare.pk).update(state=S.REVIEW)
    return bare


def look_as(client: Client, permission: str) -> Client:
    user = User.objects.create_user("ana", password="ana", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    return client


def put(figurine: Figurine, state: S) -> None:
    Submission.objects.filter(pk=figurine.submission_id).update(state=state)


def of_everybody(figurine: Figurine, picture: Picture) -> list[str]:
    """The addresses of the screens, of its owner and of the crew."""
    return [media.address(figurine, picture, audience=who) for who in Audience]


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("state", S)
def test_address_opens_only_while_the_state_allows(
    client: Client, moderator: User, figurine: Figurine, audience: Audience, state: S
) -> None:
    put(figurine, state)
    client.force_login(moderator)
    answer = client.get(media.address(figurine, Picture.CUTOUT, audience=audience))
    assert answer.status_code == (200 if state in media.MAY_SEE[audience] else 404)


def test_address_of_a_figurine_that_was_replaced_opens_for_nobody(
    client: Client, moderator: User, figurine: Figurine
) -> None:
    put(figurine, S.APPROVED)
    client.force_login(moderator)
    addresses = of_everybody(figurine, Picture.CUTOUT)
    assert [client.get(one).status_code for one in addresses] == [200, 200, 200]
    Figurine.objects.update(is_chosen=False)
    assert [client.get(one).status_code for one in addresses] == [404, 404, 404]


def test_screens_see_what_is_approved_and_nothing_else() -> None:
    assert media.MAY_SEE[Audience.SCREEN] == {S.APPROVED}


def test_address_gives_the_stored_bytes_guarded(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    answer = client.get(media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN))
    assert b"".join(answer) == b"cutout"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Content-Type"] == "image/webp"


@pytest.mark.parametrize(
    ("asked", "status", "told", "body"),
    [
        ("bytes=0-1", 206, "bytes 0-1/6", b"cu"),
        ("bytes=2-", 206, "bytes 2-5/6", b"tout"),
        ("bytes=2-99", 206, "bytes 2-5/6", b"tout"),
        ("bytes=-2", 206, "bytes 4-5/6", b"ut"),
        ("bytes=-99", 206, "bytes 0-5/6", b"cutout"),
        ("bytes=6-", 416, "bytes */6", b""),
        ("bytes=-0", 416, "bytes */6", b""),
        ("bytes=3-1", 200, None, b"cutout"),
        ("bytes=0-1,3-4", 200, None, b"cutout"),
        ("bytes=-", 200, None, b"cutout"),
        ("", 200, None, b"cutout"),
    ],
)
def test_players_are_given_the_part_they_ask_for(
    client: Client, figurine: Figurine, asked: str, status: int, told: str | None, body: bytes
) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN)
    answer = client.get(address, headers={"range": asked})
    assert (answer.status_code, answer.get("Content-Range"), answer.content) == (status, told, body)
    assert answer["Accept-Ranges"] == "bytes"


def test_each_address_changes_once_an_hour_and_not_all_at_one_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Screens ask for everybody anew when one has run out."""

    def addresses(minute: int) -> list[str]:
        monkeypatch.setattr(time, "time", lambda: 1_800_000_000 + 60 * minute)
        return [media.address_of(pk, Picture.CUTOUT, audience=Audience.SCREEN) for pk in range(100)]

    by_minute = [addresses(minute) for minute in range(121)]
    changed = [
        [minute for minute in range(1, 121) if of[minute] != of[minute - 1]]
        for of in zip(*by_minute, strict=True)
    ]
    assert {second - first for first, second in changed} == {60}
    assert len({first for first, _ in changed}) > 30


def test_recalled_address_stops_at_once(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN)
    assert client.get(address).status_code == 200
    put(figurine, S.RECALLED)
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("picture", [Picture.STILL, Picture.MODEL])
@pytest.mark.parametrize(
    ("reason", "sees"),
    [
        (RecallReason.MODERATION, 404),
        (RecallReason.SOMEONE_ELSE, 404),
        (RecallReason.MINOR, 404),
        (RecallReason.PARTICIPANT, 200),
        (RecallReason.PRODUCER, 200),
        (RecallReason.TECHNICAL, 200),
    ],
)
def test_recall_that_is_a_late_rejection_leaves_its_owner_no_picture(
    client: Client,
    moderator: User,
    figurine: Figurine,
    picture: Picture,
    reason: RecallReason,
    sees: int,
) -> None:
    model = Keepsake(figurine=figurine, kind=KeepsakeKind.GLB, outcome=JobOutcome.DONE)
    model.file.save("figurine.glb", ContentFile(b"model"))
    put(figurine, S.APPROVED)
    addresses = of_everybody(figurine, picture)[1:]
    Submission.objects.update(state=S.RECALLED, reason=reason)
    client.force_login(moderator)
    assert [client.get(one).status_code for one in addresses] == [sees, 200]


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


def test_routes_are_not_asked_for_each_address(
    figurine: Figurine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands are told of at once, and the routes take longer than all the rest of it."""
    media.address(figurine, Picture.STILL, audience=Audience.SCREEN)
    asked: list[str] = []
    monkeypatch.setattr(media, "reverse", lambda name, **_: asked.append(name))
    address = media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN)
    assert (address.rpartition("/")[0], asked) == ("/media", [])


def test_selfie_is_for_the_crew_alone(client: Client, moderator: User, selfie: Submission) -> None:
    client.force_login(moderator)
    got = {
        audience: client.get(media.address(selfie, Picture.SELFIE, audience=audience)).status_code
        for audience in Audience
    }
    assert got == {Audience.SCREEN: 404, Audience.PARTICIPANT: 404, Audience.CREW: 200}


def test_crew_address_opens_only_for_who_may_review(client: Client, selfie: Submission) -> None:
    address = media.address(selfie, Picture.SELFIE, audience=Audience.CREW)
    assert client.get(address).status_code == 404, "nobody is logged in"
    look_as(client, "review_submission")
    assert client.get(address).status_code == 200
    client.logout()
    assert client.get(address).status_code == 404, "the session is over"


def test_crew_address_is_closed_to_other_staff(client: Client, selfie: Submission) -> None:
    look_as(client, "view_submission")
    address = media.address(selfie, Picture.SELFIE, audience=Audience.CREW)
    assert client.get(address).status_code == 404


def test_selfie_is_kept_by_no_cache(client: Client, selfie: Submission) -> None:
    look_as(client, "review_submission")
    answer = client.get(media.address(selfie, Picture.SELFIE, audience=Audience.CREW))
    assert (answer.content, answer["Cache-Control"]) == (b"selfie", "private, no-store")


def test_figurine_is_kept_by_its_owners_cache_alone(
    client: Client, moderator: User, figurine: Figurine
) -> None:
    put(figurine, S.APPROVED)
    client.force_login(moderator)
    addresses = of_everybody(figurine, Picture.STILL)
    assert [client.get(one)["Cache-Control"] for one in addresses] == [
        "private, no-store",  # a screen's
        "private, no-cache",  # its owner's
        "private, no-store",  # the crew's
    ]


def test_owners_cache_asks_whether_it_still_may(client: Client, figurine: Figurine) -> None:
    """It is sent once, and shown no more once it was erased."""
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.STILL, audience=Audience.PARTICIPANT)
    held = {"if-none-match": client.get(address)["ETag"]}
    again = client.get(address, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again["Cache-Control"] == "private, no-cache"
    assert "sandbox" in again["Content-Security-Policy"]
    retention.erase(figurine.submission, actor=lifecycle.PARTICIPANT)
    assert client.get(address, headers=held).status_code == 404


def test_owners_cache_is_given_the_file_that_took_the_place_of_another(
    client: Client, figurine: Figurine
) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.STILL, audience=Audience.PARTICIPANT)
    first = client.get(address)["ETag"]
    figurine.still.save("still.jpg", ContentFile(b"another"))
    assert client.get(address, headers={"if-none-match": first}).content == b"another"
    part = {"range": "bytes=2-3", "if-range": first}
    assert client.get(address, headers=part).content == b"another"
    part["if-range"] = client.get(address)["ETag"]
    assert (client.get(address, headers=part)).content == b"ot"


def test_selfie_past_its_day_is_refused_even_if_nobody_purged_it(
    client: Client, selfie: Submission
) -> None:
    look_as(client, "review_submission")
    address = media.address(selfie, Picture.SELFIE, audience=Audience.CREW)
    over = timezone.now() - timedelta(seconds=1)
    Submission.objects.filter(pk=selfie.pk).update(selfie_purge_at=over)
    assert client.get(address).status_code == 404


def test_file_purged_meanwhile_is_not_found(client: Client, figurine: Figurine) -> None:
    put(figurine, S.APPROVED)
    address = media.address(figurine, Picture.CUTOUT, audience=Audience.SCREEN)
    figurine.cutout.storage.delete(str(figurine.cutout.name))
    assert client.get(address).status_code == 404


def test_private_folder_has_no_address_of_its_own(client: Client, figurine: Figurine) -> None:
    for path in (f"/media/{figurine.still.name}", f"/static/{figurine.still.name}"):
        assert client.get(path).status_code == 404
