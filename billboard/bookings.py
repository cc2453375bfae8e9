"""Bookings at the moment of booking: what clashes, what cannot be kept, and who has to know."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from billboard import nudges, proof
from billboard.booking_pins import ms, of_campaign, pin_of, rules_of
from billboard.models import Plan, Screen
from billboard.models.bookings import Booking, BookingKind
from billboard.slots import DAY_MS, SHARE_MOST, Pin, Rules
from campaign.enums import SubmissionState

MORE: Final = timedelta(seconds=21)
"""Older than a plan may be (planning.REMAKE), and young enough to be told as one that is kept."""
ROUNDING: Final = 1e-9
FAR_S: Final = 4e9
"""The year 2096: the clock of later ones is as good a guess."""


def changed(booking: Booking, *, since_at: datetime) -> None:
    """Have the plan made anew and told at once; and the hours from `since_at` on in which they were
    shown, which proof may count under it or no more. Call it in the transaction that wrote the
    booking."""
    _plan_anew(booking.submission.campaign_id)
    proof.mark_of([(booking.submission_id, since_at)])


def _plan_anew(campaign_id: int) -> None:
    # Another number: who is making one now, of what was before, does not get it taken.
    plans = Plan.objects.filter(pk=campaign_id)
    plans.update(rev=F("rev") + 1, made_at=timezone.now() - MORE)
    screens = list(Screen.objects.filter(campaign_id=campaign_id).values_list("pk", flat=True))
    transaction.on_commit(lambda: nudges.call(campaign_id, screens=screens), robust=True)


@dataclass(frozen=True)
class Clash:
    """More than half of a screen's slots would be booked at some time."""

    screen: str
    others: tuple[str, ...]
    one_in: int | None
    """What is left: one in so many; None: nothing."""


class Board:
    """A campaign's screens and what is booked on them, read once."""

    def __init__(self, campaign_id: int) -> None:
        self._screens = list(Screen.objects.filter(campaign_id=campaign_id))
        rows = of_campaign(campaign_id).select_related("submission").prefetch_related("screens")
        self.bookings = list(rows)
        self._pins = {one.pk: pin_of(one, of=self._screens) for one in self.bookings}

    def clash(self, booking: Booking, screens: Collection[Screen]) -> Clash | None:
        """The first screen on which this one and the others are more than may be booked; of all
        that are switched on where `screens` is empty."""
        now = timezone.now()
        asked = pin_of(booking, screens, of=self._screens)
        booked = [
            (str(one), self._pins[one.pk])
            for one in self.bookings
            if one.pk != booking.pk
            and (one.until_at is None or one.until_at > now)
            and one.submission.state == SubmissionState.APPROVED
        ]
        looked_at: set[tuple[int, ...]] = set()
        for screen in screens or [each for each in self._screens if each.is_active]:
            beside = [
                n for n, (_, p) in enumerate(booked) if p.screens is None or screen.pk in p.screens
            ]
            if tuple(beside) in looked_at:
                continue
            looked_at.add(tuple(beside))
            on = _most_at_once(asked, [booked[n] for n in beside])
            share = sum(pin.share for _, pin in on)
            if share + asked.share > SHARE_MOST + ROUNDING:
                left = SHARE_MOST - share
                one_in = -int(-1 // left) if left > ROUNDING else None
                return Clash(screen.name, tuple(name for name, _ in on), one_in)
        return None

    def trouble(self, booking: Booking) -> str:
        """Why one of these that is not over cannot be kept, as a sentence; empty where it can."""
        now = timezone.now()
        if booking.until_at and booking.until_at <= now:
            return ""
        if booking.submission.state != SubmissionState.APPROVED:
            words = _("%s is not approved any more: nobody is shown for it.")
            return words % booking.submission
        pin = self._pins[booking.pk]
        found = [
            each
            for each in self._screens
            if each.is_active and (pin.screens is None or each.pk in pin.screens)
        ]
        if not found:
            return _("None of its screens is switched on.")
        if pin.hold(ms(now), rules_of(now)):
            online = [screen for screen in found if screen.is_online]
            if not online:
                return _("None of its screens is online.")
            if all(screen.paused_at or screen.blanked_at for screen in online):
                return _("Those of its screens that are online are paused or black.")
        found_clash = self.clash(booking, found)
        if found_clash:
            words = _("More than half of %s is booked: it has less than its share.")
            return words % found_clash.screen
        return ""


def clash(booking: Booking, screens: Collection[Screen]) -> Clash | None:
    """As Board.clash, of a booking that need not be on record yet."""
    return Board(booking.submission.campaign_id).clash(booking, screens)


def trouble(booking: Booking) -> str:
    """As Board.trouble, of one."""
    return Board(booking.submission.campaign_id).trouble(booking)


def _most_at_once(asked: Pin, others: list[tuple[str, Pin]]) -> list[tuple[str, Pin]]:
    """Those that take most while `asked` holds. Shares only grow where one begins, so it looks at
    every begin and at the eight days after it, at each hour at which one of them begins."""
    now_ms = ms(timezone.now())
    begins = {max(asked.since_ms, pin.since_ms, now_ms) for _, pin in others}
    minutes = sorted({pin.hours.since for _, pin in others} | {asked.hours.since})
    most: list[tuple[str, Pin]] = []
    share = 0.0
    week: dict[tuple[int, int], list[tuple[str, Pin]]] = {}
    for begin_ms in sorted(begins):
        for at_ms, day, minute in _moments(begin_ms, minutes):
            if at_ms >= asked.until_ms or not _holds(asked, day, minute):
                continue
            if (day, minute) not in week:
                week[day, minute] = [one for one in others if _holds(one[1], day, minute)]
            on = [one for one in week[day, minute] if one[1].since_ms <= at_ms < one[1].until_ms]
            their_share = sum(pin.share for _, pin in on)
            if their_share > share:
                most, share = on, their_share
    return most


def _moments(begin_ms: int, minutes: list[int]) -> Iterator[tuple[int, int, int]]:
    """A moment and those of the eight days from it, with weekday and minute of the local day."""
    rules = rules_of(datetime.fromtimestamp(min(begin_ms / 1000, FAR_S), UTC))
    yield begin_ms, rules.weekday(begin_ms), rules.minute(begin_ms)
    midnight_ms = begin_ms - (begin_ms + rules.utc_offset_ms) % DAY_MS
    for day, minute in product(range(8), minutes):
        at_ms = midnight_ms + day * DAY_MS + minute * 60_000
        if at_ms > begin_ms:
            yield at_ms, rules.weekday(at_ms), minute


def _holds(pin: Pin, day: int, minute: int) -> bool:
    week = Rules(slot_ms=1, promise_ms=1)
    # The epoch began on a Thursday, which is 3.
    at_ms = ((day - 3) % 7 * 1440 + minute) * 60_000
    return Pin(pin.key, pin.share, pin.hours, pin.days).hold(at_ms, week)


def forget(submission_id: UUID) -> None:
    """Delete the names of somebody's pins: an occasion may tell who they were. A sponsor's name is
    the sponsor's. The bookings stay, for proof."""
    for pin in Booking.objects.filter(submission=submission_id, kind=BookingKind.PIN):
        pin.name = ""
        pin.save(update_fields=["name"])
        content_type = ContentType.objects.get_for_model(Booking)
        said = LogEntry.objects.filter(content_type=content_type, object_id=str(pin.pk))
        said.update(object_repr=str(pin))


def walls_changed(campaigns: Collection[int]) -> None:
    """Have the plan made anew and told at once, since others hang together now; and what may be
    under bookings of a wall's screens counted anew. Call it in the transaction that changes it."""
    for campaign_id in campaigns:
        _plan_anew(campaign_id)
    found = Booking.objects.filter(submission__campaign__in=campaigns).exclude(screens=None)
    proof.mark_of(found.values_list("submission_id", "since_at"))


def end(booking: Booking) -> None:
    """From now on nobody is shown for it."""
    now = timezone.now()
    Booking.objects.filter(pk=booking.pk).update(until_at=max(now, booking.since_at))
    changed(booking, since_at=now)


def troubles(plan: Plan, *, holds: bool) -> tuple[str, ...]:
    """A sentence for each of a campaign's bookings that cannot be kept, and one where bookings take
    what the promise would need."""
    board = Board(plan.pk)
    lines = [f"{one}: {words}" for one in board.bookings if (words := board.trouble(one))]
    if plan.booked and not holds:
        lines.append(_("What is booked takes slots that those who wait would need."))
    return tuple(lines)
