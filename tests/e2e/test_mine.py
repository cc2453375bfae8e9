"""Whose answer was lost finds their page again, and nobody goes up without one."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from campaign.enums import SubmissionState
from campaign.models import Campaign, Submission
from tests.e2e.phone import agree, choose, is_waiting_page, me, send

S = SubmissionState
LOST = "Your photo is safe on this phone."


def lose(route: Route) -> None:
    """It reaches the server; the answer does not come back."""
    route.fetch()
    route.abort()


@pytest.fixture
def lost(page: Page, intake_url: str) -> Submission:
    """One that the phone knows nothing of."""
    page.route("**/submit/", lose)
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    page.get_by_label("Name on the box").fill("Mae")
    send(page)
    expect(page.get_by_text(LOST)).to_be_visible(timeout=20_000)
    return Submission.objects.get()


def address(submission: Submission) -> str:
    return f"/s/{submission.token}/"


def test_page_that_was_reloaded_leads_to_what_was_sent(
    page: Page, intake_url: str, lost: Submission
) -> None:
    page.goto(intake_url)
    line = page.get_by_role("link", name="Your figurine MAE")
    line.click()
    is_waiting_page(page)
    assert page.url.endswith(address(lost))


def test_several_are_offered_newest_first(page: Page, intake_url: str, lost: Submission) -> None:
    page.unroute("**/submit/")
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    is_waiting_page(page)
    page.goto(intake_url)
    expect(page.locator(".mine-line strong")).to_have_text(["No. 00,002", "MAE"])


def test_another_photo_after_a_lost_answer_leads_to_the_first(
    page: Page, intake_url: str, lost: Submission
) -> None:
    """However it is asked for: the first one is on its way to the billboard."""
    for _ in range(3):
        page.get_by_role("button", name="Try now").click(timeout=20_000)
    page.get_by_role("button", name="Take another").click(timeout=20_000)
    is_waiting_page(page)
    assert page.url.endswith(address(lost))
    assert Submission.objects.count() == 1


def test_another_photo_sent_when_the_first_has_arrived_leads_to_the_first(
    page: Page, intake_url: str, demo: Campaign
) -> None:
    sent: list[Route] = []
    page.route("**/submit/", lambda route: sent.append(route))  # on its way while the page is left
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    expect(page.get_by_role("heading", name="Off to the mould")).to_be_visible()
    page.wait_for_function("() => localStorage.getItem('diorama.sent')")
    with page.expect_response("**/mine/"):
        page.goto(intake_url)
    expect(page.locator("#mine")).to_be_hidden()
    sent[0].fetch()
    page.unroute("**/submit/")
    agree(page)
    choose(page, me())
    send(page)
    is_waiting_page(page)
    assert page.url.endswith(address(Submission.objects.get()))


def test_next_one_at_a_lent_phone_is_sent_though_nobody_told_of_the_one_before(
    page: Page, intake_url: str, demo: Campaign
) -> None:
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    is_waiting_page(page)
    before = page.url
    page.route("**/mine/", lambda route: route.abort())
    page.goto(intake_url)
    agree(page)
    page.unroute("**/mine/")
    choose(page, me())
    send(page)
    is_waiting_page(page)
    assert page.url != before
    assert Submission.objects.count() == 2


def test_closed_box_leads_to_what_was_sent(page: Page, intake_url: str, lost: Submission) -> None:
    Campaign.objects.update(is_paused=True)
    page.goto(intake_url)
    page.get_by_role("link", name="Your figurine MAE").click()
    is_waiting_page(page)


def test_whoever_was_deleted_is_offered_and_known_no_more(
    page: Page, intake_url: str, lost: Submission
) -> None:
    page.goto(f"{intake_url.removesuffix('/c/demo/')}{address(lost)}erase/")
    page.get_by_role("button", name="Delete everything").click()
    with page.expect_response("**/mine/"):
        page.get_by_role("link", name="Take another").click()
    page.wait_for_function("() => localStorage.getItem('diorama.sent') === '[]'")
    expect(page.locator("#mine")).to_be_hidden()


def test_window_that_keeps_nothing_enlists_and_leads_on(
    page: Page, intake_url: str, live_server: LiveServer
) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{get() { throw new DOMException('', 'SecurityError'); }})"
    )
    page.route("**/submit/", lose)
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    for _ in range(3):
        page.get_by_role("button", name="Try now").click(timeout=20_000)
    page.get_by_role("button", name="Take another").click(timeout=20_000)
    is_waiting_page(page)
    assert Submission.objects.count() == 1


def test_refused_photo_is_not_asked_about(page: Page, intake_url: str) -> None:
    said = {"code": "too_dark", "sentence": "Too dark.", "advice": "Turn."}
    page.route("**/submit/", lambda route: route.fulfill(status=422, json=said))
    page.goto(intake_url)
    agree(page)
    choose(page, me())
    send(page)
    page.get_by_role("button", name="Take another").click(timeout=20_000)
    expect(page.get_by_role("heading", name="Face front, recruit")).to_be_visible()
    assert json.loads(page.evaluate("localStorage.getItem('diorama.sent')")) == []
