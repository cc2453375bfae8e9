"""deploy/asgi.py: the web process."""

from __future__ import annotations

import subprocess
import sys

from tests.deploy.conftest import ROOT

ALIVE = """
import gc
import deploy.asgi
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_collector_leaves_what_is_loaded_alone() -> None:
    """Going through all of it would hold every screen up, again and again."""
    told = subprocess.run(
        [sys.executable, "-c", ALIVE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    left_alone, gone_through = map(int, told.stdout.split())
    assert left_alone > 20 * gone_through
