"""What screens report: who was shown where and when, what they hold, where they went dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Least
from django.utils import timezone

from billboard import commands, proof
from billboard.models import Ack, EntryKind, FeedEntry, Play, Screen, Stint, Tally
from billboard.protocol import INT_MAX, Acks, Done, Here, Obeyed, Shown
from campaign import signals
from campaign.showings import Showing

log = structlog.get_logger(__name__)

END_LATE: Final = timedelta(seconds=5)
"""A play whose end was not heard is taken to be over this long after the longest slot."""
SLOTS_LONGEST: Final = 2
"""A slot ends on the grid, up to a whole one later (billboard.playlist)."""
SHOWINGS_MAX: Final = 50
KEEP_ACKS: Final = timedelta(days=30)
SWEEP_MOST: Final = 20_000
"""At once: with hundreds of screens a day brings some hundred thousand."""


def heard(screen: Screen, here: Here) -> None:
    """Note that a screen lives, where it is, what it is and how."""
    now = timezone.now()
    draws = here.vitals.is_drawing is not False
    Screen.objects.filter(pk=screen.pk).update(
        last_seen_at=now,
        undrawn_at=None if draws else Coalesce(F("undrawn_at"), now),
        confirmed_epoch=here.place.epoch,
        confirmed_seq=here.place.seq,
        version=here.version,
        width_px=here.width_px,
        height_px=here.height_px,
        **asdict(here.vitals),
    )


def record(screen: Screen, acks: Acks) -> None:
    """Write what a screen acknowledged; the same acks again change nothing."""
    record_all([(screen, acks)])


def record_all(told: Sequence[tuple[Screen, Acks]]) -> None:
    """Write what several screens acknowledged, all of it or nothing."""
    obeyed = [(screen, a) for screen, acks in told for a in acks.acks if isinstance(a, Obeyed)]
    with transaction.atomic():
        # In the order in which commands.ask takes their rows, too.
        for screen, ended in sorted(obeyed, key=lambda one: one[1].command):
            commands.record(screen, ended)
        done: list[tuple[Screen, Done]] = []
        changed: list[Play] = []
        begun: list[Play] = []
        for screen, acks in told:
            for ack in acks.acks:
                if isinstance(ack, Obeyed):
                    continue
                if not isinstance(ack, Shown):
                    done.append((screen, ack))
                    continue
                # Went dark and came again: the end is the old play's, not the new one's.
                if any(s.pk == screen.pk and d.submission == ack.submission for s, d in done):
                    changed += _record_done(done)
                    done = []
                changed += _record_shown(screen, ack, begun)
        changed += _record_done(done)
        _count(begun)
        if changed:
            proof.mark(changed)


def showings(submission_id: UUID) -> list[Showing]:
    """The source that campaign.showings asks: latest plays of a submission."""
    now = timezone.now()
    plays = Play.objects.filter(submission_id=submission_id)
    return [
        Showing(
            screen=play.screen.known_as,
            started_at=play.started_at,
            is_on_now=play.duration_ms is None
            and play.screen.is_active
            and play.started_at > on_since(play.screen, now),
        )
        for play in plays.select_related("screen__campaign", "screen__wall")[:SHOWINGS_MAX]
    ]


def on_since(screen: Screen, now: datetime) -> datetime:
    """Of plays without an end, those that began after this are on. Who was on when a screen was
    paused stays on while it is heard."""
    paused_at = screen.paused_at if screen.is_heard else None
    slots = timedelta(seconds=SLOTS_LONGEST * screen.campaign.slot_s)
    return min(now, paused_at or now) - slots - END_LATE


def wait_anew(submission_id: UUID) -> None:
    """Whoever goes up once more was not shown since. Call it in the transaction of that line."""
    Tally.objects.filter(submission=submission_id).delete()


def sweep() -> int:
    """Delete what screens confirmed long ago, oldest first; proof of play is not among it. Returns
    how many."""
    old = Ack.objects.filter(at__lt=timezone.now() - KEEP_ACKS).order_by("pk")
    gone, _ = Ack.objects.filter(
        pk__in=list(old.values_list("pk", flat=True)[:SWEEP_MOST])
    ).delete()
    return gone


def _record_shown(screen: Screen, shown: Shown, begun: list[Play]) -> list[Play]:
    """What it changed: that play, or nothing. A play that was not known is put to `begun`."""
    play, is_new = Play.objects.filter(play_id=shown.play_id).first(), False
    if play is None:
        if not _was_offered(screen, shown):
            log.warning("play of what was never offered", screen=screen.pk, play=str(shown.play_id))
            return []
        play, is_new = Play.objects.get_or_create(
            play_id=shown.play_id,
            defaults={
                "screen": screen,
                "submission_id": shown.submission,
                "figurine_id": shown.figurine,
                "seq": shown.seq,
                "layout": shown.layout,
                # A screen's clock may run ahead; nothing was shown in the future.
                "started_at": min(shown.started_at, timezone.now()),
                "duration_ms": shown.duration_ms,
            },
        )
    if play.screen_id != screen.pk or play.submission_id != shown.submission:
        log.warning("play of somebody else", screen=screen.pk, play=str(shown.play_id))
        return []
    if is_new:
        begun.append(play)
    elif shown.duration_ms is None or not _end(play, shown.duration_ms):
        return []
    signals.shown.send(sender=Play, submission_id=shown.submission)
    return [play]


def _end(play: Play, duration_ms: int) -> bool:
    """Whether it is news: the first end that the screen told stands. What was taken for the end
    when the screen went dark, before it told that, does not."""
    if play.duration_ms is not None and not _was_ended_by_dark(play, play.duration_ms):
        return False
    # Of two that tell it at once, one.
    as_it_was = Play.objects.filter(pk=play.pk, duration_ms=play.duration_ms)
    return as_it_was.exclude(duration_ms=duration_ms).update(duration_ms=duration_ms) > 0


def _was_ended_by_dark(play: Play, duration_ms: int) -> bool:
    """As _record_done does it: to the millisecond in which the screen was dark."""
    end = play.started_at + timedelta(milliseconds=duration_ms)
    return Ack.objects.filter(
        screen=play.screen_id,
        entry__submission=play.submission_id,
        entry__kind=EntryKind.REMOVE,
        at__gte=end,
        at__lt=end + timedelta(milliseconds=1),
    ).exists()


def _was_offered(screen: Screen, shown: Shown) -> bool:
    """By its campaign, or by one that it showed before: plays of that may be told late."""
    before = Stint.objects.filter(screen=screen).values("campaign")
    return FeedEntry.objects.filter(
        Q(campaign=screen.campaign_id) | Q(campaign__in=before),
        submission_id=shown.submission,
        figurine_id=shown.figurine,
        kind=EntryKind.ADD,
    ).exists()


def _count(begun: Sequence[Play]) -> None:
    """Always in the same order: other processes count the same people at the same moment, and two
    that each have the row that the other waits for would lose one of their transactions."""
    now = timezone.now()
    # The counts first, then the lines: whoever goes up once more now is either seen to, or has this
    # count deleted.
    counts = Tally.objects.filter(submission__in={play.submission_id for play in begun})
    list(counts.select_for_update(no_key=True).order_by("pk"))
    over = _lines_that_are_over(begun)
    moments: dict[UUID, list[datetime]] = {}
    for play in begun:
        if (play.submission_id, play.seq) not in over:
            moments.setdefault(play.submission_id, []).append(play.started_at)
    for submission, at in sorted(moments.items()):
        tally, is_new = Tally.objects.get_or_create(
            submission_id=submission, defaults={"times": len(at), "last_at": max(at)}
        )
        if not is_new:
            # The one before may be of a clock that was ahead.
            Tally.objects.filter(pk=tally.pk).update(
                times=F("times") + len(at), last_at=Least(Greatest(F("last_at"), max(at)), now)
            )


def _lines_that_are_over(begun: Sequence[Play]) -> set[tuple[UUID, int]]:
    """Under which of these people's lines nobody is up any more: they went up once more since. By
    the log, not by the clock, which may have been set back."""
    lines: dict[UUID, list[int]] = {}
    for submission, seq in (
        FeedEntry.objects.filter(
            submission__in={play.submission_id for play in begun}, kind=EntryKind.ADD
        )
        .order_by("pk")
        .values_list("submission_id", "seq")
    ):
        lines.setdefault(submission, []).append(seq)
    return {(who, seq) for who, seqs in lines.items() for seq in seqs[:-1] if seq != seqs[-1]}


def _record_done(told: Sequence[tuple[Screen, Done]]) -> list[Play]:
    """In three queries, however many they are. Returns the plays that ended."""
    if not told:
        return []
    # 1. Which lines of the log they mean: the last of that kind, as far as the screen had read.
    lines: dict[tuple[int, UUID, UUID, bool], list[tuple[int, int]]] = {}
    for pk, seq, campaign, submission, epoch, kind in FeedEntry.objects.filter(
        campaign__in={screen.campaign_id for screen, _ in told},
        submission__in={done.submission for _, done in told},
        kind__in=(EntryKind.ADD, EntryKind.REMOVE),
    ).values_list("pk", "seq", "campaign_id", "submission_id", "epoch", "kind"):
        key = (campaign, submission, epoch, kind == EntryKind.REMOVE)
        lines.setdefault(key, []).append((seq, pk))
    now = timezone.now()
    acks = []
    for screen, done in told:
        if done.place.epoch is None:
            continue
        key = (screen.campaign_id, done.submission, done.place.epoch, done.is_dark)
        _, entry = max(
            (line for line in lines.get(key, ()) if line[0] <= done.place.seq), default=(0, None)
        )
        if entry is not None:
            acks.append(Ack(screen=screen, entry_id=entry, at=now))
    # 2. Told twice is told once.
    Ack.objects.bulk_create(acks, ignore_conflicts=True)
    # 3. Whoever is dark is on no more.
    dark = [(screen, done.submission) for screen, done in told if done.is_dark]
    return _end_open_plays(dark, now)


def _end_open_plays(dark: Sequence[tuple[Screen, UUID]], now: datetime) -> list[Play]:
    if not dark:
        return []
    over = []
    screens = {screen.pk: screen for screen, _ in dark}
    ended = {(screen.pk, submission) for screen, submission in dark}
    since = {pk: on_since(screen, now) for pk, screen in screens.items()}
    for play in Play.objects.filter(
        screen__in=screens,
        submission__in={submission for _, submission in dark},
        duration_ms=None,
        started_at__gt=min(since.values()),
    ):
        if (play.screen_id, play.submission_id) not in ended:
            continue
        if play.started_at <= since[play.screen_id]:
            continue
        # Another's clock, or this one before it was set back, may have been ahead.
        lasted_ms = int((now - play.started_at) / timedelta(milliseconds=1))
        # Who was on when a screen was paused stays on, for longer than the column has numbers.
        play.duration_ms = min(max(0, lasted_ms), INT_MAX)
        play.save(update_fields=["duration_ms"])
        signals.shown.send(sender=Play, submission_id=play.submission_id)
        over.append(play)
    return over
