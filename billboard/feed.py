"""5 Feed: one append-only log a campaign. A screen says where it is and is told what came after.

A place is an epoch and a seq. A place from an epoch that is not the campaign's is answered with a
snapshot of what is approved now: who is up, and the first of them. A screen asks for the others
part by part, so that neither a slow line nor the server's buffers take thousands at once.

So is a place that no line of the log has: it says that the database was put back from a backup,
and begins a new epoch (`heed`). Seqs grow by steps of any size, so that lines written anew after
that do not take the places of those that were lost.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from django.db import transaction
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from billboard.models import EntryKind, Feed, FeedEntry, Screen
from campaign import media, queries
from campaign.enums import SubmissionState
from campaign.media import Audience, Picture

log = structlog.get_logger(__name__)

SEQ_MAX: Final = 2**53 - 1
"""Largest whole number that a screen's JavaScript keeps exact."""
SEQ_FAR: Final = 2**52
"""No log comes so far."""
STEP_MOST: Final = 2**22
"""From one seq to the next. So a line takes a place that was lost once in two million times, and a
log has room for two billion."""
PART_ITEMS: Final = 300
"""Some 180 KB, half a second of a line of 3 Mbit/s; a screen keeps as many on its disk."""
EPOCH_EVERY: Final = timedelta(hours=1)
"""A screen begins a new epoch no oftener: each costs all of its campaign's screens a snapshot."""


@dataclass(frozen=True)
class Place:
    """How far somebody has read. No epoch: not at all."""

    epoch: UUID | None = None
    seq: int = 0

    def is_ahead_of(self, head: Place) -> bool:
        """In the same epoch, so that the log is an older one, put back from a backup."""
        return self.epoch is not None and self.epoch == head.epoch and self.seq > head.seq

    def as_json(self) -> dict[str, Any]:
        return {"epoch": str(self.epoch) if self.epoch else None, "seq": self.seq}


@dataclass(frozen=True)
class Item:
    """A figurine to show. `seq` is the place of its addition, whatever was written since."""

    submission: UUID
    figurine: int
    seq: int
    number: int
    plaque: str
    approved_at: datetime
    until: datetime
    """From here on nobody may keep it: a screen without a network deletes it by itself."""

    picture: str
    """Address of the cut-out; see campaign.media for how long it lives."""
    clip: media.Film | None
    """Where it moves, once it does."""

    def as_json(self) -> dict[str, Any]:
        return {
            "submission": str(self.submission),
            "figurine": self.figurine,
            "seq": self.seq,
            "number": self.number,
            "plaque": self.plaque,
            "approved_at": self.approved_at.isoformat(),
            "until": self.until.isoformat(),
            "picture": self.picture,
            "clip": {"mp4": self.clip.mp4, "webm": self.clip.webm} if self.clip else None,
        }


@dataclass(frozen=True)
class Change:
    """One step of a replay: show `item`, or with none show `submission` no more."""

    seq: int
    submission: UUID
    item: Item | None

    def as_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "submission": str(self.submission),
            "item": self.item.as_json() if self.item else None,
        }


@dataclass(frozen=True)
class Changes:
    """All that happened after `after`, up to and with `place`; only each submission's last word."""

    place: Place
    after: int
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "type": "changes",
            **self.place.as_json(),
            "after": self.after,
            "changes": [change.as_json() for change in self.changes],
        }


@dataclass(frozen=True)
class Snapshot:
    """Who may be shown at `place`; whoever is not in it must go."""

    place: Place
    items: tuple[Item, ...]
    """All of them, or the first."""
    more: int | None = None
    """What `rest` comes after; None where these are all."""
    up: tuple[int, ...] = ()
    """Where there are more: the figurines of all."""

    def as_json(self) -> dict[str, Any]:
        return {
            "type": "snapshot",
            **self.place.as_json(),
            "items": [item.as_json() for item in self.items],
            "more": self.more,
            "up": self.up if self.more else None,
        }


@dataclass(frozen=True)
class Rest:
    """The next part of those who are up; of whom a snapshot did not say so, `changes` tell."""

    epoch: UUID | None
    after: int
    items: tuple[Item, ...]
    more: int | None

    def as_json(self) -> dict[str, Any]:
        return {
            "type": "rest",
            "epoch": str(self.epoch) if self.epoch else None,
            "after": self.after,
            "items": [item.as_json() for item in self.items],
            "more": self.more,
        }


def append(
    *, campaign_id: int, kind: EntryKind, submission_id: UUID, figurine_id: int | None
) -> FeedEntry:
    """Write the next line of the log. Call it inside the transaction that it must stand with.

    The update locks the feed's row until that transaction ends, so places are given out one after
    the other, in the order of commits.
    """
    step = random.randint(1, STEP_MOST)  # noqa: S311  # apart, not secret
    with transaction.atomic(savepoint=False):
        if not Feed.objects.filter(campaign_id=campaign_id).update(head=F("head") + step):
            Feed.objects.get_or_create(campaign_id=campaign_id)
            Feed.objects.filter(campaign_id=campaign_id).update(head=F("head") + step)
        feed = Feed.objects.get(campaign_id=campaign_id)
        return FeedEntry.objects.create(
            campaign_id=campaign_id,
            epoch=feed.epoch,
            seq=feed.head,
            kind=kind,
            submission_id=submission_id,
            figurine_id=figurine_id,
        )


def head(campaign_id: int) -> Place:
    """The place after which nothing has happened yet; without an epoch before the first entry."""
    feed = Feed.objects.filter(campaign_id=campaign_id).first()
    return Place(feed.epoch, feed.head) if feed else Place()


def is_lost(campaign_id: int, place: Place) -> bool:
    """Whether the place is of this epoch, but of a log that was put back from a backup since."""
    now = head(campaign_id)
    if place.epoch is None or place.epoch != now.epoch or place.seq in (0, now.seq):
        return False
    if place.is_ahead_of(now):
        return True
    before = FeedEntry.objects.filter(campaign_id=campaign_id, epoch=now.epoch)
    last = before.filter(seq__lte=place.seq).aggregate(at=Max("seq"))["at"]
    # Before the first line of an epoch nothing is lost: older versions began one where they were.
    return last is not None and last != place.seq


def since(campaign_id: int, place: Place) -> Changes | Snapshot:
    """What a screen at `place` has missed."""
    return changes_since(campaign_id, place) or snapshot(campaign_id, asked_at=place)


def changes_since(campaign_id: int, place: Place) -> Changes | None:
    """What a screen at `place` has missed; None where that is told by a snapshot only, or where so
    many went up that they come in its parts. Removals are short: however many, they are told.

    One look where its place has a line, as nearly all have, and another for those who go up: a
    hundred screens wait for it.
    """
    if place.epoch is None:
        return None
    lines = FeedEntry.objects.filter(
        campaign_id=campaign_id,
        campaign__feed__epoch=place.epoch,
        epoch=place.epoch,
        seq__gte=place.seq,
    )
    entries = list(lines.order_by("seq"))
    if place.seq and entries and entries[0].seq == place.seq:
        entries.pop(0)  # its own
    elif head(campaign_id).epoch != place.epoch or is_lost(campaign_id, place):
        return None
    # A dict keeps the place of a key's first writing; the last word belongs at its own place.
    last: dict[UUID, FeedEntry] = {}
    for entry in entries:
        last.pop(entry.submission_id, None)
        last[entry.submission_id] = entry
    now = Place(place.epoch, entries[-1].seq if entries else place.seq)
    items: dict[int, Item] = {}
    shown = sum(entry.kind != EntryKind.REMOVE for entry in last.values())
    if shown > PART_ITEMS:
        return None
    if shown:
        told = queries.figurines(lines.values("figurine"))
        items = {item.figurine: item for item in _items(told, place.epoch)}
    changes = tuple(Change(e.seq, e.submission_id, _item_of(e, items)) for e in last.values())
    return Changes(place=now, after=place.seq, changes=changes)


def heed(screen: Screen, place: Place) -> None:
    """Begin a new epoch where a screen's place is lost, unless it did so lately.

    By itself the screen would be told all there is. Under the new epoch all others are, too, and
    nothing that any of them still has to say is taken for a word about lines written anew.
    """
    if place.epoch is None or not is_lost(screen.campaign_id, place):
        return
    now = timezone.now()
    seldom = Q(ahead_at=None) | Q(ahead_at__lte=now - EPOCH_EVERY)
    with transaction.atomic():
        # The screen before the feed, as captures.py locks them.
        if not Screen.objects.filter(seldom, pk=screen.pk).update(ahead_at=now):
            return
        # From nothing: each place of an epoch but the first has a line.
        put_back = Feed.objects.filter(campaign=screen.campaign_id, epoch=place.epoch)
        if not put_back.update(epoch=uuid4(), head=0):
            transaction.set_rollback(True)
            return
    log.warning("feed put back, new epoch", screen=screen.pk, place=place.seq)


def begin_anew() -> None:
    """Begin a new epoch of every campaign: a place of before is then an old one, and not lost."""
    for pk in Feed.objects.order_by("pk").values_list("pk", flat=True):
        Feed.objects.filter(pk=pk).update(epoch=uuid4(), head=0)


def snapshot(campaign_id: int, *, asked_at: Place | None = None) -> Snapshot:
    """What is approved now, for a screen that is at `asked_at`."""
    now = head(campaign_id)
    # First where, then who: whoever comes in between is told twice rather than not at all.
    up = _up(campaign_id)
    items, more = _part(up, now.epoch)
    if asked_at and asked_at.is_ahead_of(now):
        # It would pass over anything before its place, and miss what is written up to there. So it
        # is told all there is, as of a place that it stays ahead with, at every beat.
        now = Place(now.epoch, min(max(asked_at.seq + 1, SEQ_FAR), SEQ_MAX))
    return Snapshot(now, items, more, tuple(up))


def rest(campaign_id: int, after: int) -> Rest:
    """Those who are up now and come after a figurine in the order of snapshots."""
    epoch = head(campaign_id).epoch
    items, more = _part([pk for pk in _up(campaign_id) if pk < after], epoch)
    return Rest(epoch, after, items, more)


def _up(campaign_id: int) -> list[int]:
    """The figurines, the newest first: their order stays, whoever comes and goes between parts."""
    return list(queries.on_show(campaign_id).order_by("-pk").values_list("pk", flat=True))


def _part(up: Sequence[int], epoch: UUID | None) -> tuple[tuple[Item, ...], int | None]:
    """The first of them, and what the next part comes after."""
    part = up[:PART_ITEMS]
    items = tuple(_items(queries.figurines(part).order_by("-pk"), epoch))
    return items, part[-1] if len(up) > PART_ITEMS else None


def _items(figurines: QuerySet[Any], epoch: UUID | None) -> Iterator[Item]:
    """Those of them that are up, in one narrow query: with all their columns some thousand would
    take seconds.

    `seq` is that of the latest addition, whenever it was, or 0 where an older epoch has it. Under
    an older one the screen would take the card down and put it up once more with the next change.
    """
    additions = FeedEntry.objects.filter(
        Q(epoch=epoch), submission=OuterRef("submission"), kind=EntryKind.ADD
    )
    rows = figurines.annotate(
        added=Subquery(additions.order_by("-seq").values("seq")[:1]), moves=queries.has_clip()
    ).values_list(
        "submission_id",
        "pk",
        "added",
        "submission__number",
        "submission__plaque",
        "submission__state_since_at",
        "moves",
        "submission__figurine_purge_at",
        "submission__created_at",
        "submission__campaign__figurine_retention_days",
        # Not asked in the query: SQLite would look through all that is up for the few told of.
        "submission__state",
        "is_chosen",
        "cutout",
    )
    for who, figurine, added, number, plaque, since_at, moves, *rest in rows:
        purge_at, came_at, days, state, is_chosen, cutout = rest
        if state != SubmissionState.APPROVED or not is_chosen or not cutout:
            continue
        yield Item(
            submission=who,
            figurine=figurine,
            seq=added or 0,
            number=number,
            plaque=plaque,
            approved_at=since_at,
            # Days that were lowered count at once: a screen asks before retention.py was there.
            until=min(purge_at, came_at + timedelta(days=days)),
            picture=media.address_of(figurine, Picture.CUTOUT, audience=Audience.SCREEN),
            clip=media.film_of(figurine, audience=Audience.SCREEN) if moves else None,
        )


def _item_of(entry: FeedEntry, items: dict[int, Item]) -> Item | None:
    """None for a removal, and for what was written of a figurine that is not up by now."""
    if entry.kind == EntryKind.REMOVE or entry.figurine_id is None:
        return None
    return items.get(entry.figurine_id)
