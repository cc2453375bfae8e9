"""The main job, as people do it: a phone in the square, a moderator at the desk, a screen above.

Everything is real: `python -m deploy.up` on an empty folder, three browser windows, a camera that
films a portrait. Pictures of every page land in tests/artifacts/ for a person to look at.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser import chromium, film
from tests.photos import portrait
from tests.stack import Crew, Phone, Stack, wait_until

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1366, height=768)
SCREEN = ViewportSize(width=1920, height=1080)
FIGURINE_MS = 90_000
PIXEL_TOLERANCE = 12.0
"""Mean absolute difference of 8-bit values: resampling, and the blister's gloss over it."""


@pytest.fixture(scope="module")
def artifacts() -> Path:
    folder = Path(__file__).resolve().parents[1] / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("walk") / "var") as stack:
        yield stack


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    camera = film(portrait("jemison").read_bytes(), tmp_path_factory.mktemp("cam") / "face.mjpeg")
    with chromium(camera=camera) as browser:
        yield browser


def rgb(png: bytes) -> NDArray[np.float32]:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def difference(screen: Page, picture_url: str) -> float:
    """How far the figurine as drawn is from the stored picture, where that is opaque."""
    figure = screen.locator('.hero .card[data-state="on"] .figure')
    box = figure.bounding_box()
    assert box
    answer = requests.get(picture_url, timeout=10)
    answer.raise_for_status()
    with Image.open(io.BytesIO(answer.content)) as image:
        wanted = image.convert("RGBA").resize((round(box["width"]), round(box["height"])))
    # Upper two thirds: the plinth stands behind the blister's lower rim.
    pixels = np.asarray(wanted, np.float32)[: round(box["height"] * 0.66)]
    drawn = rgb(screen.screenshot())
    x, y = round(box["x"]), round(box["y"])
    drawn = drawn[y : y + pixels.shape[0], x : x + pixels.shape[1]]
    opaque = pixels[..., 3] > 250
    return float(np.abs(drawn - pixels[..., :3])[opaque].mean())


def settle(page: Page, condition: str) -> None:
    """Ask from outside until it is true: the pages' own policy forbids to evaluate within."""
    wait_until(lambda: page.evaluate(condition), within_s=15, what=condition)


def test_walk_from_selfie_to_billboard_and_off_again(
    stack: Stack, browser: Browser, artifacts: Path
) -> None:
    def look(page: Page, name: str) -> None:
        page.screenshot(path=artifacts / f"walk-{name}.png")

    # 1. A screen hangs in the square, with nobody on it yet
    screen = browser.new_context(viewport=SCREEN).new_page()
    screen.goto(stack.screen_url)
    screen.wait_for_selector('html[data-socket="open"]')
    assert "#key" not in screen.url
    look(screen, "1-screen-idle")

    # 2. A visitor says yes, looks into the camera, and sends
    # A model that turns by itself keeps the software renderer busy: this visitor wants less motion.
    pocket = browser.new_context(
        viewport=PHONE,
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        reduced_motion="reduce",
    )
    pocket.grant_permissions(["camera"])
    phone = pocket.new_page()
    phone.goto(stack.phone_url)
    look(phone, "2-consent")
    phone.locator("[name=consent_sha256]").check()
    phone.locator("#go-camera").click()
    expect(phone.locator("#take")).to_be_enabled(timeout=15_000)
    look(phone, "3-camera")
    phone.locator("#take").click()
    phone.locator("[name=plaque]").fill("Mae")
    look(phone, "4-check")
    phone.locator("#go-kit").click()
    phone.locator("#send").click()
    phone.wait_for_url(re.compile(r"/s/[\w-]+/$"))
    look(phone, "5-moulding")
    phone.wait_for_selector("#status.scene-review", timeout=FIGURINE_MS)
    look(phone, "6-review")

    # 3. A moderator signs in, sees selfie and figurine, and presses A
    desk = browser.new_context(viewport=DESK).new_page()
    desk.goto(f"{stack.url}/admin/")
    desk.fill("#id_username", "moderator")
    desk.fill("#id_password", stack.password)
    desk.keyboard.press("Enter")
    desk.wait_for_url(lambda url: "login" not in url)
    desk.goto(f"{stack.url}/admin/campaign/submission/review/")
    expect(desk.get_by_text("MAE").first).to_be_visible()
    settle(
        desk,
        "[...document.images].filter(i => i.offsetWidth > 200)"
        ".every(i => i.complete && i.naturalWidth > 0)",
    )
    look(desk, "7-desk")
    desk.wait_for_selector("body[data-seen]")  # Nobody says yes to what has only just appeared.
    desk.keyboard.press("a")

    # 4. It is on the billboard, and it is the stored figurine
    screen.wait_for_selector('html[data-hero]:not([data-hero=""])', timeout=10_000)
    submission = screen.locator("html").get_attribute("data-hero")
    expect(screen.locator('.hero .card[data-state="on"] .name')).to_have_text("MAE")
    settle(
        screen,
        "document.getAnimations().every(a => a.playState !== 'running'"
        " || a.effect.getComputedTiming().iterations === Infinity)",
    )
    look(screen, "8-screen")
    phone.wait_for_selector("#status.scene-up", timeout=10_000)
    expect(phone.get_by_text("Broadway 1", exact=True)).to_be_visible()
    look(phone, "9-up")
    status = phone.locator("#status").get_attribute("data-status")
    cutout = json.loads(status or "")["cutout_url"]
    assert difference(screen, stack.url + cutout) < PIXEL_TOLERANCE

    # 5. The picture to keep is the stored still
    with phone.expect_download() as download:
        phone.locator("#keep").click()
    with Image.open(download.value.path()) as kept:
        assert (kept.format, kept.size) == ("JPEG", (1080, 1350))

    # 6. The model, cast when asked by a worker of its own
    phone.get_by_role("link", name="Turn it").click()
    phone.get_by_role("button", name="Cast it").click()
    model = phone.get_by_role("link", name="Keep the model")
    expect(model).to_be_visible(timeout=FIGURINE_MS)
    look(phone, "9-about-turn")
    with phone.expect_download() as download:
        model.click()
    assert download.value.path().read_bytes()[:4] == b"glTF"
    phone.get_by_role("link", name="Back to my page").click()

    # 7. Recalled: dark at once, and the phone says so
    desk.goto(f"{stack.url}/admin/campaign/submission/review/?look={submission}")
    look(desk, "10-desk-live")
    recall(desk)
    screen.wait_for_selector('html[data-hero=""]', timeout=5_000)
    assert screen.locator(f'[data-submission="{submission}"]').count() == 0
    phone.wait_for_selector("#status.scene-recalled", timeout=10_000)
    look(phone, "11-recalled")
    assert requests.get(stack.url + cutout, timeout=10).status_code == 200  # their own, still
    for context in browser.contexts:
        context.close()


def recall(desk: Page) -> None:
    """Press Recall and a reason for which it stays its owner's: the producer asked."""
    desk.keyboard.press("r")
    desk.keyboard.press("3")


def test_screen_that_was_away_replays_what_it_missed(stack: Stack, browser: Browser) -> None:
    crew = Crew(stack)
    cards = {}
    for name in ("STAYS", "GOES"):
        sender = Phone(stack)
        sender.submit(plaque=name)
        sender.wait_for("review", within_s=90)
        cards[name] = next(card for card in crew.waiting() if card["plaque"] == name)
    screen = browser.new_context(viewport=SCREEN).new_page()
    screen.goto(stack.screen_url)
    goes = crew.decide(cards["GOES"], "approve")
    screen.wait_for_selector(f'html[data-hero="{cards["GOES"]["id"]}"]', timeout=15_000)
    context = screen.context
    context.set_offline(True)
    crew.decide(goes, "recall", reason="moderation")
    crew.decide(cards["STAYS"], "approve")
    context.set_offline(False)
    screen.wait_for_selector(f'html[data-hero="{cards["STAYS"]["id"]}"]', timeout=60_000)
    assert screen.locator(f'[data-submission="{cards["GOES"]["id"]}"]').count() == 0
