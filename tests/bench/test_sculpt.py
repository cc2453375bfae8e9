"""A short seed of the engine's bench: its stages are all of a figurine's time, and a worker that
meets several finishes stays within its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import sculpt

_MOST_MB = 1200


def test_sculpt_bench_accounts_for_the_time_and_the_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.bench.sculpt", "--here", "--runs", "2", "--row", "3"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )
    figures = json.loads(child.stdout)
    sculpt.report("short", figures)
    said = capsys.readouterr().out
    for size in sculpt.SIZES_PX:
        spans = figures["spans"][size]
        stages = sum(spans[name][1] for name in spans if name != "whole")
        assert stages == pytest.approx(spans["whole"][1], rel=0.05)
        assert size in said
    assert len(figures["memory"]) == 3
    assert figures["peak"] < _MOST_MB
