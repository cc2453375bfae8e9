"""One more account at the desk. docs/crew.md."""

from __future__ import annotations

import secrets
import sys
from getpass import getpass
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from deploy import crew


class Command(BaseCommand):
    help = (
        "Make an account for one of the crew. Asks for the password; where there is no terminal, "
        "it makes one and prints it, once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="whom they sign in as; letters, digits and @.+-_")
        parser.add_argument(
            "--moderator", action="store_true", help="decides who goes up, and recalls"
        )
        parser.add_argument(
            "--operator", action="store_true", help="campaigns, screens, walls and bookings"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        duties = {crew.MODERATORS: options["moderator"], crew.OPERATORS: options["operator"]}
        groups = [group for group, is_wanted in duties.items() if is_wanted]
        if not groups:
            raise CommandError("Say what they may do: --moderator, --operator or both.")
        name = options["name"]
        _check_name(name)
        is_asked = sys.stdin.isatty()
        password = _asked(name) if is_asked else secrets.token_urlsafe(12)
        crew.ensure_groups()
        crew.enlist(name, password=password, groups=groups)
        self.stdout.write(f"Account  {name}, {' and '.join(groups)}")
        if not is_asked:
            self.stdout.write(f"Password {password}  (shown this once, kept nowhere)")


def _check_name(name: str) -> None:
    """Raises CommandError."""
    if User.objects.filter(username__iexact=name).exists():
        raise CommandError(f"There is an account {name} already.")
    try:
        User._meta.get_field("username").clean(name, None)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error


def _asked(name: str) -> str:
    """Raises CommandError where both are not the same, or it is too easy to guess."""
    password = getpass(f"Password for {name}: ")
    if getpass("Once more: ") != password:
        raise CommandError("These were two different ones. Nothing was made.")
    try:
        validate_password(password, User(username=name))
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
