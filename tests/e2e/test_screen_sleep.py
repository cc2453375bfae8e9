"""A screen whose machine slept, or whose clock somebody set: to it both look alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved
from tests.e2e.conftest import Aside
from tests.web import web

pytestmark = pytest.mark.django_db(transaction=True)

MS = timedelta(milliseconds=1)
AWAKE_MS = 60_000
"""The network gets 25 s to come up after a sleep."""

SLEEP = """(ms) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + ms;
    globalThis.heroes = [];
    const note = () => heroes.push(document.documentElement.dataset.hero);
    new MutationObserver(note).observe(document.documentElement, {attributeFilter: ['data-hero']});
}"""
"""The device's clock goes on and the monotonic one does not."""


@pytest.fixture
def page(screen_browser: Browser) -> Iterator[Page]:
    context = screen_browser.new_context(viewport={"width": 960, "height": 540})
    yield context.new_page()
    context.close()


def open_screen(page: Page, campaign: Campaign, address: str, mae: Submission) -> None:
    key = pairing.issue_token(Screen(campaign=campaign, name="Broadway 1"))
    page.goto(f"{address}/screen/#key={key}")
    page.wait_for_selector(f'html[data-socket="open"][data-hero="{mae.pk}"]')


def test_device_that_slept_past_everybodys_day_shows_nobody_without_a_network(
    campaign: Campaign, page: Page, aside: Aside
) -> None:
    mae = aside(approved, campaign)
    with web() as address:
        open_screen(page, campaign, address, mae)
    page.evaluate(SLEEP, timedelta(days=campaign.figurine_retention_days) / MS)
    page.wait_for_selector('html[data-hero=""][data-items="0"]', timeout=AWAKE_MS)


def test_device_that_slept_asks_the_server_at_once_and_if_only_its_clock_was_set_nobody_goes(
    campaign: Campaign, page: Page, address: str, aside: Aside
) -> None:
    mae = aside(approved, campaign)
    open_screen(page, campaign, address, mae)
    page.evaluate(SLEEP, timedelta(days=400) / MS)
    page.wait_for_selector('html[data-socket="polling"]', timeout=5000)
    page.wait_for_selector('html[data-socket="open"]')
    zoe = aside(approved, campaign)
    page.wait_for_selector(f'html[data-hero="{zoe.pk}"]')
    assert set(page.evaluate("heroes")) == {str(mae.pk), str(zoe.pk)}
