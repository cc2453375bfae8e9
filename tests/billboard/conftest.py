from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page

from billboard import feed, pairing
from billboard.models import CAPTURES, Capture, Layout, Screen
from campaign.models import Campaign
from tests.billboard.captured import ADDRESS, Send, drawn, kept_files
from tests.billboard.player import blank
from tests.browser import chromium


@pytest.fixture(autouse=True)
def places_go_by_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that tests can name them."""
    monkeypatch.setattr(feed, "STEP_MOST", 1)


@pytest.fixture
def other_campaign(db: None) -> Campaign:
    return Campaign.objects.create(slug="other", name="Rival Company")


@pytest.fixture
def screen(campaign: Campaign) -> Screen:
    return Screen.objects.create(campaign=campaign, name="Broadway 1")


@pytest.fixture
def online(screen: Screen) -> Screen:
    Screen.objects.update(last_seen_at=timezone.now(), layout=Layout.HERO)
    return Screen.objects.select_related("campaign").get(pk=screen.pk)


@pytest.fixture
def token(screen: Screen) -> str:
    return pairing.issue_token(screen)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """May import everything under static/js."""
    return blank(browser)


@pytest.fixture
def empty_page(browser: Browser) -> Iterator[Page]:
    """The same, whose disk is empty."""
    page = blank(browser)
    yield page
    page.context.close()


@pytest.fixture
def no_captures(db: None) -> None:
    for name in kept_files():
        storages["private"].delete(f"{CAPTURES}/{name}")


@pytest.fixture
def send(token: str) -> Send:
    """Post as the screen does; the clock has gone on since the last one."""
    client = Client()
    client.cookies[pairing.COOKIE] = token

    def post(
        *people: dict[str, Any],
        kind: str = "glance",
        picture: bytes | None = None,
        content_type: str = "image/webp",
        is_soon: bool = False,
        **headers: str,
    ) -> Any:
        if not is_soon:
            Capture.objects.update(at=timezone.now() - timedelta(minutes=1))
        header = json.dumps({"kind": kind, "on": people})
        return client.post(
            ADDRESS,
            drawn() if picture is None else picture,
            content_type=content_type,
            headers={"Diorama-Capture": header, **headers},
        )

    return post
