"""Writes the feed within the same transaction: who goes up, who comes down, and who can move; takes
the pictures of screens away with those on them; deletes what pairing and commands leave behind;
counts the hours of plays."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from billboard import bookings, captures, codes, commands, feed, nudges, plays, proof
from billboard.models import EntryKind, Screen, Wall
from campaign.enums import KeepsakeKind, SubmissionState
from campaign.signals import keepsake_made, looked_again, on_show, tidying, transitioned

ROLL_UP_S: Final = 30
"""Others wait for the same worker; what is left is counted next time, and by whoever reads it."""


@receiver(on_show, dispatch_uid="billboard.receivers.follow")
def follow(submission: Any, transition: Any, figurine: Any, **_: object) -> None:
    """`submission`, `transition` and `figurine` are campaign's rows of those names."""
    if transition.to_state == SubmissionState.APPROVED:
        _write(submission, kind=EntryKind.ADD, figurine_id=figurine.pk)
        plays.wait_anew(submission.pk)
    else:
        _write(submission, kind=EntryKind.REMOVE, figurine_id=None)
        # After the line of the feed, whose lock keeps a picture that comes now waiting.
        captures.forget_with(submission.pk)


@receiver(transitioned, dispatch_uid="billboard.receivers.forget_names")
def forget_names(submission: Any, transition: Any, **_: object) -> None:
    """Nothing about them is kept past their day; both are campaign's rows of those names."""
    if transition.to_state in (SubmissionState.ERASED, SubmissionState.EXPIRED):
        bookings.forget(submission.pk)


@receiver(keepsake_made, dispatch_uid="billboard.receivers.move")
def move(submission: Any, keepsake: Any, **_: object) -> None:
    """The clip of a figurine that is up is there; both are campaign's rows of those names."""
    if keepsake.kind == KeepsakeKind.CLIP and submission.state == SubmissionState.APPROVED:
        _write(submission, kind=EntryKind.MOVE, figurine_id=keepsake.figurine_id)


@receiver(looked_again, dispatch_uid="billboard.receivers.begin_anew")
def begin_anew(**_: object) -> None:
    """Screens that know more than the backup are told all there is, and the crew was told."""
    feed.begin_anew()


# Each by itself: whoever fails stops none of the others.


@receiver(tidying, dispatch_uid="billboard.receivers.tidy_captures")
def tidy_captures(**_: object) -> None:
    captures.sweep()


@receiver(tidying, dispatch_uid="billboard.receivers.tidy_codes")
def tidy_codes(**_: object) -> None:
    codes.sweep()


@receiver(tidying, dispatch_uid="billboard.receivers.tidy_commands")
def tidy_commands(**_: object) -> None:
    commands.sweep()


@receiver(tidying, dispatch_uid="billboard.receivers.tidy_acks")
def tidy_acks(**_: object) -> None:
    plays.sweep()


@receiver(tidying, dispatch_uid="billboard.receivers.tidy_hours")
def tidy_hours(**_: object) -> None:
    proof.roll_up(within_s=ROLL_UP_S)


@receiver(post_save, sender=Screen, dispatch_uid="billboard.receivers.screen_saved")
def screen_saved(instance: Screen, **_: object) -> None:
    """Switched off or unpaired: what was on it is nobody's to see any more."""
    if not instance.is_active or instance.token_hash is None:
        captures.forget_of(instance)


@receiver(post_delete, sender=Wall, dispatch_uid="billboard.receivers.wall_deleted")
def wall_deleted(instance: Wall, **_: object) -> None:
    bookings.walls_changed({instance.campaign_id})


def _write(submission: Any, *, kind: EntryKind, figurine_id: int | None) -> None:
    """The next line of the log, and on commit the nudge."""
    entry = feed.append(
        campaign_id=submission.campaign_id,
        kind=kind,
        submission_id=submission.pk,
        figurine_id=figurine_id,
    )
    transaction.on_commit(lambda: nudges.nudge(entry.campaign_id, head=entry.seq), robust=True)
