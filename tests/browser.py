"""A real Chromium, and a camera that films a portrait."""

from __future__ import annotations

import asyncio
import io
import shutil
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

import django.utils.asyncio
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Playwright, sync_playwright

CANDIDATES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same without windows; the others make one for every page: half a second."""
FRAMES = 20
CAMERA_SIZE_PX = (960, 1280)


def chromium_path() -> str:
    """Raises AssertionError where there is none; `make test` installs it."""
    found = next((path for name in CANDIDATES if (path := shutil.which(name))), None)
    assert found, "Chromium is not installed; `make test` installs it"
    return found


def film(portrait: bytes, file: Path) -> Path:
    """Write the portrait as a short motion-JPEG film, the shape of a phone held upright."""
    with Image.open(io.BytesIO(portrait)) as image:
        frame = ImageOps.fit(image.convert("RGB"), CAMERA_SIZE_PX, centering=(0.5, 0.3))
    out = io.BytesIO()
    frame.save(out, "JPEG", quality=95)
    file.write_bytes(out.getvalue() * FRAMES)
    return file


_playwrights: WeakSet[AbstractEventLoop] = WeakSet()


def _other_loop() -> AbstractEventLoop:
    """The loop that runs in this thread. Raises RuntimeError where it is none but Playwright's."""
    loop = asyncio.get_running_loop()
    if loop in _playwrights:
        raise RuntimeError("none but Playwright's")
    return loop


# Playwright's loop runs in the thread of the test, where Django would refuse the record. The
# variable that has Django refuse nothing would do so in the servers and sockets of tests, too.
django.utils.asyncio.get_running_loop = _other_loop  # type: ignore[attr-defined]  # imported


@contextmanager
def playwrights() -> Iterator[Playwright]:
    """Playwright, beside which a test reads and writes the record."""
    with sync_playwright() as playwright:
        _playwrights.add(asyncio.get_running_loop())
        yield playwright


@contextmanager
def chromium(*, camera: Path | None = None, webgl: bool = False) -> Iterator[Browser]:
    """A headless browser; with `camera`, a file of `film()` is what its camera sees.

    With `webgl` it draws in three dimensions, by its software, which takes seconds.
    """
    with playwrights() as playwright:
        browser = launch(playwright, camera=camera, webgl=webgl)
        yield browser
        browser.close()


def launch(playwright: Playwright, *, camera: Path | None = None, webgl: bool = False) -> Browser:
    # Without windows Chromium would set letters on whole pixels, as no screen does.
    args = ["--no-sandbox", "--disable-background-networking", "--font-render-hinting=none"]
    args += (
        ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"] if webgl else ["--disable-gpu"]
    )
    if camera:
        args += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]
    return playwright.chromium.launch(executable_path=chromium_path(), args=args)
