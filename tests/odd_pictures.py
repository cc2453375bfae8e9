"""Makes the picture of docs/bad-input.md: `python -m tests.odd_pictures`.

Odd photos of the astronaut, and below each its figurine, or what the visitor reads instead.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figurine import engines
from figurine.decode import decode
from figurine.errors import by_code
from figurine.gate import admit
from figurine.types import Array, Recipe
from tests.odd import REFUSED, SCULPTED, upload

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "bad-input.jpg"
COLUMNS, WIDTH_PX, HEIGHT_PX, TITLE_PX, GAP_PX = 7, 300, 340, 44, 14
PAPER, INK, SIGNAL = (250, 246, 234), (20, 23, 15), (194, 50, 31)
HEAD = np.s_[60:535, 330:750]
"""The head in a still of the soldier."""
QUALITY = 84


def main() -> int:
    cards = [_card(name) for name in (*SCULPTED, *REFUSED)]
    rows = -(-len(cards) // COLUMNS)
    width = GAP_PX + COLUMNS * (WIDTH_PX + GAP_PX)
    height = GAP_PX + rows * (cards[0].height + GAP_PX)
    sheet = Image.new("RGB", (width, height), (234, 223, 198))
    for index, card in enumerate(cards):
        row, column = divmod(index, COLUMNS)
        sheet.paste(
            card, (GAP_PX + column * (WIDTH_PX + GAP_PX), GAP_PX + row * (card.height + GAP_PX))
        )
    sheet.save(PICTURE, quality=QUALITY)
    print(PICTURE, f"{PICTURE.stat().st_size / 1e6:.1f} MB")
    return 0


def _card(name: str) -> Image.Image:
    card = Image.new("RGB", (WIDTH_PX, TITLE_PX + 2 * HEIGHT_PX), PAPER)
    pixels = decode(upload(name))
    _write(card, name, top=8, size=24)
    card.paste(Image.fromarray(_fitted(pixels)), (0, TITLE_PX))
    if name in SCULPTED:
        (made,) = engines.load("sculpt").generate(
            admit(pixels), Recipe("sculpt", "soldier", "painted"), seeds=[1]
        )
        head = Image.fromarray(made.still[HEAD]).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BOX)
        card.paste(head, (0, TITLE_PX + HEIGHT_PX))
        return card
    refusal = by_code(REFUSED[name][0], "")
    top = TITLE_PX + HEIGHT_PX + 24
    top = _write(card, refusal.code, top=top, size=24, colour=SIGNAL)
    top = _write(card, refusal.sentence, top=top + 14, size=30)
    _write(card, refusal.advice, top=top + 14, size=22)
    return card


def _fitted(pixels: Array) -> Array:
    """The whole photo, as large as the card allows, on grey."""
    height, width = pixels.shape[:2]
    scale = min(WIDTH_PX / width, HEIGHT_PX / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    card = np.full((HEIGHT_PX, WIDTH_PX, 3), 40, np.uint8)
    top, left = (HEIGHT_PX - size[1]) // 2, (WIDTH_PX - size[0]) // 2
    card[top : top + size[1], left : left + size[0]] = small
    return card


def _write(
    card: Image.Image, words: str, *, top: int, size: int, colour: tuple[int, int, int] = INK
) -> int:
    """Write wrapped lines; returns where they end."""
    font = ImageFont.load_default(size)
    for line in textwrap.wrap(words, round(1.9 * (WIDTH_PX - 28) / size)):
        ImageDraw.Draw(card).text((14, top), line, fill=colour, font=font)
        top += round(size * 1.25)
    return top


if __name__ == "__main__":
    sys.exit(main())
