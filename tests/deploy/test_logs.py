from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import django, logging, structlog
django.setup()
with structlog.contextvars.bound_contextvars(submission="abc"):
    logging.getLogger("elsewhere").warning("from a library")
    structlog.get_logger("campaign").info("from us", job=1)
"""


def test_every_line_within_a_submission_carries_its_id(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "DIORAMA_LOG_JSON": "1",
            "DIORAMA_LOG_LEVEL": "INFO",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["submission"]) for line in lines] == [
        ("from a library", "abc"),
        ("from us", "abc"),
    ]
