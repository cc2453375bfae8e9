"""A short seed of the engine's bench: its stages are all of a figurine's time."""

from __future__ import annotations

import json

import pytest

from tests.bench import sculpt


def test_sculpt_bench_accounts_for_the_time_and_the_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sculpt.main(["--here", "--runs", "2", "--row", "2"]) == 0
    figures = json.loads(capsys.readouterr().out)
    sculpt.report("short", figures)
    said = capsys.readouterr().out
    for size in sculpt.SIZES_PX:
        spans = figures["spans"][size]
        stages = sum(spans[name][1] for name in spans if name != "whole")
        assert stages == pytest.approx(spans["whole"][1], rel=0.05)
        assert size in said
    assert figures["peak"] >= max(figures["memory"]) > 0
