"""The desk's pages, and a moderator who reads and decides there."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from campaign.models import Submission

REVIEW = reverse("admin:campaign_submission_review")
QUEUE = reverse("admin:campaign_submission_queue")
LIVE = reverse("admin:campaign_submission_live")
WALL = reverse("admin:campaign_submission_wall")


def queue(client: Client, **query: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get(QUEUE, query).json()
    return body


def names(cards: list[dict[str, Any]]) -> list[str]:
    return [card["plaque"] for card in cards]


def decide(client: Client, submission: Submission, verdict: str, **fields: str) -> Any:
    """As the outbox does; of the version the row has in this test's hands."""
    fields.setdefault("seen_at", submission.state_since_at.isoformat())
    url = reverse("admin:campaign_submission_decide", args=[submission.pk])
    return client.post(url, {"verdict": verdict, **fields}, headers={"Accept": "application/json"})
