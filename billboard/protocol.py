"""What a screen may say, by socket or by post. Anything else is a BadFrame, never a traceback.

    {"type": "here",  "epoch", "seq", "version", "width_px", "height_px",
     "is_drawing", "fps", "dropped_frames", "heap_mb", "kept_items", "kept_mb", "quota_mb",
     "clock_off_ms", "up_s"}
    {"type": "pull",  "epoch", "seq"}
    {"type": "rest",  "after"}
    {"type": "time",  "t0"}
    {"type": "acks",  "n", "acks": [
        {"ack": "cached" | "dark", "submission", "epoch", "seq"}
        {"ack": "shown", "play_id", "submission", "figurine", "seq", "started_at", "duration_ms",
         "layout"}
        {"ack": "command", "id", "outcome": "done" | "refused", "why", "at"}]}

Epochs, ids and moments are strings; `epoch` null means "I know nothing", `duration_ms` null
"it is on"; `layout` may be left out, and so may what `here` says from `is_drawing` on. The server
says feed.Snapshot, feed.Rest and feed.Changes, each with its clock (`at`), PlanFrame, Beat, Time,
Acked and commands.Orders. A snapshot whose `more` is not null goes on: the screen asks for the
`rest` that comes `after` that, and so on, each part when it has the one before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, ClassVar, Final
from uuid import UUID

from billboard.feed import SEQ_MAX, Place

FRAME_MAX_CHARS: Final = 32_768
ACKS_MAX: Final = 100
INT_MAX: Final = 2**31 - 1
WHY_MAX_CHARS: Final = 120
TICKS_MAX: Final = 2**53 - 1
"""The largest whole number of JavaScript's."""
FPS_MAX: Final = 1000
CLOCK_OFF_MAX_MS: Final = 10**13
"""300 years: a computer without a battery begins in 1970."""
COUNTS: Final = ("dropped_frames", "heap_mb", "kept_items", "kept_mb", "quota_mb", "up_s")


class CloseCode(IntEnum):
    """Why a socket was closed; the player knows them too (static/js/lib/link.js)."""

    BAD_FRAME = 4400
    UNPAIRED = 4401
    RENEWED = 4409
    """Its token is an old one: the screen comes back with the one it was handed since."""
    TOO_LARGE = 4413
    TOO_MANY = 4429


class BadFrame(Exception):
    """Something a player never says."""

    def __init__(self, why: str, *, code: CloseCode = CloseCode.BAD_FRAME) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Vitals:
    """How a screen says it is; the fields of models.Screen. None: it does not say."""

    is_drawing: bool | None = None
    fps: int | None = None
    dropped_frames: int | None = None
    heap_mb: int | None = None
    kept_items: int | None = None
    kept_mb: int | None = None
    quota_mb: int | None = None
    clock_off_ms: int | None = None
    up_s: int | None = None


@dataclass(frozen=True)
class Here:
    """Where the screen is and what it is."""

    place: Place
    version: str
    width_px: int
    height_px: int
    vitals: Vitals = Vitals()


@dataclass(frozen=True)
class Pull:
    """The screen asks for what it missed."""

    place: Place


@dataclass(frozen=True)
class AskRest:
    """The screen has a snapshot up to here, and asks for its next part."""

    after: int


@dataclass(frozen=True)
class AskTime:
    """What time is it? `t0` is the screen's own clock; it comes back in Time."""

    t0: int


@dataclass(frozen=True)
class Done:
    """A picture is held (`cached`) or a removal is carried out (`dark`)."""

    is_dark: bool
    submission: UUID
    place: Place


@dataclass(frozen=True)
class Shown:
    """A showing began, or with a duration ended."""

    play_id: UUID
    submission: UUID
    figurine: int
    seq: int
    started_at: datetime
    duration_ms: int | None
    layout: str = ""


@dataclass(frozen=True)
class Obeyed:
    """What came of a command; a refusal says why."""

    command: UUID
    is_done: bool
    why: str
    at: datetime


@dataclass(frozen=True)
class Acks:
    """`n` is the screen's own count; it comes back in Acked."""

    n: int
    acks: tuple[Done | Shown | Obeyed, ...]


@dataclass(frozen=True)
class Beat:
    """The server's heartbeat."""

    type: ClassVar[str] = "beat"
    head: Place
    page: str
    """Fingerprint of the words and colours around the figurines; a new one means reload."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    watched: bool = False
    """The crew looks at what is on: the screen sends pictures more often."""

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            **self.head.as_json(),
            "at": self.at.isoformat(),
            "page": self.page,
            "watched": self.watched,
        }


@dataclass(frozen=True)
class PlanSlot:
    """Who is on in one place; `at_ms` is server time since 1970."""

    at_ms: int
    duration_ms: int
    submission: str
    place: int

    def as_json(self) -> dict[str, Any]:
        return {
            "at_ms": self.at_ms,
            "duration_ms": self.duration_ms,
            "submission": self.submission,
            "place": self.place,
        }


@dataclass(frozen=True)
class PlanFrame:
    """The slot that is on and the next ones of this screen; a later frame replaces it."""

    type: ClassVar[str] = "plan"
    rev: int
    at: datetime
    """The server's clock, as in Beat."""
    places: int
    """How many the screen is divided into, where its layout goes by its shape."""
    slots: tuple[PlanSlot, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "rev": self.rev,
            "at": self.at.isoformat(),
            "places": self.places,
            "slots": [slot.as_json() for slot in self.slots],
        }


@dataclass(frozen=True)
class Time:
    """The server's clock in milliseconds since 1970, when it heard (`t1`) and when it says so
    (`t2`). Source: RFC 5905, section 8."""

    type: ClassVar[str] = "time"
    t0: int
    t1: float
    t2: float

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "t0": self.t0, "t1": self.t1, "t2": self.t2}


@dataclass(frozen=True)
class Acked:
    """The acks numbered `n` are on record; the screen may forget them."""

    type: ClassVar[str] = "acked"
    n: int

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "n": self.n}


def dated(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What the feed says, with the server's clock: a screen may not know it yet, and by its own
    everybody's day may be over."""
    return {**frame, "at": datetime.now(UTC).isoformat()}


def parse(text: str) -> Here | Pull | AskRest | AskTime | Acks:
    """Raises BadFrame."""
    if len(text) > FRAME_MAX_CHARS:
        raise BadFrame("too large", code=CloseCode.TOO_LARGE)
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("not JSON") from error
    if not isinstance(frame, dict):
        raise BadFrame("not an object")
    match frame.get("type"):
        case "here":
            return Here(
                place=_place(frame),
                version=_text(frame, "version", longest=40),
                width_px=_int(frame, "width_px"),
                height_px=_int(frame, "height_px"),
                vitals=_vitals(frame),
            )
        case "pull":
            return Pull(_place(frame))
        case "rest":
            return AskRest(_int(frame, "after", highest=SEQ_MAX))
        case "time":
            return AskTime(_int(frame, "t0", highest=TICKS_MAX))
        case "acks":
            return Acks(n=_int(frame, "n"), acks=tuple(_ack(ack) for ack in _acks(frame)))
    raise BadFrame("of no known type")


def _vitals(frame: Mapping[str, Any]) -> Vitals:
    is_drawing = frame.get("is_drawing")
    if is_drawing is not None and not isinstance(is_drawing, bool):
        raise BadFrame("is_drawing")
    told = {key: _int(frame, key) for key in COUNTS if frame.get(key) is not None}
    if frame.get("fps") is not None:
        told["fps"] = _int(frame, "fps", highest=FPS_MAX)
    if frame.get("clock_off_ms") is not None:
        far = CLOCK_OFF_MAX_MS
        told["clock_off_ms"] = _int(frame, "clock_off_ms", lowest=-far, highest=far)
    return Vitals(is_drawing=is_drawing, **told)


def _acks(frame: Mapping[str, Any]) -> list[Any]:
    acks = frame.get("acks")
    if not isinstance(acks, list) or len(acks) > ACKS_MAX:
        raise BadFrame("acks")
    return acks


def _ack(ack: Any) -> Done | Shown | Obeyed:
    if not isinstance(ack, dict):
        raise BadFrame("ack")
    kind = ack.get("ack")
    if kind in ("cached", "dark"):
        return Done(is_dark=kind == "dark", submission=_uuid(ack, "submission"), place=_place(ack))
    if kind == "shown":
        return Shown(
            play_id=_uuid(ack, "play_id"),
            submission=_uuid(ack, "submission"),
            figurine=_int(ack, "figurine"),
            seq=_int(ack, "seq", highest=SEQ_MAX),
            started_at=_moment(ack, "started_at"),
            duration_ms=None if ack.get("duration_ms") is None else _lasted_ms(ack),
            layout="" if ack.get("layout") is None else _text(ack, "layout", longest=10),
        )
    if kind == "command":
        outcome = ack.get("outcome")
        if outcome not in ("done", "refused"):
            raise BadFrame("outcome")
        return Obeyed(
            command=_uuid(ack, "id"),
            is_done=outcome == "done",
            why="" if ack.get("why") is None else _text(ack, "why", longest=WHY_MAX_CHARS),
            at=_moment(ack, "at"),
        )
    raise BadFrame("of no known ack")


def place(epoch: str | None, seq: str | None) -> Place:
    """From a query string. Raises BadFrame."""
    try:
        return _place({"epoch": epoch or None, "seq": int(seq or "0")})
    except ValueError as error:
        raise BadFrame("seq") from error


def after(figurine: str) -> int:
    """From a query string. Raises BadFrame."""
    try:
        return _int({"after": int(figurine)}, "after", highest=SEQ_MAX)
    except ValueError as error:
        raise BadFrame("after") from error


def _place(data: Mapping[str, Any]) -> Place:
    epoch = None if data.get("epoch") is None else _uuid(data, "epoch")
    return Place(epoch, _int(data, "seq", highest=SEQ_MAX))


def _uuid(data: Mapping[str, Any], key: str) -> UUID:
    try:
        return UUID(_text(data, key, longest=36))
    except ValueError as error:
        raise BadFrame(key) from error


def _text(data: Mapping[str, Any], key: str, *, longest: int) -> str:
    value = data.get(key)
    # PostgreSQL keeps neither NUL nor half of a surrogate pair.
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise BadFrame(key)
    return value


def _int(data: Mapping[str, Any], key: str, *, lowest: int = 0, highest: int = INT_MAX) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise BadFrame(key)
    return value


def _lasted_ms(ack: Mapping[str, Any]) -> int:
    """Who was on when a screen was paused stays on: longer is told as the longest there is."""
    return min(_int(ack, "duration_ms", highest=TICKS_MAX), INT_MAX)


def _moment(data: Mapping[str, Any], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(data, key, longest=40))
    except ValueError as error:
        raise BadFrame(key) from error
    if moment.tzinfo is None or not 2000 < moment.year < 9000:
        raise BadFrame(key)
    return moment.astimezone(UTC)
