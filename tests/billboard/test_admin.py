from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape

from billboard import commands, feed, pairing, plays, proof
from billboard.admin import ScreenAdmin
from billboard.models import CommandKind, Play, Screen, ScreenCommand
from billboard.proof_admin import PlayAdmin
from billboard.protocol import Here
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved

LIST = reverse("admin:billboard_screen_changelist")
PLAYS = reverse("admin:billboard_play_changelist")
FORM = {"is_active": "on", "layout": "auto", "rotation": "0", "drift_px": "3", "words": "[]"}
FORM |= {"panels_across": "1", "panels_down": "1", "bezel_px": "0"}
LINK = re.compile(r"http://localhost:8000/screen/#key=([\w-]{43})")


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def change(screen: Screen) -> str:
    return reverse("admin:billboard_screen_change", args=[screen.pk])


def played(screen: Screen, of: Submission, **words: Any) -> Play:
    words = {"started_at": timezone.now(), "duration_ms": 8000, "seq": 1} | words
    return Play.objects.create(
        play_id=uuid4(), screen=screen, submission=of, figurine=of.figurines.get(), **words
    )


def test_new_screen_shows_its_link_once(desk: Client, campaign: Campaign) -> None:
    add = reverse("admin:billboard_screen_add")
    fields = {"campaign": campaign.pk, "name": "Times Square"} | FORM
    shown = desk.post(add, fields, follow=True).content.decode()
    screen = Screen.objects.get()
    assert {pairing.find(key) for key in LINK.findall(shown)} == {screen}
    assert LINK.findall(desk.get(change(screen)).content.decode()) == []


def test_new_link_is_issued_by_post_alone(desk: Client, screen: Screen, token: str) -> None:
    action = "billboard_screen_issue_link"
    desk.get(change(screen), {action: "1"})
    assert pairing.find(token) == screen
    fields = {"campaign": screen.campaign_id, "name": screen.name, action: "1"} | FORM
    shown = desk.post(change(screen), fields, follow=True).content.decode()
    assert pairing.find(token) is None
    assert {pairing.find(key) for key in LINK.findall(shown)} == {screen}


def test_saving_a_screen_keeps_its_link(desk: Client, screen: Screen, token: str) -> None:
    fields = {"campaign": screen.campaign_id, "name": "Broadway 9"} | FORM
    desk.post(change(screen), fields)
    found = pairing.find(token)
    assert found is not None
    assert found.name == "Broadway 9"


def test_setting_that_cannot_be_is_refused_beside_its_field(desk: Client, screen: Screen) -> None:
    fields = {"campaign": screen.campaign_id, "name": "Broadway 9"} | FORM
    wrong = {"safe_area": "3em", "brightness": "night", "rotation": "45", "drift_px": "99"}
    html = desk.post(change(screen), fields | wrong).content.decode()
    words = ("is not like 40px or 3%", "is not like 22-6: 40%", "45 is not one of", "equal to 12")
    assert [word for word in words if word not in html] == []
    assert Screen.objects.get().name == "Broadway 1"
    right = {"safe_area": "3% 0", "brightness": "22-6: 40%", "rotation": "90", "layout": "mosaic9"}
    desk.post(change(screen), fields | right)
    assert Screen.objects.values_list("rotation", "layout").get() == (90, "mosaic9")


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
    played(late, submission, started_at=now, duration_ms=8300)
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
    listed = desk.get(PLAYS).content.decode()
    of_play = ("Late", "8.3 s", f"{now:%Y-%m-%d %H:%M:%S}")
    assert [word for word in of_play if word not in listed] == []


def test_screens_and_plays_cannot_be_deleted_or_invented(desk: Client, screen: Screen) -> None:
    delete = reverse("admin:billboard_screen_delete", args=[screen.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    assert desk.get(reverse("admin:billboard_play_add")).status_code == 403
    assert Screen.objects.count() == 1


def test_list_tells_a_screen_that_is_heard_but_draws_nothing(
    desk: Client, campaign: Campaign
) -> None:
    now = timezone.now()
    common = {"campaign": campaign, "last_seen_at": now, "version": "0c1d2e3f4a5b"}
    Screen.objects.create(name="Before", **common)
    Screen.objects.create(name="Still", is_drawing=False, fps=0, **common)
    Screen.objects.create(
        name="Well",
        is_drawing=True,
        fps=60,
        heap_mb=182,
        kept_items=240,
        clock_off_ms=-21,
        **common,
    )
    Screen.objects.create(name="One", is_drawing=True, kept_items=1, clock_off_ms=-3, **common)
    html = desk.get(LIST).content.decode()
    words = (
        "1 picture kept · clock +0.00 s",
        "Online; drawing not told",
        "Heard, but it draws nothing",
        "60 fps · 182 MB · 240 pictures kept · clock -0.02 s · v0c1d2e3",
    )
    assert [word for word in words if word not in html] == []
    online = [screen.name for screen in Screen.objects.all() if screen.is_online]
    assert online == ["Before", "One", "Well"]


def test_command_of_a_list_is_asked_of_all_that_are_chosen(
    desk: Client, campaign: Campaign, moderator: User
) -> None:
    names = ("Broadway 1", "Broadway 2", "Broadway 3")
    one, two, _ = (Screen.objects.create(campaign=campaign, name=name) for name in names)
    chosen = {"action": "ask_layout_mosaic9", "_selected_action": [one.pk, two.pk]}
    html = desk.post(LIST, chosen, follow=True).content.decode()
    assert "Asked 2: Layout: Mosaic of 9." in html
    asked = ScreenCommand.objects.values_list("screen", "kind", "value", "asked_by")
    assert sorted(asked) == [
        (screen.pk, "layout", "mosaic9", moderator.pk) for screen in (one, two)
    ]
    assert html.count("Layout: Mosaic of 9: asked; not told yet") == 2


def selects(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured]


def test_list_costs_as_many_queries_for_three_screens_as_for_one(
    desk: Client, campaign: Campaign
) -> None:
    mae = approved(campaign)
    place = feed.head(campaign.pk)
    approved(campaign)
    counts = []
    for names in (("A",), ("B", "C")):
        for name in names:
            screen = Screen.objects.create(campaign=campaign, name=name)
            plays.heard(screen, Here(place, "1", 8, 9))
            played(screen, mae)
            commands.ask([screen], CommandKind.BLANK)
        asked = selects(desk, LIST)
        assert [sql for sql in asked if 'JOIN "billboard_play"' in sql] == []
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert desk.get(LIST).content.decode().count("1 behind") == 3


def test_list_of_plays_leads_on_only_where_there_is_more(
    desk: Client, campaign: Campaign, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlayAdmin, "list_per_page", 2)
    mae = approved(campaign)
    told = []
    for _ in range(3):
        played(screen, mae)
        told.append("Next" in desk.get(PLAYS).content.decode())
    assert told == [False, True, True]
    assert "Previous" in desk.get(PLAYS, {"p": 2}).content.decode()


def test_list_of_plays_reads_its_own_page_alone(
    desk: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be tens of millions."""
    monkeypatch.setattr(PlayAdmin, "list_per_page", 3)
    counts = []
    for names in (("A",), ("B", "C", "D")):
        for name in names:
            played(Screen.objects.create(campaign=campaign, name=name), approved(campaign))
        asked = selects(desk, PLAYS)
        of_plays = [sql for sql in asked if 'FROM "billboard_play"' in sql]
        assert len(of_plays) == 1
        assert [word for word in ("COUNT(", "DISTINCT", "JOIN") if word in of_plays[0]] == []
        counts.append(len(asked))
    assert counts[0] == counts[1]
    pages = [desk.get(PLAYS, {"p": n}).context["cl"].result_list for n in (1, 2)]
    assert [[play.screen.name for play in page] for page in pages] == [["D", "C", "B"], ["A"]]


def test_plays_of_a_layout_and_of_a_day_are_found(
    desk: Client, campaign: Campaign, screen: Screen
) -> None:
    mae, now = approved(campaign), timezone.now()
    hero, mosaic = played(screen, mae, layout="hero"), played(screen, mae, layout="mosaic4")
    before = played(screen, mae, layout="hero", started_at=now - timedelta(days=1))
    found = desk.get(PLAYS, {"layout": "mosaic4"}).context["cl"].result_list
    assert list(found) == [mosaic]
    proof.begin_anew()
    yesterday = {"day": f"{timezone.localtime(before.started_at):%Y-%m-%d}"}
    hours = desk.get(reverse("admin:billboard_play_hours"), yesterday)
    assert conditional_escape(hours.context["each"]) in hours.content.decode()
    assert list(desk.get(hours.context["each"]).context["cl"].result_list) == [before]
    assert list(desk.get(PLAYS).context["cl"].result_list) == [mosaic, hero, before]


def test_whoever_may_only_look_cannot_command(client: Client, screen: Screen) -> None:
    guest = User.objects.create(username="guest", is_staff=True)
    guest.user_permissions.add(Permission.objects.get(codename="view_screen"))
    client.force_login(guest)
    place = reverse("admin:billboard_screen_orders", args=[screen.pk])
    assert client.get(place).status_code == 200
    assert client.post(place, {"kind": "blank"}).status_code == 403
    client.post(LIST, {"action": "ask_blank_", "_selected_action": [screen.pk]})
    assert ScreenCommand.objects.count() == 0
    assert "Make it black" not in client.get(LIST).content.decode()
    assert 'value="blank"' not in client.get(change(screen)).content.decode()


def test_order_that_is_none_says_so_and_asks_nothing(desk: Client, screen: Screen) -> None:
    place = reverse("admin:billboard_screen_orders", args=[screen.pk])
    dark = {"kind": "brightness", "brightness": "9"}
    for words in ({"kind": "dance"}, {}, {"kind": "brightness", "brightness": "101"}, dark):
        by_script = desk.post(place, words, headers={"X-Requested-With": "fetch"})
        assert by_script.status_code == 400
        html = desk.post(place, words, follow=True).content.decode()
        assert ("No such command." in html) is (words.get("kind") != "brightness")
    assert "Brightness is 10 to 100 percent; for less there is Black." in html
    assert ScreenCommand.objects.count() == 0


def test_saving_a_screen_keeps_what_was_commanded_meanwhile(
    desk: Client, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving = ScreenAdmin.save_form

    def meanwhile(*form: Any, **words: Any) -> Any:
        commands.ask([screen], CommandKind.BLANK)
        commands.ask([screen], CommandKind.LAYOUT, value="mosaic9")
        return saving(*form, **words)

    monkeypatch.setattr(ScreenAdmin, "save_form", meanwhile)
    fields = {"campaign": screen.campaign_id, "name": "Broadway 9"} | FORM
    desk.post(change(screen), fields)
    screen.refresh_from_db()
    assert (screen.name, screen.layout) == ("Broadway 9", "mosaic9")
    assert screen.blanked_at is not None


@pytest.mark.parametrize(
    ("kind", "sent", "within", "words"),
    [
        ("identify", False, 30, "asked; not told yet"),
        ("identify", True, 30, "told; no answer yet"),
        ("identify", False, 0, "not carried out: the screen was not heard"),
        ("identify", True, 0, "told, but no answer came"),
        ("blank", False, 0, "the screen was not heard; it will be so when it is back"),
    ],
)
def test_outcome_in_words(
    desk: Client, screen: Screen, kind: str, sent: bool, within: int, words: str
) -> None:
    commands.ask([screen], CommandKind(kind), within=timedelta(seconds=within))
    if sent:
        ScreenCommand.objects.update(sent_at=timezone.now())
    html = desk.get(change(screen)).content.decode()
    assert f"<em>{words}</em>" in html
    assert words in desk.get(reverse("admin:billboard_screencommand_changelist")).content.decode()
