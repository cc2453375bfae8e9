"""Letters of a name: which fonts have them, and how they are set. Stencil first."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figurine import kits
from figurine.errors import BadPlaque
from figurine.plaque import clean
from figurine.types import Array

_FONTS = Path(kits.__file__).parent / "fonts"
_FAMILIES = (
    "big-shoulders-stencil",
    "noto-sans",
    "noto-sans-kr",
    "noto-sans-jp",
    "noto-sans-sc",
    "noto-sans-arabic",
    "noto-sans-hebrew",
    "noto-sans-thai",
    "noto-sans-devanagari",
)
"""The look's own stencil first; where it has no letter, the first of the others that has."""
_LETTER_PX = 160
_TRACKING = 0.07
"""Of the letter's height, as the look asks for names."""

Font = ImageFont.FreeTypeFont


def letters(name: str) -> str:
    """The name as it is set. Raises BadPlaque, also for a script that no font here has."""
    text = clean(name)
    _runs(text)
    return text


def _runs(text: str) -> list[tuple[Font, str]]:
    """The text cut where the font changes; marks and joiners stay with their letter."""
    runs: list[tuple[Font, str]] = []
    for letter in text:
        joins = letter == " " or unicodedata.category(letter) in ("Mn", "Mc", "Cf")
        font = runs[-1][0] if joins and runs else _font_for(letter)
        if font is None:
            raise BadPlaque(f"no letter for U+{ord(letter):04X}")
        if runs and runs[-1][0] is font:
            runs[-1] = (font, runs[-1][1] + letter)
        else:
            runs.append((font, letter))
    return runs


@cache
def _font_for(letter: str) -> Font | None:
    """The first font with this letter; a font draws what it lacks as its empty box."""
    for family in _FAMILIES:
        for file, ranges in _ranges(family).items():
            if any(first <= ord(letter) <= last for first, last in ranges):
                font = _font(family, file)
                if bytes(font.getmask(letter)) != bytes(font.getmask("\uffff")):
                    return font
    return None


@cache
def _ranges(family: str) -> dict[str, list[tuple[int, int]]]:
    with zipfile.ZipFile(_FONTS / f"{family}.zip") as archive:
        listed = json.loads(archive.read("ranges.json"))
    return {file: [(first, last) for first, last in ranges] for file, ranges in listed.items()}


@cache
def _font(family: str, file: str) -> Font:
    with zipfile.ZipFile(_FONTS / f"{family}.zip") as archive:
        return ImageFont.truetype(io.BytesIO(archive.read(file)), _LETTER_PX)


def drawn(text: str) -> Array:
    """The text, 0..1, cropped to its ink. Stencil letters are spaced, other scripts shaped."""
    canvas = Image.new("L", (_LETTER_PX * (len(text) + 2), _LETTER_PX * 3))
    draw = ImageDraw.Draw(canvas)
    at = float(_LETTER_PX // 2)
    for font, run in _runs(text):
        stencil = font.getname()[0] == _font(_FAMILIES[0], "latin.woff2").getname()[0]
        for piece in run if stencil else [run]:
            draw.text((at, _LETTER_PX * 1.9), piece, fill=255, font=font, anchor="ls")
            at += font.getlength(piece) + (_TRACKING * _LETTER_PX if stencil else 0)
    return np.asarray(canvas.crop(canvas.getbbox()), np.float32) / 255
