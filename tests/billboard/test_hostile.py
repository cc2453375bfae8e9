"""Whatever a screen's key says, by socket or by post: a code, never a traceback."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billboard import pairing, protocol
from billboard.models import Ack, Play, Screen
from billboard.protocol import ACKS_MAX, Acks, AskRest, AskTime, BadFrame, CloseCode, Here, Pull
from campaign.models import Campaign
from tests.billboard.rows import approved
from tests.billboard.test_consumers import Player, playing
from tests.billboard.test_protocol import HERE, OBEYED, SHOWN, VITALS
from tests.exhaustive import EXHAUSTIVE

EXAMPLES = 5000 if EXHAUSTIVE else 60

ACKS = {"type": "acks", "n": 1, "acks": [SHOWN, {**SHOWN, "ack": "dark", "epoch": None}, OBEYED]}
GOOD: list[dict[str, Any]] = [
    HERE,
    {**HERE, **VITALS},
    {"type": "pull", "epoch": str(uuid4()), "seq": 3},
    {"type": "rest", "after": 301},
    {"type": "time", "t0": 86_400_000},
    ACKS,
]

numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**53, 2**63, 10**4000, -1, True])
texts = st.text() | st.sampled_from(["\ud800", "\x00", "NaN", "9999-12-31T23:59:59-23:59", "acks"])
said = texts | numbers.map(repr)
leaves = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A good frame, with one to three of its words left out, doubled or replaced by anything."""
    frame: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        part = frame
        if isinstance(frame.get("acks"), list) and frame["acks"] and draw(st.booleans()):
            chosen = draw(st.sampled_from(frame["acks"]))
            part = chosen if isinstance(chosen, dict) else frame
        if not part:
            continue
        key = draw(st.sampled_from(sorted(part, key=str)))
        match draw(st.sampled_from(["out", "other", "more"])):
            case "out":
                del part[key]
            case "other":
                part[key] = draw(anything)
            case "more":
                part[draw(texts)] = draw(anything)
    return frame


def understood(text: str) -> bool:
    try:
        frame = protocol.parse(text)
    except BadFrame as refusal:
        assert refusal.code in set(CloseCode)
        return False
    assert isinstance(frame, Here | Pull | AskRest | AskTime | Acks)
    return True


@settings(max_examples=4 * EXAMPLES, deadline=None)
@example("[" * 30_000)
@example('{"type":' * 5_000 + "1" + "}" * 5_000)
@example('{"type": "here", "type": "pull", "epoch": null, "seq": 0}')
@example("\ufeff{}")
@given(st.text() | anything.map(json.dumps) | mutated().map(json.dumps))
def test_any_text_is_a_frame_or_a_bad_one(text: str) -> None:
    understood(text)


def test_the_good_frames_are_understood() -> None:
    assert all(understood(json.dumps(frame)) for frame in GOOD)


def as_bytes(frame: Any) -> bytes:
    return json.dumps(frame).encode()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR or r.exc_info]


@pytest.mark.django_db
def test_post_of_anything_is_answered_with_a_code(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    client.cookies[pairing.COOKIE] = token

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @example(b"\xff\xfe")
    @example(b" ")
    @example(b"[" * 30_000)
    @given(st.binary(min_size=1) | (anything | mutated()).map(as_bytes))
    def answered(body: bytes) -> None:
        answer = client.post("/screen/acks/", body, content_type="application/json")
        assert answer.status_code in (200, 204, 400), answer.content
        if answer.status_code == 400:
            assert answer.json() == {"code": "bad_frame"}

    answered()
    assert errors(caplog) == []


@pytest.mark.django_db
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
@given(
    words=st.fixed_dictionaries({"epoch": texts, "seq": said})
    | st.fixed_dictionaries({"rest": said})
)
def test_place_of_anything_is_answered_with_a_code(token: str, words: dict[str, str]) -> None:
    client = Client()
    client.cookies[pairing.COOKIE] = token
    sent = {key: word.encode(errors="surrogatepass") for key, word in words.items()}
    assert client.get("/screen/feed.json", sent).status_code in (200, 400)


BAD = [
    " ", "null", "[]", '"pull"', "[" * 30_000, '{"type": "blank"}',
    '{"type": "pull", "epoch": null, "seq": NaN}',
    '{"type": "pull", "epoch": null, "seq": ' + "9" * 5_000 + "}",
    json.dumps({**HERE, "version": "\ud800"}),
    json.dumps({"type": "acks", "n": 1, "acks": [SHOWN] * (ACKS_MAX + 1)}),
]  # fmt: skip


@pytest.mark.django_db(transaction=True)
async def test_socket_closes_on_each_bad_frame_with_its_code(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    for frame in BAD:
        player = Player(token)
        assert (await player.socket.connect())[0]
        await player.socket.send_to(text_data=frame)
        code = CloseCode.TOO_LARGE if len(frame) > protocol.FRAME_MAX_CHARS else CloseCode.BAD_FRAME
        assert await player.closed_with() == code, frame[:40]
        await player.socket.disconnect()
    binary = Player(token)
    assert (await binary.socket.connect())[0]
    await binary.socket.send_to(bytes_data=b"\x00\xff")
    assert await binary.closed_with() == CloseCode.BAD_FRAME
    await binary.socket.disconnect()
    assert errors(caplog) == []


@pytest.mark.django_db(transaction=True)
async def test_acks_of_what_is_not_this_screens_leave_no_trace(
    campaign: Campaign, other_campaign: Campaign, screen: Screen, token: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Before `here`, of another campaign, of nobody, of a figurine that is not theirs."""
    rival = await database_sync_to_async(approved)(other_campaign)
    mine = await database_sync_to_async(approved)(campaign)
    figurine, rivals = await database_sync_to_async(lambda: (mine.figurine, rival.figurine))()
    assert figurine
    assert rivals
    told = [
        {**SHOWN, "play_id": str(uuid4()), "submission": str(rival.pk), "figurine": rivals.pk},
        {**SHOWN, "play_id": str(uuid4()), "submission": str(mine.pk), "figurine": rivals.pk},
        {**SHOWN, "play_id": str(uuid4()), "submission": str(uuid4()), "figurine": figurine.pk},
        {**SHOWN, "play_id": str(uuid4()), "submission": str(mine.pk), "figurine": 2**31 - 1},
        {"ack": "dark", "submission": str(rival.pk), "epoch": str(uuid4()), "seq": 2**53 - 1},
        {"ack": "cached", "submission": str(uuid4()), "epoch": None, "seq": 0},
    ]
    async with playing(token) as player:
        await player.say(type="acks", n=9, acks=told)
        assert (await player.hear("acked"))["n"] == 9
    assert await database_sync_to_async(Play.objects.count)() == 0
    assert await database_sync_to_async(Ack.objects.count)() == 0
    assert errors(caplog) == []


@pytest.mark.django_db
def test_play_of_another_screen_under_the_same_id_changes_nothing(
    campaign: Campaign, screen: Screen, token: str
) -> None:
    """And a moment in the future is now."""
    mine = approved(campaign)
    assert mine.figurine
    thief = Screen.objects.create(campaign=campaign, name="Thief")
    of = {**SHOWN, "submission": str(mine.pk), "figurine": mine.figurine.pk}
    of["started_at"] = "8999-01-01T00:00:00Z"
    for cookie, length in ((token, None), (pairing.issue_token(thief), 5)):
        client = Client()
        client.cookies[pairing.COOKIE] = cookie
        body = json.dumps({"type": "acks", "n": 1, "acks": [{**of, "duration_ms": length}]})
        assert (
            client.post("/screen/acks/", body, content_type="application/json").status_code == 200
        )
    play = Play.objects.get()
    assert (play.screen, play.duration_ms) == (screen, None)
    assert play.started_at <= play.reported_at
