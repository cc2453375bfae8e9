"""A screen at the end of a line that takes many seconds for all who are up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from billboard import pairing
from billboard.models import Screen
from campaign.enums import SubmissionState
from campaign.models import Campaign, Figurine, Submission
from tests.billboard.rows import approved, recall
from tests.e2e.conftest import Aside

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 1200
"""Four parts of a snapshot."""
LINE_BYTES_PER_S = 40_000
"""A part takes some five seconds."""
SHOWN_MS = 120_000

RECALLED = """(submission) => {
    globalThis.held = null;
    new MutationObserver(() => {
        const {hero, items} = document.documentElement.dataset;
        if (hero !== submission) held ??= Number(items);
    }).observe(document.documentElement, {attributeFilter: ['data-items']});
}"""
"""Notes how many the screen holds when somebody is its hero no more."""


@pytest.fixture
def page(screen_browser: Browser) -> Iterator[Page]:
    context = screen_browser.new_context(viewport={"width": 640, "height": 360})
    yield context.new_page()
    context.close()


def crowd(campaign: Campaign, count: int, *, like: Submission) -> None:
    """So many are up, all as the same figurine."""
    cutout = like.figurines.get().cutout.name
    people = [
        Submission(
            campaign=campaign,
            number=10_000 + n,
            idempotency_key=str(uuid.uuid4()),
            plaque=f"P{n}",
            kit="soldier",
            finish="painted",
            state=SubmissionState.APPROVED,
            selfie_purge_at=like.selfie_purge_at,
            figurine_purge_at=like.figurine_purge_at,
        )
        for n in range(count)
    ]
    Submission.objects.bulk_create(people)
    Figurine.objects.bulk_create(
        Figurine(
            submission=one, recipe={}, seed=1, engine_version="1", is_chosen=True, cutout=cutout
        )
        for one in people
    )


def test_recall_acts_while_a_snapshot_is_still_on_its_way(
    campaign: Campaign, page: Page, address: str, aside: Aside
) -> None:
    mae = aside(approved, campaign)
    aside(crowd, campaign, PEOPLE, like=mae)
    zoe = aside(approved, campaign)
    key = aside(pairing.issue_token, Screen(campaign=campaign, name="Broadway 1"))
    page.context.add_cookies([{"name": pairing.COOKIE, "value": key, "url": address}])
    line = page.context.new_cdp_session(page)
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 50,
            "downloadThroughput": LINE_BYTES_PER_S,
            "uploadThroughput": LINE_BYTES_PER_S,
        },
    )
    page.goto(f"{address}/screen/")
    page.wait_for_selector(f'html[data-hero="{zoe.pk}"]', timeout=SHOWN_MS)
    page.evaluate(RECALLED, str(zoe.pk))
    aside(recall, zoe)
    page.wait_for_function("() => held !== null", timeout=SHOWN_MS)
    everybody = PEOPLE + 1
    assert page.evaluate("held") < everybody
    page.wait_for_selector(f'html[data-items="{everybody}"]', timeout=SHOWN_MS)
