"""What is tried is counted before anybody looks at it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaign import purses, storage, tasks, tries, views, volume
from campaign.errors import Crowded, SlowDown, StorageAway
from campaign.models import Campaign, PurseCount, Submission
from figurine import sandbox
from figurine.errors import OutOfMemory, TooDark
from tests.campaign.test_views import submit

pytestmark = pytest.mark.django_db

ELSEWHERE: dict[str, Any] = {"REMOTE_ADDR": "198.51.100.7"}


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What came as far as the sandbox, which finds it too dark."""
    seen: list[bytes] = []

    def look(photo: bytes, **_: object) -> None:
        seen.append(photo)
        raise TooDark

    monkeypatch.setattr(sandbox, "inspect_upload", look)
    return seen


def phone(campaign: Campaign, **extra: Any) -> Client:
    """One that has opened the page."""
    client = Client(**extra)
    client.get(f"/c/{campaign.slug}/")
    return client


def said(answer: Any) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json()["code"], answer.headers.get("Retry-After")


def test_phone_that_tries_too_often_is_slowed_before_anybody_looks(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, looked_at: list[bytes]
) -> None:
    monkeypatch.setattr(tries, "PHONE_TRIES", 2)
    mine = phone(campaign)
    codes = [said(submit(mine, campaign)) for _ in range(3)]
    assert codes == [(422, TooDark.code, None)] * 2 + [(429, SlowDown.code, None)]
    assert len(looked_at) == 2
    assert said(submit(phone(campaign), campaign))[1] == TooDark.code, "the next one beside it"
    mine.get(f"/c/{campaign.slug}/")
    assert said(submit(mine, campaign))[1] == SlowDown.code, "the page gives no new name"


@pytest.mark.parametrize("cookie", ["", "made-up", "made:up:too"])
def test_who_keeps_no_cookie_of_ours_shares_what_their_address_has(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, looked_at: list[bytes], cookie: str
) -> None:
    monkeypatch.setattr(tries, "STRANGER_TRIES", 2)
    codes = []
    for n in range(3):
        script = Client()
        script.cookies[tries.COOKIE] = f"{cookie}{n}"
        codes.append(said(submit(script, campaign)))
    assert codes[2] == (503, Crowded.code, str(views.AGAIN_S))
    assert len(looked_at) == 2
    assert said(submit(phone(campaign), campaign))[1] == TooDark.code
    assert said(submit(Client(**ELSEWHERE), campaign))[1] == TooDark.code


def test_crowd_behind_one_address_is_told_to_come_again(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, looked_at: list[bytes]
) -> None:
    monkeypatch.setattr(tries, "ADDRESS_TRIES", 2)
    codes = [said(submit(phone(campaign), campaign))[1] for _ in range(3)]
    assert codes == [TooDark.code, TooDark.code, Crowded.code]
    assert said(submit(phone(campaign, **ELSEWHERE), campaign))[1] == TooDark.code
    PurseCount.objects.update(since=timezone.now() - 2 * purses.WINDOW)
    assert said(submit(phone(campaign), campaign))[1] == TooDark.code


def test_selfie_that_nobody_had_room_for_comes_again_and_costs_nothing(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutOfMemory

    monkeypatch.setattr(sandbox, "inspect_upload", full)
    answer = said(submit(phone(campaign), campaign))
    assert answer == (503, OutOfMemory.code, str(views.AGAIN_S))
    assert set(PurseCount.objects.values_list("count", flat=True)) == {0}


@pytest.mark.parametrize("where", ["check", "write"])
def test_selfie_that_the_storage_does_not_take_comes_again_and_costs_nothing(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def away(*_: object) -> None:
        raise StorageAway

    face = SimpleNamespace(as_json=dict)
    seen = SimpleNamespace(faces=[face], jpeg=b"jpeg")
    monkeypatch.setattr(sandbox, "inspect_upload", lambda *_, **__: seen)
    monkeypatch.setattr(*{"check": (volume, "check"), "write": (storage, "write")}[where], away)
    assert said(submit(phone(campaign), campaign))[:2] == (503, StorageAway.code)
    assert not PurseCount.objects.exclude(count=0).exists()


def test_closed_page_gives_a_phone_its_name_too(campaign: Campaign) -> None:
    Campaign.objects.update(is_paused=True)
    assert tries.COOKIE in phone(campaign).cookies


def test_repeat_of_what_was_taken_in_costs_nothing(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "PHONE_TRIES", 0)
    Submission.objects.create(
        campaign=campaign,
        number=1,
        idempotency_key="mine",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now(),
        figurine_purge_at=timezone.now(),
    )
    assert submit(phone(campaign), campaign, idempotency_key="mine").status_code == 200


def test_cookie_is_the_servers_alone(campaign: Campaign) -> None:
    cookie = phone(campaign).cookies[tries.COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 86_400)


def test_counts_of_an_hour_ago_are_swept(campaign: Campaign) -> None:
    submit(phone(campaign), campaign)
    PurseCount.objects.update(since=timezone.now() - 2 * purses.KEEP)
    submit(phone(campaign, **ELSEWHERE), campaign)
    tasks.tidy()
    assert PurseCount.objects.count() == 2
