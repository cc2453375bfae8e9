"""What makes a browser a screen: a token of 256 bits, of which the database keeps only the hash.

It is renewed without a word (docs/pairing.md): the screen is handed a new one, and the one before
stays good until the new one was shown, and was kept long enough to be on the browser's disk.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billboard import dark
from billboard.models import Screen

log = structlog.get_logger(__name__)

COOKIE: Final = "diorama_screen"
COOKIE_MAX_AGE_S: Final = 400 * 24 * 3600
"""The longest that Chromium keeps a cookie."""
TOKEN_MAX_CHARS: Final = 100
TOKEN_BYTES: Final = 32

RENEW_AFTER: Final = timedelta(days=1)
SETTLE_AFTER: Final = timedelta(minutes=2)
"""Chromium writes cookies to the disk every 30 s: after a power cut before that, a screen comes
back with the token before. Source: its net/extras/sqlite/sqlite_persistent_cookie_store.cc."""

FIELDS: Final = ("token_hash", "previous_hash", "is_settled", "token_at")


def issue_token(screen: Screen) -> str:
    """Save the screen with a new token, for a link, and return it; those before are worth nothing
    now. It is replaced as soon as it was used: whoever finds the link later finds no screen."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    _give(screen, token, at=None)
    return token


def pair(screen: Screen, token: str) -> None:
    """Save the screen with this token; those before are worth nothing now."""
    _give(screen, token, at=timezone.now())


def unpair(screen: Screen) -> None:
    """No browser is this screen any more. What it had up is dark within a beat."""
    dark.note_end(screen)
    screen.token_hash, screen.previous_hash = None, ""
    screen.is_settled, screen.token_at = True, None
    screen.save(update_fields=FIELDS)
    log.info("screen unpaired", screen=screen.pk)


def _give(screen: Screen, token: str, *, at: datetime | None) -> None:
    dark.note_end(screen)
    screen.token_hash, screen.previous_hash = hashed(token), ""
    screen.is_settled, screen.token_at = True, at
    if screen._state.adding:
        screen.save(force_insert=True)
    else:
        screen.save(update_fields=FIELDS)


def find(token: str) -> Screen | None:
    """The active screen that holds this token. A fast hash is enough for 256 random bits."""
    return find_all([token]).get(token)


def find_all(tokens: Iterable[str]) -> dict[str, Screen]:
    """As `find`, in one look for many: nine in ten parts of it are spent on the question."""
    shown = {hashed(token): token for token in tokens if 0 < len(token) <= TOKEN_MAX_CHARS}
    found: dict[str, Screen] = {}
    for screen in Screen.objects.select_related("campaign").filter(_hold(shown)):
        held = (screen.token_hash, "" if screen.is_settled else screen.previous_hash)
        found |= {shown[one]: screen for one in held if one in shown}
    return found


def admit(token: str) -> Screen | None:
    """As `find`; a token whose successor is in use was copied from the screen, which is logged."""
    found = find(token)
    if found is None and is_retired(token):
        log.warning("a screen's old token was used")
    elif found is None and token:
        dark.note_refused(hashed(token))
    return found


def is_retired(token: str) -> bool:
    """Whether an active screen had this token right before the one it has shown since."""
    if not token or len(token) > TOKEN_MAX_CHARS:
        return False
    return Screen.objects.filter(
        previous_hash=hashed(token), is_settled=True, is_active=True
    ).exists()


def renew(token: str) -> str | None:
    """The screen's next token where it is time, and the end of the one before once its successor
    has stood for a while."""
    if not token or len(token) > TOKEN_MAX_CHARS:
        return None
    shown = hashed(token)
    with transaction.atomic():
        screen = Screen.objects.select_for_update().filter(_hold([shown])).first()
        if screen is None:
            return None
        now = timezone.now()
        age = now - screen.token_at if screen.token_at else None
        if shown == screen.token_hash and not screen.is_settled:
            if age is None or age >= SETTLE_AFTER:
                screen.is_settled = True
                screen.save(update_fields=["is_settled"])
            return None
        if shown == screen.token_hash:
            if age is not None and age < RENEW_AFTER:
                return None
            screen.previous_hash = shown
        elif age is not None and age < SETTLE_AFTER:
            # Two pages of one browser: the second must not undo what the first was handed.
            return None
        renewed = secrets.token_urlsafe(TOKEN_BYTES)
        screen.token_hash, screen.is_settled, screen.token_at = hashed(renewed), False, now
        screen.save(update_fields=FIELDS)
        return renewed


def _hold(shown: Iterable[str]) -> Q:
    """Screens whose tokens have these hashes."""
    current = Q(token_hash__in=shown) | Q(previous_hash__in=shown, is_settled=False)
    return current & Q(is_active=True)


def as_token(digest: bytes) -> str:
    """256 bits as a token looks."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
