"""The name on the base: stencil letters, raised and painted, in the plate's own light."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figurine import kits
from figurine.engines.sculpt.compose import Figure, project
from figurine.errors import BadPlaque
from figurine.kits import Finish, Kit
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
_FILL = (0.86, 0.62)
"""Shares of the plaque's width and height that the name may take."""


Font = ImageFont.FreeTypeFont


def letters(name: str) -> str:
    """The name as it is set. Raises BadPlaque, also for a script that no font here has."""
    text = clean(name)
    _runs(text)
    return text


def engrave(figure: Figure, name: str, kit: Kit, finish: Finish) -> Figure:
    """The figure with the name on its plaque. Raises BadPlaque."""
    text = letters(name)
    if not text:
        return figure
    # 1. The letters, flat, then as the camera sees them on the plaque.
    height, width = figure.alpha.shape
    corners = project(kit.plaque, kit.camera, (width, height))
    mask = _seen(_drawn(text), corners, (width, height))
    x, y, w, h = cv2.boundingRect((mask > 0.002).astype(np.uint8))
    pad = max(4, round(width / 200))
    here = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
    shape = mask[here]

    # 2. Paint, lit as the panel under it is lit.
    light = figure.light[here]
    panel = finish.palette[kit.materials.index("base")]
    ink = kits.linear(finish.plaque_ink) if finish.plaque_ink else panel * 1.35
    lit = light / np.maximum(panel, 0.02)
    painted = light * (1 - shape[..., None]) + lit * ink * shape[..., None]

    # 3. Relief: edges towards the key light (up and left) shine, the others lie in shade.
    scale = width / 1080
    height_map = cv2.GaussianBlur(shape, (0, 0), 1.1 * scale)
    slope = (np.gradient(height_map, axis=1) + 1.6 * np.gradient(height_map, axis=0)) * scale
    painted = painted * (1 + np.clip(slope * 2.2, -0.62, 1.1)[..., None])
    result = figure.light.copy()
    result[here] = painted
    return Figure(light=result, alpha=figure.alpha)


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


def _drawn(text: str) -> Array:
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


def _seen(drawn: Array, corners: Array, size_px: tuple[int, int]) -> Array:
    """The drawn text centred on the plaque in perspective, (H, W) 0..1."""
    h, w = drawn.shape
    across = np.linalg.norm(corners[1] - corners[0]) * _FILL[0]
    down = np.linalg.norm(corners[3] - corners[0]) * _FILL[1]
    # Every name is set at the same height unless it would not fit.
    scale = min(down / h, across / w)
    half_u = scale * w / np.linalg.norm(corners[1] - corners[0]) / 2
    half_v = scale * h / np.linalg.norm(corners[3] - corners[0]) / 2
    unit = np.asarray([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    inner = np.asarray([[-half_u, -half_v], [half_u, -half_v], [half_u, half_v], [-half_u, half_v]])
    plaque = cv2.getPerspectiveTransform(unit, corners)
    target = cv2.perspectiveTransform((inner[None] + 0.5).astype(np.float32), plaque)[0]
    source = np.asarray([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    # Shrunk four times over in one warp, letters would alias: draw large, then average.
    over = 3
    warp = cv2.getPerspectiveTransform(source, target * over)
    large = cv2.warpPerspective(drawn, warp, (size_px[0] * over, size_px[1] * over))
    return cv2.resize(large, size_px, interpolation=cv2.INTER_AREA)
