"""The player in a real Chromium, against a real web process and a real channel layer."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from billboard import codes, pairing
from billboard.models import Ack, EntryKind, Feed, Play, Screen
from campaign import queries
from campaign.models import Campaign, Submission
from tests.billboard import films
from tests.billboard.rows import approved, in_review, recall
from tests.browser import chromium
from tests.e2e.conftest import Aside
from tests.stack import free_port, wait_until
from tests.web import web

pytestmark = pytest.mark.django_db(transaction=True)

GREEN, RED = (47, 111, 63), (160, 40, 60)
SIZES = {
    "landscape": (1920, 1080),
    "totem": (1080, 1920),
    "ribbon": (3840, 1080),
    "small": (1280, 720),
}
USUAL = (960, 540)
"""As the landscape at half the scale; drawn by software, a screen costs by the pixel."""
SHOWN_MS = 5000
"""Approval to picture: the measured usual is under a second."""
BACK_MS = 60_000
"""Longest wait between two tries is 30 s."""

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

Open = Callable[..., Page]


def colour(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def key(campaign: Campaign) -> str:
    campaign.slot_s = 3
    campaign.strapline = "One selfie. A few seconds. You, in plastic, up here."
    campaign.save()
    return pairing.issue_token(Screen(campaign=campaign, name="Broadway 1", drift_px=0))


@pytest.fixture
def open_screen(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the player's page and waits for its socket; fails on any error the page logs."""
    complaints: list[str] = []
    contexts = []

    def opened(key: str, *, at: str = address, size: tuple[int, int] = USUAL) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{at}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def on(page: Page, submission: Submission | None, *, within_ms: int = SHOWN_MS) -> None:
    """Wait until this submission is the hero."""
    hero = submission.pk if submission else ""
    page.wait_for_selector(f'html[data-hero="{hero}"]', timeout=within_ms)


def settled(page: Page) -> NDArray[np.uint8]:
    """The page as drawn once nothing on it moves any more: (H, W, 3)."""
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((a) => a.finished))")
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return np.asarray(image.convert("RGB"))


def count(pixels: NDArray[np.uint8], rgb: tuple[int, int, int]) -> int:
    """How many pixels are nearly of this colour."""
    away = np.abs(pixels.astype(int) - np.array(rgb)).max(axis=2)
    return int((away < 24).sum())


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
    campaign: Campaign, key: str, browser: Browser, address: str
) -> None:
    page = browser.new_page()
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
    campaign: Campaign, browser: Browser, address: str
) -> None:
    page = browser.new_page()
    page.add_init_script(
        "const whole = AbortSignal.timeout; AbortSignal.timeout = (ms) => whole(ms / 10);"
    )
    page.route("**/screen/feed.json", lambda _: None)
    page.goto(f"{address}/screen/")
    page.wait_for_selector(".has-code")
    page.close()


def test_browser_that_is_no_screen_deletes_what_it_kept_as_one(
    campaign: Campaign, browser: Browser, address: str
) -> None:
    context = browser.new_context()
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
    campaign: Campaign, key: str, browser: Browser, address: str, aside: Aside, moderator: User
) -> None:
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
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


def test_approved_figurine_is_shown_then_recalled_and_gone(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    page = open_screen(key)
    empty = settled(page)
    submission = aside(approved, campaign, plaque="MAE", colour=colour(RED))
    on(page, submission)
    expect(page.locator('.hero .card[data-state="on"] .name')).to_have_text("MAE")
    up = settled(page)
    wait_until(Play.objects.exists, within_s=5, what="the play is on record")
    assert queries.status(submission).screens == ("Broadway 1",)
    aside(recall, submission)
    on(page, None)
    assert page.locator(f'[data-submission="{submission.pk}"]').count() == 0
    down = settled(page)
    wait_until(Ack.objects.filter(entry__kind=EntryKind.REMOVE).exists, within_s=5, what="dark ack")
    assert count(up, RED) > 10_000
    assert count(empty, RED) == count(down, RED) == 0
    assert {play.duration_ms is not None for play in Play.objects.all()} == {True}


def test_hero_stands_more_than_half_as_high_as_the_screen(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    submission = aside(approved, campaign, colour=colour(RED))
    page = open_screen(key)
    on(page, submission)
    pixels = settled(page)
    away = np.abs(pixels[:, : USUAL[0] * 15 // 32].astype(int) - np.array(RED)).max(axis=2)
    rows = np.flatnonzero((away < 24).sum(axis=1) > 4)
    assert (rows[-1] - rows[0]) / USUAL[1] >= 0.55


def test_everyone_has_their_turn_and_no_one_twice_in_a_row(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    names = {str(aside(approved, campaign, plaque=name).pk): name for name in ("ONE", "TWO", "SIX")}
    page = open_screen(key)
    seen: list[str] = []
    while len(seen) < 5:
        page.wait_for_selector(
            f'html[data-hero]:not([data-hero="{seen[-1] if seen else ""}"])', timeout=8000
        )
        seen.append(str(page.locator("html").get_attribute("data-hero")))
    # The newest first; a page that took a slot to start is in the midst of it.
    turns = ["SIX", "TWO", "ONE"]
    first = turns.index(names[seen[0]])
    assert [names[hero] for hero in seen] == [turns[(first + n) % 3] for n in range(5)]


def test_screen_that_was_away_drops_what_was_recalled_before_it_draws_anything_else(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    port = free_port()
    gone = aside(approved, campaign, plaque="GONE", colour=colour(RED))
    with web(port=port) as address:
        page = open_screen(key, at=address)
        on(page, gone)
    page.wait_for_selector('html[data-socket="polling"]')
    # The server is away: the screen plays on.
    assert count(settled(page), RED) > 10_000
    aside(recall, gone)
    new = aside(approved, campaign, plaque="NEW", colour=colour(GREEN))
    page.evaluate(
        """() => {
            globalThis.heroes = [document.documentElement.dataset.hero];
            new MutationObserver(() => heroes.push(document.documentElement.dataset.hero))
                .observe(document.documentElement, {attributeFilter: ['data-hero']});
        }"""
    )
    with web(port=port):
        on(page, new, within_ms=BACK_MS)
        page.wait_for_selector('html[data-socket="open"]', timeout=BACK_MS)
        heroes = page.evaluate(
            "() => globalThis.heroes.filter((hero, i, all) => hero !== all[i - 1])"
        )
        assert heroes == [str(gone.pk), "", str(new.pk)]
        assert page.locator(f'[data-submission="{gone.pk}"]').count() == 0
        assert count(settled(page), RED) == 0


def test_screen_without_sockets_polls(
    campaign: Campaign, key: str, browser: Browser, address: str, aside: Aside
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route_web_socket("**/ws/screen/", lambda socket: socket.close())
    page.goto(f"{address}/screen/#key={key}")
    submission = aside(approved, campaign)
    on(page, submission, within_ms=10_000)
    assert page.locator("html").get_attribute("data-socket") == "polling"
    wait_until(Play.objects.exists, within_s=10, what="the play came by post")
    aside(recall, submission)
    on(page, None, within_ms=10_000)
    context.close()


def test_older_server_is_not_asked_what_it_does_not_know(
    campaign: Campaign, key: str, browser: Browser, address: str
) -> None:
    """It would take the question for no frame, and hang up."""
    context = browser.new_context()
    page = context.new_page()
    sockets: list[WebSocketRoute] = []
    said: list[str] = []

    def opened(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(lambda text: said.append(json.loads(text)["type"]))

    page.route_web_socket("**/ws/screen/", opened)
    page.goto(f"{address}/screen/#key={key}")

    def hears(**more: bool) -> list[str]:
        """What it says to one beat of the server's."""
        said.clear()
        look = page.locator("body").get_attribute("data-page")
        beat = {"type": "beat", "epoch": None, "seq": 0, "at": "2026-11-27T12:00:00Z"}
        sockets[-1].send(json.dumps({**beat, "page": look, **more}))
        wait_until(
            lambda: page.evaluate("1") and "here" in said, within_s=10, what="it answers a beat"
        )
        return said

    page.wait_for_selector('html[data-socket="open"]')
    assert "time" not in hears()
    assert "time" in hears(watched=False)
    context.close()


def test_screen_switched_off_goes_dark_and_comes_back_when_switched_on(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    submission = aside(approved, campaign, colour=colour(RED))
    page = open_screen(key)
    on(page, submission)
    Screen.objects.update(is_active=False)
    page.wait_for_selector(".unpaired", timeout=15_000)
    assert count(settled(page), RED) == 0
    Screen.objects.update(is_active=True)
    on(page, submission, within_ms=20_000)


def test_new_words_of_the_producer_reach_the_screen_by_themselves(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    page = open_screen(key)
    Campaign.objects.update(headline="Fall in, recruits!")
    expect(page.locator("h1")).to_have_text("Fall in, recruits!", timeout=15_000)


@pytest.mark.parametrize("shape", SIZES)
def test_qr_leads_to_the_phone_page_and_nothing_overflows(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside, address: str, shape: str
) -> None:
    Campaign.objects.update(slot_s=60)  # nothing moves while it is measured
    for n in range(5):
        aside(approved, campaign, plaque=f"BARTHOLOMEW THE VERY LONG {n}" if n % 2 else "MAE")
    page = open_screen(key, size=SIZES[shape])
    page.wait_for_selector('html[data-hero]:not([data-hero=""])')
    page.evaluate("() => document.fonts.ready")
    pixels = settled(page)
    overflowing = page.evaluate(
        """() => [...document.querySelectorAll('.stage, .headline, .strapline, .name, .brand')]
            .filter((box) => box.scrollWidth > box.clientWidth + 1
                || box.getBoundingClientRect().right > innerWidth + 1
                || box.getBoundingClientRect().bottom > innerHeight + 1)
            .map((box) => box.className)"""
    )
    # The classic detector misses one code in three hundred, whatever it is drawn on.
    said, corners, _ = cv2.QRCodeDetectorAruco().detectAndDecode(pixels[..., ::-1].copy())
    assert said == f"{address}/c/demo/"
    edge_px = np.linalg.norm(corners[0][0] - corners[0][1])
    assert edge_px >= 0.2 * min(SIZES[shape])
    assert overflowing == []


def test_no_frame_of_a_change_is_black_white_or_empty(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    for n in range(3):
        aside(approved, campaign, plaque=f"N{n}", colour=colour(RED))
    frames: list[bytes] = []
    page = open_screen(key, size=(960, 540))
    page.wait_for_selector('html[data-hero]:not([data-hero=""])')
    settled(page)
    client = page.context.new_cdp_session(page)

    def keep(frame: dict[str, str]) -> None:
        frames.append(frame["data"].encode())
        client.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    client.on("Page.screencastFrame", keep)
    client.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
    for _ in range(3):
        hero = page.locator("html").get_attribute("data-hero")
        page.wait_for_selector(f'html[data-hero]:not([data-hero="{hero}"])', timeout=8000)
    settled(page)
    client.send("Page.stopScreencast")
    assert len(frames) >= 10
    for frame in frames:
        with Image.open(io.BytesIO(base64.b64decode(frame))) as image:
            card = np.asarray(image.convert("RGB"))[:, : image.width * 2 // 5]
        assert count(card, RED) > 4000
        assert 40 < card.mean() < 215


def test_item_whose_picture_is_gone_does_not_stop_the_others(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    there = aside(approved, campaign, plaque="THERE")
    broken = aside(approved, campaign, plaque="BROKEN")
    broken.figurines.get().cutout.storage.delete(broken.figurines.get().cutout.name)
    page = open_screen(key)
    on(page, there)
    assert page.locator("html").get_attribute("data-items") == "2"


def test_feed_of_nobody_shows_the_empty_box(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    in_review(campaign)
    page = open_screen(key)
    expect(page.locator(".hero .card.is-idle .name")).to_have_text("You?")
    assert page.locator(".card[data-submission]").count() == 0
    assert Feed.objects.count() == 0


# --- what moves -----------------------------------------------------------------------------------
PINK = (200, 40, 120)


def moves(page: Page) -> None:
    page.wait_for_selector("[data-moves] .film", timeout=SHOWN_MS)


def test_clip_comes_while_the_picture_is_on_plays_and_goes_with_the_recall(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    mae = aside(approved, campaign, plaque="MAE", colour=colour(GREEN))
    page = open_screen(key)
    on(page, mae)
    still = settled(page)
    assert (count(still, PINK), count(still, GREEN) > 5000) == (0, True)

    aside(films.store, mae, rgb=PINK)
    moves(page)
    moving = settled(page)
    assert count(moving, PINK) > 5000
    assert count(moving, GREEN) < count(still, GREEN) / 4, "the picture is not seen beside it"
    film = page.locator(".film")
    told = film.evaluate("film => [film.muted, film.loop, film.paused, film.currentTime]")
    assert told[:3] == [True, True, False]
    page.wait_for_function(
        "before => document.querySelector('.film').currentTime !== before", arg=told[3]
    )
    assert page.locator("html").get_attribute("data-hero") == str(mae.pk)

    aside(recall, mae)
    on(page, None)
    assert page.locator("video").count() == 0
    assert page.locator("[data-submission]").count() == 0
    assert count(settled(page), PINK) == 0
    assert Ack.objects.filter(entry__kind=EntryKind.REMOVE).count() == 1


def test_clip_that_does_not_play_leaves_the_picture(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    mae = aside(approved, campaign, plaque="MAE", colour=colour(GREEN))
    clip = aside(films.store, mae, broken=True)
    page = open_screen(key)
    page.add_init_script(
        """window.films = 0;
        new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach(
            (node) => { if (node.querySelector?.(".pane > .film")) window.films += 1; },
        ))).observe(document, {subtree: true, childList: true});"""
    )
    page.reload()
    on(page, mae)
    page.wait_for_function("() => window.films > 0")
    page.wait_for_selector(".film", state="detached")
    assert page.locator("[data-moves]").count() == 0
    assert count(settled(page), GREEN) > 5000
    assert clip.is_done


def test_next_one_moves_as_soon_as_it_is_on(
    campaign: Campaign, key: str, open_screen: Open, aside: Aside
) -> None:
    """Its clip was loaded ahead, so there are two films for the moment of the change."""
    names = [aside(approved, campaign, plaque=name) for name in ("MAE", "SALLY")]
    for submission in names:
        aside(films.store, submission, rgb=PINK)
    page = open_screen(key)
    on(page, names[1])
    moves(page)
    on(page, names[0], within_ms=10_000)
    page.wait_for_selector(f'[data-submission="{names[0].pk}"][data-moves]', timeout=2000)
