"""The crew's login: so many tries within ten minutes, counted before a password is looked at.

The billboard's QR names the host, so the login is a guess away for everybody; and each password
that is compared costs a fifth of a second of the processor that screens and uploads wait for.

The crew shares the venue's address with its guests, so a browser that was let in before is known
again by a cookie, and is counted by itself: whatever the others type, the crew gets in.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from unfold.forms import AuthenticationForm

from campaign import callers, purses
from campaign.purses import Purse

log = structlog.get_logger(__name__)

TRIES_OF_NAME: Final = 5
"""From one address, so that nobody keeps the crew out from elsewhere."""
TRIES_OF_ADDRESS: Final = 20
"""A crew's room has one address."""
KNOWN_S: Final = int(timedelta(days=400) / timedelta(seconds=1))
"""From the last login. Browsers keep a cookie no longer.
Source: RFC 6265bis, section 5.5."""


class LoginForm(AuthenticationForm):
    """The admin's."""

    def clean(self) -> dict[str, Any]:
        paid = _purses_of(self.request, self.cleaned_data.get("username", ""))
        if empty := purses.spend(paid):
            log.warning("too many logins", by=empty.what)
            raise ValidationError(
                _("That was tried too often. Wait ten minutes, then try again."), code="too_many"
            )
        cleaned: dict[str, Any] = super().clean()
        purses.give_back(paid)
        return cleaned


def enter(request: HttpRequest) -> HttpResponseBase:
    """The admin's page, which a browser that was let in is known to from then on."""
    response = admin.site.login(request)
    if request.method == "POST" and response.status_code == 302:
        name = request.user.get_username()
        response.set_signed_cookie(
            _cookie_of(name),
            _browser_of(request, name) or secrets.token_urlsafe(16),
            max_age=KNOWN_S,
            path=request.path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def _purses_of(request: HttpRequest, name: str) -> tuple[Purse, ...]:
    """What a try is paid from: a browser that knows this name, otherwise address and name."""
    if browser := _browser_of(request, name):
        return (Purse("login of a browser", browser, TRIES_OF_NAME),)
    address = callers.address_of(request)
    return (
        Purse("login", address, TRIES_OF_ADDRESS),
        Purse("login of a name", f"{address} {name.casefold()}", TRIES_OF_NAME),
    )


def _browser_of(request: HttpRequest, name: str) -> str:
    """What a browser was called when this name was let in there; empty where it never was."""
    known: str = request.get_signed_cookie(_cookie_of(name), "", max_age=KNOWN_S) or ""
    return known


def _cookie_of(name: str) -> str:
    """One for each name, which does not lie there; the signature is of the cookie's name, too."""
    return f"diorama_crew_{salted_hmac(__name__, name.casefold()).hexdigest()[:16]}"
