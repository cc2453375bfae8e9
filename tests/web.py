"""The web process alone, on the database of the running test."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from django.db import connection

from deploy.certificate import Certificate, endpoint
from tests.stack import ROOT, free_port, wait_until

START_LIMIT_S = 90
STOP_LIMIT_S = 10


def database_url() -> str:
    """Where another process finds what this test has committed."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DIORAMA_DATABASE_URL"])._replace(path=f"/{name}").geturl()


@contextmanager
def web(
    *, port: int | None = None, tls: Certificate | None = None, **environment: str
) -> Iterator[str]:
    """daphne, told where the test's database is; yields its address. Needs a transactional test.

    tls: of 127.0.0.1, with which it speaks https.
    """
    port = port or free_port()
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    listen: tuple[str, ...] = ("-b", "127.0.0.1", "-p", str(port))
    if tls:
        listen = ("-e", endpoint(tls, bind="127.0.0.1", port=port))
    told: Mapping[str, str] = {
        **os.environ,
        "DIORAMA_DATABASE_URL": database_url(),
        "DIORAMA_PUBLIC_URL": address,
        **environment,
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "deploy.web", *listen),
                "deploy.asgi:application",
            ],
            cwd=ROOT,
            env=told,
            stdout=log,
            stderr=log,
        )

        def is_up() -> bool:
            assert process.poll() is None, "the web process ended"
            try:
                return requests.get(
                    f"{address}/livez", timeout=2, verify=str(tls.certificate) if tls else True
                ).ok
            except requests.RequestException:
                return False

        try:
            wait_until(is_up, within_s=START_LIMIT_S, what="the web process is up")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:  # it waits ten seconds itself for open sockets
                process.kill()
                process.wait(STOP_LIMIT_S)
