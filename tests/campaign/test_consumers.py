"""The phone's socket, spoken to through the whole application."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import close_old_connections
from django.test import override_settings
from django.utils import timezone

from campaign import consumers, lifecycle, phones, progress, queries
from campaign.consumers import BAD_FRAME, FRAMES_MAX, NOT_FOUND, TOO_MANY
from campaign.enums import JobOutcome, KeepsakeKind, SubmissionState
from campaign.models import Submission
from deploy.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)

ANSWER_S = 5


@pytest.fixture(autouse=True)
def connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels' communicator would leave the readers' connections open, unlike the real server."""
    monkeypatch.setattr("channels.testing.application.no_op", close_old_connections)


class Phone:
    def __init__(self, token: str) -> None:
        headers = [(b"origin", b"http://localhost")]
        self.socket = WebsocketCommunicator(application, f"/ws/s/{token}/", headers=headers)

    async def say(self, text: str = "{}") -> None:
        await self.socket.send_to(text_data=text)

    async def hear(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(await self.socket.receive_from(timeout=ANSWER_S))
        return status

    async def closed_with(self) -> int:
        """The code, once everything said before has been passed over."""
        while True:
            message = await self.socket.receive_output(timeout=ANSWER_S)
            if message["type"] == "websocket.close":
                code = int(message["code"])
                assert code == 1000 or 3000 <= code < 5000, "daphne sends no other"
                return code


@asynccontextmanager
async def listening(token: str) -> AsyncIterator[Phone]:
    phone = Phone(token)
    connected, _ = await phone.socket.connect(timeout=ANSWER_S)
    assert connected
    yield phone
    await phone.socket.disconnect(timeout=ANSWER_S)


def screen(submission: Submission) -> None:
    lifecycle.transition(submission, SubmissionState.SCREENING, actor=lifecycle.SYSTEM)


async def test_phone_hears_the_status_on_connect_and_when_asking(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)
    told = (await database_sync_to_async(queries.status)(bare)).as_json()
    async with listening(bare.token) as phone:
        assert await phone.hear() == {**told, "screens": []}
        await phone.say("no { json")
        assert await phone.hear() == {**told, "screens": []}


async def test_phone_is_answered_while_the_thread_of_all_sockets_is_busy(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 0.0)
    is_busy, may_end = threading.Event(), threading.Event()

    def work() -> bool:
        is_busy.set()
        return may_end.wait(2 * ANSWER_S)

    async with listening(bare.token) as phone:
        await phone.hear()
        working = asyncio.create_task(database_sync_to_async(work)())
        assert await asyncio.to_thread(is_busy.wait, ANSWER_S)
        try:
            await phone.say()
            assert (await phone.hear())["state"] == "received"
        finally:
            may_end.set()
        assert await working


async def test_phone_hears_a_nudge(bare: Submission) -> None:
    async with listening(bare.token) as phone:
        assert (await phone.hear())["state"] == "received"
        await database_sync_to_async(screen)(bare)
        await database_sync_to_async(progress.nudge)(bare.pk)
        assert (await phone.hear())["state"] == "screening"


async def test_phone_hears_a_move_whose_nudge_was_lost(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "nudge", lambda submission_id: None)
    monkeypatch.setattr(phones, "BEAT_S", 0.05)
    async with listening(bare.token) as phone:
        assert (await phone.hear())["state"] == "received"
        await database_sync_to_async(screen)(bare)
        assert (await phone.hear())["state"] == "screening"
        assert await phone.socket.receive_nothing(timeout=0.3), "nothing moved since"


def finish_clip(submission: Submission) -> None:
    figurine = submission.figurines.create(seed=1, recipe={}, engine_version="1", is_chosen=True)
    figurine.keepsakes.create(
        kind=KeepsakeKind.GLB, outcome=JobOutcome.FAILED, finished_at=timezone.now()
    )


async def test_keepsake_whose_nudge_got_lost_is_told_by_the_beat(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "BEAT_S", 0.05)
    async with listening(bare.token) as phone:
        await phone.hear()
        await database_sync_to_async(finish_clip)(bare)
        assert "keepsakes" in await phone.hear()
        assert await phone.socket.receive_nothing(timeout=0.3), "nothing moved since"


async def test_phone_in_a_hurry_is_answered_once(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOOK_EVERY_S", 60.0)
    async with listening(bare.token) as phone:
        await phone.hear()
        for _ in range(FRAMES_MAX):
            await phone.say()
        assert await phone.socket.receive_nothing(timeout=0.3)


async def test_phone_that_floods_is_hung_up_on(bare: Submission) -> None:
    async with listening(bare.token) as phone:
        for _ in range(FRAMES_MAX + 1):
            await phone.say()
        assert await phone.closed_with() == TOO_MANY


@pytest.mark.parametrize("frame", [{"text_data": "x" * 101}, {"bytes_data": b"{}"}])
async def test_frame_that_no_phone_sends_ends_the_socket(
    bare: Submission, frame: dict[str, Any]
) -> None:
    async with listening(bare.token) as phone:
        await phone.socket.send_to(**frame)
        assert await phone.closed_with() == BAD_FRAME


@pytest.mark.parametrize("token", ["nobody", "%00", "x" * 33])
async def test_unknown_token_is_told_so(db: None, token: str) -> None:
    async with listening(token) as phone:
        assert await phone.closed_with() == NOT_FOUND


async def test_phone_hears_by_the_beat_without_a_channel_layer(
    bare: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phones, "BEAT_S", 0.05)
    dead = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [f"unix://{tmp_path}/nobody.sock"]},
    }
    with override_settings(CHANNEL_LAYERS={"default": dead}):
        async with listening(bare.token) as phone:
            assert (await phone.hear())["state"] == "received"
            await database_sync_to_async(screen)(bare)
            assert (await phone.hear())["state"] == "screening"


async def test_phones_are_read_for_side_by_side(
    bare: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=ANSWER_S)
    status = queries.status

    def together(submission: Submission) -> queries.Status:
        both.wait()
        return status(submission)

    monkeypatch.setattr(queries, "status", together)
    async with listening(bare.token) as one, listening(bare.token) as other:
        assert (await one.hear())["number"] == (await other.hear())["number"] == bare.number
