from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command

from billboard import pairing
from billboard.models import Screen


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


def test_link_that_ended_is_not_said_again() -> None:
    demo()
    by_hand = pairing.issue_token(Screen.objects.get())
    said = demo()
    ours = pairing.find(key_of(said))
    assert ours
    assert (settings.VAR / "screen.txt").read_text().strip() == key_of(said)
    assert demo() == said
    theirs = pairing.find(by_hand)
    assert theirs, "a browser may be that screen by now"
    assert (theirs.name, ours.name) == ("Broadway 1", "Broadway 2")


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
        f"{verb}_{model}"
        for verb in ("add", "change", "view")
        for model in ("campaign", "entrypoint", "screen")
    }
    assert set(User.objects.get().groups.values_list("name", flat=True)) == set(may)
