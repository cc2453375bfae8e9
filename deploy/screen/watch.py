#!/usr/bin/env python3
"""Ends a browser whose page answers no more, so that the service starts it anew, and has the
screen's page loaded where another is there.

    watch.py PROFILE PROCESS ADDRESS

Started by kiosk, whose process becomes the browser's. A page looks after itself while it runs
(docs/billboard.md); this is for one whose process has crashed or hangs, and for what came in its
place and would stay, a gateway's error or a hotel's page. It asks over the browser's debugging
port, which is open on this machine only. It needs Python 3.9, and nothing beside it.
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
STRANGE_S = SILENT_S / 3
"""So long a page that is none of ours may stay; after a load that did not help twice as long."""
STRANGE_MOST_S = 16 * STRANGE_S
OURS = "document.querySelector('[data-acks-url], [data-session-url]') !== null"
"""The bodies of billboard/templates/billboard/ have it."""
LEAVE_S = 10
"""What a browser gets to write down what it keeps."""


def is_ours(profile: Path, within_s: float) -> bool | None:
    """Whether the page is a screen's; None where it crashed, hangs, or is not there."""
    heard = _ask(profile, within_s, "Runtime.evaluate", expression=OURS)
    return None if heard is None else b'"value":true' in heard


def load(profile: Path, within_s: float, address: str) -> None:
    """Have the page at this address loaded in place of whatever is there."""
    _ask(profile, within_s, "Page.navigate", url=address)


def _ask(profile: Path, within_s: float, method: str, **params: str) -> bytes | None:
    """What the page's browser answers, or None. Source: Chrome DevTools Protocol."""
    give_up_at = time.monotonic() + within_s
    try:
        port = int((profile / "DevToolsActivePort").read_text().splitlines()[0])
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=within_s)
        asking.request("GET", "/json/list")
        targets = json.load(asking.getresponse())
        asking.close()
        page = next(target for target in targets if target["type"] == "page")
        path = page["webSocketDebuggerUrl"].partition(f":{port}")[2]
        return _said(
            port, path, json.dumps({"id": 1, "method": method, "params": params}), give_up_at
        )
    except (OSError, ValueError, LookupError, StopIteration, http.client.HTTPException):
        return None


def _said(port: int, path: str, question: str, give_up_at: float) -> bytes | None:
    """One question over a WebSocket. Source: RFC 6455, sections 4.1 and 5.2."""

    def more() -> bytes:
        wire.settimeout(_left(give_up_at))
        return wire.recv(65_536)

    with socket.create_connection(("127.0.0.1", port), _left(give_up_at)) as wire:
        key = base64.b64encode(os.urandom(16)).decode()
        wire.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "\r\n".encode()
        )
        # Chromium hangs up on whoever says anything before it has agreed.
        agreed = more()
        while not agreed.endswith(b"\r\n\r\n"):
            heard = more()
            if not heard:
                return None
            agreed += heard
        text, mask = question.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        # From 126 bytes on two more say how many there are.
        size = bytes((len(text),)) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
        # 0x81: a whole text; 0x80: masked, as all that a client says is.
        wire.sendall(bytes((0x81, 0x80 | size[0])) + size[1:] + mask + masked)
        heard = b""
        while b'"id":1,' not in heard or not heard.endswith(b"}"):
            part = more()
            if not part:
                return None
            heard += part
        return heard


def _left(give_up_at: float) -> float:
    """Raises TimeoutError, which is an OSError, when there is nothing left."""
    left = give_up_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def watch(profile: Path, browser: int, address: str) -> None:
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
    heard_at = strange_at = time.monotonic()
    strange_s = STRANGE_S
    while not has_ended(every_s):
        ours = is_ours(profile, every_s)
        if ours is not None:
            heard_at = time.monotonic()
        if ours:
            strange_at, strange_s = heard_at, STRANGE_S
        elif ours is False and heard_at - strange_at >= strange_s:
            print("watch: another page is there, the screen's is loaded", file=sys.stderr)
            load(profile, every_s, address)
            strange_at, strange_s = heard_at, min(2 * strange_s, STRANGE_MOST_S)
        elif time.monotonic() - heard_at >= SILENT_S:
            print(f"watch: no answer for {SILENT_S:g} s, the browser is ended", file=sys.stderr)
            os.kill(browser, signal.SIGTERM)
            if not has_ended(LEAVE_S):
                os.kill(browser, signal.SIGKILL)
            return


if __name__ == "__main__":
    watch(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
