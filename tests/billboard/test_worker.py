"""The screen's service worker, in a real Chromium, before a server that is ours to break."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from tests.browser import chromium
from tests.stack import wait_until

WORKER: Final = settings.BASE_DIR / "static" / "js" / "screen" / "worker.js"
SCREEN, LIST, SCRIPT = "/screen/", "/screen/shell.json", "/screen/part.js"
HELD: Final = """async () => {
    const pageOf = async (name) => (await caches.open(name)).match('/screen/');
    const pages = await Promise.all((await caches.keys()).map(pageOf));
    return pages.flatMap((page) => page?.headers.get('Diorama-Shell') ?? []);
}"""
FILL: Final = """async () => {
    await navigator.serviceWorker.register('/screen/worker.js');
    await navigator.serviceWorker.ready;
}"""


class Server(ThreadingHTTPServer):
    """A screen's page, which runs one script, in whichever version there is."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.version = "1-a"
        self.stall: str | None = None
        """The path of which half an answer comes, and the rest once `go_on` is set."""
        self.go_on = threading.Event()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{SCREEN}"

    def page(self) -> bytes:
        body = f"<body data-page={self.version}><script src={SCRIPT}></script><p>whole</p>"
        return f"<!doctype html><title>{' ' * 4096}</title>{body}".encode()

    def file(self, path: str) -> tuple[str, bytes]:
        if path == SCREEN:
            return "text/html", self.page()
        if path == LIST:
            files = [{"url": SCRIPT, "integrity": ""}]
            return "application/json", json.dumps(
                {"version": self.version, "files": files}
            ).encode()
        if path == SCRIPT:
            return "text/javascript", f"globalThis.part = {self.version!r};".encode()
        # It gives up sooner than in the street.
        worker = WORKER.read_text().replace("FILL_MS = 15_000", "FILL_MS = 500")
        return "text/javascript", worker.encode()


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        kind, body = self.server.file(self.path)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.path == SCREEN:
            self.send_header("Diorama-Shell", self.server.version)
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if self.path == self.server.stall:
            self.server.go_on.wait()
        self.wfile.write(body[half:])

    def log_message(self, *_: object) -> None:
        """Nothing of it."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A screen that holds its player."""
    page = browser.new_page()
    page.goto(server.address)
    page.evaluate(FILL)
    held(page, "1-a")
    yield page
    page.context.close()


def held(page: Page, *versions: str) -> None:
    """Wait until shells of these versions, and no others, are held whole."""
    wait_until(
        lambda: page.evaluate(HELD) == list(versions), within_s=15, what=f"{versions} are held"
    )


def shown(page: Page) -> list[str]:
    """Of which version the page is, and its script; and whether it came whole."""
    found: list[str] = page.evaluate(
        "() => [document.body.dataset.page, part, document.querySelector('p').textContent]"
    )
    return found


def test_page_that_stops_half_way_is_shown_whole_from_what_is_held(
    page: Page, server: Server
) -> None:
    server.stall = SCREEN
    page.reload()
    assert shown(page) == ["1-a", "1-a", "whole"]


@pytest.mark.parametrize("broken", ["CacheStorage.keys", "CacheStorage.open", "Cache.match"])
def test_disk_that_gives_an_error_does_not_stand_before_the_server(
    page: Page, server: Server, broken: str
) -> None:
    (worker,) = page.context.service_workers
    place = broken.replace(".", ".prototype.")
    worker.evaluate(f"() => {{ {place} = () => Promise.reject(new Error('a broken disk')); }}")
    page.reload()
    page.reload()
    assert shown(page) == ["1-a", "1-a", "whole"]


def test_shell_that_cannot_be_read_keeps_no_other_from_being_shown(
    page: Page, server: Server
) -> None:
    (worker,) = page.context.service_workers
    page.evaluate("() => caches.open('diorama.shell.1-z')")
    worker.evaluate(
        """() => {
            const open = caches.open.bind(caches);
            CacheStorage.prototype.open = async (name) => {
                if (name.endsWith('1-z')) throw new Error('a broken disk');
                return open(name);
            };
        }"""
    )
    server.stall = SCREEN
    page.reload()
    assert shown(page) == ["1-a", "1-a", "whole"]
    # It may be read the next time, and be the only one then.
    assert page.evaluate("() => caches.keys()") == ["diorama.shell.1-a", "diorama.shell.1-z"]


@pytest.mark.parametrize("last", ["1-b", "1-a"], ids=["a rollout", "taken back"])
def test_page_keeps_its_files_while_a_new_shell_comes(
    page: Page, server: Server, last: str
) -> None:
    server.version = "1-b"
    server.stall = SCRIPT
    page.reload()
    assert shown(page) == ["1-a", "1-a", "whole"]
    server.go_on.set()
    held(page, "1-a", "1-b")
    page.add_script_tag(url=SCRIPT)
    assert shown(page) == ["1-a", "1-a", "whole"]
    server.version = last
    page.reload()
    assert shown(page) == [last, last, "whole"]
    held(page, last)
