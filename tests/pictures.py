"""Makes the pictures of the README with the real product: `python -m tests.pictures`.

Committed pictures show one person only, the astronaut of scikit-image (public domain).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser import chromium, film
from tests.photos import ASTRONAUT
from tests.stack import Crew, Phone, Stack

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SCREEN = ViewportSize(width=1920, height=1080)
POCKET = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1440, height=810)
FIGURINE_LIMIT_S = 120
QUALITY = 86
NAMES = (("EILEEN", "painted"), ("COLLINS", "army-green"), ("COMMANDER", "painted"))


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pic-") as name:
        folder = Path(name)
        camera = film(ASTRONAUT.read_bytes(), folder / "camera.mjpeg")
        with Stack(folder / "var") as stack, chromium(camera=camera) as browser:
            _take(stack, browser)
    return 0


def _take(stack: Stack, browser: Browser) -> None:
    # 1. A visitor, by hand
    context = browser.new_context(
        viewport=POCKET, device_scale_factor=2, is_mobile=True, has_touch=True
    )
    context.grant_permissions(["camera"])
    phone = context.new_page()
    phone.goto(stack.phone_url)
    strip = [phone.screenshot()]
    phone.locator("[name=consent_sha256]").check()
    phone.locator("#go-camera").click()
    phone.locator("#take:enabled").wait_for()
    strip.append(phone.screenshot())
    phone.locator("#take").click()
    phone.locator("[name=plaque]").fill("EILEEN")
    phone.locator("#go-kit").click()
    phone.locator("#send").click()
    phone.wait_for_selector("#status.scene-review", timeout=1000 * FIGURINE_LIMIT_S)
    phone.wait_for_timeout(1500)  # the figurine drops in
    strip.append(phone.screenshot())

    # 2. Company, so that the shelf is not empty
    for name, finish in NAMES[1:]:
        visitor = Phone(stack)
        visitor.submit(ASTRONAUT.read_bytes(), plaque=name, finish=finish)
        visitor.wait_for("review", within_s=FIGURINE_LIMIT_S)

    # 3. The desk
    desk = browser.new_context(viewport=DESK).new_page()
    desk.goto(f"{stack.url}/admin/login/?next=/admin/campaign/submission/review/")
    desk.fill("#id_username", "moderator")
    desk.fill("#id_password", stack.password)
    desk.keyboard.press("Enter")
    desk.wait_for_url(lambda url: "login" not in url)
    desk.wait_for_load_state("networkidle")
    _save(desk.screenshot(), "desk.jpg")

    # 4. The billboard, with the visitor as its hero
    screen = browser.new_context(viewport=SCREEN).new_page()
    screen.goto(stack.screen_url)
    screen.wait_for_selector('html[data-socket="open"]')
    crew = Crew(stack)
    waiting = crew.waiting()
    for card in sorted(waiting, key=lambda card: str(card["plaque"]) == "EILEEN"):
        crew.decide(card, "approve")
    hero = next(card["id"] for card in waiting if card["plaque"] == "EILEEN")
    screen.wait_for_selector(f'html[data-hero="{hero}"]', timeout=60_000)
    screen.wait_for_timeout(2000)  # the card stops swinging
    _save(screen.screenshot(), "billboard.jpg")
    strip.append(_up(phone))
    _save(_side_by_side(strip), "phone.jpg")


def _up(phone: Page) -> bytes:
    phone.wait_for_selector("#status.scene-up", timeout=20_000)
    phone.wait_for_timeout(1000)
    return phone.screenshot()


def _side_by_side(pictures: list[bytes]) -> bytes:
    pages = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    gap = 40
    width = sum(page.width for page in pages) + gap * (len(pages) + 1)
    sheet = Image.new("RGB", (width, pages[0].height + 2 * gap), "#d9d4c5")
    left = gap
    for page in pages:
        sheet.paste(page, (left, gap))
        left += page.width + gap
    sheet.thumbnail((1600, 1600), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _save(png: bytes, name: str) -> None:
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(FOLDER / name, quality=QUALITY, optimize=True)
    print(FOLDER / name)


if __name__ == "__main__":
    sys.exit(main())
