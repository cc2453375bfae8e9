"""The page's logic, run where it will run: Chromium loads the module and the test asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser import chromium

STATIC = Path(__file__).parents[2] / "static"
# Plain http and no localhost: what browsers keep for secure pages is missing, as on a phone.
ORIGIN = "http://static.test"

Ask = Callable[..., Any]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def page(browser: Browser) -> Iterator[Page]:
    def serve(route: Route) -> None:
        path = STATIC / route.request.url.removeprefix(f"{ORIGIN}/")
        if path.suffix == ".js":
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    opened = browser.new_page()
    opened.route(f"{ORIGIN}/**", serve)
    opened.goto(f"{ORIGIN}/")
    yield opened
    opened.close()


@pytest.fixture
def ask(page: Page) -> Ask:
    """ask("photo", "(m, side) => m.fit(side, side)", 4000) is what js/lib/photo.js answers."""

    def question(module: str, script: str, argument: Any = None) -> Any:
        return page.evaluate(
            f"async (x) => await ({script})(await import('/js/lib/{module}.js'), x)", argument
        )

    return question
