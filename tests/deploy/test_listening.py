"""deploy/listening.py: where the server listens, and what it says of itself."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from deploy.exits import ExitCode, StartFailure
from deploy.listening import Listening
from deploy.var_folder import VarFolder


def test_listening_plainly_has_no_certificate(var: VarFolder, port: int) -> None:
    plan = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)
    assert plan.public_url == f"http://127.0.0.1:{port}"
    assert plan.options == ("-b", "127.0.0.1", "-p", str(port))
    assert list(var.path.glob("certificate.*")) == []


def test_listening_by_https_has_one(var: VarFolder, port: int) -> None:
    plan = Listening.plan(bind="127.0.0.1", port=port, https=True, public_url="", var=var)
    assert plan.public_url == f"https://127.0.0.1:{port}"
    assert plan.options[0] == "-e"
    assert plan.options[1].startswith(f"ssl:{port}:privateKey={var.path}/certificate.key:")


def test_listening_behind_a_proxy_is_called_as_the_operator_says(var: VarFolder, port: int) -> None:
    plan = Listening.plan(
        bind="127.0.0.1", port=port, https=False, public_url="https://booth.example", var=var
    )
    assert plan.public_url == "https://booth.example"
    hosts = plan.allowed_hosts("").split(",")
    assert hosts[0] == "booth.example"
    assert {"localhost", "127.0.0.1", "[::1]"} <= set(hosts)


def test_listening_on_a_taken_port_fails_before_anything_starts(var: VarFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        taken = sock.getsockname()[1]
        with pytest.raises(StartFailure) as caught:
            Listening.plan(bind="127.0.0.1", port=taken, https=False, public_url="", var=var)
    assert caught.value.code is ExitCode.PORT_UNAVAILABLE


def test_server_that_is_not_there_is_not_up(var: VarFolder, port: int) -> None:
    plan = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)
    assert (plan.is_up(), plan.lacks()) == (False, {})


def test_server_without_its_bucket_is_up_and_says_what_it_lacks(var: VarFolder, port: int) -> None:
    plan = Listening.plan(bind="127.0.0.1", port=port, https=False, public_url="", var=var)

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {
                "ready": False,
                "database": "ok",
                "files": "EndpointConnectionError",
                "broker": "ok",
                "engines": {"sculpt": "starting"},
            }
            self.send_response(200 if self.path == "/livez" else 503)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", port), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert (plan.is_up(), plan.lacks()) == (True, {"files": "EndpointConnectionError"})
    finally:
        server.shutdown()
        server.server_close()
