"""The desk: who may, what waits there, and what is done on request."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaign import desk_guard, lifecycle, retention
from campaign.enums import FigurineMark, SubmissionState
from campaign.models import Campaign, Submission
from figurine import marks
from tests import shelf
from tests.campaign.desk_pages import LIVE, QUEUE, REVIEW, WALL, decide, names, queue

S = SubmissionState


# --- who may ------------------------------------------------------------------------------------
def addresses(submission: Submission) -> list[str]:
    named = ("decide", "claim", "retry")
    return [
        REVIEW,
        QUEUE,
        LIVE,
        WALL,
        reverse("admin:campaign_submission_tally"),
        reverse("admin:campaign_submission_whereabouts", args=[submission.pk]),
        reverse("admin:campaign_submission_thumb", args=[submission.pk, 160]),
        reverse("admin:campaign_submission_erase", args=[submission.pk]),
        *(reverse(f"admin:campaign_submission_{name}", args=[submission.pk]) for name in named),
    ]


def test_desk_needs_the_permission(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    staff = User.objects.create_user("clerk", password="clerk", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_submission"))
    client.force_login(staff)
    for address in addresses(submission):
        assert client.get(address).status_code in (403, 405), address
        assert client.post(address).status_code in (403, 405), address
    assert shelf.state_of(submission) == S.REVIEW


def test_desk_sends_strangers_to_the_login(client: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    answer = client.get(REVIEW)
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={REVIEW}")
    assert decide(client, submission, "approve").status_code == 302
    assert shelf.state_of(submission) == S.REVIEW


def test_decision_without_csrf_token_is_refused(campaign: Campaign, moderator: User) -> None:
    submission = shelf.put(campaign)
    client = Client(enforce_csrf_checks=True)
    client.force_login(moderator)
    assert decide(client, submission, "approve").status_code == 403
    assert shelf.state_of(submission) == S.REVIEW


def test_desk_keeps_the_strict_policy(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    for page in (REVIEW, LIVE):
        answer = crew.get(page)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self';" in policy + ";"
        assert "unsafe" not in policy
        assert not re.search(rb"<script(?![^>]*(src|application/json))", answer.content)
        assert b" style=" not in answer.content


@pytest.mark.parametrize("hours", [1, 0])
def test_shift_begins_anew_with_what_is_done_at_the_desk_once_an_hour(
    crew: Client, campaign: Campaign, hours: int
) -> None:
    submission = shelf.put(campaign)
    crew.get(REVIEW)
    session = crew.session
    session[desk_guard.AT_WORK] -= hours * 3600
    session.save()
    Session.objects.update(expire_date=timezone.now() + timedelta(minutes=1))
    for address in (QUEUE, WALL):
        assert "sessionid" not in crew.get(address).cookies, "nobody did that"
    renewed = "sessionid" in decide(crew, submission, "approve").cookies
    left = Session.objects.get().expire_date - timezone.now()
    assert (renewed, left > timedelta(hours=11)) == (bool(hours), bool(hours))
    assert shelf.state_of(submission) == S.APPROVED


# --- what waits ---------------------------------------------------------------------------------
def test_queue_holds_what_waits_longest_first(crew: Client, campaign: Campaign) -> None:
    for state in S:
        if state in {*shelf.WAY, S.HELD, S.FAILED, S.RECALLED, S.REJECTED}:
            shelf.put(campaign, state, plaque=state.value)
    found = queue(crew)
    assert sorted(names(found["cards"])) == ["held", "review"]
    assert [c["since"] for c in found["cards"]] == sorted(c["since"] for c in found["cards"])
    assert (found["waiting"], found["live"]) == (2, 1)


def test_queue_of_one_campaign_shows_no_other(
    crew: Client, campaign: Campaign, elsewhere: Campaign
) -> None:
    shelf.put(campaign, plaque="HERE")
    shelf.put(elsewhere, plaque="THERE")
    assert names(queue(crew, campaign="demo")["cards"]) == ["HERE"]
    assert names(queue(crew, campaign="pier")["cards"]) == ["THERE"]
    assert names(queue(crew)["cards"]) == ["HERE", "THERE"]
    assert b"THERE" not in crew.get(REVIEW, {"campaign": "demo"}).content
    assert crew.get(QUEUE, {"campaign": "nowhere"}).status_code == 404


@pytest.mark.parametrize("page", [REVIEW, QUEUE, LIVE, WALL])
def test_desk_asks_as_much_for_three_as_for_one(
    crew: Client, campaign: Campaign, page: str
) -> None:
    crew.get(REVIEW)  # The first of an hour writes down that somebody is at work.
    counted = []
    for more in (1, 2):
        for _ in range(more):
            shelf.put(campaign, plaque="MAE")
            shelf.put(campaign, S.APPROVED, plaque="MAE")
        with CaptureQueriesContext(connection) as found:
            assert crew.get(page).content.count(b"MAE") >= more
        counted.append(len(found))
    assert counted[0] == counted[1]


def test_queue_unchanged_answers_304(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    etag = crew.get(QUEUE)["ETag"]
    assert crew.get(QUEUE, headers={"If-None-Match": etag}).status_code == 304
    shelf.put(campaign)
    again = crew.get(QUEUE, headers={"If-None-Match": etag})
    assert (again.status_code, again.json()["waiting"]) == (200, 2)


def test_held_one_shows_the_selfie_alone(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign, S.HELD)
    (card,) = queue(crew)["cards"]
    assert (bool(card["selfie_url"]), card["figurine_url"]) == (True, "")
    assert card["verdicts"] == ["release", "reject"]
    assert card["hold_reason"] == "The safety score is in between"


def test_card_tells_how_like_the_figurine_is_and_what_to_look_at(
    crew: Client, campaign: Campaign
) -> None:
    submission = shelf.put(campaign)
    submission.figurines.update(likeness=0.2149, marks=[marks.UNLIKE])
    (card,) = queue(crew)["cards"]
    assert (card["likeness"], card["marks"]) == (0.21, "Not much like the selfie: look twice")
    page = crew.get(REVIEW).content.decode()
    assert re.search(r"<dt>Likeness</dt><dd>0.21</dd>", page)
    assert "Not much like the selfie: look twice" in page


def test_every_mark_of_an_engine_has_words() -> None:
    told = {value for name, value in vars(marks).items() if name.isupper()}
    assert told == set(FigurineMark.values)


def test_card_pictures_open_for_the_crew(crew: Client, campaign: Campaign) -> None:
    shelf.put(campaign)
    (card,) = queue(crew)["cards"]
    for kind in ("selfie_url", "figurine_url"):
        answer = crew.get(card[kind])
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")


@pytest.mark.parametrize("how", ["erased", "expired"])
def test_what_was_deleted_never_shows(
    crew: Client, campaign: Campaign, moderator: User, how: str
) -> None:
    for state in (S.REVIEW, S.HELD, S.APPROVED):
        submission = shelf.put(campaign, state, plaque="GONE")
        thumb = reverse("admin:campaign_submission_thumb", args=[submission.pk, 160])
        if how == "erased":
            retention.erase(submission, actor=lifecycle.crew(moderator))
        else:
            Submission.objects.filter(pk=submission.pk).update(
                created_at=timezone.now() - timedelta(days=400), selfie_purge_at=timezone.now()
            )
            retention.purge()
        assert shelf.state_of(submission) == how
        assert queue(crew, look=str(submission.pk))["current"] is None
        assert crew.get(thumb).status_code == 404
        for page in (REVIEW, QUEUE, LIVE, WALL):
            assert b"GONE" not in crew.get(page).content
    assert queue(crew)["cards"] == crew.get(WALL).json()["cards"] == []


# --- on request ---------------------------------------------------------------------------------
def test_erase_asks_first_and_hands_out_a_receipt(
    crew: Client, campaign: Campaign, moderator: User
) -> None:
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    url = reverse("admin:campaign_submission_erase", args=[submission.pk])
    assert crew.get(url).status_code == 200
    assert shelf.state_of(submission) == S.APPROVED
    page = crew.post(url).content.decode()
    move = submission.transitions.order_by("-id")[0]
    assert (move.to_state, move.actor) == (S.ERASED, moderator)
    assert re.search(r'class="receipt">[0-9A-F]{10}<', page)


def test_erase_tells_its_receipt_again(crew: Client, campaign: Campaign) -> None:
    """To a second tap, and to whoever comes back since the answer was lost."""
    submission = shelf.put(campaign, S.APPROVED, plaque="MAE")
    url = reverse("admin:campaign_submission_erase", args=[submission.pk])

    def facts(page: Any) -> list[str]:
        return re.findall(r"<dd[^>]*>([^<]+)</dd>", page.content.decode())

    number, erased_at, _files = facts(crew.post(url))
    assert facts(crew.post(url)) == [number, erased_at]
    assert facts(crew.get(url)) == [number, erased_at]


def test_retry_queues_a_failed_one_and_nothing_else(crew: Client, campaign: Campaign) -> None:
    failed, waiting = shelf.put(campaign, S.FAILED), shelf.put(campaign, S.REVIEW)
    for submission in (failed, waiting):
        crew.post(reverse("admin:campaign_submission_retry", args=[submission.pk]))
    assert (shelf.state_of(failed), shelf.state_of(waiting)) == (S.QUEUED, S.REVIEW)
