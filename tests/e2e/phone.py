"""What a visitor does on the phone's pages, by hand."""

from __future__ import annotations

import io
import re
from typing import Any

from PIL import Image
from playwright.sync_api import FilePayload, Page, ViewportSize, expect

from tests.photos import portrait

SIZE: ViewportSize = {"width": 390, "height": 844}
ENLIST = re.compile("^I.m in$")
THATS_ME = re.compile("^That.s me$")


def agree(page: Page) -> None:
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name=ENLIST).click()


def photo(image: Image.Image, **options: Any) -> FilePayload:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def me() -> FilePayload:
    return {"name": "me", "mimeType": "image/jpeg", "buffer": portrait().read_bytes()}


def choose(page: Page, file: FilePayload) -> None:
    page.locator("#choose").get_by_label("Choose a photo").set_input_files([file])


def pick_finish(page: Page, title: str) -> None:
    """Once its pot of paint lies still and nothing lies on it: a page that has only just come may
    still move under the finger."""
    page.get_by_label(title).check(timeout=10_000)


def pick_kit(page: Page) -> None:
    """From the photo on to the kits."""
    page.get_by_role("button", name=THATS_ME).click()
    expect(page.get_by_role("heading", name="Pick your")).to_be_focused()


def send(page: Page) -> None:
    """From the photo to the end, with the kit that is there first."""
    pick_kit(page)
    page.get_by_role("button", name="Make me plastic").click()


def is_waiting_page(page: Page) -> None:
    expect(page.locator("#status")).to_be_visible(timeout=20_000)
