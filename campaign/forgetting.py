"""Deletes pictures: the row is blanked now, the file goes on commit. No row names a lost file."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from campaign import leases, storage
from campaign.enums import JobOutcome
from campaign.models import Figurine, Keepsake


def delete_on_commit(name: str) -> None:
    """Robust: one file that cannot be deleted keeps no other; the orphans' hour finds it."""
    transaction.on_commit(partial(storage.private().delete, name), robust=True)


def forget_figurine(figurine: Figurine) -> None:
    """Delete the pictures of a figurine that is not chosen any more; its row stays as history."""
    figurine.is_chosen = False
    figurine.save(update_fields=["is_chosen"])
    forget_pictures(figurine)


def forget_pictures(figurine: Figurine) -> int:
    """Delete whatever shows a figurine. Returns how many files."""
    names = [file.name for file in (figurine.still, figurine.cutout) if file.name]
    figurine.still, figurine.cutout, figurine.recipe = "", "", {}
    figurine.save(update_fields=["still", "cutout", "recipe"])
    for name in names:
        delete_on_commit(name)
    return len(names) + forget_keepsakes(figurine.keepsakes.all())


def forget_keepsakes(keepsakes: QuerySet[Keepsake]) -> int:
    """Delete the files of these and call off what is being made. Returns how many files.

    Call it with the submission locked, as whoever stores one does.
    """
    names = files_of(keepsakes)
    leases.close(keepsakes, outcome=JobOutcome.CANCELLED)
    keepsakes.filter(outcome=JobOutcome.DONE).update(outcome=JobOutcome.CANCELLED, file="", webm="")
    for name in names:
        delete_on_commit(name)
    return len(names)


def files_of(keepsakes: QuerySet[Keepsake]) -> list[str]:
    """Names of the files of these."""
    return [name for pair in keepsakes.values_list("file", "webm") for name in pair if name]
