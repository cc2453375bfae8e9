"""A visitor's browser with a camera, and a moderator's in which nothing may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign, Submission
from tests import shelf
from tests.browser import chromium, film
from tests.e2e import phone, screen
from tests.photos import portrait
from tests.web import web

BASE = "/admin/campaign/submission"
NAMES = ("MAE", "ELLEN", "GRACE", "MARIE")
EXPECTED = ("Failed to load resource", "Blocked attempt to show a 'beforeunload'")
"""What Chromium says of a network that a test takes away, and of a page left by a test."""


# --- a visitor ------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    film_of_me = tmp_path_factory.mktemp("camera") / "me.mjpeg"
    with chromium(camera=film(portrait().read_bytes(), film_of_me)) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=phone.SIZE, permissions=["camera"], has_touch=True)
    yield context.new_page()
    context.close()


@pytest.fixture
def demo(transactional_db: None) -> Campaign:
    return Campaign.objects.create(slug="demo", name="Diorama Company")


@pytest.fixture
def intake_url(live_server: LiveServer, demo: Campaign) -> str:
    return f"{live_server.url}/c/demo/"


# --- the crew -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def crew_browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


Open = Callable[..., Page]


@pytest.fixture
def open_desk(crew_browser: Browser, live_server: LiveServer, moderator: User) -> Iterator[Open]:
    """Open a page as a signed-in moderator; at the end, nothing may have gone wrong in it."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(path: str = "/review/", *, user: User = moderator, **options: Any) -> Page:
        client = Client()
        client.force_login(user)
        context = crew_browser.new_context(viewport={"width": 1366, "height": 768}, **options)
        contexts.append(context)
        context.add_cookies(
            [
                {
                    "name": "sessionid",
                    "value": client.cookies["sessionid"].value,
                    "url": live_server.url,
                }
            ]
        )
        page = context.new_page()
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and not said.text.startswith(EXPECTED)
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda sent: (
                None
                if sent.url.startswith((live_server.url, "data:", "blob:"))
                else complaints.append(f"asked another host: {sent.url}")
            ),
        )
        page.goto(live_server.url + (path if path.startswith("/admin") else BASE + path))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def ana(transactional_db: None) -> User:
    """Another moderator."""
    user = User.objects.create_user("ana", password="ana", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="review_submission"))
    return user


@pytest.fixture
def queue(campaign: Campaign) -> list[Submission]:
    return [shelf.put(campaign, plaque=name) for name in NAMES]


# --- a screen -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def address(django_db_setup: None) -> Iterator[str]:
    """One web process for all tests of a file that leave it running."""
    with web() as address:
        yield address


Aside = Callable[..., Any]


@pytest.fixture
def aside() -> Iterator[Aside]:
    """Calls in a thread of their own: Playwright's loop runs in this one, and async_to_sync, which
    nudges go through, refuses to run beside it."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda call, *args, **words: thread.submit(call, *args, **words).result()
        thread.submit(lambda: connection.close()).result()  # its own, not this thread's


@pytest.fixture(scope="module")
def screen_browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def key(campaign: Campaign) -> str:
    campaign.slot_s = 3
    campaign.strapline = "One selfie. A few seconds. You, in plastic, up here."
    campaign.save()
    return pairing.issue_token(Screen(campaign=campaign, name="Broadway 1", drift_px=0))


@pytest.fixture
def open_screen(screen_browser: Browser, address: str) -> Iterator[screen.Open]:
    """Opens the player's page and waits for its socket; fails on any error the page logs."""
    complaints: list[str] = []
    contexts = []

    def opened(key: str, *, at: str = address, size: tuple[int, int] = screen.USUAL) -> Page:
        context = screen_browser.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{at}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
