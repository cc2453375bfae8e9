"""What the crew asks of a screen, on the real page and at the real desk."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import requests
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from billboard import pairing
from billboard.models import Play, Screen, ScreenCommand
from campaign.models import Campaign
from tests.billboard.rows import approved, recall
from tests.browser import chromium
from tests.e2e.conftest import Aside
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SOON_S = 20
SHOWN_MS = 20_000
SIZE = (960, 540)

Ask = Callable[..., ScreenCommand]

EVERY_FRAME = """
    window.frames = [];
    const look = () => {
        const over = document.querySelector('.blackout');
        if (document.body?.dataset.page)
            window.frames.push(over ? getComputedStyle(over).visibility : 'not there');
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def crew(moderator: User) -> Client:
    client = Client()
    client.force_login(moderator)
    return client


@pytest.fixture
def player(
    campaign: Campaign, screen: Screen, browser: Browser, address: str, aside: Aside
) -> Iterator[Page]:
    """The screen's page with two people on it, one of them for a long time."""
    aside(approved, campaign, plaque="MAE")
    aside(approved, campaign, plaque="GRACE")
    Campaign.objects.filter(pk=campaign.pk).update(slot_s=60)
    context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/screen/#key={pairing.issue_token(screen)}")
    page.wait_for_selector('html[data-socket="open"]:not([data-hero=""])')
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def screen(campaign: Campaign) -> Screen:
    return Screen.objects.create(campaign=campaign, name="Broadway 1")


@pytest.fixture
def ask(crew: Client, address: str, screen: Screen) -> Ask:
    """Presses a button of the desk, in the process that the screen is connected to."""

    def asked(kind: str, **words: str) -> ScreenCommand:
        session = crew.cookies["sessionid"].value
        place = f"{address}{reverse('admin:billboard_screen_orders', args=[screen.pk])}"
        answer = requests.post(
            place,
            data={"kind": kind, "csrfmiddlewaretoken": "x" * 64, **words},
            cookies={"sessionid": session, "csrftoken": "x" * 64},
            headers={"X-Requested-With": "fetch", "Origin": address},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text[:500]
        command = ScreenCommand.objects.filter(kind=kind).latest("asked_at")
        return done(command)

    return asked


def done(command: ScreenCommand) -> ScreenCommand:
    def outcome() -> str:
        command.refresh_from_db()
        return command.outcome

    wait_until(outcome, within_s=SOON_S, what=f"{command.kind} is answered")
    assert (command.outcome, command.why) == ("done", "")
    return command


def middle(page: Page) -> tuple[int, ...]:
    """The colour in the middle of the picture."""
    with Image.open(io.BytesIO(page.screenshot())) as image:
        pixels = np.asarray(image.convert("RGB"))
    return tuple(int(part) for part in pixels[SIZE[1] // 2, SIZE[0] // 2])


def hero(page: Page) -> str:
    return page.locator("html").get_attribute("data-hero") or ""


def keeps(screen: Screen, items: int) -> None:
    """Waits until the screen says that so many pictures lie on it."""

    def is_told() -> bool:
        screen.refresh_from_db()
        return screen.kept_items == items

    wait_until(is_told, within_s=SOON_S, what=f"the screen keeps {items} pictures")


def says_how_it_is(screen: Screen) -> None:
    def is_told() -> bool:
        screen.refresh_from_db()
        return screen.fps is not None and bool(screen.kept_items)

    wait_until(is_told, within_s=SOON_S, what="the screen says how it is")
    assert (screen.is_drawing, screen.dropped_frames, screen.kept_items) == (True, 0, 2)
    assert screen.heap_mb is not None
    assert screen.heap_mb > 0
    assert screen.clock_off_ms is not None
    assert abs(screen.clock_off_ms) < 2000


def test_black_survives_a_reload_counts_no_play_and_takes_down_beneath(
    campaign: Campaign, player: Page, ask: Ask, aside: Aside, screen: Screen
) -> None:
    ask("blank")
    assert player.locator("html").get_attribute("data-blanked") == ""
    assert set(middle(player)) == {0}
    plays = Play.objects.filter(screen=screen, duration_ms=None)
    wait_until(lambda: not plays.exists(), within_s=SOON_S, what="nobody is on")
    player.add_init_script(EVERY_FRAME)
    first = ask("reload")
    player.wait_for_selector("html[data-blanked][data-socket=open]")
    assert set(player.evaluate("() => window.frames")) == {"visible"}
    assert set(middle(player)) == {0}
    assert first.done_at is not None
    gone = campaign.submissions.get(plaque="GRACE")
    aside(recall, gone)
    player.wait_for_selector('html[data-items="1"]')
    ask("unblank")
    player.wait_for_selector('html:not([data-blanked]):not([data-hero=""])')
    assert hero(player) != str(gone.pk)
    # A check of the test: what is not black is seen not to be.
    assert set(middle(player)) != {0}


def test_paused_screen_keeps_its_picture_until_a_recall(
    campaign: Campaign, player: Page, ask: Ask, aside: Aside, screen: Screen
) -> None:
    on = hero(player)
    ask("pause")
    newest = aside(approved, campaign, plaque="NEW")
    player.wait_for_selector('html[data-items="3"]')
    # Or whoever is there goes up in the empty place, for the first time and so for a whole slot.
    keeps(screen, 3)
    assert hero(player) == on
    aside(recall, campaign.submissions.get(pk=on))
    player.wait_for_selector('html[data-hero=""]')
    expect(player.locator(".place .card.is-idle .name").first).to_be_visible()
    ask("resume")
    player.wait_for_selector(f'html[data-hero="{newest.pk}"]')


def test_layout_and_brightness_change_in_place(
    campaign: Campaign, player: Page, ask: Ask, screen: Screen
) -> None:
    player.evaluate("() => { window.isSamePage = true; }")
    card = player.locator('.place .card[data-state="on"]').first.element_handle()
    ask("layout", layout="diptych")
    player.wait_for_selector('html[data-layout="diptych"]')
    expect(player.locator(".place[data-is=taken]")).to_have_count(2)
    assert card is not None
    assert card.evaluate("(card) => card.isConnected && card.dataset.state") == "on"
    ask("brightness", brightness="40")

    def veil() -> Any:
        return player.evaluate(
            "getComputedStyle(document.querySelector('.veil')).opacity.slice(0, 4)"
        )

    wait_until(lambda: veil() == "0.6", within_s=SOON_S, what="it is dimmed")
    ask("brightness", brightness="")
    wait_until(lambda: veil() == "0", within_s=SOON_S, what="it is as the hour has it")
    assert player.evaluate("() => window.isSamePage") is True
    screen.refresh_from_db()
    assert screen.layout == "diptych"
    says_how_it_is(screen)


def test_identify_shows_the_name_over_everything_and_goes(player: Page, ask: Ask) -> None:
    ask("blank")
    player.clock.install()
    ask("identify")
    name = player.locator("[data-part=identify] .identify-name")
    expect(name).to_be_visible()
    assert name.inner_text().split() == ["BROADWAY", "1"]
    box = name.bounding_box()
    assert box is not None
    assert box["height"] > SIZE[1] * 0.4
    player.clock.fast_forward(10_000)
    expect(name).to_be_hidden()


@pytest.fixture
def desk(crew: Client, browser: Browser, address: str, screen: Screen) -> Iterator[Page]:
    """The screen's page in the admin."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_cookies(
        [{"name": "sessionid", "value": crew.cookies["sessionid"].value, "url": address}]
    )
    page = context.new_page()
    page.goto(f"{address}{reverse('admin:billboard_screen_change', args=[screen.pk])}")
    yield page
    context.close()


def test_producer_reads_what_came_of_it_without_a_reload(
    player: Page, desk: Page, address: str, screen: Screen
) -> None:
    complaints: list[str] = []
    desk.on("pageerror", lambda error: complaints.append(str(error)))
    desk.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    desk.evaluate("() => { window.isSamePage = true; }")
    rows = desk.locator(".orders-rows li")
    desk.get_by_role("button", name="Black").click()
    expect(rows.first).to_contain_text("done after")
    expect(desk.locator(".orders-status")).to_contain_text("Blanked by")
    expect(desk.get_by_role("button", name="Black")).to_have_attribute("aria-pressed", "true")
    player.wait_for_selector("html[data-blanked]")
    desk.locator("#order-layout").select_option("diptych")
    desk.get_by_role("button", name="Change").click()
    expect(rows.first).to_contain_text("Layout: Diptych")
    # Or saving the form beneath would bring the layout of before back.
    expect(desk.locator("#id_layout")).to_have_value("diptych")
    assert desk.evaluate("() => window.isSamePage") is True
    desk.goto(f"{address}{reverse('admin:billboard_screen_changelist')}")
    cell = desk.locator(f"[data-command-of='{screen.pk}']")
    expect(cell).to_contain_text("Layout: Diptych: done after")
    assert complaints == []


def test_command_that_was_not_asked_is_said_not_to_be(desk: Page, screen: Screen) -> None:
    words = desk.locator("[data-words]")
    black = desk.get_by_role("button", name="Black")
    orders = f"**{reverse('admin:billboard_screen_orders', args=[screen.pk])}"
    expect(words).to_be_hidden()
    answers: list[dict[str, Any]] = [{"body": "<h1>Our hotel</h1>"}, {"status": 403}]
    for answer in answers:
        desk.route(orders, lambda route, _, answer=answer: route.fulfill(**answer))
        black.click()
        expect(words).to_have_text(re.compile("^Not asked"))
        desk.unroute(orders)
        desk.get_by_role("button", name="Identify").click()
        expect(words).to_be_hidden()
    assert not ScreenCommand.objects.filter(kind="blank").exists()


def test_desk_says_when_nobody_answers_and_leads_to_where_one_signs_in(
    desk: Page, address: str
) -> None:
    words = desk.locator("[data-words]")
    desk.context.set_offline(True)
    expect(words).to_have_text(re.compile("^No answer from the server"), timeout=SHOWN_MS)
    desk.context.set_offline(False)
    expect(words).to_be_hidden(timeout=SHOWN_MS)
    desk.goto(f"{address}{reverse('admin:billboard_screen_changelist')}")
    Session.objects.all().delete()
    desk.wait_for_url("**/login/**")
