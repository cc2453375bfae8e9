"""Screens hear and go dark within some multiples of what the bare parts take in the same minute."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.bench.timing import p
from tests.stack import ROOT

SCREENS = 40
LIMIT_S = 60


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """A short run, in a process that may set Django up for itself."""
    small = ["--sqlite", "--json", "--runs", f"{SCREENS}x1", "--rounds", "4", "--chromiums", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.screens", *small],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [said] = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(said, dict)
    return said


def test_every_screen_heard_and_went_dark_in_every_round(figures: dict[str, Any]) -> None:
    assert len(figures["received"]) == len(figures["dark"]) == 4 * SCREENS
    assert figures["refused"] == ""


def test_fan_out_costs_some_multiples_of_the_floor(figures: dict[str, Any]) -> None:
    """Measured: 8 (received) and 30 (dark). A read and a transaction for each: 20 and 300."""
    floor = p(figures["floor"], 50)
    assert p(figures["received"], 50) - p(figures["approving"], 50) < 40 * floor
    assert p(figures["dark"], 50) < 120 * floor


def test_all_are_back_soon_after_a_storm(figures: dict[str, Any]) -> None:
    assert figures["current"] < 15
