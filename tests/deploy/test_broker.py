"""The real Valkey, from its wheel."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis

from deploy.broker import SOCKET_PATH_BYTES, Broker
from deploy.console import Console
from deploy.reaper import Reaper
from deploy.supervisor import Backoff, Child
from deploy.var_folder import open_var
from tests.deploy.conftest import until


async def until_answers(broker: Broker) -> None:
    # A loop of its own: the condition is asked from a thread.
    await until(lambda: asyncio.run(broker.answers()))


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    var = open_var(tmp_path)
    broker = Broker(var)
    yield broker
    broker.close()
    os.close(var.lock)


@pytest.fixture
async def keep_alive(
    tmp_path: Path, reaper: Reaper, console: Console
) -> AsyncIterator[Callable[[Broker], Child]]:
    """Keep a broker's server alive; stopped when the test ends."""
    children: list[Child] = []

    def keep_alive(broker: Broker) -> Child:
        child = Child(
            broker.program(environment=dict(os.environ)),
            reaper=reaper,
            console=console,
            log_folder=tmp_path,
            backoff=Backoff(first_s=0.05),
        )
        children.append(child)
        return child

    yield keep_alive
    for child in children:
        await child.stop()


async def test_broker_killed_comes_back_empty_and_leaves_nothing_on_disk(
    broker: Broker, tmp_path: Path, keep_alive: Callable[[Broker], Child]
) -> None:
    before = set(tmp_path.rglob("*"))
    valkey = keep_alive(broker)
    await until_answers(broker)
    with redis.Redis.from_url(broker.channel_url) as client:
        client.rpush("queue", *range(1000))
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    os.kill(valkey.pid, signal.SIGKILL)
    await until(lambda: valkey.deaths)
    await until_answers(broker)
    with redis.Redis.from_url(broker.channel_url) as client:
        assert client.keys() == []
    await valkey.stop()
    assert not await broker.answers()
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "valkey.log", broker.socket}


async def test_broker_starts_after_a_power_cut_damaged_what_an_older_version_kept(
    tmp_path: Path, keep_alive: Callable[[Broker], Child]
) -> None:
    kept = tmp_path / "valkey" / "appendonlydir"
    kept.mkdir(parents=True)
    (kept / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (kept / "appendonly.aof.1.incr.aof").write_bytes(bytes(200))
    var = open_var(tmp_path)
    broker = Broker(var)
    valkey = keep_alive(broker)
    await until(lambda: valkey.deaths or asyncio.run(broker.answers()))
    assert valkey.deaths == 0
    assert not kept.exists()
    broker.close()
    os.close(var.lock)


async def test_broker_socket_is_private(broker: Broker) -> None:
    assert broker.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * SOCKET_PATH_BYTES, "with space", "per%cent"])
def test_broker_socket_in_an_awkward_folder_lies_elsewhere(tmp_path: Path, name: str) -> None:
    var = open_var(tmp_path / name)
    broker = Broker(var)
    folder = broker.socket.parent
    assert not folder.is_relative_to(tmp_path)
    assert len(bytes(broker.socket)) <= SOCKET_PATH_BYTES
    assert folder.stat().st_mode & 0o777 == 0o700
    broker.close()
    assert not folder.exists()
    os.close(var.lock)
