"""Every frame that Chromium draws, and a judge that knows blank, torn and empty ones.

FRAMES names a folder for the frames that are wrong.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

SIZE = (640, 360)
"""Small, so that the compositor's frames are encoded as fast as they are drawn."""

COLOURS = ((200, 30, 40), (30, 60, 200), (20, 150, 60), (190, 20, 190))
NEAR = 26
"""Largest difference in a channel of two pixels of one colour; the shadows are soft at the rim."""

WHOLE = 0.6
"""Share of its pixels by which a figurine that swings is still whole: its head and its base."""

HALF = 0.25


class Verdict(Protocol):
    def verdict(self, frame: NDArray[np.uint8], /) -> str | None: ...


@dataclass
class Film:
    """What the compositor draws, from `start` to `stop`, judged as it comes."""

    page: Page
    judge: Verdict
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    wrong: list[tuple[float, str]] = field(default_factory=list)
    """When it was drawn, in seconds, and what is wrong with it."""

    count: int = 0
    last_s: float = 0.0

    def start(self) -> None:
        self.client = self.page.context.new_cdp_session(self.page)
        self.client.on("Page.screencastFrame", self._keep)
        size = {"maxWidth": SIZE[0], "maxHeight": SIZE[1]}
        self.client.send("Page.startScreencast", {"format": "jpeg", "quality": 90, **size})

    def stop(self) -> None:
        self.client.send("Page.stopScreencast")
        self.client.detach()
        self.look()

    def look(self) -> None:
        """Judge what came since the last look; a film of several hundred changes fits nowhere."""
        while self.waiting:
            at_s, encoded = self.waiting.pop(0)
            self.count += 1
            if said := self.judge.verdict(hero_of(encoded)):
                self.wrong.append((at_s, said))
                if said != "idle" and (folder := os.environ.get("FRAMES")):
                    Path(folder, f"{at_s:.3f}-{said}.jpg").write_bytes(encoded)

    def _keep(self, said: dict[str, Any]) -> None:
        self.last_s = said["metadata"]["timestamp"]
        self.waiting.append((self.last_s, base64.b64decode(said["data"])))
        self.client.send("Page.screencastFrameAck", {"sessionId": said["sessionId"]})


def pixels_of(encoded: bytes) -> NDArray[np.uint8]:
    """(H, W, 3), as large as frames are judged."""
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BOX))


def hero_of(encoded: bytes) -> NDArray[np.uint8]:
    """Left of the words: (H, W, 3)."""
    return left_of_words(pixels_of(encoded))


def left_of_words(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[:, : pixels.shape[1] * 11 // 25]


@dataclass(frozen=True)
class Figure:
    """How many pixels of a colour a settled figurine has, above and below its middle."""

    head: int
    base: int


def of_colour(pixels: NDArray[np.uint8], rgb: Sequence[int]) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = (
        np.abs(pixels.astype(np.int16) - np.array(rgb, np.int16)).max(axis=2) < NEAR
    )
    return near


def masses(
    pixels: NDArray[np.uint8], middle: int, colours: Sequence[Sequence[int]] = COLOURS
) -> list[Figure]:
    """Of each colour, what is above and below a row."""
    found = []
    for colour in colours:
        mask = of_colour(pixels, colour)
        found.append(Figure(int(mask[:middle].sum()), int(mask[middle:].sum())))
    return found


@dataclass(frozen=True)
class Judge:
    """Knows the settled screen, with somebody and with nobody; tells what is wrong with another."""

    whole: Figure
    middle: int
    idle: NDArray[np.uint8]
    empty: NDArray[np.uint8]
    """A card without its figurine."""
    colours: Sequence[Sequence[int]] = COLOURS

    def verdict(self, frame: NDArray[np.uint8]) -> str | None:
        """blank, torn, empty, idle, or None."""
        if not 25 < frame.mean() < 225 or frame.std() < 12:
            return "blank"
        found = masses(frame, self.middle, self.colours)
        if any(self._is_whole(one) for one in found):
            return None
        heads = [one for one in found if one.head > HALF * self.whole.head]
        bases = [one for one in found if one.base > HALF * self.whole.base]
        if heads and bases and not any(one in bases for one in heads):
            return "torn"
        from_idle, from_empty = self._differs(frame, self.idle), self._differs(frame, self.empty)
        # One fades into another: no colour is pure, but somebody's is there.
        if min(from_idle, from_empty) > 0.5:
            return None
        return "idle" if from_idle < from_empty else "empty"

    def _is_whole(self, one: Figure) -> bool:
        return one.head > WHOLE * self.whole.head and one.base > WHOLE * self.whole.base

    def _differs(self, frame: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        """In how many pixels, as a share of a figurine's."""
        strange = np.abs(frame.astype(int) - other.astype(int)).max(axis=2) > 40
        return float(strange.sum()) / (self.whole.head + self.whole.base)


def settled(page: Page) -> NDArray[np.uint8]:
    """What is left of the words once nothing moves."""
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((a) => a.finished))")
    return hero_of(page.screenshot())


def learn(page: Page, put_up: Callable[[], str], *, colours: Sequence[Sequence[int]]) -> Judge:
    """Look at the screen with nobody, with one, and with a card that lacks its figurine.

    `put_up` puts up somebody of the first colour, and names them.
    """
    page.evaluate("() => document.fonts.ready")
    idle = settled(page)
    page.wait_for_selector(f'html[data-hero="{put_up()}"]')
    up = settled(page)
    mask = of_colour(up, colours[0])
    middle = int(np.flatnonzero(mask.any(axis=1)).mean())
    whole = Figure(int(mask[:middle].sum()), int(mask[middle:].sum()))
    assert min(whole.head, whole.base) > 300
    figure = page.locator(".hero .card[data-state=on] .figure")
    figure.evaluate("figure => { figure.style.opacity = '0'; }")
    empty = settled(page)
    figure.evaluate("figure => { figure.style.opacity = ''; }")
    return Judge(whole, middle, idle, empty, colours)
