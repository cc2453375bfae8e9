"""The page where a producer confirms a screen."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from billboard import codes, pairing
from billboard.models import PairingCode, PairingState, Screen
from campaign.models import Campaign
from tests.billboard.test_admin import FORM, change
from tests.billboard.test_codes import ask, poll, wrong

PAGE = reverse("admin:billboard_screen_pair")


@pytest.fixture
def desk(moderator: User) -> Client:
    client = Client()
    client.force_login(moderator)
    return client


@pytest.fixture
def code(client: Client, db: None) -> str:
    return str(ask(client)["user_code"])


def test_scanned_address_fills_in_the_code_and_changes_nothing(desk: Client, code: str) -> None:
    before = PairingCode.objects.values().get()
    html = desk.get(PAGE, {"code": code}).content.decode()
    assert f'value="{code}"' in html
    assert "Is this the one?" not in html
    assert PairingCode.objects.values().get() == before


def test_producer_sees_what_asks(desk: Client, code: str, screen: Screen) -> None:
    PairingCode.objects.update(browser="Chromium 140 on Linux")
    html = desk.post(PAGE, {"code": code, "step": "look"}).content.decode()
    words = (
        "1920 \N{MULTIPLICATION SIGN} 1080",
        "Chromium 140 on Linux",
        "ago",
        "Diorama Company · Broadway 1",
    )
    assert [word for word in words if word not in html] == []
    # Or the browser would not send the form for a screen that is there.
    assert " required" not in html.split("It becomes")[1]
    assert PairingCode.objects.get().state == PairingState.WAITING


def test_browser_becomes_a_screen_there_is(
    desk: Client, client: Client, code: str, screen: Screen, token: str
) -> None:
    answer = desk.post(PAGE, {"code": code, "step": "confirm", "screen": screen.pk}, follow=True)
    assert answer.redirect_chain == [(change(screen), 302)]
    assert "Broadway 1 is paired" in answer.content.decode()
    assert poll(client) == (204, "")
    assert client.get("/screen/").context["screen"] == screen
    assert pairing.find(token) is None


def test_browser_becomes_a_new_screen(
    desk: Client, client: Client, code: str, campaign: Campaign
) -> None:
    desk.post(PAGE, {"code": code, "step": "confirm", "campaign": campaign.pk, "name": "Soho"})
    assert poll(client) == (204, "")
    made = client.get("/screen/").context["screen"]
    assert (made.name, made.campaign) == ("Soho", campaign)


def test_new_screen_needs_a_name_of_its_own(
    desk: Client, client: Client, code: str, screen: Screen
) -> None:
    fields = {"code": code, "step": "confirm", "campaign": screen.campaign_id}
    for name in ("", "Broadway 1"):
        answer = desk.post(PAGE, fields | {"name": name})
        assert answer.status_code == 422
        assert "errorlist" in answer.content.decode()
    assert poll(client) == (400, "authorization_pending")
    assert Screen.objects.count() == 1


def test_switched_off_screen_cannot_be_chosen(desk: Client, code: str, screen: Screen) -> None:
    Screen.objects.update(is_active=False)
    answer = desk.post(PAGE, {"code": code, "step": "confirm", "screen": screen.pk})
    assert answer.status_code == 422
    assert Screen.objects.get().token_hash is None


def test_browser_is_turned_away(desk: Client, client: Client, code: str, screen: Screen) -> None:
    desk.post(PAGE, {"code": code, "step": "deny"})
    assert poll(client) == (400, "access_denied")


def test_wrong_codes_are_told_and_limited(desk: Client, code: str) -> None:
    told = [
        desk.post(PAGE, {"code": wrong(code), "step": "look"}).status_code
        for _ in range(codes.TRIES_OF_PRODUCER + 1)
    ]
    assert told == [404] * codes.TRIES_OF_PRODUCER + [429]
    assert desk.post(PAGE, {"code": code, "step": "look"}).status_code == 429


@pytest.mark.parametrize("typed", ["", "-", "\0", "ÄÖ" * 30, "<script>"])
def test_nonsense_is_no_code(desk: Client, code: str, typed: str) -> None:
    answer = desk.post(PAGE, {"code": typed, "step": "look"})
    assert answer.status_code == 404
    assert b"<script>&" not in answer.content


def test_page_is_for_those_who_may_change_screens(code: str, screen: Screen) -> None:
    guest = User.objects.create_user("guest", is_staff=True)
    client = Client()
    assert client.get(PAGE).status_code == 302
    client.force_login(guest)
    for answer in (client.get(PAGE), client.post(PAGE, {"code": code, "step": "confirm"})):
        assert answer.status_code == 403
    guest.user_permissions.add(Permission.objects.get(codename="change_screen"))
    html = client.post(PAGE, {"code": code, "step": "look"}).content.decode()
    assert "If it is a new one" not in html
    fields = {"code": code, "step": "confirm", "campaign": screen.campaign_id, "name": "Mine"}
    assert client.post(PAGE, fields).status_code == 422
    assert Screen.objects.get() == screen


def test_confirming_takes_this_sites_form(moderator: User, code: str, screen: Screen) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(moderator)
    fields = {"code": code, "step": "confirm", "screen": screen.pk}
    assert client.post(PAGE, fields).status_code == 403
    assert PairingCode.objects.get().state == PairingState.WAITING


def test_list_of_screens_leads_to_the_page(desk: Client, screen: Screen) -> None:
    html = desk.get(reverse("admin:billboard_screen_changelist")).content.decode()
    assert "Pair a screen" in html
    answer = desk.get(reverse("admin:billboard_screen_go_and_pair"))
    assert (answer.status_code, answer["Location"]) == (302, PAGE)


def test_screen_is_unpaired_and_keeps_its_settings(
    desk: Client, screen: Screen, token: str
) -> None:
    fields = {"campaign": screen.campaign_id, "name": screen.name} | FORM
    unpair = fields | {"layout": "mosaic4", "billboard_screen_unpair": "1"}
    html = desk.post(change(screen), unpair, follow=True).content.decode()
    assert "has no browser any more" in html
    assert pairing.find(token) is None
    assert Screen.objects.get().layout == "mosaic4"
