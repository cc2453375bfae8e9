from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import django, logging, structlog
django.setup()
with structlog.contextvars.bound_contextvars(submission="abc"):
    logging.getLogger("elsewhere").warning("from a library")
    structlog.get_logger("campaign").info("from us", job=1)
"""


KEYS = """
import django, logging, structlog
django.setup()
from django.test import Client
for token in ("secret-1", "secret_2"):
    Client(enforce_csrf_checks=True).post(f"/s/{token}/erase/")
    Client().put(f"/s/{token}/status.json")
    Client().put(f"/media/WyJz:{token}?download=a.jpg")
    # The name of the file, which is the name of the person, comes behind the key.
    Client().get(f"/media/WyJz:{token}/diorama-00012-anna-müller.glb")
    Client().get(f"/media/WyJz:{token}?download=diorama-00012-anna-mueller.glb")
log = structlog.get_logger("campaign")
log.warning("closed", path="/ws/s/secret-3/")
try:
    raise ValueError("/media/secret-4")
except ValueError:
    log.exception("ours")
    logging.getLogger("elsewhere").exception("theirs: %s", "/s/secret-5/")
"""


def logged(code: str, *, json: bool) -> str:
    """What a process that runs this code writes down."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "DIORAMA_LOG_JSON": str(int(json)),
            "DIORAMA_LOG_LEVEL": "INFO",
            "DIORAMA_ALLOWED_HOSTS": "testserver",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


@pytest.mark.parametrize("json", [True, False])
def test_no_line_tells_an_address_that_is_a_key(json: bool) -> None:
    said = logged(KEYS, json=json)
    assert "secret" not in said
    assert "anna" not in said
    assert "ller" not in said
    for words in (
        "Forbidden",
        "Method Not Allowed",
        "Not Found: /media/...",
        "/erase/",
        "closed",
        "ours",
        "theirs",
    ):
        assert words in said
    assert said.count("ValueError: /media/...") == 2


def test_every_line_within_a_submission_carries_its_id() -> None:
    lines = [json.loads(line) for line in logged(CODE, json=True).splitlines()]
    assert [(line["event"], line["submission"]) for line in lines] == [
        ("from a library", "abc"),
        ("from us", "abc"),
    ]
