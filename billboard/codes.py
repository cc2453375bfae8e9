"""How a browser without hands becomes a screen: it shows a code, a producer confirms it.

The shape of the OAuth 2.0 Device Authorization Grant. Source: RFC 8628, sections 3.2 to 3.5 for the
talk, 5.1 for guessing, 6.1 for the letters. Nothing that could be used is kept: codes lie hashed
with the server's key, and the screen's token is made of that key and the asking browser's secret,
so that every answer to its poll says the same and none can be lost.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from billboard import pairing
from billboard.models import PairingCode, PairingState, Screen
from campaign import purses
from campaign.purses import Purse

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; none that is taken for a digit. Source: RFC 8628, section 6.1."""
CODE_CHARS: Final = 8
HALF: Final = 4

LIFETIME: Final = timedelta(minutes=10)
KEEP: Final = timedelta(hours=1)
INTERVAL_S: Final = 5
SLACK_S: Final = 1
"""What the network may take from an interval."""
INTERVAL_MOST_S: Final = 60

TRIES_OF_CODE: Final = 5
TRIES_OF_PRODUCER: Final = 5
TRIES_OF_ADDRESS: Final = 20
"""A crew's room has one address."""
CODES_OF_ADDRESS: Final = 60
"""A hall full of new screens behind one address."""
OPEN_MOST: Final = 2000
"""With five tries a producer, guessing one of them is a matter of one to 2,560,000."""


class TooMany(Exception):
    """More than is good within ten minutes."""


class NotFound(Exception):
    """No browser waits under this code."""


class TooLate(Exception):
    """Somebody else has decided, or its time is over."""


@dataclass(frozen=True)
class Asked:
    """What the asking browser is told. Source: RFC 8628, section 3.2."""

    device: str
    code: str


@dataclass(frozen=True)
class Answer:
    """To a poll: an error of RFC 8628, section 3.5, or the token."""

    error: str = ""
    token: str = ""


def ask(
    *, address: str, browser: str, width_px: int | None, height_px: int | None, instead_of: str = ""
) -> Asked:
    """A new code, in place of the one this browser had. Raises TooMany."""
    if purses.spend([Purse("ask", address, CODES_OF_ADDRESS)]):
        raise TooMany
    now = timezone.now()
    open_now = PairingCode.objects.filter(state=PairingState.WAITING, expires_at__gt=now)
    if open_now.count() >= OPEN_MOST:
        log.warning("too many screens ask to be paired")
        raise TooMany
    if instead_of:
        PairingCode.objects.filter(
            device_hash=_device_hash(instead_of), state=PairingState.WAITING
        ).delete()
    device = secrets.token_urlsafe(32)
    while True:
        code = "".join(secrets.choice(LETTERS) for _ in range(CODE_CHARS))
        try:
            with transaction.atomic():
                PairingCode.objects.create(
                    device_hash=_device_hash(device),
                    code_hash=_keyed("code", code),
                    half_hash=_keyed("half", code[:HALF]),
                    browser=browser[:200],
                    width_px=width_px,
                    height_px=height_px,
                    interval_s=INTERVAL_S,
                    created_at=now,
                    expires_at=now + LIFETIME,
                )
        except IntegrityError:  # that code is on another screen
            continue
        return Asked(device, f"{code[:HALF]}-{code[HALF:]}")


def poll(device: str) -> Answer:
    """How it stands with this browser's code."""
    if not device or len(device) > pairing.TOKEN_MAX_CHARS:
        return Answer("expired_token")
    with transaction.atomic():
        rows = PairingCode.objects.select_for_update(of=("self",)).select_related("screen")
        row = rows.filter(device_hash=_device_hash(device)).first()
        now = timezone.now()
        if row is None:
            return Answer("expired_token")
        if row.polled_at and now - row.polled_at < timedelta(seconds=row.interval_s - SLACK_S):
            row.interval_s = min(row.interval_s + INTERVAL_S, INTERVAL_MOST_S)
            row.polled_at = now
            row.save(update_fields=["interval_s", "polled_at"])
            return Answer("slow_down")
        row.polled_at = now
        row.save(update_fields=["polled_at"])
    if row.state == PairingState.DENIED:
        return Answer("access_denied")
    if row.state == PairingState.CONFIRMED:
        token = _token_of(row)
        # Not after it was renewed, nor where somebody has paired another browser since.
        is_still = row.screen is not None and row.screen.token_hash == pairing.hashed(token)
        return Answer(token=token) if is_still else Answer("access_denied")
    if row.expires_at <= now or row.misses >= TRIES_OF_CODE:
        return Answer("expired_token")
    return Answer("authorization_pending")


def look_up(typed: str, *, producer: User, address: str) -> PairingCode:
    """The browser that shows this code. Raises NotFound, and TooMany after five wrong ones."""
    paid = (
        Purse("producer", str(producer.pk), TRIES_OF_PRODUCER),
        Purse("address", address, TRIES_OF_ADDRESS),
    )
    if empty := purses.spend(paid):
        log.warning("too many wrong pairing codes", producer=producer.pk, by=empty.what)
        raise TooMany
    code = "".join(letter for letter in typed.upper() if letter in LETTERS)
    found = PairingCode.objects.filter(
        code_hash=_keyed("code", code),
        state=PairingState.WAITING,
        expires_at__gt=timezone.now(),
        misses__lt=TRIES_OF_CODE,
    ).first()
    if found is None:
        PairingCode.objects.filter(
            half_hash=_keyed("half", code[:HALF]), state=PairingState.WAITING
        ).exclude(code_hash=_keyed("code", code)).update(misses=F("misses") + 1)
        log.info("wrong pairing code", producer=producer.pk)
        raise NotFound
    purses.give_back(paid)
    return found


def confirm(row: PairingCode, screen: Screen, *, producer: User) -> None:
    """Make the browser this screen, new or not; whichever was it before is none now. Once.

    Raises TooLate."""
    with transaction.atomic():
        if screen._state.adding:
            screen.save(force_insert=True)
        _decide(row, PairingState.CONFIRMED, producer=producer, screen=screen)
        pairing.pair(screen, _token_of(row))
    log.info("screen paired", screen=screen.pk, producer=producer.pk)


def deny(row: PairingCode, *, producer: User) -> None:
    """Turn the browser away. Raises TooLate."""
    _decide(row, PairingState.DENIED, producer=producer)
    log.info("pairing denied", producer=producer.pk)


def _decide(
    row: PairingCode, state: PairingState, *, producer: User, screen: Screen | None = None
) -> None:
    now = timezone.now()
    changed = PairingCode.objects.filter(
        pk=row.pk,
        state=PairingState.WAITING,
        expires_at__gt=now,
        misses__lt=TRIES_OF_CODE,
    ).update(state=state, screen=screen, decided_by=producer, decided_at=now)
    if changed != 1:
        raise TooLate


def sweep() -> int:
    """Delete codes of an hour ago. Returns how many."""
    return PairingCode.objects.filter(expires_at__lt=timezone.now() - KEEP).delete()[0]


def _token_of(row: PairingCode) -> str:
    made = salted_hmac("billboard.codes.token", row.device_hash, algorithm="sha256")
    return pairing.as_token(made.digest())


def _device_hash(device: str) -> str:
    return _keyed("device", device)


def _keyed(what: str, value: str) -> str:
    return salted_hmac(f"billboard.codes.{what}", value, algorithm="sha256").hexdigest()
