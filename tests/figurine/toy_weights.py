"""A set of two small files, and a real http server that gives them, with its faults."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from figurine.weights import sources, store
from figurine.weights.fetching import Watch, fetch
from figurine.weights.manifest import File, Set

BODY = bytes(range(256)) * 4096
"""1 MiB, with each offset telling itself."""
SMALL = b'{"a": 1}\n'


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SET = Set(
    name="toy",
    repository="owner/toy",
    revision="f" * 40,
    licence="MIT",
    is_commercial=True,
    purpose="a test",
    needed_by=("toy",),
    needs=(),
    files=(
        File("deep/model.bin", len(BODY), digest(BODY)),
        File("config.json", len(SMALL), digest(SMALL)),
    ),
)


@dataclass
class Server:
    """Serves files; `faults` are used up one a request, and then it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cut_after: int = 300_000
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each request."""
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    def ranges(self, path: str) -> list[str]:
        return [ranged for asked, ranged in self.asked if asked == path]


@contextmanager
def serving() -> Iterator[Server]:
    """A server with the toy set, until the block ends."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            path = self.path.partition("?")[0]
            ranged = self.headers.get("Range", "")
            state.asked.append((path, ranged))
            state.tokens.append(self.headers.get("Authorization", ""))
            fault = state.faults.pop(0) if state.faults else ""
            if fault.isdigit():
                self.answer(int(fault), b"no")
            elif path not in state.files:
                self.answer(404, b"none")
            else:
                self.give(state.files[path], ranged, fault)

        def give(self, body: bytes, ranged: str, fault: str) -> None:
            start = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
            if fault == "no ranges":
                start = 0
            if start >= len(body):
                self.answer(416, b"")
                return
            rest = body[start:]
            if fault == "other bytes":
                rest = bytes(len(rest))
            self.send_response(206 if start else 200)
            if start:
                where = start + 7 if fault == "elsewhere" else start
                self.send_header("Content-Range", f"bytes {where}-{len(body) - 1}/{len(body)}")
            if fault != "no length":
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            cut = fault in ("cut", "no length")
            self.wfile.write(rest[: state.cut_after] if cut else rest)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    state.files = {"/toy/deep/model.bin": BODY, "/toy/config.json": SMALL}
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


class Notes(Watch):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun: list[tuple[str, int]] = []
        self.count = 0

    def begin(self, file: File, *, done_bytes: int) -> None:
        self.begun.append((file.path, done_bytes))

    def read(self, size: int) -> None:
        self.count += size

    def say(self, text: str) -> None:
        self.said.append(text)


def bring(server: Server, weights: Path, one: Set = SET, *, tries: int = 2) -> Notes:
    notes = Notes()
    source = sources.mirror(server.url)
    fetch(one, weights, source, watch=notes, pauses_s=(0.0,) * (tries - 1))
    return notes


def assert_whole(weights: Path) -> None:
    assert (weights / "toy/deep/model.bin").read_bytes() == BODY
    assert (weights / "toy/config.json").read_bytes() == SMALL
    assert store.problem(SET, weights) == ""
    assert [*weights.rglob("*.part")] == []
