#!/usr/bin/env python3
"""Ends a browser whose page answers no more, so that the service starts it anew.

    watch.py PROFILE PROCESS

Started by kiosk, whose process becomes the browser's. A page looks after itself while it runs
(docs/billboard.md); this is for one whose process has crashed or hangs. It asks over the browser's
debugging port, which is open on this machine only. It needs Python 3.9, and nothing beside it.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

SILENT_S = float(os.environ.get("DIORAMA_SILENT_S") or 180)
"""Longer than the slowest start and the slowest load."""
TRIES = 9
"""In that time."""
LEAVE_S = 10
"""What a browser gets to write down what it keeps."""


def answers(profile: Path, within_s: float) -> bool:
    """Whether the page carries out a sum. False where it crashed, hangs, or is not there."""
    give_up_at = time.monotonic() + within_s
    try:
        port = int((profile / "DevToolsActivePort").read_text().splitlines()[0])
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=within_s)
        asking.request("GET", "/json/list")
        targets = json.load(asking.getresponse())
        asking.close()
        page = next(target for target in targets if target["type"] == "page")
        path = page["webSocketDebuggerUrl"].partition(f":{port}")[2]
        return _sum(port, path, give_up_at)
    except (OSError, ValueError, LookupError, StopIteration, http.client.HTTPException):
        return False


def _sum(port: int, path: str, give_up_at: float) -> bool:
    """One question over a WebSocket. Source: RFC 6455, sections 4.1 and 5.2."""
    question = {"id": 1, "method": "Runtime.evaluate", "params": {"expression": "1 + 1"}}
    with socket.create_connection(("127.0.0.1", port), _left(give_up_at)) as wire:
        key = base64.b64encode(os.urandom(16)).decode()
        wire.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "\r\n".encode()
        )
        text, mask = json.dumps(question).encode(), os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        # 0x81: a whole text; 0x80: masked, as all that a client says is. It is shorter than 126.
        wire.sendall(bytes((0x81, 0x80 | len(text))) + mask + masked)
        heard = b""
        while b'"value":2' not in heard:
            wire.settimeout(_left(give_up_at))
            more = wire.recv(65_536)
            if not more:
                return False
            heard += more
        return True


def _left(give_up_at: float) -> float:
    """Raises TimeoutError, which is an OSError, when there is nothing left."""
    left = give_up_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def watch(profile: Path, browser: int) -> None:
    """Until the browser has ended, by itself or not."""
    try:
        ended = os.pidfd_open(browser)
    except ProcessLookupError:
        return
    if os.getppid() != browser:
        return  # It had ended, and its number is another's.

    def has_ended(within_s: float) -> bool:
        return bool(select.select([ended], [], [], within_s)[0])

    every_s = SILENT_S / TRIES
    heard_at = time.monotonic()
    while not has_ended(every_s):
        if answers(profile, every_s):
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at >= SILENT_S:
            print(f"watch: no answer for {SILENT_S:g} s, the browser is ended", file=sys.stderr)
            os.kill(browser, signal.SIGTERM)
            if not has_ended(LEAVE_S):
                os.kill(browser, signal.SIGKILL)
            return


if __name__ == "__main__":
    watch(Path(sys.argv[1]), int(sys.argv[2]))
