"""The bench's screens ask what a player asks."""

from __future__ import annotations

import json
from typing import Any

import websockets

from tests.bench.crowd import Crowd

FIRST = {"type": "snapshot", "epoch": "e", "seq": 7, "items": [1, 2], "up": [9, 8, 7], "more": 8}
REST = {"type": "rest", "epoch": "e", "after": 8, "items": [3], "more": None}


async def test_crowd_asks_for_each_part_of_a_snapshot_when_the_one_before_is_there() -> None:
    asked: list[dict[str, Any]] = []

    async def serve(socket: websockets.ServerConnection) -> None:
        async for text in socket:
            asked.append(json.loads(text))
            answer = {"pull": FIRST, "rest": REST}.get(asked[-1]["type"])
            if answer:
                await socket.send(json.dumps(answer))

    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Crowd([f"ws://127.0.0.1:{port}/ws/screen/"], [""]) as crowd:
            await crowd.until(lambda screen: screen.people == 3, within_s=10, what="whole")
    assert [frame["type"] for frame in asked] == ["here", "pull", "rest"]
    assert asked[-1]["after"] == 8
