"""manage.py weights: what is written, what is done, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from deploy import meter
from deploy.meter import Meter
from figurine.engines.workshop import Workshop
from figurine.weights import manifest, pins, store
from figurine.weights.manifest import File
from tests.figurine import synthetic

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with auraface, buffalo-l and loose in miniature; the manifest tells of those."""
    folder = tmp_path / "mirror"
    for name in ("auraface", "buffalo-l", "loose"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.bin").write_bytes(name.encode() * 100)
    synthetic.shelve(monkeypatch, folder, "auraface", "buffalo-l")
    kind = manifest.named("auraface")
    loose = replace(
        kind,
        name="loose",
        files=(File("model.bin"),),
        revision="",
        is_commercial=False,
        needed_by=(),
    )
    told = (*manifest.all_sets(), loose)
    monkeypatch.setattr(manifest, "all_sets", lambda: told)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, settings: Any) -> Workshop:
    settings.WORKSHOP = Workshop(weights=tmp_path / "weights")
    settings.WEIGHTS_MIRROR = ""
    workshop: Workshop = settings.WORKSHOP
    return workshop


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("weights", *words, stdout=out)
    return out.getvalue()


def test_list_tells_of_every_set(workshop: Workshop) -> None:
    told = run("list")
    for one in manifest.all_sets():
        assert re.search(rf"^. {one.name} .*{re.escape(one.licence)}", told, re.M)
    assert re.search(r"^· klein-4b +16\.0 GB +Apache-2\.0 +not here$", told, re.M)
    assert re.search(r"^\? qwen-image-edit-2509 .* not pinned$", told, re.M)
    assert "\x1b" not in told


def test_fetch_from_a_folder_then_list_and_verify(workshop: Workshop, mirror: Path) -> None:
    told = run("fetch", "auraface", "--from", str(mirror))
    assert "  model.bin (800 B)\n" in told
    assert "✓ auraface is here and verified\n" in told
    assert store.missing(["auraface"], workshop) == []
    assert re.search(r"^✓ auraface .* here$", run("list", "auraface"), re.M)
    assert run("verify") == "  auraface (800 B)\n✓ auraface is right, byte for byte\n"


def test_mirror_of_the_settings_is_used(workshop: Workshop, mirror: Path, settings: Any) -> None:
    settings.WEIGHTS_MIRROR = str(mirror)
    run("fetch", "auraface")
    assert store.missing(["auraface"], workshop) == []


def test_fetch_takes_an_engines_name(workshop: Workshop, mirror: Path) -> None:
    run("fetch", "hosted", "--from", str(mirror))
    assert store.missing(["auraface"], workshop) == []


def test_fetch_of_what_needs_a_licence_says_so(workshop: Workshop, mirror: Path) -> None:
    told = run("fetch", "buffalo-l", "--from", str(mirror))
    assert "add buffalo-l to DIORAMA_LICENCES" in told
    assert re.search(r"^! buffalo-l .* here, but needs a licence$", run("list"), re.M)


def test_verify_of_altered_weights_fails(workshop: Workshop, mirror: Path) -> None:
    run("fetch", "auraface", "--from", str(mirror))
    (workshop.weights / "auraface/model.bin").write_bytes(b"x" * 800)
    with pytest.raises(CommandError, match="1 of 1 sets are not as they should be"):
        run("verify")


def test_list_tells_how_much_is_here(workshop: Workshop, mirror: Path) -> None:
    home = workshop.weights / "auraface"
    home.mkdir(parents=True)
    (home / "model.bin.part").write_bytes(b"x" * 200)
    assert re.search(r"^… auraface .* 25 % here$", run("list"), re.M)
    (home / "model.bin").write_bytes(b"x" * 800)
    assert re.search(r"^! auraface .* not verified as it is$", run("list"), re.M)


def test_pin_from_a_folder_lets_a_set_be_fetched(workshop: Workshop, mirror: Path) -> None:
    with pytest.raises(CommandError, match=r"weights pin loose` first"):
        run("fetch", "loose", "--from", str(mirror))
    told = run("pin", "loose", "--from", str(mirror))
    assert "✓ loose is pinned at what the mirror has: 1 files, 500 B\n" in told
    run("fetch", "loose", "--from", str(mirror))
    assert set(pins.read(workshop.weights)) == {"loose"}
    assert store.missing(["loose"], replace(workshop, is_production=False)) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fetch"], "Say which: klein-4b, auraface"),
        (["fetch", "nought"], "No weights are called nought"),
        (["fetch", "auraface", "--from", "/nowhere/at/all"], "There is no mirror folder"),
        (["verify"], "There are no weights in"),
        (["pin", "auraface", "--from", "http://127.0.0.1:9"], "an http mirror states nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_a_sentence(
    workshop: Workshop, words: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*words)


def test_command_ends_with_a_code_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "weights", "verify", "auraface"],
        cwd=ROOT,
        env={**os.environ, "DIORAMA_WEIGHTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "CommandError: 1 of 1 sets are not as they should be.\n"
    assert "auraface: glintr100.onnx is not there" in done.stdout


def test_command_runs_where_checks_would_refuse_the_start() -> None:
    from deploy.management.commands.weights import Command

    assert Command.requires_system_checks == []


# --- the meter -----------------------------------------------------------------------------------


def test_meter_draws_speed_and_time_left_over_one_line() -> None:
    out, now = Terminal(), [0.0]
    bar = Meter(out, clock=lambda: now[0])
    bar.begin(File("model.bin", 100_000_000), done_bytes=20_000_000)
    for second in (1.0, 2.0):
        now[0] = second
        bar.read(20_000_000)
    last = out.getvalue().rpartition("\r")[2]
    assert "60.0 MB of 100.0 MB  20.0 MB/s  2 s left" in last
    assert "\n" not in out.getvalue()
    bar.read(40_000_000)
    bar.end()
    assert out.getvalue().endswith("model.bin \x1b[2m100.0 MB\x1b[0m\n")


def test_meter_draws_seldom() -> None:
    out = Terminal()
    bar = Meter(out, clock=lambda: 0.05)
    bar.begin(File("model.bin", 1000), done_bytes=0)
    drawn = len(out.getvalue())
    for _ in range(100):
        bar.read(1)
    assert len(out.getvalue()) == drawn


def test_meter_writes_a_line_a_file_where_nobody_watches() -> None:
    out = io.StringIO()
    bar = Meter(out)
    bar.begin(File("model.bin", 2_000_000), done_bytes=500_000)
    bar.read(1_500_000)
    bar.end()
    bar.say("a sentence")
    assert out.getvalue() == "  model.bin (2.0 MB, 500.0 kB of it here)\n  ! a sentence\n"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (9, "9 B"), (1500, "1.5 kB"), (260_694_151, "260.7 MB")],
)
def test_size_is_for_people(count: int, words: str) -> None:
    assert meter.size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (600, "10 min"), (12_000, "3 h 20 min")]
)
def test_duration_is_for_people(seconds: float, words: str) -> None:
    assert meter.duration(seconds) == words
