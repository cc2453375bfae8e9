"""Which screen a browser is: by a key, by letters, by a link, or none."""

from __future__ import annotations

import re

import cv2
import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, expect

from billboard import codes, pairing
from billboard.models import Screen
from campaign.models import Campaign
from tests.e2e.conftest import Aside
from tests.e2e.screen import Open, settled
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

KEEP = """async () => {
    localStorage.setItem('diorama.black', 'yes');
    await caches.open('diorama.shell.1');
    const opening = indexedDB.open('diorama-shelf');
    await new Promise((resolve) => { opening.onsuccess = resolve; });
    opening.result.close();
}"""
KEPT = """async () => [localStorage.getItem('diorama.black'), await caches.keys(),
    (await indexedDB.databases()).map(({name}) => name)]"""
"""What a screen leaves on its device, whatever it says."""


def test_key_in_the_address_pairs_the_browser_and_leaves_the_address(
    campaign: Campaign, key: str, open_screen: Open, address: str
) -> None:
    page = open_screen(key)
    assert page.url == f"{address}/screen/"
    used = Screen.objects.filter(previous_hash=pairing.hashed(key), is_settled=False)
    wait_until(used.exists, within_s=10, what="the link's token is replaced")
    page.reload()
    page.wait_for_selector('html[data-started][data-socket="open"]')
    expect(page.locator(".stage")).to_contain_text("Diorama Company")


HUNG = """
    IDBFactory.prototype.open = () => ({});
    const usual = setTimeout;
    globalThis.setTimeout = (call, ms, ...more) => (ms >= 5000 ? 0 : usual(call, ms, ...more));
    const state = {isPaused: false, isBlanked: false, brightness: null, layout: 'mosaic4'};
    localStorage.setItem('diorama.orders', JSON.stringify({state}));
"""
"""A disk that never answers, and nobody who gives it up; and what the crew had asked for."""


def test_stage_stands_as_the_crew_wants_it_while_the_disk_hangs(
    campaign: Campaign, key: str, open_screen: Open
) -> None:
    page = open_screen(key)
    page.add_init_script(HUNG)
    page.reload()
    page.wait_for_selector('html[data-layout="mosaic"]')
    expect(page.locator(".place .card.is-idle")).to_have_count(4)
    expect(page.locator(".place .card.is-idle").first).to_be_visible()
    assert page.locator("html").get_attribute("data-socket") == "polling"
    assert page.locator("html").get_attribute("data-started") is None


def test_link_of_another_screen_opened_on_a_screen_makes_it_that_one(
    campaign: Campaign, key: str, open_screen: Open, address: str
) -> None:
    page = open_screen(key)
    page.evaluate("() => localStorage.setItem('diorama.black', 'yes')")  # as the crew wanted it
    other = pairing.issue_token(Screen(campaign=campaign, name="Broadway 2"))
    page.goto(f"{address}/screen/#key={other}")
    expect(page).to_have_title(re.compile("Broadway 2"))
    assert page.evaluate("() => localStorage.getItem('diorama.black')") is None
    assert page.url == f"{address}/screen/"


def test_browser_without_a_key_is_told_what_to_do(
    campaign: Campaign, key: str, screen_browser: Browser, address: str
) -> None:
    page = screen_browser.new_page()
    page.goto(f"{address}/screen/#key=wrong")
    expect(page.locator("[data-part=words]")).to_contain_text("not in use any more")
    page.goto(f"{address}/screen/")
    expect(page.locator("main")).to_contain_text("not paired yet")
    wide = {"user_code": "WWWW-WWWW", "qr_svg": "<svg/>", "expires_in": 600, "interval": 5}
    page.route("**/screen/pair/", lambda route: route.fulfill(json=wide))
    page.goto(f"{address}/screen/")
    page.wait_for_selector('[data-code="WWWW-WWWW"]')
    page.evaluate("() => document.fonts.ready.then(() => 1)")
    widths = page.locator("[data-part=letters]").evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert widths[0] <= widths[1]
    page.close()


def test_browser_without_a_key_shows_letters_though_one_answer_never_comes(
    campaign: Campaign, screen_browser: Browser, address: str
) -> None:
    page = screen_browser.new_page()
    page.add_init_script(
        "const whole = AbortSignal.timeout; AbortSignal.timeout = (ms) => whole(ms / 10);"
    )
    page.route("**/screen/feed.json", lambda _: None)
    page.goto(f"{address}/screen/")
    page.wait_for_selector(".has-code")
    page.close()


def test_browser_that_is_no_screen_deletes_what_it_kept_as_one(
    campaign: Campaign, screen_browser: Browser, address: str
) -> None:
    context = screen_browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/screen/")
    page.wait_for_selector(".has-code")
    page.evaluate(KEEP)
    assert page.evaluate(KEPT) == ["yes", ["diorama.shell.1"], ["diorama-shelf"]]
    page.reload()
    page.wait_for_selector(".has-code")
    assert page.evaluate(KEPT) == [None, [], []]
    context.close()


def test_browser_without_hands_is_paired_by_the_letters_it_shows(
    campaign: Campaign,
    key: str,
    screen_browser: Browser,
    address: str,
    aside: Aside,
    moderator: User,
) -> None:
    context = screen_browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    page.goto(f"{address}/screen/")
    page.wait_for_selector(".has-code")
    code = str(page.locator("[data-part=letters]").get_attribute("aria-label"))
    page.locator("[data-part=qr]").evaluate("(image) => image.decode()")
    shown = cv2.cvtColor(settled(page), cv2.COLOR_RGB2BGR)
    scanned = cv2.QRCodeDetectorAruco().detectAndDecode(shown)[0]
    assert scanned == f"{address}/admin/billboard/screen/pair/?code={code}"
    overflowing = "() => document.documentElement.scrollWidth > innerWidth"
    assert page.evaluate(overflowing) is False
    row = aside(codes.look_up, code, producer=moderator, address="")
    assert (row.width_px, row.height_px) == (1920, 1080)
    aside(codes.confirm, row, Screen.objects.get(), producer=moderator)
    page.wait_for_selector('html[data-socket="open"]', timeout=10_000)
    expect(page).to_have_title(re.compile("Broadway 1"))
    context.close()
