"""deploy/login.py, by the login page."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaign import purses
from campaign.models import PurseCount
from deploy import login

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-way-home"


@pytest.fixture
def crew(db: None) -> User:
    return User.objects.create_user("mae", password=PASSWORD, is_staff=True)


def enter(client: Client, password: str, *, name: str = "mae", **extra: Any) -> tuple[int, str]:
    """Status, and what the page says; 302 leads in."""
    said = client.post("/admin/login/", {"username": name, "password": password}, **extra)
    return said.status_code, said.content.decode() if said.status_code == 200 else ""


def test_sixth_wrong_password_is_not_looked_at(
    crew: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(login.TRIES_OF_NAME):
        assert "too often" not in enter(client, "wrong")[1]
    monkeypatch.setattr(hashers, "verify_password", lambda *_: pytest.fail("it was compared"))
    status, page = enter(client, PASSWORD, name="MAE")
    assert (status, "Wait ten minutes" in page) == (200, True)


def test_from_elsewhere_and_by_another_name_it_goes_on(crew: User, client: Client) -> None:
    User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    for _ in range(login.TRIES_OF_NAME + 1):
        enter(client, "wrong")
    assert enter(client, PASSWORD, REMOTE_ADDR="10.0.0.7")[0] == 302
    assert enter(client, PASSWORD, name="ada")[0] == 302


def test_one_address_tries_many_names_a_while(crew: User, client: Client) -> None:
    for n in range(login.TRIES_OF_ADDRESS):
        enter(client, "wrong", name=f"name {n}")
    assert "too often" in enter(client, PASSWORD)[1]


def test_try_that_is_refused_writes_nothing(crew: User, client: Client) -> None:
    for _ in range(login.TRIES_OF_NAME):
        enter(client, "wrong")
    with CaptureQueriesContext(connection) as of_a_name:
        assert "too often" in enter(client, "wrong")[1]
    PurseCount.objects.update(count=login.TRIES_OF_ADDRESS)
    with CaptureQueriesContext(connection) as of_an_address:
        assert "too often" in enter(client, "wrong", name="never seen")[1]
    told = [one["sql"].split()[0] for one in (*of_a_name, *of_an_address)]
    assert set(told) == {"SELECT"}


def test_whoever_is_right_pays_nothing_and_time_heals(crew: User, client: Client) -> None:
    for _ in range(login.TRIES_OF_NAME + 1):
        assert enter(client, PASSWORD)[0] == 302
    for _ in range(login.TRIES_OF_NAME + 1):
        enter(client, "wrong")
    assert enter(client, PASSWORD)[0] == 200
    for each in PurseCount.objects.all():
        each.since -= purses.WINDOW
        each.save()
    assert enter(client, PASSWORD)[0] == 302


def test_browser_that_was_let_in_before_gets_in_whatever_others_of_its_address_type(
    crew: User, client: Client
) -> None:
    known = Client()
    enter(known, PASSWORD)
    for n in range(login.TRIES_OF_ADDRESS):
        enter(client, "wrong", name=f"name {n}")
    assert "too often" in enter(client, PASSWORD)[1]
    assert enter(known, PASSWORD)[0] == 302
    # It is known for whom it let in, and guesses no more than others do.
    assert "too often" in enter(known, PASSWORD, name="ada")[1]
    for _ in range(login.TRIES_OF_NAME):
        assert "too often" not in enter(known, "wrong")[1]
    assert "too often" in enter(known, PASSWORD)[1]


def test_cookie_of_one_name_is_none_of_another(crew: User, client: Client) -> None:
    User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    enter(client, PASSWORD, name="ada")
    (given,) = (one for name, one in client.cookies.items() if name.startswith("diorama_crew"))
    other = Client()
    enter(other, PASSWORD)
    (name,) = (name for name in other.cookies if name.startswith("diorama_crew"))
    forger = Client()
    forger.cookies[name] = given.value
    for n in range(login.TRIES_OF_ADDRESS):
        enter(client, "wrong", name=f"name {n}")
    assert "too often" in enter(forger, PASSWORD)[1]
    assert (given["httponly"], given["samesite"], given["path"]) == (True, "Lax", "/admin/login/")


def test_session_ends_with_a_shift(crew: User, client: Client) -> None:
    enter(client, PASSWORD)
    assert client.cookies["sessionid"]["max-age"] == 12 * 3600
