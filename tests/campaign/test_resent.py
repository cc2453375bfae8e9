"""A decision sent again after its answer was lost, and what waited behind it in the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from campaign import approval, generation, lifecycle, rerolls
from campaign.enums import RecallReason, SubmissionState
from campaign.models import Campaign, Submission
from tests import shelf
from tests.campaign.workshop import FrameEngine

S = SubmissionState


@pytest.fixture
def crew(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


def send(client: Client, submission: Submission, verdict: str, *, seen_at: str) -> Any:
    """As the outbox does."""
    url = reverse("admin:campaign_submission_decide", args=[submission.pk])
    words = {"verdict": verdict, "seen_at": seen_at}
    return client.post(url, words, headers={"Accept": "application/json"})


def version(submission: Submission) -> str:
    since_at: datetime = Submission.objects.values_list("state_since_at", flat=True).get(
        pk=submission.pk
    )
    return since_at.isoformat()


def test_approval_behind_a_resent_undo_puts_up_no_figurine_made_since(
    crew: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    approved = version(submission)
    send(crew, submission, "undo", seen_at=approved)  # its answer is lost
    undone = version(submission)
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    Submission.objects.update(face=shelf.measured())
    rerolls.ask(
        Submission.objects.get(), rerolls.Wish(seen_at=Submission.objects.get().state_since_at)
    )
    generation.run_ready()
    assert shelf.state_of(submission) == S.REVIEW
    again = send(crew, submission, "undo", seen_at=approved)
    assert (again.status_code, again.json()) == (200, {"since": undone})
    assert send(crew, submission, "approve", seen_at=again.json()["since"]).status_code == 409
    assert shelf.state_of(submission) == S.REVIEW


def test_approval_behind_a_resent_undo_counts_while_nothing_came_between(
    crew: Client, campaign: Campaign
) -> None:
    submission = shelf.put(campaign, S.APPROVED)
    approved = version(submission)
    send(crew, submission, "undo", seen_at=approved)
    again = send(crew, submission, "undo", seen_at=approved)
    assert send(crew, submission, "approve", seen_at=again.json()["since"]).status_code == 200
    assert shelf.state_of(submission) == S.APPROVED


def test_undo_behind_a_resent_approval_undoes_nobody_elses_recall(
    crew: Client, campaign: Campaign
) -> None:
    submission = shelf.put(campaign)
    seen = version(submission)
    send(crew, submission, "approve", seen_at=seen)
    actor = lifecycle.crew(User.objects.create_user("ana", password="ana"))
    approval.recall(Submission.objects.get(), actor=actor, reason=RecallReason.PRODUCER)
    again = send(crew, submission, "approve", seen_at=seen)
    assert again.status_code == 200
    undo = send(crew, submission, "undo", seen_at=again.json()["since"])
    assert (undo.status_code, undo.json()) == (409, {"sentence": "ana recalled No. 00,001."})
    assert shelf.state_of(submission) == S.RECALLED
