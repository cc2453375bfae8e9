from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from billboard import feed, pairing
from billboard.models import Layout, Screen
from campaign.models import Campaign
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
