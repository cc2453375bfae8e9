"""Everything a first visit needs: a campaign, a moderator, a screen. Harmless when run again, and
nothing where the crew has its own, whatever they are called."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.urls import reverse

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign, EntryPoint
from deploy import crew

MODERATOR = "moderator"


class Command(BaseCommand):
    help = "Create a demo campaign, a moderator account and one screen, where there is none at all."

    def handle(self, *args: Any, **options: Any) -> None:
        if not Campaign.objects.exists():
            _campaign()
        password = _account()
        screen_url = _screen()
        username, file = _remembered()
        self.stdout.write(
            json.dumps(
                {
                    "phone_url": settings.PUBLIC_URL
                    + reverse("campaign:intake", args=[_shown().slug]),
                    "review_url": settings.PUBLIC_URL + reverse("admin:index"),
                    "screen_url": screen_url,
                    "username": username,
                    "password": password,
                    "password_file": file,
                }
            )
        )


def _campaign() -> None:
    campaign = Campaign.objects.create(
        slug="demo",
        name="Diorama Company",
        headline="Get in the box.",
        strapline="One selfie. A few seconds. You, in plastic, up here.",
    )
    EntryPoint.objects.create(campaign=campaign, code="square", label="QR on the square")


def _shown() -> Campaign:
    """The newest that takes people in; where none does, the newest."""
    newest = list(Campaign.objects.order_by("-pk"))
    return next((campaign for campaign in newest if campaign.is_open), newest[0])


def _account() -> str | None:
    """Create the first account and return its password, or None where the crew has one."""
    made = crew.ensure_groups()
    if User.objects.filter(is_staff=True).exists():
        for group in made:  # of a version without groups
            group.user_set.add(*User.objects.filter(username=MODERATOR))
        return None
    password = secrets.token_urlsafe(12)
    _write_private(settings.VAR / "moderator.txt", f"{MODERATOR}\n{password}\n")
    crew.enlist(MODERATOR, password=password, groups=crew.DUTIES)
    return password


def _remembered() -> tuple[str, str]:
    """The first account and the file with its password; no file where it is another by now."""
    file = settings.VAR / "moderator.txt"
    words = file.read_text().split() if file.exists() else []
    crew_names = User.objects.filter(is_staff=True, is_active=True).order_by("pk")
    if words and crew_names.filter(username=words[0]).exists():
        return words[0], str(file)
    return crew_names.values_list("username", flat=True).first() or "", ""


def _screen() -> str:
    """Where a browser becomes the first screen: by the link of the first start until it was used,
    by letters ever after."""
    address = f"{settings.PUBLIC_URL}{reverse('billboard:screen')}"
    file = settings.VAR / "screen.txt"
    token = file.read_text().strip() if file.exists() else ""
    if not Screen.objects.exists():
        token = pairing.issue_token(Screen(campaign=_shown(), name="Broadway 1"))
        _write_private(file, token + "\n")
    return f"{address}#key={token}" if pairing.find(token) else address


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
