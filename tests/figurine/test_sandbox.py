"""sandbox.py: whatever an upload does, the web process hears a verdict, and soon."""

from __future__ import annotations

import io
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from figurine import sandbox
from figurine.bounds import MAX_BYTES
from figurine.decode import decode
from figurine.errors import (
    FigurineError,
    NotAnImage,
    OutOfMemory,
    TooDark,
    TooLarge,
    Undecodable,
)
from figurine.gate import admit
from tests.photos import BAD, PORTRAITS, portrait

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture(autouse=True, scope="module")
def _leave_nothing_running() -> Iterator[None]:
    yield
    sandbox.stop()


def wait_until(is_true: Callable[[], bool], *, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    """Pids of the living, not of zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            child, state, parent = re.sub(r"\(.*\)", "", stat.read_text()).split()[:3]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(child))
    return found


def zygotes() -> list[int]:
    return [
        pid
        for pid in children_of(os.getpid())
        if b"figurine.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def idle_zygote() -> int:
    """Pid of a warm helper whose last child is gone."""
    sandbox.inspect_upload(portrait().read_bytes())
    (zygote,) = zygotes()
    wait_until(lambda: children_of(zygote) == [])
    return zygote


@cache
def hog() -> bytes:
    """A 6 MP JPEG of under 1 MB that takes minutes: one progressive scan, sent 6,000 times."""
    buffer = io.BytesIO()
    Image.new("L", (3000, 2000), 120).save(buffer, "JPEG", progressive=True, quality=90)
    data = buffer.getvalue()
    scans = [match.start() for match in re.finditer(rb"\xff\xda", data)]
    last = data[scans[-1] : -2]
    return data[:-2] + last * 6000 + data[-2:]


def in_background(pool: ThreadPoolExecutor, data: bytes, **limits: float) -> Callable[[], object]:
    """Start an inspection; the returned function gives its outcome, error or upload."""

    def outcome() -> object:
        try:
            return sandbox.inspect_upload(data, **limits)  # type: ignore[arg-type]
        except FigurineError as error:
            return type(error)

    return pool.submit(outcome).result


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_inspect_upload_gives_what_decode_and_gate_give(path: Path) -> None:
    upload = sandbox.inspect_upload(path.read_bytes())
    pixels = decode(path.read_bytes())
    assert (upload.height_px, upload.width_px) == pixels.shape[:2]
    assert decode(upload.jpeg).shape == pixels.shape
    (face,) = admit(pixels).faces
    assert np.abs(upload.faces[0].mesh - face.mesh).max() < 0.01 * face.width_px
    assert upload.faces[0].sharpness == pytest.approx(face.sharpness, abs=0.01)


@pytest.mark.parametrize(("path", "code"), BAD, ids=lambda value: getattr(value, "stem", ""))
def test_inspect_upload_refuses_with_the_photos_own_code(path: Path, code: str) -> None:
    with pytest.raises(FigurineError) as refusal:
        sandbox.inspect_upload(path.read_bytes())
    assert (refusal.value.code, type(refusal.value).code) == (code, code)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
        *(("PNG", mode) for mode in ("RGB", "L", "RGBA", "P")),
        *((kind, mode) for kind in ("WEBP", "HEIF") for mode in ("RGB", "L", "RGBA")),
    ],
)
def test_inspect_upload_needs_no_file_for_any_kind_of_photo(kind: str, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    buffer = io.BytesIO()
    Image.open(portrait()).convert(mode).save(buffer, kind, exif=exif.tobytes())
    assert sandbox.inspect_upload(buffer.getvalue()).faces[0].mesh_score > 0.9


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAnImage),
        (os.urandom(5000), NotAnImage),
        (b"\xff\xd8\xff" + os.urandom(5000), NotAnImage),
        (bytes(MAX_BYTES + 1), TooLarge),
    ],
    ids=["empty", "garbage", "garbage-jpeg", "heavy"],
)
def test_inspect_upload_refuses_garbage(data: bytes, error: type[FigurineError]) -> None:
    with pytest.raises(error):
        sandbox.inspect_upload(data)


def test_inspect_upload_refuses_a_decompression_bomb() -> None:
    buffer = io.BytesIO()
    Image.new("1", (12000, 12000)).save(buffer, "PNG")
    with pytest.raises(TooLarge):
        sandbox.inspect_upload(buffer.getvalue())


def test_inspect_upload_stops_a_cpu_hog() -> None:
    # The other limit, which would say SIGALRM, is far.
    with pytest.raises(Undecodable, match="SIGXCPU"):
        sandbox.inspect_upload(hog(), cpu_s=1, timeout_s=600)


def test_inspect_upload_stops_after_the_timeout() -> None:
    with pytest.raises(OutOfMemory, match="SIGALRM"):
        sandbox.inspect_upload(hog(), cpu_s=60, timeout_s=0.5)


def test_inspect_upload_stops_a_memory_hog() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(buffer, "PNG")
    with pytest.raises(Undecodable, match="MiB"):
        sandbox.inspect_upload(buffer.getvalue(), memory_bytes=40 << 20)
    with pytest.raises(TooDark):
        sandbox.inspect_upload(buffer.getvalue())


@LINUX
@pytest.mark.parametrize(
    ("killed_by", "error"), [(signal.SIGSEGV, Undecodable), (signal.SIGKILL, OutOfMemory)]
)
def test_inspect_upload_names_a_crash(killed_by: int, error: type[FigurineError]) -> None:
    zygote = idle_zygote()
    with ThreadPoolExecutor(1) as pool:
        outcome = in_background(pool, hog(), cpu_s=60, timeout_s=30)
        wait_until(lambda: children_of(zygote) != [])
        os.kill(children_of(zygote)[0], killed_by)
        assert outcome() is error
    assert zygotes() == [zygote]


@LINUX
def test_inspect_upload_starts_another_helper_when_one_is_killed() -> None:
    before = idle_zygote()
    os.kill(before, signal.SIGKILL)
    assert sandbox.inspect_upload(portrait().read_bytes()).faces[0].score > 0.5
    (after,) = zygotes()
    assert after != before


@LINUX
def test_inspect_upload_survives_the_helper_being_killed_under_load() -> None:
    data = portrait().read_bytes()
    before = idle_zygote()
    with ThreadPoolExecutor(8) as pool:
        outcomes = [in_background(pool, data) for _ in range(16)]
        wait_until(lambda: children_of(before) != [])
        os.kill(before, signal.SIGKILL)
        assert {type(outcome()) for outcome in outcomes} == {sandbox.Upload}


def test_inspect_upload_keeps_eight_visitors_apart() -> None:
    small = [Image.open(portrait()).convert("RGB")]
    small += [small[0].resize((small[0].width + n, small[0].height)) for n in range(2, 16, 2)]
    uploads = []
    for image in small:
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        uploads.append(buffer.getvalue())
    with ThreadPoolExecutor(8) as pool:
        widths = [upload.width_px for upload in pool.map(sandbox.inspect_upload, uploads)]
    assert widths == [image.width for image in small]


@LINUX
def test_inspect_upload_runs_no_more_than_its_places() -> None:
    zygote = idle_zygote()
    with ThreadPoolExecutor(sandbox.SLOTS + 4) as pool:
        outcomes = [
            in_background(pool, hog(), cpu_s=60, timeout_s=3) for _ in range(sandbox.SLOTS + 4)
        ]
        wait_until(lambda: len(children_of(zygote)) == sandbox.SLOTS)
        assert {outcome() for outcome in outcomes} == {OutOfMemory}
    wait_until(lambda: children_of(zygote) == [])


def test_inspect_upload_lets_no_more_wait_than_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room, place = threading.BoundedSemaphore(2), threading.BoundedSemaphore(1)
    monkeypatch.setattr(sandbox, "_room", room)
    monkeypatch.setattr(sandbox, "_slots", place)
    data = portrait().read_bytes()
    with ThreadPoolExecutor(2) as pool:
        with place:
            outcomes = [in_background(pool, data) for _ in range(2)]
            wait_until(lambda: room._value == 0)
            with pytest.raises(OutOfMemory, match="wait already"):
                sandbox.inspect_upload(data)
        assert {type(outcome()) for outcome in outcomes} == {sandbox.Upload}
    assert sandbox.inspect_upload(data), "there is room again"


@LINUX
def test_zygote_is_small_alone_and_keeps_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.stop()
    monkeypatch.setenv("DIORAMA_SECRET_KEY", "not-for-the-sandbox")
    sandbox.inspect_upload(portrait().read_bytes())
    (zygote,) = zygotes()
    proc = Path(f"/proc/{zygote}")
    assert len(list((proc / "task").iterdir())) == 1
    assert b"not-for-the-sandbox" not in (proc / "environ").read_bytes()
    resident_bytes = int((proc / "statm").read_text().split()[1]) * resource.getpagesize()
    assert resident_bytes < 160 << 20


@LINUX
@pytest.mark.parametrize("ended_by", ["exit", "SIGKILL"])
def test_zygote_ends_with_the_web_process(ended_by: str) -> None:
    web = textwrap.dedent(
        f"""
        import os, signal, sys, threading
        from figurine import sandbox
        sandbox.inspect_upload(open({str(portrait())!r}, "rb").read())
        print(sandbox._running()._process.pid, flush=True)
        if {ended_by!r} == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", web], cwd=Path(__file__).parents[2], capture_output=True
    )
    zygote = int(run.stdout)
    assert run.stderr == b""
    wait_until(lambda: not Path(f"/proc/{zygote}").exists())


@LINUX
def test_zygote_takes_its_children_along() -> None:
    zygote = idle_zygote()
    with ThreadPoolExecutor(1) as pool:
        outcome = in_background(pool, hog(), cpu_s=60, timeout_s=4)
        wait_until(lambda: children_of(zygote) != [])
        (child,) = children_of(zygote)
        sandbox.stop()
        wait_until(lambda: not Path(f"/proc/{child}").exists())
        assert outcome() is OutOfMemory


def test_importing_the_sandbox_loads_no_decoder() -> None:
    code = "import sys, figurine.sandbox; print(sorted({'cv2', 'PIL'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    assert run.stdout == b"[]\n"
