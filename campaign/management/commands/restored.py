"""After a database was put back from a backup, before the server starts. docs/restoring.md."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaign import approval, retention


class Command(BaseCommand):
    help = (
        "After the database was put back from a backup: everyone approved waits for review again, "
        "and who has no picture any more is deleted. Harmless when run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--pictures-lost",
            action="store_true",
            help="All pictures are lost for good: delete everybody who had one.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        again = approval.look_again()
        self.stdout.write(f"Back in review, to be looked at again: {again}")
        try:
            lost = retention.expire_lost(may_be_all=options["pictures_lost"])
        except retention.NoPictures as error:
            raise CommandError(
                "Nobody's picture is there, so nobody was deleted. "
                "Give the server its pictures back, then run this again; "
                "or add --pictures-lost where they are lost for good."
            ) from error
        self.stdout.write(f"Deleted, since their pictures are gone: {lost}")
