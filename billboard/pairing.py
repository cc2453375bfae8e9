"""How a browser becomes a screen: 256 random bits, of which the database keeps only the hash."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from billboard.models import Screen

COOKIE: Final = "diorama_screen"
COOKIE_MAX_AGE_S: Final = 400 * 24 * 3600
"""The longest that Chromium keeps a cookie."""
TOKEN_MAX_CHARS: Final = 100


def issue_token(screen: Screen) -> str:
    """Save the screen with a new token and return it; the one before is worth nothing now."""
    token = secrets.token_urlsafe(32)
    screen.token_hash = _hash(token)
    if screen._state.adding:
        screen.save(force_insert=True)
    else:
        screen.save(update_fields=["token_hash"])
    return token


def find(token: str) -> Screen | None:
    """The active screen that holds this token. A fast hash is enough for 256 random bits."""
    if not token or len(token) > TOKEN_MAX_CHARS:
        return None
    return (
        Screen.objects.select_related("campaign")
        .filter(token_hash=_hash(token), is_active=True)
        .first()
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
