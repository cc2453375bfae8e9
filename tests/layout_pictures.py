"""Makes the picture of layouts in docs/screens.md: `python -m tests.layout_pictures`.

With the real product; everyone is the astronaut of scikit-image (public domain).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, ViewportSize

from tests.browser import chromium
from tests.photos import ASTRONAUT
from tests.stack import Crew, Phone, Stack

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "layouts.jpg"
FIGURINE_LIMIT_S: Final = 180
QUALITY: Final = 86
GROUND: Final = "#d9d4c5"
GAP_PX: Final = 24
PEOPLE: Final = (
    ("EILEEN", "astronaut", "painted"),
    ("COLLINS", "soldier", "painted"),
    ("COMMANDER", "explorer", "painted"),
    ("PILOT", "soldier", "army-green"),
    ("COLONEL", "astronaut", "bronze"),
    ("DISCOVERY", "explorer", "painted"),
    ("ELMIRA", "soldier", "desert-tan"),
    ("ATLANTIS", "astronaut", "painted"),
    ("COLUMBIA", "explorer", "marble"),
    ("HOUSTON", "soldier", "painted"),
)
SHOTS: Final = (
    ("tower", "hero", (592, 2512)),
    ("totem", "mosaic9", (1080, 1920)),
    ("landscape", "hero", (1920, 1080)),
    ("landscape", "mosaic4", (1920, 1080)),
    ("landscape", "diptych", (1920, 1080)),
    ("landscape", "ribbon", (1920, 1080)),
    ("ribbon", "ribbon", (3840, 1080)),
)
PLACES: Final = {"diptych": 2, "mosaic4": 4, "mosaic9": 9}


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="pic-") as name,
        Stack(Path(name) / "var") as stack,
        chromium() as browser,
    ):
        _people(stack)
        pictures = [_shot(stack, browser, layout, size) for _, layout, size in SHOTS]
    _sheet(pictures).save(FILE, quality=QUALITY, optimize=True)
    print(FILE, f"{FILE.stat().st_size / 1000:.0f} kB")
    return 0


def _people(stack: Stack) -> None:
    for plaque, kit, finish in PEOPLE:
        visitor = Phone(stack)
        visitor.submit(ASTRONAUT.read_bytes(), plaque=plaque, kit=kit, finish=finish)
        visitor.wait_for("review", within_s=FIGURINE_LIMIT_S)
    crew = Crew(stack)
    for card in crew.waiting():
        crew.decide(card, "approve")


def _shot(stack: Stack, browser: Browser, layout: str, size: tuple[int, int]) -> Image.Image:
    Crew(stack).set_up_screen(layout=layout)
    context = browser.new_context(viewport=ViewportSize(width=size[0], height=size[1]))
    page = context.new_page()
    page.goto(stack.screen_url)
    page.wait_for_function(
        """count => {
            const cards = (which) => document.querySelectorAll(`.shelf .card${which}`).length;
            const isFull = document.documentElement.dataset.shelf === 'none'
                || cards('[data-submission]') === cards('.is-idle');
            return isFull
                && document.querySelectorAll('.place[data-is=taken]').length === count;
        }""",
        arg=PLACES.get(layout, 1),
        timeout=30_000,
    )
    page.wait_for_timeout(1500)  # cards stop swinging
    with Image.open(io.BytesIO(page.screenshot())) as image:
        picture = image.convert("RGB")
    context.close()
    return picture


def _sheet(pictures: list[Image.Image]) -> Image.Image:
    """The tower and the totem at the left, four landscapes beside them, the ribbon below."""
    tower, totem, *landscapes, ribbon = pictures
    height = 2 * 390 + GAP_PX
    row = [_high(tower, height), _high(totem, height)]
    small = [_high(each, 390) for each in landscapes]
    left = sum(each.width + GAP_PX for each in row) + GAP_PX
    width = left + 2 * (small[0].width + GAP_PX)
    wide = ribbon.resize(
        (width - 2 * GAP_PX, round((width - 2 * GAP_PX) * ribbon.height / ribbon.width)),
        Image.Resampling.LANCZOS,
    )
    sheet = Image.new("RGB", (width, height + wide.height + 3 * GAP_PX), GROUND)
    x = GAP_PX
    for each in row:
        sheet.paste(each, (x, GAP_PX))
        x += each.width + GAP_PX
    for i, each in enumerate(small):
        at = (left + i % 2 * (each.width + GAP_PX), GAP_PX + i // 2 * (each.height + GAP_PX))
        sheet.paste(each, at)
    sheet.paste(wide, (GAP_PX, height + 2 * GAP_PX))
    return sheet


def _high(picture: Image.Image, height: int) -> Image.Image:
    width = round(picture.width * height / picture.height)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sys.exit(main())
