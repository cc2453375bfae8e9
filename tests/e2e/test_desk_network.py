"""The desk without a network, signed out, and without script."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Route, expect
from pytest_django.live_server_helper import LiveServer

from campaign.enums import SubmissionState
from campaign.models import Submission
from tests import shelf
from tests.e2e.conftest import BASE, Open
from tests.e2e.desk import on_desk, say
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

S = SubmissionState


# --- the network ----------------------------------------------------------------------------------
def test_decisions_survive_a_lost_network(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    page.context.set_offline(True)
    page.keyboard.press("a")
    say(page, "a", of="ELLEN")
    expect(page.locator("[data-offline]")).to_contain_text("2 decisions are kept here")
    assert [shelf.state_of(one) for one in queue[:2]] == [S.REVIEW, S.REVIEW]
    page.context.set_offline(False)
    shelf.becomes(queue[0], S.APPROVED)
    shelf.becomes(queue[1], S.APPROVED)
    expect(page.locator("[data-offline]")).to_be_hidden()
    assert [one.transitions.filter(to_state=S.APPROVED).count() for one in queue[:2]] == [1, 1]


def test_decision_whose_answer_was_lost_counts_once(
    open_desk: Open, queue: list[Submission]
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    seen: list[str] = []

    def swallow_first(route: Route) -> None:
        seen.append(route.request.url)
        if len(seen) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.context.route("**/decide/", swallow_first)
    # Routes are answered only while the page is waited for, not while the database is asked.
    with page.expect_event("requestfailed"):
        page.keyboard.press("a")
    assert shelf.state_of(queue[0]) == S.APPROVED
    wait_until(lambda: page.evaluate("localStorage.length") == 0, within_s=5, what="answered")
    assert len(seen) == 2
    assert queue[0].transitions.filter(to_state=S.APPROVED).count() == 1
    on_desk(page, "ELLEN")


def test_decision_left_behind_goes_out_from_the_next_page(
    open_desk: Open, queue: list[Submission], live_server: LiveServer
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    page.context.route("**/decide/", lambda route: route.abort())
    page.keyboard.press("a")
    on_desk(page, "ELLEN")
    page.goto(f"{live_server.url}{BASE}/live/")
    assert shelf.state_of(queue[0]) == S.REVIEW
    page.context.unroute("**/decide/")
    page.goto(f"{live_server.url}{BASE}/review/")
    shelf.becomes(queue[0], S.APPROVED)
    on_desk(page, "ELLEN")


def test_signed_out_moderator_is_told_and_nothing_is_lost(
    open_desk: Open, queue: list[Submission]
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.keyboard.press("a")
    expect(page.locator("[data-offline]")).to_contain_text("You were signed out")
    expect(page.locator("[data-offline] a")).to_have_attribute("target", "_blank")
    assert shelf.state_of(queue[0]) == S.REVIEW
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    shelf.becomes(queue[0], S.APPROVED)


def test_decision_waits_for_its_moderator_while_another_is_signed_in(
    open_desk: Open, queue: list[Submission], moderator: User, live_server: LiveServer, ana: User
) -> None:
    mae, *_ = queue
    page = open_desk()
    on_desk(page, "MAE")
    (mine,) = (one["value"] for one in page.context.cookies() if one["name"] == "sessionid")
    client = Client()
    client.force_login(ana)

    def sign_in(session: str) -> None:
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    bar = page.locator("[data-offline]")
    sign_in(client.cookies["sessionid"].value)
    expect(bar).to_contain_text("ana is signed in on this browser now", timeout=6000)
    with page.expect_response("**/decide/") as refused:
        page.keyboard.press("a")
    assert (refused.value.status, shelf.state_of(mae)) == (403, S.REVIEW)
    expect(bar).to_contain_text("One decision is kept here")
    expect(bar.get_by_role("link", name="Go on as ana")).to_have_attribute("href", page.url)
    with page.context.expect_page() as opened:
        bar.get_by_role("button", name="Sign ana out").click()
    expect(opened.value.locator("[name=username]")).to_be_visible()
    expect(bar).to_contain_text("You were signed out", timeout=10_000)
    sign_in(mine)
    shelf.becomes(mae, S.APPROVED)
    assert mae.transitions.order_by("-id")[0].actor == moderator


# --- without script -------------------------------------------------------------------------------
def test_desk_works_without_script(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk(java_script_enabled=False)
    page.locator("[name=note]").fill("nice one")
    page.locator("[name=note]").press("Enter")
    page.get_by_role("button", name="Approve").click()
    assert shelf.state_of(queue[0]) == S.APPROVED
    assert queue[0].transitions.order_by("-id")[0].note == "nice one"
    expect(page.locator("[data-field=plaque]")).to_have_text("ELLEN")
    page.get_by_text("Reject", exact=True).click()
    page.get_by_role("button", name="Name not fit for a street").click()
    assert shelf.state_of(queue[1]) == S.REJECTED
    expect(page.locator("[data-field=plaque]")).to_have_text("GRACE")
