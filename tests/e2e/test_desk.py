"""The review desk in a real Chromium, by keyboard, on the pages a moderator uses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from campaign import approval, decisions, generation, lifecycle, rerolls, retention
from campaign.enums import RejectReason, SubmissionState
from campaign.models import Campaign, ReviewClaim, Submission, Transition
from tests import shelf
from tests.campaign.workshop import FrameEngine
from tests.e2e.conftest import BASE, NAMES, Open
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

S = SubmissionState


def on_desk(page: Page, name: str) -> None:
    """Wait until this one can be seen and decided."""
    expect(page.locator("[data-field=plaque]")).to_have_text(name)
    page.wait_for_function(
        "name => document.body.dataset.seen && document.querySelector("
        "`.is-current[data-id='${document.body.dataset.seen}'] span`)?.textContent === name",
        arg=name,
    )


def say(page: Page, key: str, *, of: str) -> None:
    on_desk(page, of)
    page.keyboard.press(key)


# --- the keyboard ---------------------------------------------------------------------------------
def test_keys_decide_one_after_the_other(
    open_desk: Open, queue: list[Submission], moderator: User
) -> None:
    mae, ellen, grace, marie = queue
    page = open_desk()
    say(page, "a", of="MAE")
    on_desk(page, "ELLEN")
    page.keyboard.press("r")
    page.keyboard.press("5")
    say(page, "j", of="GRACE")
    say(page, "a", of="MARIE")
    on_desk(page, "GRACE")
    shelf.becomes(mae, S.APPROVED)
    shelf.becomes(ellen, S.REJECTED)
    shelf.becomes(marie, S.APPROVED)
    assert shelf.state_of(grace) == S.REVIEW
    move = ellen.transitions.order_by("-id")[0]
    assert (move.reason, move.actor) == (RejectReason.BAD_NAME, moderator)
    say(page, "a", of="GRACE")
    expect(page.get_by_text("All looked at.")).to_be_visible()
    expect(page.locator("[data-count=waiting]")).to_have_text("0")


def test_pictures_are_the_ones_of_the_name(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    shades = {}
    for name in NAMES:
        on_desk(page, name)
        shades[name] = page.evaluate(
            """() => {
                const image = document.querySelector("[data-picture=figurine] img");
                const canvas = new OffscreenCanvas(8, 8);
                const pen = canvas.getContext("2d");
                pen.drawImage(image, 0, 0, 8, 8, 0, 0, 8, 8);
                return pen.getImageData(2, 2, 1, 1).data[0];
            }"""
        )
        page.keyboard.press("j")
    expected = {one.plaque: 40 * one.number % 256 for one in queue}
    assert [name for name in NAMES if abs(shades[name] - expected[name]) > 8] == []


def test_undo_brings_the_last_one_back(open_desk: Open, queue: list[Submission]) -> None:
    mae, ellen, *_ = queue
    page = open_desk()
    say(page, "a", of="MAE")
    say(page, "u", of="ELLEN")
    shelf.becomes(mae, S.REVIEW)
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    on_desk(page, "ELLEN")
    assert shelf.state_of(ellen) == S.REVIEW
    assert list(mae.transitions.values_list("to_state", flat=True)[4:]) == [
        S.APPROVED,
        S.REVIEW,
        S.APPROVED,
    ]


def test_note_goes_on_record_and_its_letters_decide_nothing(
    open_desk: Open, queue: list[Submission]
) -> None:
    mae, *_ = queue
    page = open_desk()
    say(page, "n", of="MAE")
    page.keyboard.type("a rare face, undo if asked")
    page.keyboard.press("Escape")
    assert shelf.state_of(mae) == S.REVIEW
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    assert mae.transitions.order_by("-id")[0].note == "a rare face, undo if asked"


def test_enter_in_the_note_decides_nothing(open_desk: Open, queue: list[Submission]) -> None:
    mae, *_ = queue
    page = open_desk()
    say(page, "n", of="MAE")
    page.keyboard.type("nice one")
    page.keyboard.press("Enter")
    expect(page.locator("[name=note]")).not_to_be_focused()
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    assert mae.transitions.order_by("-id")[0].note == "nice one"


def test_note_goes_on_nobody_elses_record(
    open_desk: Open, queue: list[Submission], moderator: User
) -> None:
    mae, ellen, grace, _ = queue
    page = open_desk()
    say(page, "n", of="MAE")
    page.keyboard.type("looks underage, ask Kim")
    page.keyboard.press("Escape")
    say(page, "j", of="MAE")
    say(page, "a", of="ELLEN")
    # The next one is deleted while the note on it is typed
    say(page, "n", of="GRACE")
    page.keyboard.type("same bag as No. 3")
    retention.erase(grace, actor=lifecycle.PARTICIPANT)
    expect(page.locator("[data-line]")).to_contain_text("is deleted", timeout=10_000)
    expect(page.locator("[name=note]")).to_have_value("")
    page.keyboard.press("Escape")
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    decided = Transition.objects.filter(actor=moderator).order_by("id")
    assert list(decided.values_list("submission", "note")) == [(ellen.pk, ""), (mae.pk, "")]


def test_note_stays_while_its_one_stays(
    open_desk: Open, queue: list[Submission], campaign: Campaign
) -> None:
    page = open_desk()
    say(page, "n", of="MAE")
    page.keyboard.type("a rare face")
    shelf.put(campaign, plaque="DOROTHY")
    expect(page.locator("[data-strip] li")).to_have_count(5, timeout=6000)
    expect(page.locator("[name=note]")).to_have_value("a rare face")


def test_held_key_decides_once(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    page.keyboard.down("a")
    for _ in range(8):
        page.keyboard.down("a")
    page.keyboard.up("a")
    on_desk(page, "ELLEN")
    shelf.becomes(queue[0], S.APPROVED)
    assert [shelf.state_of(one) for one in queue[1:]] == [S.REVIEW] * 3


def test_nobody_is_approved_before_they_were_seen(open_desk: Open, queue: list[Submission]) -> None:
    """The pictures of the second one do not come: A must not approve it blindly."""
    page = open_desk()
    on_desk(page, "MAE")
    context = page.context
    context.route("**/media/*", lambda route: route.abort())
    ellen, grace, marie = queue[1:]
    # The next two are already there; the last is not
    for name in ("MAE", "ELLEN", "GRACE"):
        say(page, "a", of=name)
    expect(page.locator("[data-field=plaque]")).to_have_text("MARIE")
    page.keyboard.press("a")
    expect(page.locator("[data-line]")).to_have_text("Wait for the picture.")
    expect(page.locator("[data-picture=figurine] img")).to_have_count(0)
    shelf.becomes(grace, S.APPROVED)
    assert (shelf.state_of(ellen), shelf.state_of(marie)) == (S.APPROVED, S.REVIEW)


def test_held_one_is_released_with_the_selfie_alone(open_desk: Open, campaign: Campaign) -> None:
    held = shelf.put(campaign, S.HELD, plaque="MAE")
    page = open_desk()
    on_desk(page, "MAE")
    expect(page.locator("[data-picture=selfie]")).to_be_visible()
    expect(page.locator("[data-picture=figurine]")).to_be_hidden()
    expect(page.get_by_text("The safety score is in between")).to_be_visible()
    page.keyboard.press("a")
    shelf.becomes(held, S.QUEUED)
    page.keyboard.press("u")
    expect(page.locator("[data-line]")).to_contain_text("is being made already")


def test_live_one_is_recalled_from_the_desk(open_desk: Open, campaign: Campaign) -> None:
    live = shelf.put(campaign, S.APPROVED, plaque="MAE")
    page = open_desk(f"/review/?look={live.pk}")
    expect(page.get_by_text("Recall", exact=True)).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("2")
    shelf.becomes(live, S.RECALLED)
    assert live.transitions.order_by("-id")[0].reason == "participant"


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (2560, 1440)])
def test_pictures_take_what_the_window_gives(
    open_desk: Open, queue: list[Submission], size: tuple[int, int]
) -> None:
    page = open_desk()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    on_desk(page, "MAE")
    boxes = page.evaluate(
        "[...document.querySelectorAll('[data-pictures] figure')]"
        ".map(figure => figure.getBoundingClientRect().toJSON())"
    )
    stage = page.locator("[data-pictures]").bounding_box()
    assert stage is not None
    fills_height = boxes[0]["height"] > 0.99 * stage["height"]
    fills_width = boxes[1]["right"] - boxes[0]["left"] > 0.99 * stage["width"]
    assert fills_height or fills_width
    assert boxes[0]["height"] == boxes[1]["height"] > 0.7 * size[1]
    overflow = page.evaluate(
        "[document.documentElement.scrollWidth - innerWidth,"
        " document.documentElement.scrollHeight - innerHeight]"
    )
    assert overflow == [0, 0]


# --- others at work -------------------------------------------------------------------------------
def test_new_arrival_appears_without_a_reload(open_desk: Open, campaign: Campaign) -> None:
    page = open_desk()
    expect(page.get_by_text("All looked at.")).to_be_visible()
    shelf.put(campaign, plaque="MAE")
    on_desk(page, "MAE")
    shelf.put(campaign, plaque="ELLEN")
    expect(page.locator("[data-strip] li")).to_have_count(2, timeout=6000)
    on_desk(page, "MAE")


def test_answer_about_the_one_before_does_not_bring_it_back(
    open_desk: Open, queue: list[Submission], campaign: Campaign
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    held_back: list[Route] = []
    page.context.route("**/review/queue/**", lambda route: held_back.append(route))
    shelf.put(campaign, plaque="DOROTHY")
    wait_until(lambda: page.evaluate("1") and held_back, within_s=6, what="the desk asks about MAE")
    page.keyboard.press("j")
    on_desk(page, "ELLEN")
    for route in held_back:
        route.continue_()
    page.context.unroute("**/review/queue/**")
    expect(page.locator("[data-strip] li")).to_have_count(5)
    on_desk(page, "ELLEN")


def test_somebody_else_was_first(open_desk: Open, queue: list[Submission], moderator: User) -> None:
    mae, *_ = queue
    page = open_desk()
    on_desk(page, "MAE")
    ana = User.objects.create_user("ana", password="ana", is_staff=True)
    approval.reject(mae, actor=lifecycle.crew(ana), reason=RejectReason.OTHER)
    page.keyboard.press("a")
    expect(page.locator("[data-line]")).to_have_text("ana rejected No. 00,001.")
    on_desk(page, "ELLEN")
    assert shelf.state_of(mae) == S.REJECTED


def test_one_deleted_by_its_owner_leaves_the_desk(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    retention.erase(queue[0], actor=lifecycle.PARTICIPANT)
    expect(page.locator("[data-line]")).to_contain_text("is deleted", timeout=6000)
    on_desk(page, "ELLEN")
    expect(page.locator("[data-strip] li")).to_have_count(3)


def test_two_moderators_get_different_ones(open_desk: Open, queue: list[Submission]) -> None:
    mine = open_desk()
    on_desk(mine, "MAE")
    ana = User.objects.create_user("ana", password="ana", is_staff=True)
    ana.user_permissions.add(Permission.objects.get(codename="review_submission"))
    wait_until(
        lambda: Submission.objects.filter(claim__isnull=False).exists(),
        within_s=5,
        what="the first desk has claimed",
    )
    hers = open_desk(user=ana)
    on_desk(hers, "ELLEN")
    hers.keyboard.press("j")
    on_desk(hers, "GRACE")


def test_one_that_another_has_claimed_meanwhile_is_passed_over(
    open_desk: Open, queue: list[Submission]
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
    ana = User.objects.create_user("ana", password="ana", is_staff=True)
    decisions.claim(queue[1].pk, user=ana)
    page.keyboard.press("j")
    expect(page.locator("[data-line]")).to_contain_text("ana looks at No. 00,002")
    on_desk(page, "GRACE")


def test_claim_is_kept_while_somebody_looks_and_nothing_else_happens(
    open_desk: Open, queue: list[Submission]
) -> None:
    page = open_desk()
    page.clock.install()
    page.reload()
    on_desk(page, "MAE")

    def is_claimed() -> bool:
        return ReviewClaim.objects.filter(submission=queue[0], until__gt=timezone.now()).exists()

    wait_until(is_claimed, within_s=5, what="MAE is claimed")
    page.wait_for_event("response", lambda answer: answer.status == 304)
    ReviewClaim.objects.update(until=timezone.now())
    page.clock.fast_forward("01:01")
    page.mouse.move(300, 300)
    wait_until(is_claimed, within_s=5, what="MAE is claimed anew")


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
    open_desk: Open, queue: list[Submission], moderator: User, live_server: LiveServer
) -> None:
    mae, *_ = queue
    page = open_desk()
    on_desk(page, "MAE")
    (mine,) = (one["value"] for one in page.context.cookies() if one["name"] == "sessionid")
    ana = User.objects.create_user("ana", password="ana", is_staff=True)
    ana.user_permissions.add(Permission.objects.get(codename="review_submission"))
    client = Client()
    client.force_login(ana)

    def sign_in(session: str) -> None:
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    sign_in(client.cookies["sessionid"].value)
    with page.expect_response("**/decide/") as refused:
        page.keyboard.press("a")
    assert (refused.value.status, shelf.state_of(mae)) == (403, S.REVIEW)
    expect(page.locator("[data-offline]")).to_contain_text("One decision is kept here")
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


# --- made again meanwhile -------------------------------------------------------------------------
@pytest.fixture
def remake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Submission], None]:
    """Its owner asks for another one, while no moderator's claim holds."""
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())

    def ask(submission: Submission) -> None:
        ReviewClaim.objects.all().delete()
        Submission.objects.filter(pk=submission.pk).update(face=shelf.measured())
        assert rerolls.ask(submission, rerolls.Wish(seen_at=submission.state_since_at))

    return ask


def test_figurine_made_again_leaves_the_desk_and_comes_back(
    open_desk: Open, queue: list[Submission], remake: Callable[[Submission], None]
) -> None:
    mae, *others = queue
    page = open_desk()
    on_desk(page, "MAE")
    before = page.locator("[data-picture=figurine] img").get_attribute("src")
    remake(mae)
    expect(page.locator("[data-line]")).to_contain_text(
        "asked for another figurine", timeout=10_000
    )
    for name in ("ELLEN", "GRACE", "MARIE"):
        say(page, "a", of=name)
    generation.run_ready()
    on_desk(page, "MAE")
    assert page.locator("[data-picture=figurine] img").get_attribute("src") != before
    page.keyboard.press("a")
    shelf.becomes(mae, S.APPROVED)
    assert [shelf.state_of(one) for one in others] == [S.APPROVED] * 3


def test_decision_on_the_figurine_before_is_refused_and_told(
    open_desk: Open, queue: list[Submission], remake: Callable[[Submission], None]
) -> None:
    mae, *_ = queue
    page = open_desk()
    on_desk(page, "MAE")
    # The desk has not heard of it when the moderator says yes.
    page.route("**/review/queue/**", lambda route: route.abort())
    remake(mae)
    generation.run_ready()
    page.keyboard.press("a")
    expect(page.locator("[data-line]")).to_contain_text(
        "asked for another figurine", timeout=10_000
    )
    assert shelf.state_of(mae) == S.REVIEW
    page.unroute("**/review/queue/**")
    for name in ("ELLEN", "GRACE", "MARIE"):
        say(page, "a", of=name)
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
