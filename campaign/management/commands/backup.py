"""A copy of the embedded database without anybody's face in it. docs/restoring.md."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from campaign.models import Submission


class Command(BaseCommand):
    help = (
        "Copy the SQLite database to a file while everything runs. The measurements of people's "
        "faces, which are kept for a day at most, are not in the copy."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="where to; must not be there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"]
        if connection.vendor != "sqlite":
            raise CommandError("This database is PostgreSQL: take pg_dump. docs/restoring.md")
        try:
            # Before anything is in it: names and addresses of people's pages are nobody else's.
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}") from error
        try:
            self._copy(target)
        except BaseException:
            target.unlink()  # never half a copy
            raise
        self.stdout.write(f"Copied to {target}")

    def _copy(self, target: Path) -> None:
        # A nameless database of SQLite's own: killed here, nothing is left of it. What comes to lie
        # under a name never had a face in it.
        connection.ensure_connection()
        copy = sqlite3.connect("")
        try:
            connection.connection.backup(copy)
            with copy:
                copy.execute(
                    f"UPDATE {Submission._meta.db_table} SET face = NULL, other_faces = '[]'"  # noqa: S608
                )
            copy.execute("VACUUM INTO ?", (str(target),))
        finally:
            copy.close()
