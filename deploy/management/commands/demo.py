"""Everything a first visit needs: a campaign, a moderator, a screen. Harmless when run again."""

from __future__ import annotations

import json
import os
import secrets
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand
from django.db.models import Q
from django.urls import reverse

from billboard import pairing
from billboard.models import Screen
from campaign.models import Campaign, EntryPoint

MODERATOR = "moderator"

OURS = Q(content_type__app_label__in=("campaign", "billboard"))
DUTIES = {
    "Moderators": OURS & (Q(codename="review_submission") | Q(codename__startswith="view_")),
    "Operators": OURS
    & Q(content_type__model__in=("campaign", "entrypoint", "screen"))
    & ~Q(codename__startswith="delete_"),
}
"""Groups of the crew and what each may. A laptop's one account is in all of them."""


class Command(BaseCommand):
    help = "Create the demo campaign, a moderator account and one paired screen, where missing."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, _ = Campaign.objects.get_or_create(
            slug="demo",
            defaults={
                "name": "Diorama Company",
                "headline": "Get in the box.",
                "strapline": "One selfie. A few seconds. You, in plastic, up here.",
            },
        )
        EntryPoint.objects.get_or_create(
            campaign=campaign, code="square", defaults={"label": "QR on the square"}
        )
        password = _moderator()
        screen_url = _screen(campaign)
        self.stdout.write(
            json.dumps(
                {
                    "phone_url": settings.PUBLIC_URL
                    + reverse("campaign:intake", args=[campaign.slug]),
                    "review_url": settings.PUBLIC_URL + reverse("admin:index"),
                    "screen_url": screen_url,
                    "username": MODERATOR,
                    "password": password,
                    "password_file": str(settings.VAR / "moderator.txt"),
                }
            )
        )


def _moderator() -> str | None:
    """Create the account and return its password, or None where it exists."""
    if User.objects.filter(username=MODERATOR).exists():
        return None
    password = secrets.token_urlsafe(12)
    _write_private(settings.VAR / "moderator.txt", f"{MODERATOR}\n{password}\n")
    user = User.objects.create_user(MODERATOR, password=password, is_staff=True)
    for name, duties in DUTIES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(Permission.objects.filter(duties))
        user.groups.add(group)
    return password


def _screen(campaign: Campaign) -> str:
    """The address that signs the demo screen in; its secret lives in a file of the owner's."""
    file = settings.VAR / "screen.txt"
    token = file.read_text().strip() if file.exists() else ""
    if pairing.find(token) is None:
        # A link issued by hand ended ours, and a browser may live by it: this is another screen.
        taken = set(Screen.objects.filter(campaign=campaign).values_list("name", flat=True))
        names = (f"Broadway {number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        token = pairing.issue_token(Screen(campaign=campaign, name=name))
        _write_private(file, token + "\n")
    return f"{settings.PUBLIC_URL}{reverse('billboard:screen')}#key={token}"


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
