"""What is there to look at when all is up."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class FirstRun:
    """What `manage.py demo` made, or found from last time."""

    phone_url: str
    review_url: str
    screen_url: str
    username: str
    password: str | None
    """Only on the run that made the account."""
    password_file: str
    """Empty where that account is no more."""

    @classmethod
    def from_json(cls, text: str) -> FirstRun:
        return cls(**json.loads(text))
