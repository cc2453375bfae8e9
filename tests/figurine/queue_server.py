"""A provider on this machine: it speaks the queue's API over real HTTP, faults included."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

KEY: Final = "id-of-the-key:its-secret"
Step = Literal["submit", "status", "result", "cancel", "picture", "keys"]


@dataclass(frozen=True)
class OfModel:
    """An error that is the model's or its runner's own, as the headers say."""

    status: int
    header: Literal["X-Fal-Error-Type", "X-Fal-Retryable"] = "X-Fal-Error-Type"


Fault = int | OfModel | Literal["cut", "hang", "html", "flood", "drip", "redirect", "junk"]
"""A status to answer with, or: hang up, say nothing, a web page, no end, a byte at a time,
elsewhere, not JSON."""


def png(width_px: int = 1024, height_px: int = 1280, colour: str = "olive") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width_px, height_px), colour).save(buffer, "PNG")
    return buffer.getvalue()


def noise(width_px: int, height_px: int) -> bytes:
    """A PNG that does not get smaller by packing."""
    pixels = np.random.default_rng(1).integers(0, 256, (height_px, width_px, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


@dataclass
class Asked:
    """One request as the provider has it."""

    path: str
    arguments: dict[str, Any]
    headers: dict[str, str]
    webhook: str
    at_s: float = field(default_factory=time.monotonic)
    looks: int = 0
    is_cancelled: bool = False


class QueueServer:
    """Serves while it is entered. Tell it what goes wrong with `faults[step].append(…)`."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.forget()
        self.released = threading.Event()
        server = self

        class Handler(_Handler):
            queue = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def forget(self) -> None:
        """As if nobody had ever asked, and nothing went wrong."""
        self.asked: dict[str, Asked] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.calls: list[str] = []
        self.picture = png()
        self.is_inline = True
        """Whether the picture comes as a data URI, or else as an address of this server."""
        self.picture_url = ""
        """What to say instead of either."""
        self.is_unsafe = False
        self.looks = 2
        """How often the status is asked before it is done: first queued, then at work."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> QueueServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def jwks(self) -> dict[str, Any]:
        public = self.key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "1"}]}

    def told(self, request_id: str, *, status: str = "OK") -> bytes:
        """The body of a webhook, with the picture in it, as the provider sends it."""
        payload = {"images": [{"url": self._data_uri()}], "seed": 1}
        words = {"request_id": request_id, "gateway_request_id": request_id, "status": status}
        return json.dumps({**words, "payload": payload}).encode()

    def signed(
        self, body: bytes, *, request_id: str = "r-1", at_s: float | None = None
    ) -> dict[str, str]:
        """The headers that make this body the provider's."""
        moment = str(int(time.time() if at_s is None else at_s))
        lines = [request_id, "account-1", moment, hashlib.sha256(body).hexdigest()]
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": "account-1",
            "X-Fal-Webhook-Timestamp": moment,
            "X-Fal-Webhook-Signature": self.key.sign("\n".join(lines).encode()).hex(),
        }

    def _data_uri(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"

    def result(self) -> dict[str, Any]:
        url = self._data_uri() if self.is_inline else f"{self.base}/files/figurine.png"
        image = {"url": self.picture_url or url, "content_type": "image/png"}
        return {"images": [image], "seed": 1, "has_nsfw_concepts": [self.is_unsafe]}


class _Handler(BaseHTTPRequestHandler):
    queue: QueueServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for its head to be heard

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        address = urlsplit(self.path)
        request_id = f"r-{len(self.queue.asked) + 1}"
        webhook = parse_qs(address.query).get("fal_webhook", [""])[0]
        fault = self._next("submit")
        if fault in (None, "cut", "hang", "html", "junk"):  # taken, whatever is heard of it
            self.queue.asked[request_id] = Asked(
                address.path.strip("/"), body, dict(self.headers), webhook
            )
        base = f"https://elsewhere.example/requests/{request_id}"
        urls = {"response_url": base, "status_url": base, "cancel_url": base}
        self._answer(fault, {"request_id": request_id, "queue_position": 1, **urls})

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/.well-known/jwks.json":
            self._answer(self._next("keys"), self.queue.jwks())
        elif path.startswith("/files/"):
            self._answer(self._next("picture"), self.queue.picture)
        else:
            self._look(path)

    def do_PUT(self) -> None:
        asked = self._asked(self.path.removesuffix("/cancel"))
        fault = self._next("cancel")
        if asked and fault is None:
            asked.is_cancelled = True
        self._answer(fault, {"status": "CANCELLATION_REQUESTED"}, status=202)

    def _look(self, path: str) -> None:
        asked = self._asked(path.removesuffix("/status"))
        if asked is None:
            self._answer(404, {})
        elif not path.endswith("/status"):
            self._answer(self._next("result"), self.queue.result())
        else:
            fault = self._next("status")
            asked.looks += fault is None
            left = self.queue.looks - asked.looks
            if left < 0:
                told: dict[str, Any] = {"status": "COMPLETED", "logs": None, "metrics": {}}
            elif left == 0:
                told = {"status": "IN_PROGRESS", "logs": None}
            else:
                told = {"status": "IN_QUEUE", "queue_position": left}
            self._answer(fault, told, status=200 if left < 0 else 202)

    def _asked(self, path: str) -> Asked | None:
        """As at the provider, addresses of a request have its owner and its app alone."""
        found = re.fullmatch(r"/([^/]+/[^/]+)/requests/([^/]+)", path)
        asked = self.queue.asked.get(found[2]) if found else None
        return asked if asked and found and asked.path.startswith(found[1]) else None

    def _next(self, step: Step) -> Fault | None:
        self.queue.calls.append(step)
        if step != "keys" and step != "picture" and self.headers["Authorization"] != f"Key {KEY}":
            return 401
        waiting = self.queue.faults[step]
        return waiting.pop(0) if waiting else None

    def _answer(self, fault: Fault | None, told: Any, *, status: int = 200) -> None:
        match fault:
            case None:
                if isinstance(told, bytes):
                    self._send(status, told, "image/png")
                else:
                    self._send(status, json.dumps(told).encode(), "application/json")
            case "cut":
                self.close_connection = True
            case "hang":
                self.queue.released.wait(20)
                self.close_connection = True
            case "html":
                self._send(200, b"<html>Please log in</html>", "text/html")
            case "junk":
                self._send(200, b"[1, 2]", "application/json")
            case "flood":
                self._flood()
            case "drip":
                self._drip(json.dumps(told).encode())
            case "redirect":
                self._send(302, b"", "text/html", Location=f"{self.queue.base}/files/other.png")
            case int():
                detail = [{"msg": "a face", "type": "content_policy_violation", "input": "a face"}]
                words = {"detail": detail if fault == 422 else "secret words"}
                self._send(fault, json.dumps(words).encode(), "application/json")
            case OfModel():
                words = {"detail": "secret words", "error_type": "runner_server_error"}
                said = {"X-Fal-Error-Type": "runner_server_error", "X-Fal-Retryable": "true"}
                body = json.dumps(words).encode()
                head = {fault.header: said[fault.header]}
                self._send(fault.status, body, "application/json", **head)

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self, body: bytes) -> None:
        """All of it, in a few seconds."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = True
        try:
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                self.queue.released.wait(0.02)
        except OSError:
            pass

    def _flood(self) -> None:
        """As much as anyone will read."""
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.close_connection = True
        try:
            while not self.queue.released.is_set():
                self.wfile.write(bytes(1_000_000))
        except OSError:
            pass
