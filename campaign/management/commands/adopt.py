"""Where the pictures are another database's, and a person says that they are this one's now.
docs/restoring.md."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaign import retention, volume


class Command(BaseCommand):
    help = (
        "Make the private storage this database's, after another was started on it. Pictures that "
        "this database does not name are deleted from then on. Says how many, and does nothing, "
        "without --yes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="this is the right database")

    def handle(self, *args: Any, **options: Any) -> None:
        files, named = retention.count_files()
        told = f"Pictures here: {files}. This database names {named} of them."
        if not options["yes"]:
            raise CommandError(
                f"{told} The other {files - named} would be deleted within the hour."
                " If this is the right database, add --yes."
            )
        volume.adopt()
        self.stdout.write(f"{told} They are this database's now.")
