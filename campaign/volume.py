"""Whether the storage is the one whose files the record names. Where a disk is not mounted there is
a folder, too: it takes whatever is written to it, and nobody sees that again."""

from __future__ import annotations

from typing import Final

from campaign import storage
from campaign.errors import StorageAway
from campaign.models import Figurine, Submission

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
    older = names[LATEST:]
    looked_for = older if len(older) > 1 else names
    if len(looked_for) > 1 and not storage.has_any(looked_for):
        raise StorageAway("rows name files and not one is there")
