"""Private files: random names, nothing served without a signed, expiring address."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from django.core.files.storage import FileSystemStorage, Storage, storages

if TYPE_CHECKING:
    from campaign.models import Figurine, Keepsake, Submission


class DurableFiles(FileSystemStorage):
    """Files that a power cut leaves where the rows that name them say: `save` returns when they are
    on the disk. As fsync(2) has it, a file's entry in its folder is the folder's to write."""

    def _save(self, name: str, content: IO[bytes]) -> str:
        """Raises OSError, where the disk does not keep it either."""
        saved: str = super()._save(name, content)  # type: ignore[misc]  # the stubs leave it out
        # Every folder, whoever made it: another may have done so and not be through with it.
        file = Path(self.path(saved))
        root = Path(self.location)
        for path in (file, *(folder for folder in file.parents if folder.is_relative_to(root))):
            _flush(path)
        return saved


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def private() -> Storage:
    """The storage of selfies and figurines; a callable, so that migrations do not freeze it."""
    return storages["private"]


SELFIES: Final = "selfies"
FIGURINES: Final = "figurines"
"""The only two folders this product keeps pictures in, and so the only ones it tidies."""


def selfie_name(submission: Submission, filename: str) -> str:
    return f"{SELFIES}/{submission.created_at:%Y%m%d}/{secrets.token_urlsafe(18)}.jpg"


def still_name(figurine: Figurine, filename: str) -> str:
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"


def keepsake_name(keepsake: Keepsake, filename: str) -> str:
    """Beside the figurine's pictures, so that the same sweep finds orphans."""
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"
