"""What is decided on the desk: once, by whom, and of which figurine."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaign import decisions, generation, lifecycle, rerolls, retention
from campaign.enums import SubmissionState
from campaign.models import Campaign, ReviewClaim, Submission, Transition
from tests import shelf
from tests.campaign.desk_pages import LIVE, QUEUE, REVIEW, decide, names, queue
from tests.campaign.workshop import FrameEngine

S = SubmissionState


# --- deciding -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "verdict", "to", "reason"),
    [
        (S.REVIEW, "approve", S.APPROVED, ""),
        (S.REVIEW, "reject:bad_name", S.REJECTED, "bad_name"),
        (S.HELD, "reject:minor", S.REJECTED, "minor"),
        (S.HELD, "release", S.QUEUED, "released"),
        (S.APPROVED, "recall:producer", S.RECALLED, "producer"),
        (S.APPROVED, "undo", S.REVIEW, "undo"),
        (S.REJECTED, "undo", S.REVIEW, "undo"),
    ],
)
def test_decision_moves_and_records_the_actor(
    crew: Client,
    campaign: Campaign,
    moderator: User,
    state: SubmissionState,
    verdict: str,
    to: SubmissionState,
    reason: str,
) -> None:
    submission = shelf.put(campaign, state)
    answer = decide(crew, submission, verdict)
    move = submission.transitions.order_by("-id")[0]
    assert answer.status_code == 200
    assert (move.to_state, move.actor, move.actor_kind, move.reason) == (
        to,
        moderator,
        "crew",
        reason,
    )
    submission.refresh_from_db()
    assert (submission.state, answer.json()["since"]) == (to, submission.state_since_at.isoformat())


def test_decision_keeps_the_note(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    decide(crew, submission, "reject", reason="other", note="x" * 500)
    move = submission.transitions.order_by("-id")[0]
    assert (move.reason, move.note) == ("other", "x" * 400)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (S.REVIEW, "approve"),
        (S.HELD, "release"),
        (S.HELD, "reject:minor"),
        (S.APPROVED, "recall:technical"),
        (S.APPROVED, "undo"),
    ],
)
def test_note_is_kept_with_every_verdict(
    crew: Client, campaign: Campaign, moderator: User, state: SubmissionState, verdict: str
) -> None:
    submission = shelf.put(campaign, state)
    for _ in range(2):  # its answer was lost once
        assert decide(crew, submission, verdict, note="ask Kim").status_code == 200
    kept = submission.transitions.filter(note="ask Kim")
    assert [row.actor for row in kept] == [moderator]


@pytest.mark.parametrize("verdict", ["approve", "reject:other", "release", "recall:technical"])
def test_decision_sent_twice_counts_once(crew: Client, campaign: Campaign, verdict: str) -> None:
    """The answer was lost on its way, so the outbox sends it again."""
    start = {"release": S.HELD, "recall:technical": S.APPROVED}.get(verdict, S.REVIEW)
    submission = shelf.put(campaign, start)
    first, again = decide(crew, submission, verdict), decide(crew, submission, verdict)
    assert (first.status_code, again.status_code) == (200, 200)
    assert submission.transitions.filter(at__gt=submission.state_since_at).count() == 1


def test_undo_sent_twice_counts_once(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    assert decide(crew, submission, "undo").status_code == 200
    assert decide(crew, submission, "undo").status_code == 200
    assert submission.transitions.filter(reason="undo").count() == 1


def test_decision_resent_after_an_undo_changes_nothing(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    approved = decide(crew, submission, "approve").json()["since"]
    decide(crew, submission, "undo", seen_at=approved)
    assert decide(crew, submission, "approve").status_code == 200
    assert shelf.state_of(submission) == S.REVIEW


def test_second_moderator_is_told_who_was_first(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    ana = Client()
    ana.force_login(other)
    assert decide(ana, submission, "reject:other").status_code == 200
    answer = decide(crew, submission, "approve")
    assert (answer.status_code, answer.json()) == (409, {"sentence": "ana rejected No. 00,001."})
    assert shelf.state_of(submission) == S.REJECTED


def test_same_verdict_of_two_moderators_counts_once(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    ana = Client()
    ana.force_login(other)
    decide(ana, submission, "approve")
    assert decide(crew, submission, "approve").json() == {"sentence": "ana approved No. 00,001."}
    assert Transition.objects.filter(to_state=S.APPROVED).count() == 1


def test_page_of_one_moderator_does_nothing_in_the_name_of_another(
    crew: Client, campaign: Campaign, moderator: User, other: User
) -> None:
    submission = shelf.put(campaign)
    claim = reverse("admin:campaign_submission_claim", args=[submission.pk])
    assert decide(crew, submission, "approve", user=str(other.pk)).status_code == 403
    assert crew.post(claim, {"user": other.pk}).status_code == 403
    polled = crew.get(QUEUE, {"user": other.pk})
    assert (polled.status_code, polled.json()) == (403, {"signed_in": moderator.username})
    assert (shelf.state_of(submission), ReviewClaim.objects.count()) == (S.REVIEW, 0)
    assert crew.post(claim, {"user": moderator.pk}).status_code == 200
    assert decide(crew, submission, "approve", user=str(moderator.pk)).status_code == 200


def test_decision_on_what_the_participant_deleted_is_told(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    retention.erase(Submission.objects.get(pk=submission.pk), actor=lifecycle.PARTICIPANT)
    answer = decide(crew, submission, "approve")
    assert answer.json() == {"sentence": "No. 00,001 is deleted, as its owner asked."}
    assert shelf.state_of(submission) == S.ERASED


def test_decision_on_a_figurine_since_made_again_is_told(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    asked = rerolls.Wish(seen_at=submission.state_since_at)
    rerolls.ask(Submission.objects.get(), asked)
    answer = decide(crew, submission, "approve")
    assert answer.status_code == 409
    assert answer.json()["sentence"] == (
        "The participant asked for another figurine: No. 00,001 comes back with it."
    )
    assert shelf.state_of(submission) == S.QUEUED


def test_desk_never_shows_the_figurine_before(
    crew: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = shelf.put(campaign)
    (before,) = queue(crew)["cards"]
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    Submission.objects.update(face=shelf.measured())
    rerolls.ask(submission, rerolls.Wish(seen_at=submission.state_since_at))
    found = queue(crew, look=str(submission.pk))
    assert (found["cards"], found["current"]["figurine_url"]) == ([], "")
    assert found["current"]["verdicts"] == []
    assert found["current"]["story"].startswith("The participant asked for another figurine")
    generation.run_ready()
    (after,) = queue(crew)["cards"]
    assert after["since"] > before["since"]
    assert len({before["figurine_url"], after["figurine_url"]}) == 2
    assert crew.get(after["figurine_url"]).status_code == 200
    assert crew.get(before["figurine_url"]).status_code == 404


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (S.HELD, "approve"),
        (S.REVIEW, "release"),
        (S.REVIEW, "undo"),
        (S.REVIEW, "recall:other"),
        (S.FAILED, "release"),
        (S.APPROVED, "reject:other"),
        (S.RECALLED, "approve"),
    ],
)
def test_verdict_that_the_state_forbids_is_told(
    crew: Client, campaign: Campaign, state: SubmissionState, verdict: str
) -> None:
    submission = shelf.put(campaign, state)
    answer = decide(crew, submission, verdict)
    assert answer.status_code == 409
    assert answer.json()["sentence"].startswith("No. 00,001 cannot be moved that way now")
    assert shelf.state_of(submission) == state


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "promote"},
        {"verdict": "reject"},
        {"verdict": "reject:because"},
        {"verdict": "approve", "seen_at": "yesterday"},
        {"verdict": "approve", "seen_at": "2026-11-22T12:00:00"},
    ],
)
def test_nonsense_is_refused(crew: Client, campaign: Campaign, fields: dict[str, str]) -> None:
    submission = shelf.put(campaign)
    words = {"seen_at": submission.state_since_at.isoformat(), **fields}
    assert decide(crew, submission, **words).status_code == 400
    assert shelf.state_of(submission) == S.REVIEW


def test_decision_on_nothing_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    submission.pk = "00000000-0000-4000-8000-000000000000"
    assert decide(crew, submission, "approve").status_code == 404


def test_plain_form_goes_back_to_its_page(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign)
    url = reverse("admin:campaign_submission_decide", args=[submission.pk])
    fields = {"verdict": "approve", "seen_at": submission.state_since_at.isoformat()}
    answer = crew.post(url, {**fields, "campaign": "demo"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Location"]) == (302, f"{REVIEW}?campaign=demo")
    late = crew.post(
        url, {**fields, "verdict": "reject:other", "page": "live"}, headers={"Accept": "text/html"}
    )
    assert late["Location"] == LIVE
    assert b"You approved No. 00,001." in crew.get(LIVE).content


# --- two moderators -----------------------------------------------------------------------------
def test_two_moderators_are_served_different_ones(
    crew: Client, campaign: Campaign, other: User
) -> None:
    first, second = shelf.put(campaign, plaque="FIRST"), shelf.put(campaign, plaque="SECOND")
    crew.post(reverse("admin:campaign_submission_claim", args=[first.pk]))
    ana = Client()
    ana.force_login(other)
    found = queue(ana)["cards"]
    assert [(c["plaque"], c["claimed_by"]) for c in found] == [("SECOND", ""), ("FIRST", "mod")]
    assert f"review/{second.pk}/decide/".encode() in ana.get(REVIEW).content
    assert names(queue(crew)["cards"]) == ["FIRST", "SECOND"]


def test_claim_of_a_taken_one_names_who_has_it(
    crew: Client, campaign: Campaign, other: User
) -> None:
    submission = shelf.put(campaign)
    decisions.claim(submission.pk, user=other)
    answer = crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert (answer.status_code, answer.json()) == (409, {"claimed_by": "ana"})


def test_claim_lapses(crew: Client, campaign: Campaign, other: User) -> None:
    submission = shelf.put(campaign)
    decisions.claim(submission.pk, user=other)
    ReviewClaim.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert queue(crew)["cards"][0]["claimed_by"] == ""
    answer = crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert (answer.status_code, ReviewClaim.objects.get().user.username) == (200, "mod")


def test_claim_moves_with_the_moderator_and_ends_with_the_decision(
    crew: Client, campaign: Campaign
) -> None:
    first, second = shelf.put(campaign), shelf.put(campaign)
    for submission in (first, second):
        crew.post(reverse("admin:campaign_submission_claim", args=[submission.pk]))
    assert [claim.submission_id for claim in ReviewClaim.objects.all()] == [second.pk]
    decide(crew, second, "approve")
    assert ReviewClaim.objects.count() == 0


def test_claim_of_what_is_gone_is_404(crew: Client, campaign: Campaign) -> None:
    submission = shelf.put(campaign, S.QUEUED)
    url = reverse("admin:campaign_submission_claim", args=[submission.pk])
    assert (crew.post(url).status_code, ReviewClaim.objects.count()) == (404, 0)
