from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign


@pytest.fixture(autouse=True)
def fresh_folder(db: None) -> Iterator[None]:
    files = [settings.VAR / "screen.txt", settings.VAR / "moderator.txt"]
    yield
    for file in files:
        file.unlink(missing_ok=True)


def demo() -> dict[str, Any]:
    out = StringIO()
    call_command("demo", stdout=out)
    said: dict[str, Any] = json.loads(out.getvalue())
    return said


def key_of(said: dict[str, Any]) -> str:
    return str(said["screen_url"].partition("#key=")[2])


def test_demo_again_says_the_same_but_the_password() -> None:
    first, again = demo(), demo()
    assert again == {**first, "password": None}
    assert Screen.objects.count() == 1


def test_names_that_the_crew_changed_make_no_second_of_anything() -> None:
    first = demo()
    Campaign.objects.update(slug="pier", name="Pier 17")
    User.objects.update(username="jo")
    said = demo()
    assert (Campaign.objects.count(), User.objects.count(), Screen.objects.count()) == (1, 1, 1)
    assert said["phone_url"] == first["phone_url"].replace("demo", "pier")
    assert (said["username"], said["password"], said["password_file"]) == ("jo", None, "")


def test_crew_of_its_own_is_given_neither_demo_nor_account() -> None:
    Campaign.objects.create(slug="pier", name="Pier 17")
    User.objects.create_user("jo", is_staff=True)
    demo()
    assert list(Campaign.objects.values_list("slug", flat=True)) == ["pier"]
    assert list(User.objects.values_list("username", flat=True)) == ["jo"]
    assert Screen.objects.get().campaign.slug == "pier"


def test_summary_leads_to_the_newest_campaign_that_is_open() -> None:
    for slug, is_paused in (("first", False), ("second", False), ("third", True)):
        Campaign.objects.create(slug=slug, name=slug, is_paused=is_paused)
    assert demo()["phone_url"].endswith("/second/")
    Campaign.objects.update(is_paused=True)
    assert demo()["phone_url"].endswith("/third/")


def test_link_that_ended_is_not_said_again() -> None:
    used = key_of(demo())
    by_hand = pairing.issue_token(Screen.objects.get())
    said = demo()
    assert said["screen_url"].endswith("/screen/")
    assert demo() == said
    assert pairing.find(used) is None
    theirs = pairing.find(by_hand)
    assert theirs, "a browser may be that screen by now"
    assert Screen.objects.get() == theirs


def test_crew_is_given_what_its_duties_need() -> None:
    demo()
    may = {
        group.name: {permission.codename for permission in group.permissions.all()}
        for group in Group.objects.all()
    }
    viewed = {word for word in may["Moderators"] if word.startswith("view_")}
    assert may["Moderators"] == viewed | {"review_submission"}
    assert {"view_submission", "view_transition", "view_campaign", "view_play"} <= viewed
    assert may["Operators"] == {
        *("view_play", "view_screencommand", "view_submission"),
        *(
            f"{verb}_{model}"
            for verb in ("add", "change", "view")
            for model in ("booking", "campaign", "entrypoint", "screen", "wall")
        ),
    }
    assert set(User.objects.get().groups.values_list("name", flat=True)) == set(may)


def test_crew_of_before_is_given_what_a_newer_version_needs() -> None:
    demo()
    operators = Group.objects.get(name="Operators")
    operators.permissions.set(Permission.objects.filter(codename__in=("view_screen", "add_user")))
    User.objects.get().groups.remove(operators)
    demo()
    may = set(operators.permissions.values_list("codename", flat=True))
    assert {"add_wall", "view_play", "add_user"} <= may, "what the crew added stays"
    assert not User.objects.get().groups.filter(name="Operators").exists(), "taken out stays out"


def test_operator_reaches_what_a_booking_needs(client: Client) -> None:
    demo()
    screen = Screen.objects.get()
    user = User.objects.create_user("op", password="op", is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    client.force_login(user)
    choose = "app_label=billboard&model_name=booking&field_name=submission"
    for address in (
        "/admin/billboard/wall/add/",
        "/admin/billboard/booking/add/",
        f"/admin/autocomplete/?{choose}",
        "/admin/billboard/play/hours/",
        f"/admin/billboard/screen/{screen.pk}/change/",
    ):
        assert client.get(address).status_code == 200, address
    assert client.get("/admin/review/").status_code in (403, 404)
