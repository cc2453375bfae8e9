"""From the folder of this machine to the bucket. docs/settings.md, DIORAMA_S3_BUCKET."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from campaign import retention, storage, volume


class Command(BaseCommand):
    help = (
        "After DIORAMA_S3_BUCKET was set: move pictures of before from this machine to the bucket. "
        "What no row names is deleted. With everything stopped; it goes on where it was cut off."
    )
    # They refuse what this command mends.
    requires_system_checks: list[str] | tuple[str, ...] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.S3_BUCKET:
            raise CommandError("Set DIORAMA_S3_BUCKET: there is no bucket to move them to.")
        root: Path = settings.LOCAL_FILES
        files = storage.local_files(root)
        try:
            named = retention.stored_names()
            _check_owners(root, files, named)
        except DatabaseError as error:  # of a version before this one
            raise CommandError("First run `python manage.py migrate --skip-checks`.") from error
        moved = 0
        for file in files:
            name = file.relative_to(root).as_posix()
            if name in named or retention.is_named(name):  # as this began, or by now
                _upload(name, file.read_bytes())
                moved += 1
            file.unlink()
        (root / volume.KEY).unlink(missing_ok=True)
        self.stdout.write(f"Moved: {moved}. Deleted, since no row names them: {len(files) - moved}")


def _check_owners(root: Path, files: list[Path], named: set[str]) -> None:
    """Raises CommandError where either side is another database's."""
    if volume.is_foreign():
        raise CommandError("The bucket has the pictures of another database. docs/restoring.md")
    key = root / volume.KEY
    if key.exists():
        is_ours = volume.is_ours(key.read_text().strip())
    else:
        ours = [file for file in files if file.relative_to(root).as_posix() in named]
        is_ours = 2 * len(ours) >= len(files)  # as volume.own has it
    if files and not is_ours:
        raise CommandError(
            f"The pictures in {root} are those of another database, so none was touched. Start the"
            " right one; or delete them by hand, where nobody needs them."
        )


def _upload(name: str, content: bytes) -> None:
    """Returns when the bucket gives these very bytes back. Raises CommandError."""
    store = storage.private()
    if store.exists(name):
        if _read(name) == content:  # cut off before it was deleted here
            return
        store.delete(name)
    if store.save(name, ContentFile(content)) != name or _read(name) != content:
        raise CommandError(f"{name} is not in the bucket as it is here. Run this again.")


def _read(name: str) -> bytes:
    with storage.private().open(name) as opened:
        return bytes(opened.read())
