"""`python -m figurine`: a picture and 0, or one clear line and the exit code that fits it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.photos import BAD, portrait

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "figurine", *map(str, arguments)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
    )


def last_line(output: bytes) -> str:
    return output.decode().strip().splitlines()[-1]


def black_photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(("finish", "pose"), [("painted", "binoculars"), ("bronze", "salute")])
def test_cli_makes_a_figurine(finish: str, pose: str, tmp_path: Path) -> None:
    out, cutout = tmp_path / "out.png", tmp_path / "cutout.png"
    wanted = ("--finish", finish, "--pose", pose, "--plaque", "Mae")
    done = run(portrait(), "-o", out, "--cutout", cutout, *wanted)
    assert (done.returncode, done.stdout.decode().split()[:4]) == (
        0,
        [str(out), "1080", "x", "1350"],
    )
    with Image.open(out) as still, Image.open(cutout) as alone:
        assert (still.mode, still.size) == ("RGB", (1080, 1350))
        assert (alone.mode, alone.size) == ("RGBA", (1080, 1350))
        assert np.asarray(still).std() > 10
        assert 0.1 < (np.asarray(alone)[..., 3] > 128).mean() < 0.9
    stages = [line.split(" %  ") for line in done.stderr.decode().splitlines()]
    percents = [int(percent) for percent, _ in stages]
    assert percents == sorted(percents)
    assert len({stage for _, stage in stages}) == len(stages) >= 4


def test_cli_redraws_one_line_in_a_terminal(tmp_path: Path) -> None:
    near, far = pty.openpty()
    arguments = [sys.executable, "-m", "figurine", "-", "-o", str(tmp_path / "out.png")]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stderr=far) as process:
        os.close(far)
        assert process.stdin
        process.stdin.write(black_photo())
        process.stdin.close()
        shown = b""
        while True:
            try:
                shown += os.read(near, 4096)
            except OSError:  # how Linux says that nobody holds the other end any more
                break
    os.close(near)
    assert process.returncode == 3
    before, _, after = shown.decode().rpartition("\r\033[2K")
    assert before == "\r\033[2K" + "░" * 28 + "   0 %  looking at the selfie"
    assert after.startswith("too_dark: Too dark to see you. ")


@pytest.mark.parametrize(("path", "code"), BAD[::4], ids=lambda value: getattr(value, "stem", ""))
def test_cli_names_the_refusal_of_a_bad_photo(path: Path, code: str, tmp_path: Path) -> None:
    done = run(path, "-o", tmp_path / "out.png")
    assert (done.returncode, last_line(done.stderr).split(":")[0]) == (3, code)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        ([], b"", "not_an_image"),
        ([], b"<!doctype html>", "not_an_image"),
        ([], black_photo(), "too_dark"),
        (["--plaque", "far too long for a plaque"], black_photo(), "bad_plaque"),
    ],
    ids=["empty", "html", "black", "plaque"],
)
def test_cli_refuses_from_standard_input(
    arguments: list[str], stdin: bytes, code: str, tmp_path: Path
) -> None:
    done = run("-", "-o", tmp_path / "out.png", *arguments, stdin=stdin)
    assert (done.returncode, last_line(done.stderr).split(":")[0]) == (3, code)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("wish", [("--kit", "pirate"), ("--pose", "kneeling")])
def test_cli_refuses_what_is_not_on_the_shelf(wish: tuple[str, str], tmp_path: Path) -> None:
    done = run(portrait(), "-o", tmp_path / "out.png", *wish)
    assert (done.returncode, last_line(done.stderr).split(":")[0]) == (3, "unknown_kit")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing-there.jpg", "-o", "out.png"],
        [portrait(), "-o", "no-such-folder/out.png"],
        [portrait(), "-o", "out.txt"],
        [portrait(), "-o", "no-such-folder/out.glb"],
        [portrait(), "-o", "out.stl", "--cutout", "out.png"],
        [portrait(), "-o", "out.mp4", "--cutout", "out.png"],
        [portrait(), "-o", "no-such-folder/out.webm"],
        [portrait(), "-o", "out.png", "--finish", "gold"],
        [portrait()],
    ],
    ids=[
        "nothing",
        "no-file",
        "no-folder",
        "no-png",
        "no-model",
        "no-cutout",
        "no-cutout-of-a-clip",
        "no-clip",
        "no-finish",
        "no-output",
    ],
)
def test_cli_explains_wrong_usage(arguments: list[str | Path]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert last_line(done.stderr).startswith("python -m figurine: error: ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS bounds no address space")
def test_cli_says_when_trying_again_may_help(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (6000, 6000)).save(large)
    starved = (
        "import resource, sys, pathlib; from figurine.__main__ import main;"
        "pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0]);"
        "limit = pages * resource.getpagesize() + (60 << 20);"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit));"
        f"sys.exit(main([{str(large)!r}, '-o', {str(tmp_path / 'out.png')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", starved], cwd=ROOT, capture_output=True)
    assert (done.returncode, last_line(done.stderr).split(":")[0]) == (4, "out_of_memory")
