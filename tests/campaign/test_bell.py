from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import override_settings
from structlog.testing import capture_logs

from campaign import bell, silence
from tests.stack import wait_until

CHANNEL_LAYER: dict[str, Any] = settings.CHANNEL_LAYERS["default"]


@pytest.fixture
def hung_layer(hung_server: Path) -> dict[str, Any]:
    """The layer of the settings, on a server that is there and does not answer."""
    (host,) = CHANNEL_LAYER["CONFIG"]["hosts"]
    hung = {**host, "address": f"unix://{hung_server}"}
    return {"default": {**CHANNEL_LAYER, "CONFIG": {"hosts": [hung]}}}


def nudge_timed() -> float:
    started_s = time.monotonic()
    bell.bell.ring("group", {"type": "look.again"})
    return time.monotonic() - started_s


def test_hung_layer_holds_up_one_nudge_shortly_and_the_next_ones_not(
    hung_layer: dict[str, Any],
) -> None:
    with override_settings(CHANNEL_LAYERS=hung_layer), capture_logs() as lines:
        first_s, *others_s = [nudge_timed() for _ in range(20)]
    assert first_s < 2.0, "redis-py's own patience is 5 s"
    assert sum(others_s) < 0.1
    assert [line["event"] for line in lines] == ["nudge lost"]


def test_silence_ends(hung_layer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.1)
    with override_settings(CHANNEL_LAYERS=hung_layer), capture_logs() as lines:
        nudge_timed()
        wait_until(lambda: not bell.bell.silence.is_on, within_s=5, what="the silence ends")
        nudge_timed()
    assert len(lines) == 2


def test_dead_layer_is_asked_again_at_once(tmp_path: Path) -> None:
    (host,) = CHANNEL_LAYER["CONFIG"]["hosts"]
    nobody = {**host, "address": f"unix://{tmp_path}/nobody.sock"}
    dead = {"default": {**CHANNEL_LAYER, "CONFIG": {"hosts": [nobody]}}}
    with override_settings(CHANNEL_LAYERS=dead), capture_logs() as lines:
        nudge_timed()
        nudge_timed()
    assert [line["event"] for line in lines] == ["nudge lost"] * 2


def test_rings_of_a_process_share_a_connection_and_a_forked_one_has_its_own() -> None:
    """A connection costs several times as much as a ring."""
    bell.bell.ring("group", {"type": "look.again"})
    with redis.Redis.from_url(settings.CHANNEL_URL) as valkey:

        def connections() -> int:
            return int(valkey.info("stats")["total_connections_received"])

        before = connections()
        for _ in range(5):
            bell.bell.ring("group", {"type": "look.again"})
        assert connections() == before
        with valkey.pubsub() as ear:
            ear.psubscribe("*")
            ear.get_message(timeout=5)
            child = os.fork()
            if child == 0:
                bell.bell.ring("forked", {"type": "look.again"})
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            told = ear.get_message(timeout=5)
            assert told
            assert b"forked" in told["channel"]
        assert connections() > before
