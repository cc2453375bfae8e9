"""A short seed of the likeness bench: two people, one finish, told apart by both recognisers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import likeness
from tests.bench.embedders import ARCFACE_WEIGHTS
from tests.photos import portrait


@pytest.mark.skipif(not ARCFACE_WEIGHTS.exists(), reason="no test weights beside the repository")
def test_likeness_bench_ranks_two_people_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("biden_1", "jemison_1"):
        photo = portrait(name)
        (folder / photo.name).write_bytes(photo.read_bytes())
    assert likeness.main(["--photos", str(folder), "--finish", "army-green"]) == 0
    said = capsys.readouterr().out
    assert said.count("rank-1 2 of 2") == 2
