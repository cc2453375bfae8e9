"""What participants are told, against what a real screen does."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect

from billboard.models import Play, Screen
from campaign import queries
from campaign.models import Campaign
from tests.billboard.rows import approved, recall
from tests.e2e.conftest import Aside
from tests.e2e.screen import Open, on
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TRUE_WITHIN_S = 5


def test_told_moment_is_when_the_screen_shows_them_and_a_recall_takes_it_back(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside, address: str
) -> None:
    people = [aside(approved, campaign, plaque=f"P{n}") for n in range(4)]
    # The first is told only once all others were on: newest first.
    last = people[0]
    screen = open_screen(key)
    wait_until(Play.objects.exists, within_s=20, what="a first play")
    told = wait_until(
        lambda: status if (status := queries.status(last)).next_at else None,
        within_s=20,
        what="the first is told of a moment",
    )
    assert told.next_screen == Screen.objects.get().name

    phone = screen.context.new_page()
    phone.goto(f"{address}/s/{last.token}/")
    expect(phone.locator("#next-showing")).to_contain_text("You, on Broadway 1, about ")
    shown_at = datetime.fromisoformat(str(phone.locator("#next-showing").get_attribute("data-at")))

    plays = Play.objects.filter(submission=last)
    wait_until(plays.exists, within_s=25, what="the screen shows them")
    late_s = (plays.earliest("started_at").started_at - shown_at).total_seconds()
    assert abs(late_s) < TRUE_WITHIN_S

    # Told again of the next one; somebody new comes first, and what was told is corrected.
    wait_until(lambda: queries.status(last).next_at, within_s=15, what="told of the next showing")
    aside(recall, last)
    assert (queries.status(last).next_at, queries.status(last).next_screen) == ("", "")
    expect(phone.locator("#next-showing")).to_have_count(0)
    on(screen, aside(approved, campaign, plaque="NEW"), within_ms=10_000)


def test_queue_too_long_for_one_place_divides_the_screen(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    """A minute is promised, and thirty people would take one place a minute and a half."""
    Campaign.objects.update(promise_min=1)
    first = aside(approved, campaign, plaque="FIRST")
    screen = open_screen(key)
    on(screen, first, within_ms=10_000)
    assert screen.locator("html").get_attribute("data-layout") == "hero"
    for n in range(30):
        aside(approved, campaign, plaque=f"P{n:02}")
    expect(screen.locator("html")).to_have_attribute("data-layout", "diptych", timeout=15_000)
    beside = Play.objects.filter(layout="diptych").values_list("submission").distinct()
    wait_until(lambda: beside.count() >= 2, within_s=15, what="both places are plays")
