"""The wall of what is live, and the admin's own pages, in a real Chromium."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from billboard import pairing
from billboard.models import FeedEntry, Screen, Wall
from campaign import cards, lifecycle
from campaign.enums import RecallReason, SubmissionState
from campaign.models import Campaign, Submission
from tests import shelf
from tests.billboard.rows import approved
from tests.e2e.conftest import NAMES, Open

pytestmark = pytest.mark.django_db(transaction=True)

S = SubmissionState


# --- the wall -------------------------------------------------------------------------------------
def test_wall_recall_takes_two_presses_and_tells_how_fast(
    open_desk: Open, campaign: Campaign
) -> None:
    mae, ellen = (shelf.put(campaign, S.APPROVED, plaque=name) for name in NAMES[:2])
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    expect(page.locator("details[open]")).to_have_count(1)
    assert (shelf.state_of(mae), shelf.state_of(ellen)) == (S.APPROVED, S.APPROVED)
    page.keyboard.press("1")
    shelf.becomes(ellen, S.RECALLED)
    assert shelf.state_of(mae) == S.APPROVED
    down = page.locator(f"[data-id='{ellen.pk}']")
    expect(down.locator("[data-part=fate]")).to_contain_text("Dark on every screen after")
    assert ellen.transitions.order_by("-id")[0].reason == "moderation"
    page.keyboard.press("u")
    shelf.becomes(ellen, S.REVIEW)
    expect(down.locator("[data-part=fate]")).to_have_text("Back in review.")


def test_recall_that_waits_for_a_login_or_a_network_says_so_and_goes_out(
    open_desk: Open, campaign: Campaign
) -> None:
    mae = shelf.put(campaign, S.APPROVED, plaque=NAMES[0])
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    fate = page.locator(f"[data-id='{mae.pk}'] [data-part=fate]")
    kept = page.context.cookies()
    page.context.clear_cookies()
    for key in ("ArrowRight", "r", "1"):
        page.keyboard.press(key)
    expect(fate).to_have_text("Not sent: sign in.")
    page.context.set_offline(True)
    expect(fate).to_have_text("Not sent: no connection.", timeout=10_000)
    assert shelf.state_of(mae) == S.APPROVED
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.context.set_offline(False)
    shelf.becomes(mae, S.RECALLED)
    expect(fate).to_contain_text("Dark on every screen after")


def test_every_reason_for_a_recall_has_a_key_and_room(open_desk: Open, campaign: Campaign) -> None:
    child = shelf.put(campaign, S.APPROVED, plaque=NAMES[0])
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    card, reasons = page.locator("li.toy"), page.locator("li.toy details[open] li button")
    expect(reasons).to_have_count(len(RecallReason))
    first, around = reasons.first.bounding_box(), card.bounding_box()
    assert first and around and first["y"] >= around["y"]
    page.keyboard.press(str(1 + list(RecallReason).index(RecallReason.MINOR)))
    shelf.becomes(child, S.RECALLED)
    assert child.transitions.order_by("-id")[0].reason == RecallReason.MINOR


def test_wall_names_the_screen_that_is_away_and_may_hold_them(
    open_desk: Open, campaign: Campaign
) -> None:
    alley = Screen.objects.create(campaign=campaign, name="Alley 3")
    pairing.issue_token(alley)
    mae = approved(campaign, plaque="MAE")
    FeedEntry.objects.update(created_at=timezone.now() - timedelta(hours=1))
    Screen.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.keyboard.press("1")
    fate = page.locator(f"[data-id='{mae.pk}'] [data-part=fate]")
    expect(fate).to_contain_text("Not connected, and not confirmed: Alley 3")
    expect(fate).to_contain_text("Dark on every connected screen after")


def test_wall_gets_new_ones_by_itself(open_desk: Open, campaign: Campaign) -> None:
    page = open_desk("/live/")
    expect(page.get_by_text("Nothing is live yet.")).to_be_visible()
    mae = shelf.put(campaign, S.APPROVED, plaque="MAE")
    expect(page.locator(f"[data-id='{mae.pk}']")).to_be_visible(timeout=6000)
    lifecycle.transition(mae, S.RECALLED, actor=lifecycle.SYSTEM)
    expect(page.get_by_text("Taken down elsewhere.")).to_be_visible(timeout=6000)


def test_wall_that_missed_more_than_a_page_loads_again_and_loses_nobody(
    open_desk: Open, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "WALL_LENGTH", 3)
    put = [shelf.put(campaign, S.APPROVED) for _ in range(3)]
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    hung, button = page.locator("li.toy"), page.locator("[data-news]")

    def approve_more(count: int) -> None:
        page.keyboard.press("ArrowRight")  # a hand on the wall, under which nothing may move
        put.extend(shelf.put(campaign, S.APPROVED) for _ in range(count))

    def shown() -> list[str | None]:
        return [spot.get_attribute("data-id") for spot in hung.all()]

    for held in (5, 7):
        approve_more(2)
        expect(button).to_have_text("2 more above", timeout=6000)
        button.click()
        expect(hung).to_have_count(held)
    approve_more(4)
    expect(button).to_have_text("At least 3 more above. Load the wall again", timeout=6000)
    button.click()
    expect(hung).to_have_count(3)
    found = shown()
    page.get_by_text("Older ones").click()
    expect(hung.first).to_have_attribute("data-id", str(put[-4].pk))
    assert found + shown() == [str(one.pk) for one in put[:-7:-1]]


def test_wall_hangs_who_moves_up_at_its_foot(
    open_desk: Open, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recall makes room on the page; what was the first of the older ones is no news."""
    monkeypatch.setattr(cards, "WALL_LENGTH", 3)
    put = [shelf.put(campaign, S.APPROVED) for _ in range(5)]
    page = open_desk("/live/")
    page.wait_for_selector("body[data-ready]")
    hung = page.locator("li.toy")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(hung).to_have_count(4, timeout=6000)
    found = [spot.get_attribute("data-id") for spot in hung.all()]
    assert found == [str(one.pk) for one in put[:0:-1]]
    expect(page.locator("[data-news]")).to_be_hidden()
    page.get_by_text("Older ones").click()
    expect(hung).to_have_count(1)
    expect(hung).to_have_attribute("data-id", str(put[0].pk))


# --- the admin around it ----------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/campaign/campaign/",
        "/admin/campaign/campaign/add/",
        "/admin/campaign/submission/",
        "/admin/campaign/transition/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
    ],
)
def test_admin_pages_keep_their_policy(open_desk: Open, queue: list[Submission], path: str) -> None:
    chief = User.objects.create_superuser("chief", password="chief")
    page = open_desk(path, user=chief)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Diorama").first).to_be_visible()


def test_lists_cut_no_column_on_a_laptop_and_no_cell_on_a_phone(
    open_desk: Open, campaign: Campaign, moderator: User
) -> None:
    wall, now = Wall.objects.create(campaign=campaign, name="Times Square"), timezone.now()
    User.objects.update(username="joan.whitfield.of.broadway")
    paused = {"last_seen_at": now, "paused_at": now, "paused_by": moderator, "version": "c0ffee1"}
    vitals = {"fps": 60, "heap_mb": 182, "kept_items": 240, "width_px": 2368, "height_px": 10048}
    for n in range(3):
        name = f"Penn Station, westbound, escalator {n}"
        Screen.objects.create(campaign=campaign, wall=wall, name=name, **paused, **vitals)
    page = open_desk("/admin/billboard/screen/")
    last = page.locator("#result_list thead th").last.bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= 1366
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(page.url.replace("/screen/", "/wall/"))
    cut = page.locator("#result_list tbody :is(td, th)").evaluate_all(
        "cells => cells.filter((cell) => cell.scrollHeight > cell.clientHeight + 1)"
        ".map((cell) => cell.innerText)"
    )
    assert cut == []


def test_badge_counts_along(open_desk: Open, queue: list[Submission], campaign: Campaign) -> None:
    page = open_desk("/admin/")
    badge = page.locator("[data-count=waiting]").first
    expect(badge).to_have_text("4")
    shelf.put(campaign)
    expect(badge).to_have_text("5", timeout=8000)
