"""The screen's token: renewed without a word, so that a copy is worth nothing and nobody is locked
out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billboard import pairing
from billboard.models import Screen
from tests.billboard.test_views import FEED, post

RENEW = "/screen/renew/"


def later(screen: Screen, gone: timedelta) -> None:
    """As if so much time had gone by since the token was handed out."""
    Screen.objects.filter(pk=screen.pk).update(token_at=timezone.now() - gone)


def browser(token: str) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.cookies[pairing.COOKIE] = token
    return client


def renewed(client: Client) -> Any:
    """The cookie that the answer brought, in the browser's jar from now on; or None."""
    answer = post(client, RENEW, {})
    assert answer.status_code == 204
    return answer.cookies.get(pairing.COOKIE)


@pytest.fixture
def paired(screen: Screen) -> Client:
    pairing.pair(screen, "first")
    return browser("first")


def test_token_is_renewed_once_a_day(paired: Client, screen: Screen) -> None:
    assert renewed(paired) is None
    later(screen, pairing.RENEW_AFTER)
    cookie = renewed(paired)
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert cookie["max-age"] == pairing.COOKIE_MAX_AGE_S
    assert pairing.find(cookie.value) == screen
    assert renewed(paired) is None
    assert cookie.value not in str(Screen.objects.values().get())


def test_token_of_a_link_is_renewed_at_once(screen: Screen, token: str) -> None:
    assert renewed(browser(token)).value != token


def test_answer_that_was_lost_locks_nobody_out(paired: Client, screen: Screen) -> None:
    later(screen, pairing.RENEW_AFTER)
    lost = renewed(browser("first")).value
    assert paired.get(FEED).status_code == 200
    assert renewed(paired) is None, "it may still be under way to another page of this browser"
    later(screen, pairing.SETTLE_AFTER)
    again = renewed(paired).value
    assert pairing.find(again) == screen
    assert pairing.find(lost) is None


def test_old_token_holds_until_the_new_one_has_stood_for_a_while(
    paired: Client, screen: Screen
) -> None:
    later(screen, pairing.RENEW_AFTER)
    assert renewed(paired)
    assert renewed(paired) is None
    assert pairing.find("first") == screen, "the new one may not be on the browser's disk yet"
    later(screen, pairing.SETTLE_AFTER)
    assert paired.get(FEED).status_code == 200
    assert pairing.find("first") == screen, "reading changes nothing"
    assert renewed(paired) is None
    assert pairing.find("first") is None
    assert paired.get(FEED).status_code == 200


def test_stolen_old_token_is_refused_and_logged(
    paired: Client, screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    later(screen, pairing.RENEW_AFTER)
    renewed(paired)
    later(screen, pairing.SETTLE_AFTER)
    renewed(paired)
    thief = browser("first")
    answer = thief.get(FEED)
    assert (answer.status_code, answer.json()) == (403, {"code": "unpaired"})
    assert "old token was used" in caplog.text
    assert post(thief, RENEW, {}).status_code == 403
    caplog.clear()
    assert browser("nobody's").get(FEED).status_code == 403
    assert "old token" not in caplog.text


def test_thief_who_renews_first_is_noticed_by_the_screen(paired: Client, screen: Screen) -> None:
    later(screen, pairing.RENEW_AFTER)
    thief = browser("first")
    renewed(thief)
    later(screen, pairing.SETTLE_AFTER)
    assert renewed(paired), "the screen asks as well, and takes it over"
    assert thief.get(FEED).status_code == 403


def test_unpaired_screen_has_no_browser_and_its_settings(
    paired: Client, screen: Screen, campaign: Any
) -> None:
    Screen.objects.update(layout="mosaic9", previous_hash=pairing.hashed("older"), is_settled=False)
    screen.refresh_from_db()
    pairing.unpair(screen)
    assert [pairing.find(token) for token in ("first", "older")] == [None, None]
    assert paired.get(FEED).status_code == 403
    assert Screen.objects.get().layout == "mosaic9"


def test_switched_off_screen_gets_no_new_token(paired: Client, screen: Screen) -> None:
    later(screen, pairing.RENEW_AFTER)
    Screen.objects.update(is_active=False)
    assert pairing.renew("first") is None


def test_renewal_is_asked_by_the_page_alone(paired: Client, screen: Screen) -> None:
    later(screen, pairing.RENEW_AFTER)
    assert paired.get(RENEW).status_code == 405
    assert post(paired, RENEW, {}, origin="http://evil.example").status_code == 403
    assert paired.post(RENEW).status_code == 415
    assert pairing.renew("x" * 500) is None
    assert Screen.objects.get().previous_hash == ""
