from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import feed, pairing
from billboard.models import Play, Screen
from campaign.models import Campaign
from tests.billboard.rows import approved

LIST = reverse("admin:billboard_screen_changelist")
LINK = re.compile(r"http://localhost:8000/screen/#key=([\w-]{43})")


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def change(screen: Screen) -> str:
    return reverse("admin:billboard_screen_change", args=[screen.pk])


def test_new_screen_shows_its_link_once(desk: Client, campaign: Campaign) -> None:
    add = reverse("admin:billboard_screen_add")
    fields = {"campaign": campaign.pk, "name": "Times Square", "is_active": "on"}
    shown = desk.post(add, fields, follow=True).content.decode()
    screen = Screen.objects.get()
    assert {pairing.find(key) for key in LINK.findall(shown)} == {screen}
    assert LINK.findall(desk.get(change(screen)).content.decode()) == []


def test_new_link_is_issued_by_post_alone(desk: Client, screen: Screen, token: str) -> None:
    action = "billboard_screen_issue_link"
    desk.get(change(screen), {action: "1"})
    assert pairing.find(token) == screen
    fields = {"campaign": screen.campaign_id, "name": screen.name, "is_active": "on", action: "1"}
    shown = desk.post(change(screen), fields, follow=True).content.decode()
    assert pairing.find(token) is None
    assert {pairing.find(key) for key in LINK.findall(shown)} == {screen}


def test_saving_a_screen_keeps_its_link(desk: Client, screen: Screen, token: str) -> None:
    fields = {"campaign": screen.campaign_id, "name": "Broadway 9", "is_active": "on"}
    desk.post(change(screen), fields)
    found = pairing.find(token)
    assert found is not None
    assert found.name == "Broadway 9"


def test_list_tells_who_is_on_and_how_far(desk: Client, campaign: Campaign) -> None:
    now = timezone.now()
    submission = approved(campaign)
    approved(campaign)
    head = feed.head(campaign.pk)
    Screen.objects.create(campaign=campaign, name="Never")
    Screen.objects.create(campaign=campaign, name="Lost", last_seen_at=now - timedelta(minutes=20))
    Screen.objects.create(campaign=campaign, name="Off", is_active=False)
    late = Screen.objects.create(
        campaign=campaign,
        name="Late",
        last_seen_at=now,
        confirmed_epoch=head.epoch,
        confirmed_seq=1,
        width_px=3840,
        height_px=1080,
    )
    Play.objects.create(
        play_id=submission.pk,
        screen=late,
        submission=submission,
        figurine=submission.figurines.get(),
        seq=1,
        started_at=now,
        duration_ms=8300,
    )
    html = desk.get(LIST).content.decode()
    words = (
        "Never opened",
        "Switched off",
        "Online",
        "1 behind",
        "Offline for 20\xa0minutes",
        " s ago",
        "3840 \N{MULTIPLICATION SIGN} 1080",
    )
    assert [word for word in words if word not in html] == []
    assert "Online" in desk.get(change(late)).content.decode()
    plays = desk.get(reverse("admin:billboard_play_changelist")).content.decode()
    assert [
        word for word in ("Late", "8.3 s", f"{now:%Y-%m-%d %H:%M:%S}") if word not in plays
    ] == []


def test_screens_and_plays_cannot_be_deleted_or_invented(desk: Client, screen: Screen) -> None:
    delete = reverse("admin:billboard_screen_delete", args=[screen.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    assert desk.get(reverse("admin:billboard_play_add")).status_code == 403
    assert Screen.objects.count() == 1
