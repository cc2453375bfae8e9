"""Picking a kit and a finish in a real browser, the first time and once more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from campaign import approval, decisions, generation, lifecycle
from campaign.models import Campaign, Submission
from tests import shelf
from tests.campaign.workshop import FrameEngine
from tests.e2e import phone
from tests.e2e.phone import agree, choose, is_waiting_page, me, pick_finish, pick_kit
from tests.stack import wait_until

# --- pick your kit ----------------------------------------------------------------------------


def at_the_kits(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    pick_kit(page)


def middle_kit(page: Page) -> str:
    """What stands in the middle of the row, once it is at rest."""
    return str(
        page.evaluate(
            """() => {
                const row = document.querySelector(".kits").getBoundingClientRect();
                const at = [row.x + row.width / 2, row.y + row.height / 2];
                return document.elementFromPoint(...at).closest(".kit").innerText.trim();
            }"""
        )
    )


def test_campaign_with_one_kit_in_one_finish_asks_nothing(
    page: Page, intake_url: str, demo: Campaign
) -> None:
    Campaign.objects.update(kits=["soldier"], finishes=["army-green"], finish="army-green")
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    page.get_by_role("button", name="Make me plastic").click()
    is_waiting_page(page)
    assert Submission.objects.get().finish == "army-green"


def test_what_is_swiped_to_the_middle_is_chosen(page: Page, intake_url: str, library: Path) -> None:
    at_the_kits(page, intake_url)
    expect(page.get_by_role("radio", name="Soldier")).to_be_checked()
    page.locator(".kits").evaluate("row => row.scrollTo(row.scrollWidth, 0)")
    expect(page.get_by_role("radio", name="Explorer")).to_be_checked()
    page.get_by_role("button", name="Make me plastic").click()
    is_waiting_page(page)
    assert Submission.objects.get().kit == "explorer"


def test_what_is_tapped_comes_to_the_middle(page: Page, intake_url: str, library: Path) -> None:
    at_the_kits(page, intake_url)
    page.get_by_text("Astronaut").tap()
    expect(page.get_by_role("radio", name="Astronaut")).to_be_checked()
    page.wait_for_function("document.querySelector('.kits').scrollLeft > 100")
    expect(page.get_by_role("radio", name="Astronaut")).to_be_checked()
    wait_until(lambda: middle_kit(page) == "ASTRONAUT", within_s=5, what="it is in the middle")


def test_kit_and_finish_are_picked_by_keyboard(page: Page, intake_url: str, library: Path) -> None:
    at_the_kits(page, intake_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Soldier")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Painted")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".finish-said")).to_have_text("Army green")
    page.keyboard.press("Enter")
    is_waiting_page(page)
    submission = Submission.objects.get()
    assert (submission.kit, submission.finish) == ("astronaut", "army-green")


def test_finish_is_shown_on_the_kit_and_moves_nothing(page: Page, intake_url: str) -> None:
    at_the_kits(page, intake_url)
    figure = page.locator(".kit-figure").first
    expect(figure).to_have_js_property("naturalWidth", 480)
    page.evaluate(
        """() => {
            window.moved = 0;
            new PerformanceObserver((list) => {
                for (const shift of list.getEntries()) window.moved += shift.value;
            }).observe({type: "layout-shift", buffered: false});
        }"""
    )
    pick_finish(page, "Army green")
    expect(figure).to_have_attribute("src", re.compile("soldier-army-green.webp$"))
    expect(page.locator(".finish-said")).to_have_text("Army green")
    assert page.evaluate("window.moved") == 0


def test_finish_a_kit_does_not_come_in_is_not_offered_with_it(
    page: Page, intake_url: str, library: Path
) -> None:
    told = (library / "astronaut" / "kit.toml").read_text("utf-8")
    told += "\n[finishes]\nglow = false\n"
    (library / "astronaut" / "kit.toml").write_text(told, "utf-8")
    at_the_kits(page, intake_url)
    pick_finish(page, "Glow")
    page.get_by_text("Astronaut").tap()
    expect(page.get_by_label("Glow")).to_be_hidden()
    expect(page.get_by_label("Painted")).to_be_checked()
    page.get_by_role("button", name="Make me plastic").click()
    is_waiting_page(page)
    submission = Submission.objects.get()
    assert (submission.kit, submission.finish) == ("astronaut", "painted")


def test_kit_taken_off_the_shelf_meanwhile_is_told(
    page: Page, intake_url: str, library: Path
) -> None:
    at_the_kits(page, intake_url)
    page.get_by_text("Astronaut").tap()
    Campaign.objects.update(kits=["soldier"])
    page.get_by_role("button", name="Make me plastic").click()
    expect(page.locator("#verdict")).to_contain_text("That kit is not on the shelf.")
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_role("heading", name="Get in the box.")).to_be_visible()


def test_enter_in_the_name_goes_on_to_the_kits(page: Page, intake_url: str) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    page.get_by_label("Name on the box").fill("Mae")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Pick your")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Name on the box")).to_have_value("Mae")
    assert Submission.objects.count() == 0


# --- another one ------------------------------------------------------------------------------


@pytest.fixture
def waiting(demo: Campaign) -> Submission:
    """Made and waiting for review."""
    made = shelf.put(demo, plaque="MAE")
    Submission.objects.update(face=shelf.measured())
    return made


def test_another_one_is_picked_and_replaces_the_first(
    page: Page,
    live_server: LiveServer,
    waiting: Submission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page.goto(f"{live_server.url}/s/{waiting.token}/")
    page.get_by_role("link", name="Another one").click()
    expect(page.get_by_text("2 more tries")).to_be_visible()
    pick_finish(page, "Army green")
    page.get_by_role("button", name="Make it").dblclick()
    expect(page.get_by_role("heading", name="Back in the mould")).to_be_visible()
    expect(page.locator(".figurine")).to_be_visible()
    expect(page.get_by_role("link", name="Another one")).to_be_hidden()

    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    first = page.locator(".figurine").get_attribute("src")
    assert generation.run_ready() == 1
    expect(page.get_by_role("heading", name="Fresh out of the mould")).to_be_visible(timeout=10_000)
    assert page.locator(".figurine").get_attribute("src") != first
    waiting.refresh_from_db()
    assert (waiting.finish, waiting.jobs.count()) == ("army-green", 2)


def test_another_one_is_taken_away_while_a_moderator_looks(
    page: Page, live_server: LiveServer, waiting: Submission, moderator: User
) -> None:
    page.goto(f"{live_server.url}/s/{waiting.token}/")
    expect(page.get_by_role("link", name="Another one")).to_be_visible()
    decisions.claim(waiting.pk, user=moderator)
    expect(page.get_by_text(re.compile("In the crew.s hands"))).to_be_visible(timeout=10_000)
    expect(page.get_by_role("link", name="Another one")).to_be_hidden()
    expect(page.get_by_text("A person is looking right now")).to_be_visible()


def test_picking_ends_when_it_is_decided(
    page: Page, live_server: LiveServer, waiting: Submission
) -> None:
    page.goto(f"{live_server.url}/s/{waiting.token}/another/")
    expect(page.get_by_role("heading", name="Once more?")).to_be_visible()
    approval.approve(waiting, actor=lifecycle.SYSTEM)
    expect(page.get_by_role("heading", name="You are in the box")).to_be_visible(timeout=10_000)


def test_another_one_works_without_scripts(
    browser: Browser, live_server: LiveServer, waiting: Submission
) -> None:
    context = browser.new_context(viewport=phone.SIZE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live_server.url}/s/{waiting.token}/")
    page.get_by_role("link", name="Another one").click()
    page.get_by_label("Army green").check()
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Back in the mould")).to_be_visible()
    context.close()
    assert waiting.jobs.get(outcome="").recipe["finish"] == "army-green"


@pytest.mark.parametrize("size", [(320, 568), (390, 844), (740, 360), (1280, 800)])
def test_another_one_fits_the_window(
    browser: Browser,
    live_server: LiveServer,
    waiting: Submission,
    library: Path,
    size: tuple[int, int],
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(f"{live_server.url}/s/{waiting.token}/")

    def fits(name: str) -> None:
        box = page.locator(".main", has_text=name).bounding_box()
        assert box, name
        assert box["y"] + box["height"] <= size[1]
        assert box["height"] >= 56
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]

    fits("Another one")
    page.get_by_role("link", name="Another one").click()
    fits("Make it")
    context.close()
