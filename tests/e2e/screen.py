"""What a screen shows, as a picture and by what its page says of itself."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from campaign.models import Submission

USUAL = (960, 540)
"""As the landscape at half the scale; drawn by software, a screen costs by the pixel."""
GREEN, RED = (47, 111, 63), (160, 40, 60)
SHOWN_MS = 5000
"""Approval to picture: the measured usual is under a second."""

Open = Callable[..., Page]


def colour(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


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
