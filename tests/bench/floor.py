"""The least that a fan-out can cost: every message of one Valkey channel to every socket.

`python -m tests.bench.floor PORT VALKEY_URL`; the channel is `floor`.
"""

from __future__ import annotations

import asyncio
import sys

import redis.asyncio
import websockets

CHANNEL = "floor"


async def serve(port: int, url: str) -> None:
    sockets: set[websockets.ServerConnection] = set()

    async def hold(socket: websockets.ServerConnection) -> None:
        sockets.add(socket)
        try:
            await socket.wait_closed()
        finally:
            sockets.discard(socket)

    bell = redis.asyncio.from_url(url)
    async with bell.pubsub() as heard:
        await heard.subscribe(CHANNEL)
        async with websockets.serve(hold, "127.0.0.1", port, ping_interval=None, compression=None):
            async for message in heard.listen():
                if message["type"] == "message":
                    websockets.broadcast(sockets, message["data"].decode())


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
