"""Everything a first visit needs: a campaign, a moderator, a screen. Harmless when run again."""

from __future__ import annotations

import json
import os
import secrets
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
    & (
        Q(content_type__model__in=("campaign", "entrypoint", "screen", "wall", "booking"))
        & ~Q(codename__startswith="delete_")
        | Q(codename__in=("view_play", "view_screencommand", "view_submission"))
    ),
}
"""Groups of the crew and what each may. A laptop's one account is in all of them. Operators choose
among submissions whom to book; they do not review."""


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
        _duties()
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
    User.objects.create_user(MODERATOR, password=password, is_staff=True)
    return password


def _duties() -> None:
    """Give groups what they lack: a newer version may need more. What the crew added stays, and who
    was taken out of a group stays out."""
    for name, duties in DUTIES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(duties))
        if is_new:
            group.user_set.add(*User.objects.filter(username=MODERATOR))


def _screen(campaign: Campaign) -> str:
    """Where a browser becomes the demo's screen: by the link of the first start until it was used,
    by letters ever after."""
    address = f"{settings.PUBLIC_URL}{reverse('billboard:screen')}"
    file = settings.VAR / "screen.txt"
    token = file.read_text().strip() if file.exists() else ""
    if not Screen.objects.filter(campaign=campaign).exists():
        token = pairing.issue_token(Screen(campaign=campaign, name="Broadway 1"))
        _write_private(file, token + "\n")
    return f"{address}#key={token}" if pairing.find(token) else address


def _write_private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
