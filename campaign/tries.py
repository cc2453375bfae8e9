"""How often a selfie may be tried, counted before anybody looks at it.

A look costs seconds of a core at worst, and few are taken side by side (figurine/sandbox.py): a
script that sent whatever it likes would keep everybody else out.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from campaign import callers, purses
from campaign.errors import Crowded, SlowDown
from campaign.purses import Purse

COOKIE: Final = "diorama_phone"
COOKIE_AGE_S: Final = int(timedelta(days=1) / timedelta(seconds=1))

PHONE_TRIES: Final = 30
"""A dozen selfies and what goes wrong before."""
ADDRESS_TRIES: Final = 1200
"""Two a second. A crowd has its carrier's few addresses, and two cores look at five."""
STRANGER_TRIES: Final = 120
"""Of an address, by browsers that keep no cookie; a script keeps none."""

KEY_ASKS: Final = 120
"""Of a phone, for the pages of what it sent: as the enlist page opens, and between photos."""


def know(request: HttpRequest, response: HttpResponse) -> None:
    """Give a phone a name of its own that nobody else can make up, unless it has one."""
    if _phone_of(request):
        return
    response.set_signed_cookie(
        COOKIE,
        secrets.token_urlsafe(16),
        salt=COOKIE,
        max_age=COOKIE_AGE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def purses_of(request: HttpRequest) -> tuple[Purse, ...]:
    """What a try by this phone is paid from."""
    phone, address = _phone_of(request), callers.address_of(request)
    own = Purse("phone", phone, PHONE_TRIES)
    stranger = Purse("stranger", address, STRANGER_TRIES)
    return (own if phone else stranger, Purse("address", address, ADDRESS_TRIES))


def pay(paid_from: tuple[Purse, ...]) -> None:
    """Raises SlowDown where the phone itself has tried too often, else Crowded."""
    empty = purses.spend(paid_from)
    if empty is None:
        return
    raise SlowDown if empty.what == "phone" else Crowded(empty.what)


def may_ask(request: HttpRequest) -> bool:
    """Count a question about keys of uploads; whether it may be answered."""
    who = _phone_of(request) or callers.address_of(request)
    return purses.spend([Purse("keys", who, KEY_ASKS)]) is None


def _phone_of(request: HttpRequest) -> str:
    phone: str = request.get_signed_cookie(COOKIE, "", salt=COOKIE, max_age=COOKIE_AGE_S) or ""
    return phone
