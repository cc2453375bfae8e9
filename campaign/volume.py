"""Whether the storage is the one whose files the record names.

Where a disk is not mounted there is a folder, too: it takes whatever is written to it, and nobody
sees that again. And where another database is started on it, nobody's picture is named any more:
all would be taken for strays. So the key of the installation is a row, and a file in the storage.
"""

from __future__ import annotations

from typing import Final

from campaign import storage
from campaign.errors import StorageAway
from campaign.models import Figurine, Installation, Submission

KEY: Final = "installation"
"""The name of that file: in neither of the folders that pictures are in."""

LOOKED_FOR: Final = 10
LATEST: Final = 10
"""More than are under way at once: these may lie where a disk should be that was lost meanwhile."""


def check() -> None:
    """Raises StorageAway where not one of the files that are looked for is there. A storage that
    has kept none yet, or one alone, is taken for the right one.

    As a rule one query and a look at one file.
    """
    stills = Figurine.objects.exclude(still="").order_by("-pk").values_list("still", flat=True)
    names = list(stills[: LATEST + LOOKED_FOR])
    if len(names) < 2:
        named = Submission.objects.exclude(selfie="").order_by("-created_at")
        names += named.values_list("selfie", flat=True)[:LOOKED_FOR]
    if not names and not Installation.objects.exists() and storage.is_empty():
        own(files=0, named=0)
    older = names[LATEST:]
    looked_for = older if len(older) > 1 else names
    if len(looked_for) > 1 and not storage.has_any(looked_for):
        raise StorageAway("rows name files and not one is there")


def own(*, files: int, named: int) -> bool:
    """Whether the storage is this database's; where it does not say, that is settled for good.

    files: how many pictures it has; named: how many of them rows name. An older version left no
    key: then it is ours where rows name half of them. Another database that has taken a first
    selfie names one. Raises StorageAway.
    """
    told = storage.words(KEY)
    if told is not None:
        return is_ours(told)
    if 2 * named < files:
        return False
    adopt()
    return True


def is_foreign() -> bool:
    """Whether the storage says that it is another database's. Raises StorageAway."""
    told = storage.words(KEY)
    return told is not None and not is_ours(told)


def adopt() -> None:
    """Make the storage this database's, whosever it was. Raises StorageAway."""
    row, _ = Installation.objects.get_or_create(pk=Installation.ONLY)
    if storage.words(KEY) is not None:
        storage.remove(KEY)
    storage.put_words(KEY, str(row.key))


def is_ours(told: str) -> bool:
    """Whether a storage that says this is this database's."""
    return any(told == str(row.key) for row in Installation.objects.all())
