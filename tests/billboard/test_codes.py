"""Letters that make a browser a screen, and everybody who would have them make another one."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import override_settings
from django.utils import timezone

from billboard import codes, pairing
from billboard.models import PairingCode, PairingState, Screen
from campaign import callers, purses, tasks
from campaign.models import Campaign, PurseCount
from tests.billboard.test_views import post

ASK, POLL = "/screen/pair/", "/screen/pair/poll/"
SIZE = {"width_px": 1920, "height_px": 1080}
CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
DESK = "192.0.2.9"


def ask(client: Client, **headers: str) -> dict[str, Any]:
    answer = post(client, ASK, SIZE, **headers)
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


def poll(client: Client) -> tuple[int, str]:
    """After the interval."""
    PairingCode.objects.update(polled_at=None)
    answer = post(client, POLL, {})
    return answer.status_code, answer.json()["code"] if answer.content else ""


def look(code: str, producer: User) -> PairingCode:
    return codes.look_up(code, producer=producer, address=DESK)


def wrong(code: str, *, half: bool = False) -> str:
    """Another code; with `half` the first four letters are right."""
    letters = code.replace("-", "")
    other = str.maketrans(codes.LETTERS, codes.LETTERS[1:] + codes.LETTERS[0])
    return letters[:4] + letters[4:].translate(other) if half else letters.translate(other)


def test_code_is_as_the_standard_says(client: Client, db: None) -> None:
    said = ask(client, user_agent=CHROMIUM)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", said["user_code"])
    assert (said["expires_in"], said["interval"]) == (600, 5)
    assert said["verification_uri"] == "http://localhost:8000/admin/billboard/screen/pair/"
    assert said["verification_uri_complete"].endswith(f"/pair/?code={said['user_code']}")
    assert said["qr_svg"].startswith("<?xml")
    row = PairingCode.objects.get()
    assert (row.browser, row.width_px, row.height_px) == ("Chromium 140 on Linux", 1920, 1080)
    assert (row.expires_at - row.created_at).total_seconds() == 600


def test_database_holds_neither_code_nor_secret(client: Client, db: None) -> None:
    said = ask(client)
    kept = str(PairingCode.objects.values().get())
    secret = client.cookies["diorama_pairing"]
    assert [part for part in (secret.value, *said["user_code"].split("-")) if part in kept] == []
    assert (secret["httponly"], secret["samesite"], secret["path"]) == (True, "Strict", "/screen/")


def test_confirmed_browser_is_the_screen(client: Client, screen: Screen, moderator: User) -> None:
    said = ask(client)
    assert poll(client) == (400, "authorization_pending")
    # As somebody types it.
    row = look(said["user_code"].lower().replace("-", " "), moderator)
    codes.confirm(row, screen, producer=moderator)
    assert poll(client) == (204, "")
    assert client.cookies[pairing.COOKIE]["httponly"] is True
    assert client.get("/screen/").context["screen"] == screen
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.screen) == (PairingState.CONFIRMED, moderator, screen)


def test_lost_answer_is_said_again_until_it_was_renewed(
    client: Client, screen: Screen, moderator: User
) -> None:
    said = ask(client)
    secret = client.cookies["diorama_pairing"].value
    codes.confirm(look(said["user_code"], moderator), screen, producer=moderator)
    tokens = set()
    for _ in range(2):
        client.cookies["diorama_pairing"] = secret
        assert poll(client) == (204, "")
        tokens.add(client.cookies[pairing.COOKIE].value)
    assert len(tokens) == 1
    pairing.issue_token(screen)
    client.cookies["diorama_pairing"] = secret
    assert poll(client) == (400, "access_denied")


def test_screen_that_is_paired_again_keeps_its_settings_and_ends_the_old_browser(
    client: Client, screen: Screen, token: str, moderator: User
) -> None:
    Screen.objects.update(layout="mosaic4", rotation=90)
    screen.refresh_from_db()
    said = ask(client)
    codes.confirm(look(said["user_code"], moderator), screen, producer=moderator)
    assert poll(client) == (204, "")
    assert pairing.find(token) is None
    assert Screen.objects.values_list("layout", "rotation").get() == ("mosaic4", 90)


def test_browser_that_is_turned_away_is_told(
    client: Client, screen: Screen, token: str, moderator: User
) -> None:
    said = ask(client)
    codes.deny(look(said["user_code"], moderator), producer=moderator)
    assert poll(client) == (400, "access_denied")
    with pytest.raises(codes.NotFound):
        look(said["user_code"], moderator)
    assert pairing.find(token) == screen


def test_browser_that_asks_too_often_is_slowed_down(client: Client, db: None) -> None:
    ask(client)
    said = [post(client, POLL, {}).json()["code"] for _ in range(3)]
    assert said == ["authorization_pending", "slow_down", "slow_down"]
    assert PairingCode.objects.get().interval_s == 15
    PairingCode.objects.update(polled_at=timezone.now() - timedelta(seconds=14))
    assert post(client, POLL, {}).json()["code"] == "authorization_pending"


def test_code_is_over_after_ten_minutes(client: Client, screen: Screen, moderator: User) -> None:
    said = ask(client)
    row = look(said["user_code"], moderator)
    PairingCode.objects.update(expires_at=timezone.now())
    assert poll(client) == (400, "expired_token")
    with pytest.raises(codes.NotFound):
        look(said["user_code"], moderator)
    with pytest.raises(codes.TooLate):
        codes.confirm(row, screen, producer=moderator)
    screen.refresh_from_db()
    assert screen.token_hash is None


def test_code_is_used_once(
    client: Client, campaign: Campaign, screen: Screen, moderator: User
) -> None:
    row = look(ask(client)["user_code"], moderator)
    codes.confirm(row, screen, producer=moderator)
    with pytest.raises(codes.TooLate):
        codes.confirm(row, Screen(campaign=campaign, name="Second"), producer=moderator)
    with pytest.raises(codes.TooLate):
        codes.deny(row, producer=moderator)
    assert Screen.objects.get() == screen


@pytest.mark.django_db(transaction=True)
def test_of_two_producers_one_is_told_that_the_other_was_quicker(
    client: Client, campaign: Campaign, moderator: User
) -> None:
    row = look(ask(client)["user_code"], moderator)

    def confirm(name: str) -> str:
        try:
            codes.confirm(row, Screen(campaign=campaign, name=name), producer=moderator)
        except codes.TooLate:
            return "late"
        finally:
            connection.close()
        return name

    names = ["One", "Two", "Three", "Four"]
    with ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(confirm, names))
    winner = Screen.objects.get().name
    assert sorted(ends) == sorted(["late"] * 3 + [winner])


def test_five_wrong_tries_at_one_code_end_it(client: Client, moderator: User) -> None:
    said = ask(client)
    for n in range(codes.TRIES_OF_CODE):
        assert poll(client) == (400, "authorization_pending")
        other = User.objects.create_user(f"producer {n}")
        with pytest.raises(codes.NotFound):
            look(wrong(said["user_code"], half=True), other)
    assert poll(client) == (400, "expired_token")
    with pytest.raises(codes.NotFound):
        look(said["user_code"], moderator)


def test_five_wrong_tries_of_a_producer_are_enough(client: Client, moderator: User) -> None:
    said = ask(client)
    for _ in range(codes.TRIES_OF_PRODUCER):
        with pytest.raises(codes.NotFound):
            look(wrong(said["user_code"]), moderator)
    with pytest.raises(codes.TooMany):
        look(said["user_code"], moderator)
    colleague = User.objects.create_user("colleague")
    assert look(said["user_code"], colleague) == PairingCode.objects.get()
    PurseCount.objects.update(since=timezone.now() - purses.WINDOW - timedelta(seconds=1))
    assert look(said["user_code"], moderator) == PairingCode.objects.get()


def test_wrong_tries_of_many_producers_at_one_address_are_enough(client: Client, db: None) -> None:
    said = ask(client)
    for n in range(codes.TRIES_OF_ADDRESS):
        with pytest.raises(codes.NotFound):
            look(wrong(said["user_code"]), User.objects.create_user(f"account {n}"))
    late = User.objects.create_user("late")
    with pytest.raises(codes.TooMany):
        look(said["user_code"], late)
    assert codes.look_up(said["user_code"], producer=late, address="192.0.2.10")


def test_right_codes_cost_nothing(client: Client, moderator: User) -> None:
    said = ask(client)
    for _ in range(codes.TRIES_OF_PRODUCER + 2):
        assert look(said["user_code"], moderator)


def test_codes_of_one_address_are_limited(client: Client, db: None) -> None:
    PurseCount.objects.all().delete()
    ask(client)
    PurseCount.objects.update(count=codes.CODES_OF_ADDRESS)
    answer = post(client, ASK, SIZE)
    assert (answer.status_code, answer.json()) == (429, {"code": "too_many"})
    assert PairingCode.objects.count() == 1
    ask(Client(REMOTE_ADDR="198.51.100.7"))


def test_codes_of_all_addresses_are_limited(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "OPEN_MOST", 2)
    for n in range(2):
        ask(Client(REMOTE_ADDR=f"198.51.100.{n}"))
    assert post(client, ASK, SIZE).status_code == 429


def test_browser_that_loads_anew_has_one_code(client: Client, moderator: User) -> None:
    first = ask(client)
    ask(client)
    assert PairingCode.objects.count() == 1
    with pytest.raises(codes.NotFound):
        look(first["user_code"], moderator)


@pytest.mark.parametrize("address", [ASK, POLL])
def test_other_sites_cannot_ask(client: Client, db: None, address: str) -> None:
    assert post(client, address, SIZE, origin="https://evil.example").status_code == 403
    assert client.post(address, SIZE).status_code == 415
    assert client.get(address).status_code == 405
    assert PairingCode.objects.count() == 0


def test_proxy_may_call_this_machine_by_another_name_than_the_world(
    client: Client, db: None, settings: Any
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://booth.example"]
    assert post(client, ASK, SIZE, origin="https://booth.example").status_code == 200


@pytest.mark.parametrize("secret", ["", "x" * 5000, "wrong"])
def test_poll_without_a_secret_is_over(client: Client, db: None, secret: str) -> None:
    client.cookies["diorama_pairing"] = secret
    assert poll(client) == (400, "expired_token")


@pytest.mark.parametrize(
    "body", ["[]", "5", "null", "{", '"x"', "[" * 9000, "\udcff"], ids=lambda body: body[:3]
)
def test_nonsense_is_refused(client: Client, db: None, body: str) -> None:
    raw = body.encode(errors="surrogateescape")
    assert client.post(ASK, raw, content_type="application/json").status_code == 400


@pytest.mark.parametrize("width", [0, -1, True, 1e3, "9", None, 10**30])
def test_size_that_none_has_is_not_kept(client: Client, db: None, width: object) -> None:
    assert post(client, ASK, {"width_px": width, "height_px": 9}).status_code == 200
    assert PairingCode.objects.values_list("width_px", "height_px").get() == (None, 9)


def test_old_codes_and_counts_are_swept(client: Client, moderator: User) -> None:
    ask(client)
    long_ago = timezone.now() - codes.KEEP - timedelta(seconds=1)
    PairingCode.objects.update(expires_at=long_ago)
    PurseCount.objects.update(since=long_ago)
    ask(Client(REMOTE_ADDR="198.51.100.7"))
    tasks.tidy()
    assert (PairingCode.objects.count(), PurseCount.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("behind", "remote", "forwarded", "expected"),
    [
        (False, "192.0.2.1", "203.0.113.5", "192.0.2.1"),
        (True, "10.0.0.1", "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        (True, "10.0.0.1", "", ""),
        (False, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (False, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (False, "nonsense", "", ""),
    ],
)
def test_address_is_the_one_that_cannot_be_chosen(
    rf: Any, behind: bool, remote: str, forwarded: str, expected: str
) -> None:
    request = rf.get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded})
    with override_settings(USE_X_FORWARDED_HOST=behind):
        assert callers.address_of(request) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (CHROMIUM, "Chromium 140 on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:141.0) Gecko/20100101 Firefox/141.0",
            "Firefox 141 on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 14; TV) Chrome/139.0.1", "Chromium 139 on Android"),
        ("curl/8", ""),
    ],
)
def test_browser_is_told_in_words(rf: Any, told: str, expected: str) -> None:
    assert callers.browser_of(rf.get("/", headers={"User-Agent": told})) == expected
