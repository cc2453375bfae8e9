"""A moderator at the desk's keyboard."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def on_desk(page: Page, name: str) -> None:
    """Wait until this one can be seen and decided."""
    expect(page.locator("[data-field=plaque]")).to_have_text(name)
    page.wait_for_function(
        "name => document.body.dataset.seen && document.querySelector("
        "`.is-current[data-id='${document.body.dataset.seen}'] span`)?.textContent === name",
        arg=name,
    )


def say(page: Page, key: str, *, of: str) -> None:
    on_desk(page, of)
    page.keyboard.press(key)
