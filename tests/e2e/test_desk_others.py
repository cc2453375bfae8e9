"""Others at work meanwhile: moderators, visitors who delete, and who asks for another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Route, expect

from campaign import approval, decisions, generation, lifecycle, rerolls, retention
from campaign.enums import RejectReason, SubmissionState
from campaign.models import Campaign, ReviewClaim, Submission
from tests import shelf
from tests.campaign.workshop import FrameEngine
from tests.e2e.conftest import Open
from tests.e2e.desk import on_desk, say
from tests.stack import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

S = SubmissionState


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


def test_somebody_else_was_first(
    open_desk: Open, queue: list[Submission], moderator: User, ana: User
) -> None:
    mae, *_ = queue
    page = open_desk()
    on_desk(page, "MAE")
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


def test_two_moderators_get_different_ones(
    open_desk: Open, queue: list[Submission], ana: User
) -> None:
    mine = open_desk()
    on_desk(mine, "MAE")
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
    open_desk: Open, queue: list[Submission], ana: User
) -> None:
    page = open_desk()
    on_desk(page, "MAE")
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
