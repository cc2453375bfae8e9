from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from billboard import protocol
from billboard.feed import SEQ_MAX, Place
from billboard.protocol import Acks, AskRest, BadFrame, CloseCode, Done, Here, Obeyed, Pull, Shown

ONE, TWO = UUID(int=1), UUID(int=2)
HERE = {
    "type": "here",
    "epoch": str(ONE),
    "seq": 7,
    "version": "1",
    "width_px": 1920,
    "height_px": 1080,
}
SHOWN = {
    "ack": "shown",
    "play_id": str(ONE),
    "submission": str(TWO),
    "figurine": 3,
    "seq": 7,
    "started_at": "2026-11-22T12:00:00.250Z",
    "duration_ms": None,
}
VITALS: dict[str, Any] = {
    "is_drawing": True,
    "fps": 60,
    "dropped_frames": 3,
    "heap_mb": 182,
    "kept_items": 240,
    "kept_mb": 310,
    "quota_mb": 768,
    "clock_off_ms": -21,
    "up_s": 86400,
}
OBEYED: dict[str, Any] = {
    "ack": "command",
    "id": str(TWO),
    "outcome": "refused",
    "why": "the server does not answer",
    "at": "2026-11-22T12:00:00.250Z",
}


def test_frames_of_a_player_are_understood() -> None:
    assert protocol.parse(json.dumps(HERE)) == Here(Place(ONE, 7), "1", 1920, 1080)
    assert protocol.parse('{"type": "pull", "epoch": null, "seq": 0}') == Pull(Place())
    assert protocol.parse('{"type": "rest", "after": 301}') == AskRest(301)
    done = {"submission": str(TWO), "epoch": str(ONE), "seq": 7}
    acks = [{"ack": "cached", **done}, {"ack": "dark", **done}, SHOWN]
    acks.append({**SHOWN, "layout": "mosaic16"})
    acks += [OBEYED, {**OBEYED, "outcome": "done", "why": None}]
    started_at = datetime(2026, 11, 22, 12, 0, 0, 250_000, UTC)
    assert protocol.parse(json.dumps({"type": "acks", "n": 4, "acks": acks})) == Acks(
        4,
        (
            Done(False, TWO, Place(ONE, 7)),
            Done(True, TWO, Place(ONE, 7)),
            Shown(ONE, TWO, 3, 7, started_at, None),
            Shown(ONE, TWO, 3, 7, started_at, None, "mosaic16"),
            Obeyed(TWO, False, "the server does not answer", started_at),
            Obeyed(TWO, True, "", started_at),
        ),
    )


def test_what_a_screen_says_of_itself_is_understood_as_far_as_it_says_it() -> None:
    told = protocol.parse(json.dumps({**HERE, **VITALS}))
    assert isinstance(told, Here)
    assert asdict(told.vitals) == VITALS
    half = protocol.parse(json.dumps({**HERE, "fps": 60, "heap_mb": None}))
    assert isinstance(half, Here)
    assert half.vitals == protocol.Vitals(fps=60)


@pytest.mark.parametrize("key", VITALS)
@pytest.mark.parametrize("value", ["1", 1.5, [], 10**14, -(10**14)])
def test_what_no_screen_says_of_itself_is_refused(key: str, value: Any) -> None:
    with pytest.raises(BadFrame):
        protocol.parse(json.dumps({**HERE, **VITALS, key: value}))


def acks(**words: Any) -> str:
    return json.dumps({"type": "acks", "n": 1, "acks": [{**SHOWN, **words}]})


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "not json",
        "[]",
        "null",
        '"pull"',
        "{}",
        '{"type": null}',
        '{"type": "blank"}',
        '{"type": ["pull"]}',
        "[" * 20_000,
        '{"type": "pull"}',
        '{"type": "rest"}',
        '{"type": "rest", "after": null}',
        '{"type": "rest", "after": -1}',
        f'{{"type": "rest", "after": {SEQ_MAX + 1}}}',
        '{"type": "pull", "epoch": 5, "seq": 0}',
        '{"type": "pull", "epoch": "x", "seq": 0}',
        '{"type": "pull", "epoch": null, "seq": -1}',
        '{"type": "pull", "epoch": null, "seq": 1.5}',
        '{"type": "pull", "epoch": null, "seq": true}',
        '{"type": "pull", "epoch": null, "seq": "0"}',
        '{"type": "pull", "epoch": null, "seq": NaN}',
        '{"type": "pull", "epoch": null, "seq": 1e400}',
        f'{{"type": "pull", "epoch": null, "seq": {SEQ_MAX + 1}}}',
        '{"type": "pull", "epoch": null, "seq": ' + "9" * 5000 + "}",
        json.dumps({**HERE, "version": "v" * 41}),
        json.dumps({**HERE, "version": "v\x00"}),
        json.dumps({**HERE, "version": "\ud800"}),
        json.dumps({**HERE, "version": 1}),
        json.dumps({**HERE, "width_px": 2**31}),
        '{"type": "acks", "n": 1}',
        '{"type": "acks", "n": 1, "acks": {}}',
        '{"type": "acks", "n": 1, "acks": [1]}',
        '{"type": "acks", "n": 1, "acks": [{"ack": "eaten"}]}',
        '{"type": "acks", "acks": []}',
        json.dumps({"type": "acks", "n": 1, "acks": [None] * (protocol.ACKS_MAX + 1)}),
        acks(play_id="' OR 1=1 --"),
        acks(submission=None),
        acks(figurine="3"),
        acks(started_at="yesterday"),
        acks(started_at="2026-11-22T12:00:00"),
        acks(started_at="0001-01-01T00:00:00+23:59"),
        acks(started_at="9999-12-31T23:59:59-23:59"),
        acks(duration_ms=-1),
        acks(layout=9),
        acks(layout="x" * 11),
    ],
)
def test_anything_else_is_a_bad_frame(frame: str) -> None:
    with pytest.raises(BadFrame) as refusal:
        protocol.parse(frame)
    assert refusal.value.code == CloseCode.BAD_FRAME


def test_play_of_weeks_lasted_as_long_as_there_are_numbers() -> None:
    """On a screen that was paused: a refused frame would keep its line for good."""
    told = protocol.parse(acks(duration_ms=protocol.INT_MAX + 1))
    assert isinstance(told, Acks)
    assert told.acks == (
        Shown(ONE, TWO, 3, 7, datetime(2026, 11, 22, 12, 0, 0, 250_000, UTC), protocol.INT_MAX),
    )


def test_oversized_frame_is_refused_unread() -> None:
    with pytest.raises(BadFrame) as refusal:
        protocol.parse(json.dumps({**HERE, "version": "v" * protocol.FRAME_MAX_CHARS}))
    assert refusal.value.code == CloseCode.TOO_LARGE


@pytest.mark.parametrize(
    ("epoch", "seq", "place"),
    [(None, None, Place()), ("", "", Place()), (str(ONE), "7", Place(ONE, 7))],
)
def test_place_in_an_address_is_understood(
    epoch: str | None, seq: str | None, place: Place
) -> None:
    assert protocol.place(epoch, seq) == place


@pytest.mark.parametrize(
    ("epoch", "seq"), [("x", "0"), ("", "x"), ("", "-1"), ("", "9" * 5000), ("", "1.5")]
)
def test_bad_place_in_an_address_is_a_bad_frame(epoch: str, seq: str) -> None:
    with pytest.raises(BadFrame):
        protocol.place(epoch, seq)
