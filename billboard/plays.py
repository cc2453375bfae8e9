"""What screens report: who was shown where and when, what they hold, where they went dark."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from billboard.models import Ack, EntryKind, FeedEntry, Play, Screen
from billboard.protocol import Acks, Done, Here, Shown
from campaign import signals
from campaign.showings import Showing

log = structlog.get_logger(__name__)

END_LATE: Final = timedelta(seconds=5)
"""A play whose end was not heard is taken to be over this long after its slot."""
SHOWINGS_MAX: Final = 50


def heard(screen: Screen, here: Here) -> None:
    """Note that a screen lives, where it is and what it is."""
    Screen.objects.filter(pk=screen.pk).update(
        last_seen_at=timezone.now(),
        confirmed_epoch=here.place.epoch,
        confirmed_seq=here.place.seq,
        version=here.version,
        width_px=here.width_px,
        height_px=here.height_px,
    )


def record(screen: Screen, acks: Acks) -> None:
    """Write what a screen acknowledged; the same acks again change nothing."""
    with transaction.atomic():
        for ack in acks.acks:
            if isinstance(ack, Shown):
                _record_shown(screen, ack)
            else:
                _record_done(screen, ack)


def showings(submission_id: UUID) -> list[Showing]:
    """The source that campaign.showings asks: latest plays of a submission."""
    now = timezone.now()
    plays = Play.objects.filter(submission_id=submission_id).select_related("screen__campaign")
    return [
        Showing(
            screen=play.screen.name,
            started_at=play.started_at,
            is_on_now=play.duration_ms is None
            and play.screen.is_active
            and now < play.started_at + timedelta(seconds=play.screen.campaign.slot_s) + END_LATE,
        )
        for play in plays[:SHOWINGS_MAX]
    ]


def _record_shown(screen: Screen, shown: Shown) -> None:
    was_offered = FeedEntry.objects.filter(
        campaign_id=screen.campaign_id,
        submission_id=shown.submission,
        figurine_id=shown.figurine,
        kind=EntryKind.ADD,
    ).exists()
    if not was_offered:
        log.warning("play of what was never offered", screen=screen.pk, play=str(shown.play_id))
        return
    play, is_new = Play.objects.get_or_create(
        play_id=shown.play_id,
        defaults={
            "screen": screen,
            "submission_id": shown.submission,
            "figurine_id": shown.figurine,
            "seq": shown.seq,
            # A screen's clock may run ahead; nothing was shown in the future.
            "started_at": min(shown.started_at, timezone.now()),
            "duration_ms": shown.duration_ms,
        },
    )
    if play.screen_id != screen.pk or play.submission_id != shown.submission:
        log.warning("play of somebody else", screen=screen.pk, play=str(shown.play_id))
        return
    ended = (
        Play.objects.filter(pk=play.pk, duration_ms=None).update(duration_ms=shown.duration_ms)
        if shown.duration_ms is not None
        else 0
    )
    if is_new or ended:
        signals.shown.send(sender=Play, submission_id=shown.submission)


def _record_done(screen: Screen, done: Done) -> None:
    if done.place.epoch:
        entry = (
            FeedEntry.objects.filter(
                campaign_id=screen.campaign_id,
                submission_id=done.submission,
                epoch=done.place.epoch,
                seq__lte=done.place.seq,
                kind=EntryKind.REMOVE if done.is_dark else EntryKind.ADD,
            )
            .order_by("-seq")
            .first()
        )
        if entry:
            Ack.objects.get_or_create(screen=screen, entry=entry)
    if done.is_dark:
        _end_open_plays(screen, done.submission)


def _end_open_plays(screen: Screen, submission_id: UUID) -> None:
    now = timezone.now()
    slot = timedelta(seconds=screen.campaign.slot_s)
    for play in Play.objects.filter(
        screen=screen,
        submission_id=submission_id,
        duration_ms=None,
        started_at__gt=now - slot - END_LATE,
    ):
        play.duration_ms = int((now - play.started_at) / timedelta(milliseconds=1))
        play.save(update_fields=["duration_ms"])
        signals.shown.send(sender=Play, submission_id=submission_id)
