"""Proof as a file: CSV or JSON lines, by the play or by the hour, in pieces of any length.

Columns and their units stand in docs/proof.md. Neither names nor pictures of people are in it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from django.db.models import Prefetch, Q, prefetch_related_objects
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from billboard import proof
from billboard.booking_pins import Ledger
from billboard.models import Play, Screen
from billboard.models.hours import PlayHour

PLAYS_A_PIECE: Final = 2000
YEARS: Final = (2000, 2099)
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""A cell that begins so is worked out by spreadsheets, whoever wrote it. Source: OWASP, CSV
Injection; with the full-width ones, which Excel takes for the same."""

PEOPLE: Final = Prefetch(
    "submission",
    queryset=Play._meta.get_field("submission")
    .related_model._default_manager.select_related("campaign")
    .only("number", "campaign__slug"),
)

By = Literal["play", "hour"]
Format = Literal["csv", "jsonl"]
TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
}


@dataclass(frozen=True)
class Wanted:
    """What began from `since` until before `until`, None: whatever there is. `campaign` is a slug;
    empty: all of them."""

    since: datetime | None = None
    until: datetime | None = None
    campaign: str = ""
    by: By = "play"
    format: Format = "csv"


@dataclass(frozen=True)
class PlayLine:
    play_id: str
    started_at: str
    shown_s: float | None
    end_heard: bool
    screen_id: int
    screen: str
    campaign: str
    layout: str
    item: int
    figurine_id: int
    reported_at: str
    booking_id: int | None
    booking: str
    booking_kind: str


@dataclass(frozen=True)
class HourLine:
    hour_at: str
    screen_id: int
    screen: str
    campaign: str
    layout: str
    plays: int
    plays_end_heard: int
    plays_end_not_heard: int
    shown_s: float
    people: int
    first_at: str
    last_at: str
    booking_id: int | None
    booking: str
    booking_kind: str


def pieces(wanted: Wanted) -> Iterator[bytes]:
    """The file in order of time, a few hundred kB at once; nothing before is kept."""
    kind = PlayLine if wanted.by == "play" else HourLine
    write = _csv if wanted.format == "csv" else _jsonl
    if wanted.format == "csv":
        yield _csv_rows([[column.name for column in fields(kind)]])
    for lines in _plays(wanted) if wanted.by == "play" else _hours(wanted):
        if lines:
            yield write(lines)


def begin_of(text: str) -> datetime:
    """A day's begin, or a moment, in the installation's zone where it names none. ValueError."""
    return _moment(text, days=0)


def end_of(text: str) -> datetime:
    """A day's end, or a moment. ValueError."""
    return _moment(text, days=1)


def has_sense(day: date) -> bool:
    """Whether there can be plays about that day; 0026 is 2026 with a key too few."""
    return YEARS[0] <= day.year <= YEARS[1]


def midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def has_campaign(slug: str) -> bool:
    model = Screen._meta.get_field("campaign").related_model
    return bool(model._default_manager.filter(slug=slug).exists())


def _moment(text: str, *, days: int) -> datetime:
    day = parse_date(text)
    if day and has_sense(day):
        return midnight(day + timedelta(days=days))
    moment = parse_datetime(text)
    if moment is None or not has_sense(moment.date()):
        raise ValueError(text)
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _plays(wanted: Wanted) -> Iterator[list[PlayLine]]:
    """Each piece is a query of its own that begins after the last one: no cursor stays open. It
    asks for plays alone, along their index; a database that may begin with the other tables does.
    """
    plays = Play.objects.order_by("started_at", "id")
    if wanted.since:
        plays = plays.filter(started_at__gte=wanted.since)
    if wanted.until:
        plays = plays.filter(started_at__lt=wanted.until)
    screens = dict(Screen.objects.values_list("pk", "name"))
    after, ledger = Q(), Ledger()
    while found := list(plays.filter(after)[:PLAYS_A_PIECE]):
        prefetch_related_objects(found, PEOPLE)
        yield [
            _play_line(play, screens[play.screen_id], ledger)
            for play in found
            if wanted.campaign in ("", play.submission.campaign.slug)
        ]
        last = found[-1]
        was = Q(started_at=last.started_at, id__lte=last.pk)
        after = Q(started_at__gte=last.started_at) & ~was


def _play_line(play: Play, screen: str, ledger: Ledger) -> PlayLine:
    booking = ledger.find(play.screen_id, play.submission_id, play.started_at)
    return PlayLine(
        play_id=str(play.play_id),
        started_at=_iso(play.started_at),
        shown_s=None if play.duration_ms is None else play.duration_ms / 1000,
        end_heard=play.duration_ms is not None,
        screen_id=play.screen_id,
        screen=screen,
        campaign=play.submission.campaign.slug,
        layout=play.layout,
        item=play.submission.number,
        figurine_id=play.figurine_id,
        reported_at=_iso(play.reported_at),
        booking_id=booking.pk if booking else None,
        booking=booking.name if booking else "",
        booking_kind=booking.kind if booking else "",
    )


def _hours(wanted: Wanted) -> Iterator[list[HourLine]]:
    for rows in proof.hours(since=wanted.since, until=wanted.until, campaign=wanted.campaign):
        yield [_hour_line(row) for row in rows]


def _hour_line(row: PlayHour) -> HourLine:
    return HourLine(
        hour_at=_iso(row.hour_at),
        screen_id=row.screen_id,
        screen=row.screen.name,
        campaign=row.campaign.slug,
        layout=row.layout,
        plays=row.plays,
        plays_end_heard=row.plays - row.unended,
        plays_end_not_heard=row.unended,
        shown_s=row.shown_ms / 1000,
        people=row.people,
        first_at=_iso(row.first_at),
        last_at=_iso(row.last_at),
        booking_id=row.booking_id,
        booking=row.booking.name if row.booking else "",
        booking_kind=row.booking.kind if row.booking else "",
    )


def _iso(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(timespec="milliseconds")


def _csv(lines: Iterable[PlayLine | HourLine]) -> bytes:
    return _csv_rows([_cell(value) for value in vars(line).values()] for line in lines)


def _csv_rows(rows: Iterable[list[str]]) -> bytes:
    """As RFC 4180 has it."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _jsonl(lines: Iterable[PlayLine | HourLine]) -> bytes:
    return "".join(
        json.dumps(vars(line), ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    ).encode()
