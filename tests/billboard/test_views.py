from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.test.utils import override_settings

from billboard import feed, page, pairing
from billboard.models import Play, Screen
from campaign.models import Campaign
from tests.billboard.rows import approved

SESSION, ACKS, FEED = "/screen/session/", "/screen/acks/", "/screen/feed.json"


def post(client: Client, address: str, body: Any, **headers: str) -> Any:
    return client.post(address, json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture
def paired(token: str) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.cookies[pairing.COOKIE] = token
    return client


def test_key_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(
    client: Client, screen: Screen, token: str
) -> None:
    answer = post(client, SESSION, {"key": token})
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = answer.cookies[pairing.COOKIE]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == (token, True, "Strict")
    assert cookie["max-age"] == pairing.COOKIE_MAX_AGE_S
    assert client.get("/screen/").context["screen"] == screen


@override_settings(IS_HTTPS=True)
def test_cookie_keeps_to_https_where_there_is_https(client: Client, token: str) -> None:
    assert post(client, SESSION, {"key": token}).cookies[pairing.COOKIE]["secure"] is True


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "x" * 43}, 403),
        ({"key": ""}, 403),
        ({"key": 5}, 403),
        ({}, 400),
        ([], 400),
        (5, 400),
    ],
)
def test_wrong_key_makes_no_screen(client: Client, token: str, body: Any, status: int) -> None:
    answer = post(client, SESSION, body)
    assert (answer.status_code, pairing.COOKIE in answer.cookies) == (status, False)


def test_new_link_ends_the_old_one(screen: Screen, token: str) -> None:
    newer = pairing.issue_token(screen)
    assert (pairing.find(token), pairing.find(newer)) == (None, screen)


def test_switched_off_screen_is_no_screen(screen: Screen, token: str) -> None:
    Screen.objects.filter(pk=screen.pk).update(is_active=False)
    assert pairing.find(token) is None


def test_database_holds_no_token(screen: Screen, token: str) -> None:
    assert token not in str(Screen.objects.filter(pk=screen.pk).values().get())


@pytest.mark.parametrize("address", [SESSION, ACKS])
def test_posts_of_other_sites_are_refused(paired: Client, token: str, address: str) -> None:
    body = {"key": token, "type": "acks", "n": 1, "acks": []}
    assert post(paired, address, body, origin="http://evil.example").status_code == 403
    assert post(paired, address, body, origin="null").status_code == 403
    assert post(paired, address, body, origin="http://testserver").status_code in (200, 204)
    form = paired.post(address, {"key": token})
    assert form.status_code == 415


def test_opening_the_page_changes_nothing(client: Client, screen: Screen, token: str) -> None:
    before = Screen.objects.filter(pk=screen.pk).values().get()
    assert b"not paired yet" in client.get("/screen/").content
    client.cookies[pairing.COOKIE] = token
    assert b"not paired yet" not in client.get("/screen/").content
    client.get(FEED)
    assert Screen.objects.filter(pk=screen.pk).values().get() == before


def test_poll_of_a_screen_ahead_of_the_log_begins_an_epoch(
    paired: Client, campaign: Campaign
) -> None:
    approved(campaign)
    head = feed.head(campaign.pk)
    told = paired.get(f"{FEED}?epoch={head.epoch}&seq=9").json()
    assert (told["type"], told["seq"], told["epoch"] == str(head.epoch)) == ("snapshot", 0, False)


@pytest.mark.parametrize("address", [FEED, "/screen/qr.svg"])
def test_strangers_are_told_nothing(client: Client, campaign: Campaign, address: str) -> None:
    approved(campaign)
    answer = client.get(address)
    assert (answer.status_code, answer.json()) == (403, {"code": "unpaired"})


def test_strangers_acks_are_not_taken(client: Client, campaign: Campaign) -> None:
    assert post(client, ACKS, {"type": "acks", "n": 1, "acks": []}).status_code == 403


def test_poll_says_what_the_socket_would(paired: Client, campaign: Campaign) -> None:
    approved(campaign, plaque="ONE")
    place = feed.head(campaign.pk)
    assert [item["plaque"] for item in paired.get(FEED).json()["items"]] == ["ONE"]
    approved(campaign, plaque="TWO")
    later = paired.get(FEED, {"epoch": str(place.epoch), "seq": str(place.seq)}).json()
    assert (later["type"], later["after"], later["seq"]) == ("changes", 1, 2)
    assert paired.get(FEED, {"epoch": str(uuid4()), "seq": "9"}).json()["type"] == "snapshot"


def test_poll_brings_a_long_snapshot_part_by_part(
    paired: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PART_ITEMS", 2)
    for name in ("ONE", "TWO", "THREE"):
        approved(campaign, plaque=name)
    first = paired.get(FEED).json()
    rest = paired.get(FEED, {"rest": first["more"]}).json()
    told = [[item["plaque"] for item in part["items"]] for part in (first, rest)]
    assert told == [["THREE", "TWO"], ["ONE"]]
    assert (rest["type"], rest["after"], rest["more"]) == ("rest", first["more"], None)


def test_poll_is_answered_in_few_bytes(paired: Client, campaign: Campaign) -> None:
    for _ in range(3):
        approved(campaign)
    whole = paired.get(FEED)
    packed = paired.get(FEED, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(whole.content)


@pytest.mark.parametrize("words", [{"epoch": "x"}, {"rest": "x"}, {"rest": "-1"}])
def test_poll_for_a_bad_place_is_refused(paired: Client, words: dict[str, str]) -> None:
    answer = paired.get(FEED, words)
    assert (answer.status_code, answer.json()) == (400, {"code": "bad_place"})


def test_posted_acks_are_recorded_and_confirmed(
    paired: Client, campaign: Campaign, screen: Screen
) -> None:
    submission = approved(campaign)
    ack = {
        "ack": "shown",
        "play_id": str(uuid4()),
        "submission": str(submission.pk),
        "figurine": submission.figurines.get().pk,
        "seq": 1,
        "started_at": "2026-11-22T12:00:00Z",
        "duration_ms": None,
    }
    for n in (4, 5):
        answer = post(paired, ACKS, {"type": "acks", "n": n, "acks": [ack]})
        assert answer.json() == {"type": "acked", "n": n}
    assert [(play.screen, play.submission) for play in Play.objects.all()] == [(screen, submission)]


def test_posted_presence_is_noted(paired: Client, screen: Screen) -> None:
    here = {"type": "here", "epoch": None, "seq": 0, "version": "1", "width_px": 8, "height_px": 9}
    answer = post(paired, ACKS, here)
    assert (answer.status_code, answer.json()["type"]) == (200, "orders")
    screen.refresh_from_db()
    assert (screen.is_online, screen.width_px, screen.height_px) == (True, 8, 9)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"type": "pull", "epoch": null, "seq": 0}'])
def test_posted_nonsense_is_refused(paired: Client, body: bytes) -> None:
    answer = paired.post(ACKS, body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"code": "bad_frame"})


def test_page_holds_the_campaigns_words_and_no_inline_script(
    paired: Client, campaign: Campaign
) -> None:
    campaign.headline, campaign.strapline, campaign.slot_s = "Join <us> now", "Six & out", 11
    campaign.save()
    html = paired.get("/screen/").content.decode()
    words = re.findall(r"<span( class=\"signal\")?>([^<]+)</span>", html.split("<h1")[1])[:3]
    assert words == [("", "Join"), ("", "&lt;us&gt;"), (' class="signal"', "now")]
    assert "Six &amp; out" in html
    assert 'data-slot-s="11"' in html
    assert re.findall(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=", html) == []


def test_page_fingerprint_follows_whatever_is_on_it(screen: Screen) -> None:
    before = page.of(screen).fingerprint
    assert page.of(screen).fingerprint == before
    screen.campaign.theme = {"--signal": "#ff0000"}
    assert page.of(screen).fingerprint != before


def test_page_fingerprint_follows_how_long_figurines_are_kept(screen: Screen) -> None:
    """A player that runs holds to the days that it was told."""
    before = page.of(screen).fingerprint
    screen.campaign.figurine_retention_days -= 1
    assert page.of(screen).fingerprint != before


def test_poll_says_what_a_beat_does(paired: Client, screen: Screen) -> None:
    told = paired.get(FEED).json()
    assert (told["page"], told["watched"]) == (page.of(screen).fingerprint, False)


def references() -> Iterator[str]:
    """Every static file that the screen's own files name."""
    for sheet in (
        "css/screen.css",
        "css/screen_card.css",
        "css/screen_shapes.css",
        "css/tokens.css",
    ):
        for name in re.findall(
            r'url\("\.\./([^"]+)"\)', (settings.BASE_DIR / "static" / sheet).read_text()
        ):
            yield name
    for script in (settings.BASE_DIR / "static" / "js" / "screen").glob("*.js"):
        for name in re.findall(r'from "([^"]+)"', script.read_text()):
            path = (script.parent / name).resolve().relative_to(settings.BASE_DIR / "static")
            yield str(path)
    for template in (Path(page.__file__).parent / "templates" / "billboard").glob("*.html"):
        yield from re.findall(r"{% static '([^']+)' %}", template.read_text())


@pytest.mark.parametrize("name", sorted(set(references())))
def test_static_file_of_the_screen_is_there(name: str) -> None:
    assert finders.find(name) is not None
