from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billboard import commands, feed, pairing
from billboard.admin import ScreenAdmin
from billboard.models import CommandKind, Play, Screen, ScreenCommand
from campaign.models import Campaign
from tests.billboard.rows import approved

LIST = reverse("admin:billboard_screen_changelist")
FORM = {"is_active": "on", "layout": "auto", "rotation": "0", "drift_px": "3", "words": "[]"}
FORM |= {"panels_across": "1", "panels_down": "1", "bezel_px": "0"}
LINK = re.compile(r"http://localhost:8000/screen/#key=([\w-]{43})")


@pytest.fixture
def desk(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def change(screen: Screen) -> str:
    return reverse("admin:billboard_screen_change", args=[screen.pk])


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


def test_list_costs_as_many_queries_for_three_screens_as_for_one(
    desk: Client, campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for names in (("A",), ("B", "C")):
        for name in names:
            screen = Screen.objects.create(campaign=campaign, name=name)
            commands.ask([screen], CommandKind.BLANK)
        with django_assert_max_num_queries(100) as captured:
            desk.get(LIST)
        counts.append(len(captured))
    assert counts[0] == counts[1]


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
