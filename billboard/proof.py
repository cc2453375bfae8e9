"""Proof of play: what screens say they drew, by the hour. docs/proof.md tells it for producers.

A play belongs, whole, to the hour of the installation's clock in which it began. Plays come late,
from a screen that was a day without network, and their ends later: whoever writes one marks its
hour in the same transaction, and a marked hour is counted anew, so that counting twice changes
nothing. Until then whoever reads counts the marked hours themselves: what is read is always right.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q, prefetch_related_objects
from django.db.models.functions import TruncHour
from django.utils import timezone

from billboard.booking_pins import Ledger
from billboard.models import Play, Screen
from billboard.models.hours import PlayHour, StaleHour

HOUR: Final = timedelta(hours=1)
MARKS_AT_ONCE: Final = 1000
PLAYS_AT_ONCE: Final = 10_000
HOURS_AT_ONCE: Final = 10
"""In one transaction, for which screens that tell plays of these hours wait: of a mosaic of sixteen
an hour has some 7,000."""

Key = tuple[int, datetime, int, str, int]
"""Of a row: screen, hour, campaign, layout and booking, 0 for none."""


def hour_of(moment: datetime) -> datetime:
    """When the hour of the local clock began. An hour that a clock goes through twice is two."""
    local = timezone.localtime(moment)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return moment.astimezone(UTC) - past


def mark(plays: Iterable[Play]) -> None:
    """Have the hours of these plays counted anew. Call it in the transaction that writes them."""
    hours = sorted({(play.screen_id, hour_of(play.started_at)) for play in plays})
    _mark(hours)


def roll_up(*, within_s: float = math.inf) -> int:
    """Count marked hours, latest first, until the time is up. Returns how many."""
    done, begin_s = 0, time.monotonic()
    stale = list(StaleHour.objects.order_by("-hour_at").values_list("pk", flat=True))
    for first in range(0, len(stale), HOURS_AT_ONCE):
        if time.monotonic() - begin_s > within_s:
            break
        done += _count_anew(stale[first : first + HOURS_AT_ONCE])
    return done


def mark_of(shown: Iterable[tuple[UUID, datetime]]) -> None:
    """Have the hours counted anew in which these submissions were shown, each from a moment on:
    what is booked for them is another. Call it in the transaction that writes the bookings."""
    hours = set()
    for submission, since in shown:
        plays = Play.objects.filter(submission=submission, started_at__gte=since).order_by()
        in_utc = plays.annotate(utc_hour=TruncHour("started_at", tzinfo=UTC))
        for screen, at in in_utc.values_list("screen_id", "utc_hour").distinct():
            # The local clock's hour may begin within it: one too many counts the same again.
            hours |= {(screen, hour_of(at)), (screen, hour_of(at + HOUR - timedelta.resolution))}
    _mark(sorted(hours))


def begin_anew() -> None:
    """Forget what was counted, and mark every hour that has a play: the clock's zone is another."""
    with transaction.atomic():
        PlayHour.objects.all().delete()
        StaleHour.objects.all().delete()
        hours = _hours_with_plays()
        while some := list(islice(hours, MARKS_AT_ONCE)):
            _mark(some)


def hours(
    *, since: datetime | None = None, until: datetime | None = None, campaign: str = ""
) -> Iterator[list[PlayHour]]:
    """Hours that began from `since` until before `until`, day after day; `campaign` is a slug."""
    marks = StaleHour.objects.order_by("hour_at")
    rows = PlayHour.objects.order_by("hour_at")
    if since is None:
        first = [at for found in (marks, rows) if (at := _hour_at(found.first()))]
        since = min(first, default=timezone.now())
    if until is None:
        last = [at for found in (marks, rows) if (at := _hour_at(found.last()))]
        until = max(last, default=since) + HOUR
    begin, ledger = since, Ledger()
    while (next_at := _first_from(begin)) and next_at < until:
        # However long nothing was shown, it is one step.
        begin = next_at
        end = min(begin + timedelta(days=1), until)
        stale = marks.filter(hour_at__gte=begin, hour_at__lt=end)
        marked = set(stale.values_list("screen_id", "hour_at"))
        found = count(marked, ledger)
        kept = rows.filter(hour_at__gte=begin, hour_at__lt=end)
        found += [row for row in kept if (row.screen_id, row.hour_at) not in marked]
        found.sort(key=_order)
        prefetch_related_objects(found, "screen", "campaign", "booking")
        yield [row for row in found if campaign in ("", row.campaign.slug)]
        begin = end


@dataclass
class _Count:
    plays: int = 0
    unended: int = 0
    shown_ms: int = 0
    people: set[UUID] = field(default_factory=set)
    moments: list[datetime] = field(default_factory=list)


def count(hours: Collection[tuple[int, datetime]], ledger: Ledger) -> list[PlayHour]:
    """The rows of some screens' hours as their plays say it, in one query; not written."""
    if not hours:
        return []
    counts: dict[Key, _Count] = {}
    moments = Q()
    for hour_at in {hour_at for _, hour_at in hours}:
        moments |= Q(started_at__gte=hour_at, started_at__lt=hour_at + HOUR)
    plays = Play.objects.filter(moments, screen__in={screen for screen, _ in hours})
    for (
        screen,
        campaign,
        layout,
        submission,
        started_at,
        duration_ms,
    ) in plays.order_by().values_list(
        "screen_id",
        "submission__campaign_id",
        "layout",
        "submission_id",
        "started_at",
        "duration_ms",
    ):
        hour_at = hour_of(started_at)
        if (screen, hour_at) not in hours:
            continue
        booking = ledger.find(screen, submission, started_at)
        key = (screen, hour_at, campaign, layout, booking.pk if booking else 0)
        one = counts.setdefault(key, _Count())
        one.plays += 1
        one.unended += duration_ms is None
        one.shown_ms += duration_ms or 0
        one.people.add(submission)
        one.moments.append(started_at)
    return [
        PlayHour(
            screen_id=screen,
            hour_at=hour_at,
            campaign_id=campaign,
            layout=layout,
            booking_id=booking or None,
            plays=one.plays,
            unended=one.unended,
            shown_ms=one.shown_ms,
            people=len(one.people),
            first_at=min(one.moments),
            last_at=max(one.moments),
        )
        for (screen, hour_at, campaign, layout, booking), one in sorted(counts.items())
    ]


def _count_anew(marks: Collection[int]) -> int:
    """In one transaction, which reads the bookings once. `marks` are keys of marked hours."""
    with transaction.atomic():
        # First of all, in the order in which others mark: it waits for whoever writes a play of
        # these hours or books somebody in them, and sees that then; whoever comes later marks anew.
        stale = StaleHour.objects.select_for_update().filter(pk__in=marks)
        found = list(stale.order_by("screen_id", "hour_at"))
        if not found:
            return 0
        StaleHour.objects.filter(pk__in=[one.pk for one in found]).delete()
        hours = {(one.screen_id, one.hour_at) for one in found}
        rows = Q()
        for screen, hour_at in hours:
            rows |= Q(screen=screen, hour_at=hour_at)
        PlayHour.objects.filter(rows).delete()
        PlayHour.objects.bulk_create(count(hours, Ledger()))
    return len(hours)


def _mark(hours: list[tuple[int, datetime]]) -> None:
    """The update holds the row: whoever counts the hour waits until the play is there."""
    now = timezone.now()
    StaleHour.objects.bulk_create(
        [StaleHour(screen_id=screen, hour_at=at, touched_at=now) for screen, at in hours],
        batch_size=MARKS_AT_ONCE,
        update_conflicts=True,
        unique_fields=("screen", "hour_at"),
        update_fields=("touched_at",),
    )


def _hours_with_plays() -> Iterator[tuple[int, datetime]]:
    """In the order in which others mark them, too, and as the index of plays has them."""
    for screen in Screen.objects.order_by("pk").values_list("pk", flat=True):
        plays = Play.objects.filter(screen=screen).order_by("started_at")
        moments = plays.values_list("started_at", flat=True).iterator(chunk_size=PLAYS_AT_ONCE)
        for hour_at, _ in groupby(map(hour_of, moments)):
            yield screen, hour_at


def _first_from(begin: datetime) -> datetime | None:
    """The first hour from then on that has anything to tell."""
    firsts = [
        rows.objects.filter(hour_at__gte=begin).aggregate(at=Min("hour_at"))["at"]
        for rows in (StaleHour, PlayHour)
    ]
    return min((at for at in firsts if at), default=None)


def _order(row: PlayHour) -> tuple[datetime, int, int, str, int]:
    return row.hour_at, row.screen_id, row.campaign_id, row.layout, row.booking_id or 0


def _hour_at(row: PlayHour | StaleHour | None) -> datetime | None:
    return row.hour_at if row else None
