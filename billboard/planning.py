"""The plan of a campaign's screens: made from the record, kept in one row, told to screens.

It is kept because a plan made anew knows nothing of what another process has just told a screen,
or a participant. Whoever finds the row behind the feed, or its horizon short, makes the next one:
without a lock, and only the first to be done is taken. Everyone else reads it; each process reads
a plan once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billboard import booking_pins, bookings, feed, playlist, walls
from billboard.feed import Place
from billboard.models import (
    ONLINE_WITHIN,
    EntryKind,
    FeedEntry,
    Plan,
    Play,
    Screen,
    Tally,
)
from billboard.protocol import PlanFrame, PlanSlot
from billboard.slots import PLACES, Entry, Outlook, Rules, Slot
from billboard.slots import Screen as ScreenSlots
from billboard.turns import FRESH_MS
from campaign import queries, showings
from campaign.enums import SubmissionState

REMAKE: Final = timedelta(seconds=20)
"""So often at least; the horizon is a multiple of it."""
REGROUP: Final = timedelta(seconds=5)
"""A beat. Screens that go dark or come back make a new plan no oftener."""
AHEAD_LEAST: Final = timedelta(seconds=60)
SLOTS_MOST: Final = 60
"""A screen's slots ahead; fewer on many screens."""
SLOTS_IN_ALL: Final = 3000
FRAME_SLOTS_LEAST: Final = 24
"""About 3 kB."""
FRAME_AHEAD: Final = 2 * REMAKE
"""All that begins in that time is told, so that no place of a mosaic has nobody before the next
frame is there. At eight seconds a slot those are 12 kB for sixteen places."""
KEPT_PAST: Final = 4
"""Slots behind that a plan goes on from, in each place."""
AHEAD_MOST: Final = timedelta(seconds=5)
"""A moment that lies further ahead was written before the clock was set back."""
UNHEARD_MS: Final = 10_000
"""A slot that ended so long ago, and that no screen has reported, was not shown."""


@dataclass(frozen=True)
class Made:
    """A plan as it was read; slots by screen, in the order of their start."""

    rev: int
    place: Place
    made_at: datetime
    rules: Rules
    slots: dict[int, tuple[Slot, ...]]
    outlook: Outlook
    booked: list[list[Any]]

    @cached_property
    def starts(self) -> dict[str, list[tuple[int, int]]]:
        """By whom it shows: when and on which screen each slot of theirs begins, in that order."""
        starts: dict[str, list[tuple[int, int]]] = {}
        for screen, slots in self.slots.items():
            for slot in slots:
                starts.setdefault(slot.key, []).append((slot.at_ms, screen))
        for each in starts.values():
            each.sort()
        return starts


_read: dict[int, Made] = {}
"""The latest of each campaign, by process."""


def current(campaign_id: int) -> Made | None:
    """The plan there is; only its number is read where this process knows it."""
    rev = Plan.objects.filter(pk=campaign_id).values_list("rev", "made_at").first()
    known = _read.get(campaign_id)
    if rev is None or (known and (known.rev, known.made_at) == rev):
        return known if rev else None
    row = Plan.objects.filter(pk=campaign_id).first()
    if row is None:
        return None
    made = Made(
        rev=row.rev,
        place=Place(row.epoch, row.seq),
        made_at=row.made_at,
        rules=Rules(*row.rules),
        slots={
            int(screen): tuple(Slot(at, end, key, kind, place) for at, end, key, kind, place in on)
            for screen, on in row.slots.items()
        },
        outlook=Outlook(**row.outlook),
        booked=row.booked,
    )
    _read[campaign_id] = made
    return made


def ensure(screen: Screen) -> Made:
    """The plan of a screen's campaign, made anew if the record has moved or its time is up."""
    now = timezone.now()
    made = current(screen.campaign_id)
    if made and not _is_stale(made, screen, now):
        return made
    _make(screen, made, now)
    latest = current(screen.campaign_id)
    assert latest is not None
    return latest


def outdate(campaign_ids: Iterable[int]) -> None:
    """Whoever asks next makes a new one: screens have become still, or have other places.

    One that is being made from what was before is not taken any more.
    """
    long_ago = timezone.now() - 2 * REMAKE
    Plan.objects.filter(pk__in=campaign_ids).update(made_at=long_ago, rev=F("rev") + 1)


def frame(made: Made, screen: Screen, *, now: datetime | None = None) -> PlanFrame:
    """What a screen is told: the slots that are on, and the next."""
    now = now or timezone.now()
    slots = [slot for slot in made.slots.get(screen.pk, ()) if slot.end_ms > _ms(now)]
    filled = 1 + max((slot.place for slot in slots), default=0)
    places = min(n for n in PLACES if n >= filled)
    until_ms = _ms(now + FRAME_AHEAD)
    return PlanFrame(
        rev=made.rev,
        at=now,
        places=places,
        slots=tuple(
            PlanSlot(slot.at_ms, slot.end_ms - slot.at_ms, slot.key, slot.place)
            for n, slot in enumerate(slots)
            if n < FRAME_SLOTS_LEAST or slot.at_ms < until_ms
        ),
    )


def told(screen: Screen) -> PlanFrame | None:
    """What a screen is told by poll, which changes nothing."""
    made = current(screen.campaign_id)
    return frame(made, screen) if made and screen.pk in made.slots else None


def outlooks() -> list[showings.Outlook]:
    """The source that campaign.showings asks: how each campaign's latest plan stands.

    A plan that no screen has asked for anew, or with nobody to show it, keeps no promise.
    """
    lines = []
    fresh = timezone.now() - 2 * REMAKE
    noticed = dict(
        Screen.objects.exclude(ahead_at=None).values_list("campaign").annotate(Max("ahead_at"))
    )
    for row in Plan.objects.select_related("campaign").order_by("campaign__name"):
        outlook = Outlook(**row.outlook)
        lines.append(
            showings.Outlook(
                campaign=row.campaign.name,
                promised_s=outlook.promised_ms // 1000,
                expected_s=outlook.expected_ms // 1000,
                waiting=outlook.waiting,
                slots_an_hour=outlook.slots_an_hour if row.made_at > fresh else 0,
                holds=outlook.holds and row.made_at > fresh,
                troubles=(
                    *_put_back(row.pk, noticed.get(row.pk)),
                    *bookings.troubles(row, holds=outlook.holds),
                ),
            )
        )
    return lines


def _put_back(campaign_id: int, noticed_at: datetime | None) -> tuple[str, ...]:
    """What the crew must do where a screen knows more than the database (feed.heed)."""
    many = queries.unlooked(campaign_id, noticed_at=noticed_at) if noticed_at else 0
    if not many or noticed_at is None:
        return ()
    said = _(
        "A screen noticed at %(at)s that a backup of the database was put back. Whoever was"
        " recalled since may be among the %(count)d that are live. Run manage.py restored, then"
        " look at each again."
    )
    at = date_format(timezone.localtime(noticed_at), "j M, H:i")
    return (said % {"at": at, "count": many},)


def _is_stale(made: Made, screen: Screen, now: datetime) -> bool:
    return (
        # Before or after: the clock may have been set back.
        abs(now - made.made_at) > REMAKE
        or screen.pk not in made.slots
        or made.rules != _rules(screen.campaign)
        or made.place != feed.head(screen.campaign_id)
        or _has_regrouped(made, screen, now)
    )


def _has_regrouped(made: Made, screen: Screen, now: datetime) -> bool:
    """Whether there are others now to plan for."""
    if now - made.made_at < REGROUP:
        return False
    lit = _lit(screen.campaign_id, now).values_list("pk", flat=True)
    return made.slots.keys() != {screen.pk, *lit}


def _lit(campaign_id: int, now: datetime) -> QuerySet[Screen]:
    """Screens that are heard, draw, and may change."""
    since, ahead = now - ONLINE_WITHIN, now + ONLINE_WITHIN
    return Screen.objects.filter(
        Q(undrawn_at=None) | Q(undrawn_at__gt=since, undrawn_at__lt=ahead),
        campaign_id=campaign_id,
        is_active=True,
        last_seen_at__gt=since,
        last_seen_at__lt=ahead,
        paused_at=None,
        blanked_at=None,
    )


def _rules(campaign: Any) -> Rules:
    """`campaign` is campaign's row of that name."""
    offset = timezone.localtime().utcoffset() or timedelta()
    return Rules(
        slot_ms=campaign.slot_s * 1000,
        promise_ms=campaign.promise_min * 60_000,
        utc_offset_ms=int(offset.total_seconds() * 1000),
    )


def _make(asking: Screen, before: Made | None, now: datetime) -> None:
    campaign_id, now_ms, rules = asking.campaign_id, _ms(now), _rules(asking.campaign)
    # 1. The place first: what comes between is seen by whoever looks next.
    place = feed.head(campaign_id)
    entries = _entries(campaign_id, now)
    # 2. Screens that show what is planned, and the one that asks.
    screens = {screen.pk: screen for screen in (asking, *_lit(campaign_id, now))}
    units = walls.units(screens.values(), before.slots if before else {})
    pins = booking_pins.pins(campaign_id, {entry.key for entry in entries}, now=now)
    booked = booking_pins.as_row(pins)
    # 3. The plan before stands where nothing has changed; else only what has begun.
    shown = {entry.key for entry in entries if entry.times}
    is_same = (
        before is not None
        and before.made_at - now < REMAKE  # else its slots are of a clock that was set back
        and (before.rules, set(before.slots)) == (rules, set(screens))
        and all(len({before.slots[pk] for pk in unit.members}) == 1 for unit in units)
        and before.booked == booked
        and not _has_changed(campaign_id, before.place, place)
        and not any(_is_missed(s, shown, now_ms) for on in before.slots.values() for s in on)
    )
    seen = _seen(campaign_id, now)
    on = [
        ScreenSlots(
            unit.key,
            most_places=unit.places or max(PLACES),
            least_places=unit.places or min(PLACES),
            kept=tuple(
                slot
                for slot in _needed(
                    before.slots.get(unit.key, ()) if before else (), unit.places, now_ms
                )
                if (is_same or slot.at_ms <= now_ms) and not _is_missed(slot, shown, now_ms)
            ),
            seen=frozenset().union(*(seen.get(pk, ()) for pk in unit.members)),
            lead_ms=unit.lead_ms,
        )
        for unit in units
    ]
    in_all = sum(unit.places or min(PLACES) for unit in units)
    ahead = max(12, min(SLOTS_MOST, SLOTS_IN_ALL // in_all)) * rules.slot_ms
    until_ms = now_ms + max(ahead, int(AHEAD_LEAST / timedelta(milliseconds=1)))
    plan = playlist.plan(entries, on, rules, pins=pins, now_ms=now_ms, until_ms=until_ms)
    # 4. Whoever is first is taken.
    outlook = plan.outlook
    words = {
        "epoch": place.epoch,
        "seq": place.seq,
        "made_at": now,
        "rules": [rules.slot_ms, rules.promise_ms, rules.utc_offset_ms],
        "slots": {
            str(pk): _row(plan.slots[unit.key], now_ms) for unit in units for pk in unit.members
        },
        "outlook": vars(outlook),
        "booked": booked,
    }
    if before is None:
        Plan.objects.get_or_create(pk=campaign_id, defaults={"rev": 1, **words})
    else:
        unchanged = Plan.objects.filter(pk=campaign_id, rev=before.rev)
        unchanged.update(rev=before.rev + 1, **words)


def _entries(campaign_id: int, now: datetime) -> list[Entry]:
    rows = queries.on_show(campaign_id).values_list(
        "submission_id", "submission__number", "submission__state_since_at"
    )
    counts = _counts(campaign_id)
    entries = []
    for pk, number, at in rows:
        times, last_at = counts.get(pk, (0, None))
        # Nobody knows how long ago that was. They are next, and from then on it is known.
        is_ahead = last_at is not None and last_at > now + AHEAD_MOST
        last_ms = 0 if last_at is None or is_ahead else _ms(last_at)
        entries.append(Entry(str(pk), number, _ms(at), times=times, last_ms=last_ms))
    return entries


def _counts(campaign_id: int) -> dict[UUID, tuple[int, datetime]]:
    """How often and when last whoever is up was shown since they went up; a campaign's life leaves
    many more."""
    up = Tally.objects.filter(
        submission__campaign_id=campaign_id, submission__state=SubmissionState.APPROVED
    )
    return {pk: (times, at) for pk, times, at in up.values_list("pk", "times", "last_at")}


def _seen(campaign_id: int, now: datetime) -> dict[int, set[str]]:
    """Who of the fresh ones each screen has shown since they were approved."""
    fresh = Play.objects.filter(
        screen__campaign_id=campaign_id,
        started_at__gt=now - timedelta(milliseconds=FRESH_MS),
    ).order_by()
    seen: dict[int, set[str]] = {}
    for screen, submission in fresh.values_list("screen_id", "submission_id").distinct():
        seen.setdefault(screen, set()).add(str(submission))
    return seen


def _has_changed(campaign_id: int, before: Place, place: Place) -> bool:
    if before.epoch != place.epoch or place.epoch is None:
        return before.epoch != place.epoch
    news = FeedEntry.objects.filter(
        campaign_id=campaign_id, epoch=place.epoch, seq__gt=before.seq, seq__lte=place.seq
    )
    return news.exclude(kind=EntryKind.MOVE).exists()


def _needed(slots: Sequence[Slot], places: int | None, now_ms: int) -> Iterator[Slot]:
    """What was planned for places that there are, without what would keep a screen divided for
    nobody new."""
    lasts = {slot.place: slot.at_ms for slot in slots if slot.kind == "first"}
    for slot in slots:
        if places is not None and slot.place >= places:
            continue  # of a layout that had more
        last_ms = max(now_ms, lasts.get(slot.place, 0))
        if places is not None or slot.place == 0 or slot.at_ms <= last_ms:
            yield slot


def _is_missed(slot: Slot, shown: set[str], now_ms: int) -> bool:
    return slot.end_ms < now_ms - UNHEARD_MS and slot.key not in shown


def _row(slots: tuple[Slot, ...], now_ms: int) -> list[list[Any]]:
    past = [slot for slot in slots if slot.end_ms <= now_ms]
    left: list[Slot] = []
    for place in {slot.place for slot in past}:
        left += [slot for slot in past if slot.place == place][-KEPT_PAST:]
    left += [slot for slot in slots if slot.end_ms > now_ms]
    left.sort(key=lambda slot: (slot.at_ms, slot.place))
    return [[s.at_ms, s.end_ms, s.key, s.kind, s.place] for s in left]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
