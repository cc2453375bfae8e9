"""Who may do what at the desk: groups with their duties, and accounts in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Q

MODERATORS: Final = "Moderators"
OPERATORS: Final = "Operators"

OURS = Q(content_type__app_label__in=("campaign", "billboard"))
DUTIES: Final = {
    MODERATORS: OURS & (Q(codename="review_submission") | Q(codename__startswith="view_")),
    OPERATORS: OURS
    & (
        Q(content_type__model__in=("campaign", "entrypoint", "screen", "wall", "booking"))
        & ~Q(codename__startswith="delete_")
        | Q(codename__in=("view_play", "view_screencommand", "view_submission"))
    ),
}
"""Groups of the crew and what each may. A laptop's one account is in all of them. Operators choose
among submissions whom to book; they do not review."""


def ensure_groups() -> list[Group]:
    """Give groups what they lack: a newer version may need more. What the crew added stays, and who
    was taken out of a group stays out. Returns those that are new."""
    made = []
    for name, duties in DUTIES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(duties))
        if is_new:
            made.append(group)
    return made


@transaction.atomic
def enlist(username: str, *, password: str, groups: Iterable[str]) -> User:
    """A new account in these groups, which there must be."""
    user = User.objects.create_user(username, password=password, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user
