"""A screen that loses everything but its disk: network, server, browser. All of them real."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Playwright, WebSocketRoute, expect

from billboard import pairing
from billboard.models import Ack, EntryKind, Play, Screen
from campaign.models import Campaign, Submission
from tests.billboard import films
from tests.billboard.player import first_part, item, rest, snapshot
from tests.billboard.rows import approved, recall
from tests.browser import chromium_path, playwrights
from tests.e2e.conftest import Aside
from tests.stack import free_port, wait_until
from tests.web import web

pytestmark = pytest.mark.django_db(transaction=True)

RED = (160, 40, 60)
BACK_MS = 60_000
"""Longest wait between two tries is 30 s."""
COLD_MS = 45_000
"""A start waits for a server for 30 s."""

SEEN = """
    globalThis.seen = [];
    new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(
        (node) => { if (node.dataset?.submission) seen.push(node.dataset.submission); },
    ))).observe(document, {subtree: true, childList: true});
"""
"""Notes everyone of whom a card was ever put into the page, seen or not."""

ON_DISK = """async () => {
    const names = (await indexedDB.databases()).map(({name}) => name);
    if (!names.includes('diorama-shelf')) return [];
    const answered = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const database = await answered(indexedDB.open('diorama-shelf'));
    const reading = database.transaction(['items', 'files']);
    const keys = await Promise.all(['items', 'files']
        .map((name) => answered(reading.objectStore(name).getAllKeys())));
    database.close();
    return keys.flat();
}"""
NOTED = """async () => {
    const answered = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const database = await answered(indexedDB.open('diorama-spool'));
    const {acks} = await answered(database.transaction('open').objectStore('open').get('now'));
    database.close();
    return acks[0];
}"""
"""The play that is on, as the device would tell it after a power cut."""

DAY_ON_DISK = """async () => {
    const answered = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const database = await answered(indexedDB.open('diorama-shelf'));
    const kept = await answered(database.transaction('items').objectStore('items').get('A'));
    database.close();
    return kept?.item.until;
}"""

HELD = "async () => (await caches.match('/screen/'))?.headers.get('Diorama-Shell') ?? null"


class Kiosk:
    """A browser with a profile of its own, as one that hangs over a street has."""

    def __init__(self, playwright: Playwright, profile: Path) -> None:
        self.playwright = playwright
        self.profile = profile
        self.context: BrowserContext | None = None
        self.complaints: list[str] = []

    def pair(self, address: str, key: str) -> Page:
        """Make it a screen, and start it again: Chromium writes its cookies half a minute late, or
        when it is closed in order."""
        page = self.start(f"{address}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        self.stop()
        return self.start(f"{address}/screen/")

    def start(self, address: str) -> Page:
        """Switch it on; it goes to the address that it is made for."""
        self.context = self.playwright.chromium.launch_persistent_context(
            self.profile,
            executable_path=chromium_path(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            viewport={"width": 640, "height": 360},
        )
        self.context.add_init_script(SEEN)
        page = self.context.pages[0]
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        return page

    def kill(self) -> None:
        """Pull the plug."""
        mine = [
            process
            for process in psutil.process_iter(["cmdline"])
            if f"--user-data-dir={self.profile}" in (process.info["cmdline"] or [])
        ]
        assert mine
        for process in mine:
            process.kill()
        psutil.wait_procs(mine, timeout=10)
        self.context = None

    def stop(self) -> None:
        if self.context:
            self.context.close()
        self.context = None


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with playwrights() as playwright:
        yield playwright


@pytest.fixture
def kiosk(playwright: Playwright, tmp_path: Path) -> Iterator[Kiosk]:
    kiosk = Kiosk(playwright, tmp_path / "profile")
    yield kiosk
    kiosk.stop()
    assert kiosk.complaints == []


@pytest.fixture
def key(campaign: Campaign) -> str:
    Campaign.objects.update(slot_s=3)
    return pairing.issue_token(Screen(campaign=campaign, name="Broadway 1"))


def on(page: Page, submission: Submission | None, *, within_ms: int = 10_000) -> None:
    hero = submission.pk if submission else ""
    page.wait_for_selector(f'html[data-hero="{hero}"]', timeout=within_ms)


def held(page: Page, submissions: list[Submission], *, files: int) -> str:
    """Wait until the device has the player, and these with so many files. Returns the version."""
    page.wait_for_selector('html[data-socket="open"]', timeout=20_000)
    keys = {str(submission.pk) for submission in submissions}
    wait_until(
        lambda: (
            keys <= set(found := page.evaluate(ON_DISK))
            and len([key for key in found if "/" in key]) == files
        ),
        within_s=15,
        what="the pictures are on the disk",
    )
    return str(wait_until(lambda: page.evaluate(HELD), within_s=15, what="the shell is held"))


def red(page: Page) -> int:
    """How much of the picture, once nothing moves, is red."""
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((a) => a.finished))")
    with Image.open(io.BytesIO(page.screenshot())) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - np.array(RED)).max(axis=2) < 24).sum())


def test_browser_killed_and_started_without_a_server_plays_and_tells_its_plays_once(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    port = free_port()
    both = [aside(approved, campaign, plaque=name, colour="#a0283c") for name in ("MAE", "SALLY")]
    with web(port=port) as address:
        page = kiosk.pair(address, key)
        page.wait_for_selector('html[data-hero]:not([data-hero=""])')
        held(page, both, files=2)
    # 1. The server is gone, and then the power.
    page.wait_for_selector('html[data-socket="polling"]')
    hero = page.locator("html").get_attribute("data-hero")
    page.wait_for_selector(f'html[data-hero]:not([data-hero="{hero}"])', timeout=10_000)
    noted = wait_until(
        lambda: ack if (ack := page.evaluate(NOTED)) and ack["duration_ms"] > 1000 else None,
        within_s=10,
        what="the play that is on is noted",
    )
    kiosk.kill()
    # 2. It comes back to nothing, and plays.
    page = kiosk.start(f"{address}/screen/")
    page.wait_for_selector('html[data-hero]:not([data-hero=""])', timeout=COLD_MS)
    assert red(page) > 5000
    assert page.locator(".qr").evaluate("qr => qr.complete && qr.naturalWidth > 0")
    assert page.evaluate("document.fonts.ready.then((fonts) => fonts.size > 0)")
    assert page.evaluate("document.fonts.check('900 20px \"Big Shoulders Display\"')")
    hero = page.locator("html").get_attribute("data-hero")
    page.wait_for_selector(f'html[data-hero]:not([data-hero="{hero}"])', timeout=10_000)
    # 3. A day's plays are told once the server is there.
    ids = [str(uuid.uuid4()) for _ in range(400)]
    page.evaluate(
        """async ([ids, submission, figurine]) => {
            const {Spool} = await import(document.querySelector('script[type=module]').src
                .replace('screen/main.js', 'lib/spool.js'));
            const spool = new Spool({owner: document.body.dataset.screen});
            await spool.open();
            ids.forEach((play_id, i) => spool.add(1000 + i, {ack: 'shown', play_id, submission,
                figurine, seq: 1, started_at: new Date(Date.now() - 9e7 + 3000 * i).toISOString(),
                duration_ms: 3000}));
            await spool.load();
        }""",
        [ids, str(both[0].pk), both[0].figurines.get().pk],
    )
    page.reload()
    page.wait_for_selector('html[data-hero]:not([data-hero=""])', timeout=COLD_MS)
    with web(port=port):
        page.wait_for_selector('html[data-socket="open"]', timeout=BACK_MS)
        wait_until(
            lambda: Play.objects.filter(play_id__in=ids).count() == 400,
            within_s=60,
            what="all plays came",
        )
        wait_until(
            lambda: Play.objects.filter(duration_ms=None).count() <= 1,
            within_s=10,
            what="only the one that is on has no end",
        )
    # The one that was on when the plug was pulled ended when it was last seen.
    cut = Play.objects.get(play_id=noted["play_id"])
    assert cut.duration_ms is not None
    assert noted["duration_ms"] <= cut.duration_ms < noted["duration_ms"] + 3000
    assert Play.objects.exclude(play_id__in=ids).count() >= 4


def test_screen_that_was_off_never_draws_who_was_recalled_meanwhile(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    port = free_port()
    gone = aside(approved, campaign, plaque="GONE", colour="#a0283c")
    stays = aside(approved, campaign, plaque="STAYS")
    with web(port=port) as address:
        page = kiosk.pair(address, key)
        held(page, [gone, stays], files=2)
        kiosk.kill()
        aside(recall, gone)
        page = kiosk.start(f"{address}/screen/")
        on(page, stays)
        removal = Ack.objects.filter(entry__kind=EntryKind.REMOVE, entry__submission=gone)
        wait_until(removal.exists, within_s=5, what="dark is told")
        assert [key for key in page.evaluate(ON_DISK) if str(gone.pk) in key] == []
        assert str(gone.pk) not in page.evaluate("seen")
        assert red(page) == 0


def test_screen_that_comes_up_before_its_network_does_not_draw_them_either(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    port = free_port()
    gone = aside(approved, campaign, plaque="GONE")
    stays = aside(approved, campaign, plaque="STAYS")
    with web(port=port) as address:
        page = kiosk.pair(address, key)
        held(page, [gone, stays], files=2)
        kiosk.kill()
        aside(recall, gone)
    page = kiosk.start(f"{address}/screen/")
    page.wait_for_event("requestfailed", lambda failed: "/screen/feed.json" in failed.url)
    with web(port=port):
        on(page, stays, within_ms=20_000)
        assert str(gone.pk) not in page.evaluate("seen")


def test_dark_is_told_when_nothing_of_it_is_left_on_the_device(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    mae = aside(approved, campaign, plaque="MAE", colour="#a0283c")
    aside(films.store, mae)
    with web() as address:
        page = kiosk.pair(address, key)
        on(page, mae)
        held(page, [mae], files=2)
        aside(recall, mae)
        wait_until(
            Ack.objects.filter(entry__kind=EntryKind.REMOVE).exists, within_s=5, what="dark ack"
        )
        assert page.evaluate(ON_DISK) == []
        assert page.evaluate("localStorage.getItem('diorama.owed')") == "[]"
        on(page, None)


def test_screen_without_a_network_lets_nobody_stay_past_their_day(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    old = aside(approved, campaign, plaque="OLD", colour="#a0283c")
    with web() as address:
        left = timedelta(seconds=20)
        created_at = timezone.now() - timedelta(days=campaign.figurine_retention_days) + left
        Submission.objects.filter(pk=old.pk).update(created_at=created_at)
        page = kiosk.pair(address, key)
        on(page, old)
        held(page, [old], files=1)
    on(page, None, within_ms=35_000)
    assert timezone.now() >= created_at + timedelta(days=campaign.figurine_retention_days)
    wait_until(lambda: page.evaluate(ON_DISK) == [], within_s=5, what="it is off the disk")
    assert red(page) == 0
    expect(page.locator(".hero .card.is-idle .name")).to_have_text("You?")


def test_day_that_a_later_part_of_a_snapshot_tells_lies_on_the_device_too(
    campaign: Campaign, key: str, kiosk: Kiosk
) -> None:
    later, sooner = "2099-01-01T00:00:00Z", "2098-01-01T00:00:00Z"
    old, new = {**item("A", 1), "figurine": 10}, {**item("D", 2), "figurine": 40}
    sockets: list[WebSocketRoute] = []
    with web() as address:
        page = kiosk.start(f"{address}/livez")
        page.route_web_socket("**/ws/screen/", lambda socket: sockets.append(socket))
        page.goto(f"{address}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')

        def says(*frames: dict[str, object], day: str) -> None:
            for frame in frames:
                sockets[-1].send(json.dumps(frame))
            wait_until(lambda: page.evaluate(DAY_ON_DISK) == day, within_s=10, what=day)

        says(snapshot(1, {**old, "until": later}), day=later)
        says(first_part(2, [40, 10], new), rest(40, {**old, "until": sooner}), day=sooner)


def test_screen_switched_off_keeps_nothing(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    port = free_port()
    mae = aside(approved, campaign)
    with web(port=port) as address:
        page = kiosk.pair(address, key)
        held(page, [mae], files=1)
        Screen.objects.update(is_active=False)
        page.wait_for_selector(".unpaired", timeout=15_000)
        wait_until(
            lambda: page.evaluate("caches.keys()") == [] and page.evaluate(ON_DISK) == [],
            within_s=5,
            what="all is wiped",
        )
        # 2. Switched on, it holds all again; switched off in its sleep, it learns so at its start.
        Screen.objects.update(is_active=True)
        on(page, mae, within_ms=20_000)
        held(page, [mae], files=1)
        kiosk.kill()
        Screen.objects.update(is_active=False)
        page = kiosk.start(f"{address}/screen/")
        page.wait_for_selector(".unpaired")
        assert page.evaluate("seen") == []
        assert page.evaluate("caches.keys()") == []
        wait_until(lambda: page.evaluate(ON_DISK) == [], within_s=5, what="the shelf is wiped")


def test_new_words_replace_the_shell_whole_and_hold_without_a_server(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    mae = aside(approved, campaign)
    with web() as address:
        page = kiosk.pair(address, key)
        before = held(page, [mae], files=1)
        Campaign.objects.update(headline="Fall in, recruits!")
        expect(page.locator("h1")).to_have_text("Fall in, recruits!", timeout=15_000)
        wait_until(lambda: page.evaluate(HELD) != before, within_s=5, what="another shell")
        assert len(page.evaluate("caches.keys()")) == 1
        cached = page.evaluate(
            "async () => (await (await caches.open((await caches.keys())[0])).keys()).length"
        )
    kiosk.kill()
    page = kiosk.start(f"{address}/screen/")
    expect(page.locator("h1")).to_have_text("Fall in, recruits!")
    on(page, mae, within_ms=COLD_MS)
    assert cached > 20


def test_card_that_is_not_drawn_gives_way_to_the_box_and_the_page_comes_anew(
    campaign: Campaign, key: str, kiosk: Kiosk, aside: Aside
) -> None:
    Campaign.objects.update(slot_s=60)
    mae = aside(approved, campaign)
    warned: list[str] = []
    with web() as address:
        page = kiosk.pair(address, key)
        on(page, mae)
        page.on("console", lambda said: warned.append(said.text))
        with page.expect_navigation(timeout=15_000):
            page.locator(".hero .card[data-state=on] .figure").evaluate(
                "figure => figure.removeAttribute('src')"
            )
        on(page, mae)
    assert any(re.fullmatch("loads anew: blank", said) for said in warned)
