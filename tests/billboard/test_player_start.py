"""What looks after a start, on a page whose player does not load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route

from tests.browser import chromium

SCRIPT = settings.BASE_DIR / "static" / "js" / "screen" / "start.js"
OURS = "<!doctype html><body data-acks-url=x><script src=/start.js></script>"
MINUTE_MS = 60_000


class Server:
    """Says what was asked of it: that the page be loaded, or what it would be."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body: str | None = OURS

    def answer(self, route: Route) -> None:
        if route.request.url.endswith(".js"):
            route.fulfill(body=SCRIPT.read_bytes(), content_type="text/javascript")
            return
        self.asked.append("load" if route.request.is_navigation_request() else "look")
        if self.body is None:
            route.abort()
        else:
            route.fulfill(body=self.body, content_type="text/html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    page = browser.new_page()
    page.clock.install()
    page.route("**/*", server.answer)
    page.goto("http://player.test/")
    yield page
    page.context.close()


def test_start_that_fails_is_tried_again_less_and_less_often(page: Page, server: Server) -> None:
    with page.expect_navigation():
        page.clock.run_for(MINUTE_MS)
    page.clock.run_for(MINUTE_MS)
    assert server.asked == ["load", "look", "load"]
    with page.expect_navigation():
        page.clock.run_for(MINUTE_MS)
    assert server.asked == ["load", "look", "load", "look", "load"]


def test_player_that_has_started_is_left_alone(page: Page, server: Server) -> None:
    page.evaluate("document.documentElement.dataset.started = ''")
    page.evaluate("sessionStorage.setItem('diorama.starts', '3')")
    page.clock.run_for(20 * MINUTE_MS)
    assert page.evaluate("sessionStorage.getItem('diorama.starts')") == "0"
    assert server.asked == ["load"]


def test_player_whose_stage_stands_has_the_disk_s_time_and_no_more(
    page: Page, server: Server
) -> None:
    page.evaluate("document.documentElement.dataset.shape = 'landscape'")
    page.clock.run_for(2 * MINUTE_MS)
    assert server.asked == ["load"]
    with page.expect_navigation():
        page.clock.run_for(MINUTE_MS)
    assert server.asked == ["load", "look", "load"]


def test_disk_that_gives_an_error_does_not_end_the_looking(page: Page, server: Server) -> None:
    page.evaluate(
        """() => {
            const value = {controller: {}};
            Object.defineProperty(navigator, 'serviceWorker', {value});
            globalThis.caches = {match: () => Promise.reject(new Error('a broken disk'))};
        }"""
    )
    server.body = None
    with page.expect_event("requestfailed"):
        page.clock.run_for(MINUTE_MS)
    server.body = OURS
    with page.expect_navigation():
        page.clock.run_for(MINUTE_MS)


@pytest.mark.parametrize("body", [None, "a hotel's page"])
def test_page_that_did_not_start_is_not_given_up_for_one_that_is_not_ours(
    page: Page, server: Server, body: str | None
) -> None:
    server.body = body
    with page.expect_event("requestfinished" if body else "requestfailed"):
        page.clock.run_for(MINUTE_MS)
    server.body = OURS
    with page.expect_navigation():
        page.clock.run_for(2 * MINUTE_MS)
    assert server.asked[:2] == ["load", "look"]
    assert server.asked[-2:] == ["look", "load"]
