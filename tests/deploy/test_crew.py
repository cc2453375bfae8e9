"""manage.py crew: one more account."""

from __future__ import annotations

import sys
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from deploy.management.commands import crew


def made(*words: str) -> str:
    out = StringIO()
    call_command("crew", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types at the terminal, in turn."""
    words: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    def getpass(_: str) -> str:
        return words.pop(0)

    monkeypatch.setattr(crew, "getpass", getpass)
    monkeypatch.setattr(sys, "stdin", Terminal())
    return words


@pytest.mark.parametrize(
    ("duties", "groups", "opens"),
    [
        (["--moderator"], ["Moderators"], (True, False)),
        (["--operator"], ["Operators"], (False, True)),
        (["--moderator", "--operator"], ["Moderators", "Operators"], (True, True)),
    ],
)
def test_account_signs_in_with_the_password_that_is_printed_once(
    db: None, client: Client, duties: list[str], groups: list[str], opens: tuple[bool, bool]
) -> None:
    said = made("jo", *duties)
    password = said.split("Password ")[1].split()[0]
    assert client.login(username="jo", password=password)
    user = User.objects.get()
    assert sorted(user.groups.values_list("name", flat=True)) == groups
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert (
        user.has_perm("campaign.review_submission"),
        user.has_perm("billboard.add_screen"),
    ) == opens


def test_password_that_is_asked_for_is_printed_nowhere(
    db: None, client: Client, typed: list[str]
) -> None:
    typed += ["tin-soldier-9"] * 2
    assert made("jo", "--moderator") == "Account  jo, Moderators\n"
    assert client.login(username="jo", password="tin-soldier-9")


@pytest.mark.parametrize(
    ("words", "keys", "why"),
    [
        (["jo"], [], "--moderator, --operator or both"),
        (["MOD", "--operator"], [], "already"),
        (["j o", "--operator"], [], "valid username"),
        (["jo", "--operator"], ["tin-soldier-9", "tin-soldier-8"], "two different ones"),
        (["jo", "--operator"], ["password", "password"], "too common"),
    ],
)
def test_account_that_cannot_be_is_refused_in_a_sentence(
    moderator: User, typed: list[str], words: list[str], keys: list[Any], why: str
) -> None:
    typed += keys
    with pytest.raises(CommandError, match=why):
        made(*words)
    assert User.objects.count() == 1
