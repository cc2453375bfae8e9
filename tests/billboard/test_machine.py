"""The promises hold, and what breaks one is found. The machine: tests/billboard/machine.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from playwright.sync_api import Page

from billboard import feed
from billboard.models import Screen
from campaign.models import Campaign
from tests.billboard.machine import Street
from tests.billboard.player import blank
from tests.billboard.rows import recall
from tests.browser import chromium
from tests.exhaustive import EXHAUSTIVE

STEP_MOST = feed.STEP_MOST
EXAMPLES, STEPS = (400, 60) if EXHAUSTIVE else (8, 25)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield blank(browser)


@pytest.fixture(autouse=True)
def places_are_as_they_are(monkeypatch: pytest.MonkeyPatch, places_go_by_ones: None) -> None:
    monkeypatch.setattr(feed, "STEP_MOST", STEP_MOST)


def live(page: Page, campaign: Campaign, *, breaking: str = "", examples: int = EXAMPLES) -> None:
    machine = type("Lived", (Street,), {"page": page, "campaign": campaign, "breaking": breaking})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not EXHAUSTIVE,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_promises_hold_whatever_happens(page: Page, campaign: Campaign) -> None:
    live(page, campaign)


def test_machine_finds_a_screen_that_never_asks(page: Page, campaign: Campaign) -> None:
    with pytest.raises(AssertionError, match="not those approved"):
        live(page, campaign, breaking="deaf", examples=30)


def test_machine_finds_a_server_that_answers_from_old_reads(
    page: Page, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    old: dict[Any, Any] = {}
    since = feed.since
    monkeypatch.setattr(
        feed, "since", lambda pk, place: old.setdefault((pk, place), since(pk, place))
    )
    with pytest.raises(AssertionError, match="not those approved"):
        live(page, campaign, examples=30)


def walk(page: Page, campaign: Campaign, *steps: str, breaking: str = "") -> None:
    """A way through the machine that is known to need what is broken."""
    street = type("Walked", (Street,), {"page": page, "campaign": campaign, "breaking": breaking})()
    try:
        street.begin()
        for step in steps:
            match step:
                case "leaves":
                    street.someone_leaves(who=0, leave=recall)
                case "has just been ahead":
                    Screen.objects.update(ahead_at=timezone.now())
                case "starts":
                    street.browser_restarts(days=0)
                case "clock ahead":
                    street.browser_restarts(days=400)
                case _:
                    getattr(street, step)()
            street.dark_is_dark()
            street.never_blank()
        street.heal()
    finally:
        transaction.savepoint_rollback(street.undo)


COMES, WELL = "someone_comes", "all_goes_well"


@pytest.mark.parametrize(
    ("breaking", "steps", "found"),
    [
        ("stays", [COMES, WELL, "leaves", WELL], "seen though dark"),
        ("blank", [COMES, WELL, COMES, WELL, "leaves", WELL], "blank"),
        ("clock", [COMES, "clock ahead", WELL], "not those approved"),
    ],
)
def test_each_promise_can_be_broken(
    page: Page, campaign: Campaign, breaking: str, steps: list[str], found: str
) -> None:
    walk(page, campaign, *steps)
    with pytest.raises(AssertionError, match=found):
        walk(page, campaign, *steps, breaking=breaking)


AHEAD = (COMES, WELL, "backup_is_made", COMES, COMES, WELL, "backup_is_put_back", "leaves", WELL)
"""As many lines as the screen knows have not been written anew when it asks."""
PASSED = (COMES, WELL, "backup_is_made", COMES, WELL, "backup_is_put_back", "leaves", COMES, WELL)
LEVEL = (COMES, WELL, "backup_is_made", COMES, WELL, "backup_is_put_back", "leaves", WELL)


@pytest.mark.parametrize("steps", [AHEAD, PASSED, LEVEL], ids=["ahead", "passed", "level"])
def test_screen_that_starts_after_a_backup_was_put_back_shows_what_there_is(
    page: Page, campaign: Campaign, steps: tuple[str, ...]
) -> None:
    at = steps.index("backup_is_put_back") + 1
    walk(page, campaign, *steps[:at], "starts", *steps[at:])
    walk(page, campaign, *steps[:-1], "starts", *steps[-1:])
    walk(page, campaign, "has just been ahead", *steps[:at], "starts", *steps[at:])


@pytest.mark.parametrize("steps", [AHEAD, PASSED, LEVEL], ids=["ahead", "passed", "level"])
def test_backup_put_back_is_known(
    page: Page, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...]
) -> None:
    """Else a screen passes over what was written meanwhile, recalls too."""
    walk(page, campaign, *steps)
    walk(page, campaign, "has just been ahead", *steps)
    # Places that are given out again, and nobody who looks whether one is lost.
    monkeypatch.setattr(feed, "STEP_MOST", 1)
    monkeypatch.setattr(feed, "heed", lambda screen, place: None)
    monkeypatch.setattr(feed.Place, "is_ahead_of", lambda place, head: False)
    with pytest.raises(AssertionError, match="not those approved"):
        walk(page, campaign, *steps)
