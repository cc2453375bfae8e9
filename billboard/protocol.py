"""What a screen may say, by socket or by post. Anything else is a BadFrame, never a traceback.

    {"type": "here",  "epoch", "seq", "version", "width_px", "height_px"}
    {"type": "pull",  "epoch", "seq"}
    {"type": "acks",  "n", "acks": [
        {"ack": "cached" | "dark", "submission", "epoch", "seq"}
        {"ack": "shown", "play_id", "submission", "figurine", "seq", "started_at", "duration_ms"}]}

Epochs, ids and moments are strings; `epoch` null means "I know nothing", `duration_ms` null
"it is on". The server says feed.Snapshot, feed.Changes, Beat and Acked.
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


class CloseCode(IntEnum):
    """Why a socket was closed; the player knows them too (static/js/lib/link.js)."""

    BAD_FRAME = 4400
    UNPAIRED = 4401
    TOO_LARGE = 4413
    TOO_MANY = 4429


class BadFrame(Exception):
    """Something a player never says."""

    def __init__(self, why: str, *, code: CloseCode = CloseCode.BAD_FRAME) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Here:
    """Where the screen is and what it is."""

    place: Place
    version: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Pull:
    """The screen asks for what it missed."""

    place: Place


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


@dataclass(frozen=True)
class Acks:
    """`n` is the screen's own count; it comes back in Acked."""

    n: int
    acks: tuple[Done | Shown, ...]


@dataclass(frozen=True)
class Beat:
    """The server's heartbeat."""

    type: ClassVar[str] = "beat"
    head: Place
    page: str
    """Fingerprint of the words and colours around the figurines; a new one means reload."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type,
            **self.head.as_json(),
            "at": self.at.isoformat(),
            "page": self.page,
        }


@dataclass(frozen=True)
class Acked:
    """The acks numbered `n` are on record; the screen may forget them."""

    type: ClassVar[str] = "acked"
    n: int

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "n": self.n}


def parse(text: str) -> Here | Pull | Acks:
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
            )
        case "pull":
            return Pull(_place(frame))
        case "acks":
            return Acks(n=_int(frame, "n"), acks=tuple(_ack(ack) for ack in _acks(frame)))
    raise BadFrame("of no known type")


def _acks(frame: Mapping[str, Any]) -> list[Any]:
    acks = frame.get("acks")
    if not isinstance(acks, list) or len(acks) > ACKS_MAX:
        raise BadFrame("acks")
    return acks


def _ack(ack: Any) -> Done | Shown:
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
            duration_ms=None if ack.get("duration_ms") is None else _int(ack, "duration_ms"),
        )
    raise BadFrame("of no known ack")


def place(epoch: str | None, seq: str | None) -> Place:
    """From a query string. Raises BadFrame."""
    try:
        return _place({"epoch": epoch or None, "seq": int(seq or "0")})
    except ValueError as error:
        raise BadFrame("seq") from error


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


def _int(data: Mapping[str, Any], key: str, *, highest: int = INT_MAX) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise BadFrame(key)
    return value


def _moment(data: Mapping[str, Any], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(data, key, longest=40))
    except ValueError as error:
        raise BadFrame(key) from error
    if moment.tzinfo is None or not 2000 < moment.year < 9000:
        raise BadFrame(key)
    return moment.astimezone(UTC)
