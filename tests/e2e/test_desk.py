"""The desk under a moderator's fingers."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from campaign import lifecycle, retention
from campaign.enums import RejectReason, SubmissionState
from campaign.models import Campaign, Submission, Transition
from tests import shelf
from tests.e2e.conftest import NAMES, Open
from tests.e2e.desk import on_desk, say

pytestmark = pytest.mark.django_db(transaction=True)

S = SubmissionState


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
    expect(page.locator("[name=note]")).to_have_value("looks underage, ask Kim")
    page.keyboard.press("Escape")
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    decided = Transition.objects.filter(actor=moderator).order_by("id")
    assert list(decided.values_list("submission", "note")) == [
        (ellen.pk, ""),
        (mae.pk, "looks underage, ask Kim"),
    ]


def test_note_stays_while_its_one_stays(
    open_desk: Open, queue: list[Submission], campaign: Campaign
) -> None:
    page = open_desk()
    say(page, "n", of="MAE")
    page.keyboard.type("a rare face")
    shelf.put(campaign, plaque="DOROTHY")
    expect(page.locator("[data-strip] li")).to_have_count(5, timeout=6000)
    expect(page.locator("[name=note]")).to_have_value("a rare face")


def test_note_waits_with_its_card(open_desk: Open, queue: list[Submission]) -> None:
    mae, ellen, *_ = queue
    page, field = (desk := open_desk()), desk.locator("[name=note]")
    say(page, "a", of="MAE")
    say(page, "n", of="ELLEN")
    page.keyboard.type("same bag as No. 3")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    on_desk(page, "MAE")
    expect(field).to_have_value("")
    page.keyboard.press("j")
    on_desk(page, "ELLEN")
    expect(field).to_have_value("same bag as No. 3")
    say(page, "j", of="ELLEN")
    on_desk(page, "GRACE")
    expect(field).to_have_value("")
    say(page, "k", of="GRACE")
    say(page, "a", of="ELLEN")
    shelf.becomes(ellen, S.APPROVED)
    assert ellen.transitions.order_by("-id")[0].note == "same bag as No. 3"
    say(page, "a", of="GRACE")
    say(page, "a", of="MARIE")
    say(page, "a", of="MAE")
    shelf.becomes(mae, S.APPROVED)
    assert mae.transitions.order_by("-id")[0].note == ""


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
