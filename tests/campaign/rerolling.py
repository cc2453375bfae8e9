"""What a visitor asks for, and what they have then."""

from __future__ import annotations

from campaign import rerolls
from campaign.models import Figurine, Submission


def ask(submission: Submission, *, seen: Submission | None = None, **words: str) -> bool:
    seen_at = (seen or submission).state_since_at
    return rerolls.ask(submission, rerolls.Wish(seen_at=seen_at, **words))


def chosen(submission: Submission) -> Figurine:
    return submission.figurines.get(is_chosen=True)
