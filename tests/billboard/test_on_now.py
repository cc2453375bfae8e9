"""The page of what is on now: who is told what, and in how many queries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billboard import captures, pairing
from billboard.models import Capture, CaptureKind, Play, Screen, ScreenCommand
from billboard.tiles import _names
from campaign import showings
from campaign.models import Campaign, Submission
from tests.billboard.captured import drawn
from tests.billboard.rows import approved, recall

WALL = reverse("admin:billboard_screen_on_now")
TILES = reverse("admin:billboard_screen_tiles")


@pytest.fixture
def desk(client: Client, db: None) -> Client:
    """Who may see screens, and nothing else."""
    user = User.objects.create_user("producer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_screen"))
    client.force_login(user)
    return client


def heard(campaign: Campaign, name: str, *, seconds_ago: float | None = 1) -> Screen:
    screen = Screen(campaign=campaign, name=name)
    pairing.issue_token(screen)
    if seconds_ago is not None:
        at = timezone.now() - timedelta(seconds=seconds_ago)
        Screen.objects.filter(pk=screen.pk).update(last_seen_at=at)
    return Screen.objects.get(pk=screen.pk)


def shown(screen: Screen, who: Submission, *, at: datetime | None = None) -> Play:
    return Play.objects.create(
        play_id=uuid4(),
        screen=screen,
        submission=who,
        figurine_id=who.feed_entries.latest("pk").figurine_id or 0,
        seq=1,
        started_at=at or timezone.now(),
    )


def pictured(
    screen: Screen, *people: Submission, kind: str = "glance", is_soon: bool = False
) -> Capture:
    if is_soon:  # one a second is taken
        Capture.objects.filter(screen=screen).update(at=F("at") - timedelta(minutes=1))
    on = tuple(
        captures.Seen(who.pk, who.feed_entries.latest("pk").seq, is_first=True) for who in people
    )
    return captures.keep(screen, captures.Told(CaptureKind(kind), on), drawn())


def tiles(client: Client, **query: str) -> list[tuple[str, str]]:
    html = client.get(TILES, query).content.decode()
    names = re.findall(r"<strong>(.*?)</strong>", html)
    return list(zip(names, re.findall(r'data-state="(\w+)"', html), strict=True))


def test_screens_in_trouble_come_first(desk: Client, campaign: Campaign) -> None:
    heard(campaign, "A well")
    heard(campaign, "B dead", seconds_ago=3600)
    heard(campaign, "C new", seconds_ago=None)
    Screen.objects.filter(pk=heard(campaign, "E stuck").pk).update(is_drawing=False)
    off = heard(campaign, "D off")
    off.is_active = False
    off.save()
    assert tiles(desk) == [
        ("B dead", "offline"),
        ("E stuck", "still"),
        ("C new", "never"),
        ("A well", "online"),
        ("D off", "off"),
    ]
    page = desk.get(WALL).content.decode()
    assert "2 need somebody · 1 is on" in page


def test_page_of_one_campaign(desk: Client, campaign: Campaign, other_campaign: Campaign) -> None:
    heard(campaign, "Ours")
    theirs = heard(other_campaign, "Theirs")
    assert tiles(desk, campaign="demo") == [("Ours", "online")]
    assert tiles(desk, campaign="nobody") == []
    theirs.refresh_from_db()
    assert not theirs.is_watched


def test_who_is_on_goes_by_what_the_screen_reported(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    shown(screen, approved(campaign, plaque="MAE"))
    shown(screen, approved(campaign, plaque=""))
    ended = shown(screen, approved(campaign, plaque="ENDED"))
    Play.objects.filter(pk=ended.pk).update(duration_ms=1)
    long_ago = timezone.now() - timedelta(minutes=5)
    shown(screen, approved(campaign, plaque="LONG AGO"), at=long_ago)
    html = desk.get(TILES).content.decode()
    assert '<span class="tile-people">No. 00002, MAE</span>' in html


@pytest.mark.parametrize(
    ("before_s", "heard_s", "is_on"),
    [(20, 1, True), (-60, 1, True), (22, 1, False), (20, 60, False)],
    ids=["was on", "began since", "was over", "screen is away"],
)
def test_whoever_is_on_a_paused_screen_is_on_while_it_is_heard(
    desk: Client, campaign: Campaign, before_s: int, heard_s: int, is_on: bool
) -> None:
    paused_at = timezone.now() - timedelta(hours=3)
    screen = heard(campaign, "Broadway 1", seconds_ago=heard_s)
    Screen.objects.update(paused_at=paused_at)
    mae = approved(campaign, plaque="MAE")
    shown(screen, mae, at=paused_at - timedelta(seconds=before_s))
    assert [showing.is_on_now for showing in showings.of(mae.pk)] == [is_on]
    assert ("MAE</span>" in desk.get(TILES).content.decode()) is is_on


def test_looking_makes_screens_tell_more_often(desk: Client, campaign: Campaign) -> None:
    heard(campaign, "Broadway 1")
    seen_at = []
    for _ in range(2):
        desk.get(TILES)
        seen_at.append(Screen.objects.get().looked_at)
    assert Screen.objects.get().is_watched
    assert seen_at[0] == seen_at[1]  # a hundred screens are not written at every poll
    Screen.objects.update(looked_at=timezone.now() - timedelta(seconds=21))
    assert not Screen.objects.get().is_watched


def test_poll_is_answered_shortly_while_nothing_changes(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    mae = approved(campaign)
    pictured(screen, mae)
    first = desk.get(TILES)
    again = desk.get(TILES, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    recall(mae)
    changed = desk.get(TILES, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert "<img" not in changed.content.decode()


def test_picture_is_shown_to_crew_alone_and_never_cached(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    mae = approved(campaign)
    capture = pictured(screen, mae)
    address = reverse("admin:billboard_screen_picture", args=[capture.pk])
    assert address in desk.get(TILES).content.decode()
    answer = desk.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert "no-store" in answer["Cache-Control"]
    assert answer.content[:2] == b"\xff\xd8"
    recall(mae)
    assert desk.get(address).status_code == 404


@pytest.mark.parametrize("user", ["nobody", "visitor", "crew without the permission"])
def test_nobody_else_sees_anything(campaign: Campaign, client: Client, user: str) -> None:
    screen = heard(campaign, "Broadway 1")
    capture = pictured(screen, approved(campaign))
    if user != "nobody":
        client.force_login(User.objects.create_user("u", is_staff=user.startswith("crew")))
    expected = 403 if user.startswith("crew") else 302
    for address in (
        WALL,
        TILES,
        reverse("admin:billboard_screen_picture", args=[capture.pk]),
        reverse("admin:billboard_screen_on_now_one", args=[screen.pk]),
    ):
        assert client.get(address).status_code == expected
    screen.refresh_from_db()
    assert not screen.is_watched


def test_many_screens_take_no_more_queries_than_one(desk: Client, campaign: Campaign) -> None:
    counts = []
    for n in range(3):
        screen = heard(campaign, f"Broadway {n}")
        who = approved(campaign)
        shown(screen, who)
        pictured(screen, who)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            desk.get(TILES)
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


def test_page_of_one_screen_names_those_who_were_new(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    mae, ellen = approved(campaign, plaque="MAE"), approved(campaign, plaque="ELLEN")
    capture = pictured(screen, mae, ellen, kind="first")
    address = reverse("admin:billboard_screen_on_now_one", args=[screen.pk])
    html = desk.get(address).content.decode()
    assert "<strong>MAE, ELLEN</strong>" in html or "<strong>ELLEN, MAE</strong>" in html
    assert reverse("admin:billboard_screen_picture", args=[capture.pk]) in html
    recall(ellen)
    assert "None yet, or whoever is on them" in desk.get(address).content.decode()


def test_many_names_are_counted() -> None:
    names: list[Any] = [f"N{n}" for n in range(6)]
    assert _names(names) == "N0, N1, N2, N3 and 2 more"
    assert _names(["A", "A", "B"]) == "A, B"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "A picture is being taken."),
        ({"outcome": "refused", "why": "no canvas"}, "No picture: no canvas"),
        ({"late": True}, "No picture: the screen was not heard in time."),
        ({"outcome": "done"}, ""),
    ],
)
def test_crew_reads_what_came_of_the_picture_they_asked_for(
    client: Client, moderator: User, campaign: Campaign, fields: dict[str, Any], words: str
) -> None:
    client.force_login(moderator)
    screen = heard(campaign, "Broadway 1")
    client.post(reverse("admin:billboard_screen_ask_picture", args=[screen.pk]))
    command = ScreenCommand.objects.get()
    assert (command.kind, command.asked_by, command.screen) == ("capture", moderator, screen)
    if fields.pop("late", False):
        fields["deadline_at"] = command.asked_at
    if fields:
        ScreenCommand.objects.update(**fields)
    html = client.get(reverse("admin:billboard_screen_tile", args=[screen.pk])).content.decode()
    assert re.findall(r'class="tile-note".*?>(.*?)<', html) == ([words] if words else [])


def test_only_who_may_change_screens_asks_for_a_picture(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    address = reverse("admin:billboard_screen_ask_picture", args=[screen.pk])
    assert desk.post(address).status_code == 403
    assert (
        address
        not in desk.get(
            reverse("admin:billboard_screen_on_now_one", args=[screen.pk])
        ).content.decode()
    )
    assert not ScreenCommand.objects.exists()


def test_picture_that_was_asked_for_stands_for_a_minute(desk: Client, campaign: Campaign) -> None:
    screen = heard(campaign, "Broadway 1")
    asked, small = pictured(screen, kind="asked"), pictured(screen)
    address = reverse("admin:billboard_screen_tile", args=[screen.pk])
    assert str(asked.pk) in desk.get(address).content.decode()
    Capture.objects.filter(pk=asked.pk).update(at=small.at - timedelta(minutes=2))
    assert str(small.pk) in desk.get(address).content.decode()


def test_screen_that_the_crew_wants_so_is_no_trouble(
    desk: Client, campaign: Campaign, moderator: User
) -> None:
    now = timezone.now()
    names = ("A black", "B paused", "C unpaired")
    fields: list[dict[str, Any]] = [
        {"blanked_at": now, "blanked_by": moderator},
        {"paused_at": now, "paused_by": moderator},
        {"token_hash": None},
    ]
    for name, field in zip(names, fields, strict=True):
        Screen.objects.filter(pk=heard(campaign, name).pk).update(**field)
    assert tiles(desk) == list(zip(names, ("black", "paused", "off"), strict=True))
    html = desk.get(TILES).content.decode()
    assert [name in html for name in ("Blanked by mod", "Paused by mod", "pair one")] == [True] * 3


def test_screen_that_is_on_without_new_pictures_is_to_be_looked_at(
    desk: Client, campaign: Campaign
) -> None:
    screen = heard(campaign, "Broadway 1")
    pictured(screen)
    heard(campaign, "Alley")
    words = "No new picture for a while"
    html = desk.get(TILES).content.decode()
    assert (words in html, "2 are on" in html, "needs somebody" in html) == (False, True, False)
    assert [name for name, _ in tiles(desk)] == ["Alley", "Broadway 1"]
    Capture.objects.update(at=timezone.now() - timedelta(minutes=3))
    html = desk.get(TILES).content.decode()
    assert (words in html, "1 needs somebody · 1 is on" in html) == (True, True)
    assert [name for name, _ in tiles(desk)] == ["Broadway 1", "Alley"]
    # Nor does it come to rest when that one is deleted with somebody on it; one that has only just
    # begun has time for its first.
    Capture.objects.all().delete()
    assert words not in desk.get(TILES).content.decode()
    Screen.objects.filter(pk=screen.pk).update(up_s=3600)
    assert words in desk.get(TILES).content.decode()
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(minutes=3))
    assert words not in desk.get(TILES).content.decode()  # it says worse already
