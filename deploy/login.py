"""The crew's login: so many tries within ten minutes, counted before a password is looked at.

The billboard's QR names the host, so the login is a guess away for everybody; and each password
that is compared costs a fifth of a second of the processor that screens and uploads wait for.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.forms import AuthenticationForm

from campaign import callers, purses
from campaign.purses import Purse

log = structlog.get_logger(__name__)

TRIES_OF_NAME: Final = 5
"""From one address, so that nobody keeps the crew out from elsewhere."""
TRIES_OF_ADDRESS: Final = 20
"""A crew's room has one address."""


class LoginForm(AuthenticationForm):
    """The admin's."""

    def clean(self) -> dict[str, Any]:
        address = callers.address_of(self.request)
        name = self.cleaned_data.get("username", "").casefold()
        paid = (
            Purse("login", address, TRIES_OF_ADDRESS),
            Purse("login of a name", f"{address} {name}", TRIES_OF_NAME),
        )
        if empty := purses.spend(paid):
            log.warning("too many logins", by=empty.what)
            raise ValidationError(
                _("That was tried too often. Wait ten minutes, then try again."), code="too_many"
            )
        cleaned: dict[str, Any] = super().clean()
        purses.give_back(paid)
        return cleaned
