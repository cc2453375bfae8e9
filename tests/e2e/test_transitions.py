"""Every frame of many changes: none blank, none torn, none without somebody in the box.

Frames come from Chromium's compositor as they are drawn. TRANSITIONS says how many changes are
watched (`make soak` watches several hundred); meanwhile figurines arrive and are recalled, and in
longer films the server goes away and comes back. tests/e2e/frames.py is the judge.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from billboard import commands, pairing
from billboard.models import CommandKind, Screen
from campaign.models import Campaign, Submission
from tests.billboard.rows import approved, recall
from tests.browser import chromium
from tests.e2e.conftest import Aside
from tests.e2e.frames import COLOURS, SIZE, Film, Judge, learn, of_colour, settled
from tests.stack import free_port, wait_until
from tests.web import web

pytestmark = pytest.mark.django_db(transaction=True)

TRANSITIONS = int(os.environ.get("TRANSITIONS", "8"))
FAULT_TRANSITIONS = 3
SLOT_S = 1
"""Just longer than an entrance and an exit together. The admin takes three and more."""

IDLE_AFTER_RECALL_S = 1.5


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def key(campaign: Campaign) -> str:
    Campaign.objects.update(slot_s=SLOT_S)
    return pairing.issue_token(Screen(campaign=campaign, name="Broadway 1"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def colour(n: int) -> str:
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[n % len(COLOURS)])


def hero(page: Page) -> str:
    return page.locator("html").get_attribute("data-hero") or ""


def next_hero(page: Page) -> None:
    """Wait for a change of picture."""
    page.wait_for_selector(f'html[data-hero]:not([data-hero="{hero(page)}"])', timeout=15_000)


def judge(page: Page, aside: Aside, campaign: Campaign) -> tuple[Judge, Submission]:
    up: list[Submission] = []

    def put_up() -> str:
        up.append(aside(approved, campaign, plaque="N0", colour=colour(0)))
        return str(up[0].pk)

    return learn(page, put_up, colours=COLOURS), up[0]


def test_no_frame_of_many_changes_is_blank_torn_or_empty(
    campaign: Campaign, key: str, page: Page, aside: Aside
) -> None:
    port = free_port()
    with ExitStack() as server:
        address = server.enter_context(web(port=port))
        page.goto(f"{address}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        judged, first = judge(page, aside, campaign)
        up = [first] + [
            aside(approved, campaign, plaque=f"N{n}", colour=colour(n)) for n in range(1, 5)
        ]
        film = Film(page, judged)
        film.start()
        recalls_s: list[tuple[float, float]] = []
        for turn in range(TRANSITIONS):
            next_hero(page)
            film.look()
            # Arrivals and recalls, of the one that is on too, and a while without a network.
            match turn % 20:
                case 3 | 13:
                    up.append(aside(approved, campaign, plaque="NEW", colour=colour(turn)))
                case 6 | 16:
                    on = wait_until(
                        lambda: next((one for one in up if str(one.pk) == hero(page)), None),
                        within_s=10,
                        what="somebody is on",
                    )
                    up.remove(on)
                    since_s = film.last_s
                    aside(recall, on)
                    page.wait_for_selector(f'[data-submission="{on.pk}"]', state="detached")
                    recalls_s.append((since_s, film.last_s + IDLE_AFTER_RECALL_S))
                case 8:
                    server.close()
                case 12:
                    server.enter_context(web(port=port))
                    page.wait_for_selector('html[data-socket="open"]', timeout=60_000)
        film.stop()
    bad = [
        (round(at_s, 3), said)
        for at_s, said in film.wrong
        if said != "idle" or not any(begin <= at_s < end for begin, end in recalls_s)
    ]
    print(f"{film.count} frames, {len(film.wrong) - len(bad)} of the empty box after a recall")
    assert film.count >= 5 * TRANSITIONS
    assert bad == []


@dataclass(frozen=True)
class Peopled:
    """Knows how much of somebody there is on a settled screen."""

    least: int

    def verdict(self, frame: NDArray[np.uint8]) -> str | None:
        """blank, empty, or None."""
        if not 25 < frame.mean() < 225 or frame.std() < 12:
            return "blank"
        return "empty" if drawn(frame) < self.least else None


def drawn(frame: NDArray[np.uint8]) -> int:
    """How many pixels are somebody's."""
    return sum(int(of_colour(frame, rgb).sum()) for rgb in COLOURS)


def test_no_frame_of_a_change_of_layout_is_blank_or_without_anybody(
    campaign: Campaign, key: str, page: Page, aside: Aside
) -> None:
    Campaign.objects.update(slot_s=60)  # no other change
    for n in range(4):
        aside(approved, campaign, plaque=f"N{n}", colour=colour(n))
    screen = Screen.objects.get()
    with web() as address:
        page.goto(f"{address}/screen/#key={key}")
        page.wait_for_selector('.place[data-is="taken"]')
        hero = drawn(settled(page))
        film = Film(page, Peopled(least=hero // 8))
        film.start()
        for layout, places in (("mosaic4", 4), ("hero", 1), ("diptych", 2)):
            aside(commands.ask, [screen], CommandKind.LAYOUT, value=layout)
            page.wait_for_selector(f'.place:nth-child({places})[data-is="taken"]')
            page.wait_for_selector(f".place:nth-child({places + 1})", state="detached")
            settled(page)
        film.stop()
    assert film.count >= 30
    assert film.wrong == []


FAULTS = {
    "blank": "body::after { content: ''; position: fixed; inset: 0; background: #fff; z-index: 9;"
    " animation: flash 1s infinite; }"
    " @keyframes flash { 0%, 70% { opacity: 0; } 71%, 100% { opacity: 1; } }",
    "torn": ".hero .card[data-state='on'] { animation: half 600ms linear !important; }"
    " .hero .card[data-state='leaving'] { animation: none !important; }"
    " @keyframes half { from, to { clip-path: inset(50% 0 0 0); } }",
    "empty": ".hero .card[data-state='on'] .figure { animation: none !important; opacity: 0; }"
    " .hero .card[data-state='leaving'] { animation: none !important; visibility: hidden; }",
}


def test_faults_that_are_put_into_the_page_are_seen(
    campaign: Campaign, key: str, page: Page, aside: Aside
) -> None:
    """What the test above stands on: a style that breaks the changes is found in the frames."""
    seen: dict[str, set[str]] = {}
    with web() as address:
        page.goto(f"{address}/screen/#key={key}")
        page.wait_for_selector('html[data-socket="open"]')
        judged, _ = judge(page, aside, campaign)
        for n in range(1, 4):
            aside(approved, campaign, plaque=f"N{n}", colour=colour(n))
        for fault, style in FAULTS.items():
            # The policy of the page takes no style element; a constructed sheet is none.
            page.evaluate(
                """(text) => {
                    const sheet = new CSSStyleSheet();
                    sheet.replaceSync(text);
                    document.adoptedStyleSheets = [sheet];
                }""",
                style,
            )
            film = Film(page, judged)
            film.start()
            for _ in range(FAULT_TRANSITIONS):
                next_hero(page)
            film.stop()
            seen[fault] = {said for _, said in film.wrong}
    assert {fault: fault in said for fault, said in seen.items()} == dict.fromkeys(FAULTS, True)
