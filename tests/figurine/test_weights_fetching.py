"""Fetching from a real http server with its faults, and from a folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from figurine.weights import fetching, pins, sources, store
from figurine.weights.fetching import Watch, fetch
from figurine.weights.manifest import File, Set
from figurine.weights.sources import FetchFailed
from tests.stack import wait_until

BODY = bytes(range(256)) * 4096
"""1 MiB, with each offset telling itself."""
SMALL = b'{"a": 1}\n'


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SET = Set(
    name="toy",
    repository="owner/toy",
    revision="f" * 40,
    licence="MIT",
    is_commercial=True,
    purpose="a test",
    needed_by=("toy",),
    needs=(),
    files=(
        File("deep/model.bin", len(BODY), digest(BODY)),
        File("config.json", len(SMALL), digest(SMALL)),
    ),
)


@dataclass
class Server:
    """Serves files; `faults` are used up one a request, and then it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cut_after: int = 300_000
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each request."""
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    def ranges(self, path: str) -> list[str]:
        return [ranged for asked, ranged in self.asked if asked == path]


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            path = self.path.partition("?")[0]
            ranged = self.headers.get("Range", "")
            state.asked.append((path, ranged))
            state.tokens.append(self.headers.get("Authorization", ""))
            fault = state.faults.pop(0) if state.faults else ""
            if fault.isdigit():
                self.answer(int(fault), b"no")
            elif path not in state.files:
                self.answer(404, b"none")
            else:
                self.give(state.files[path], ranged, fault)

        def give(self, body: bytes, ranged: str, fault: str) -> None:
            start = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
            if fault == "no ranges":
                start = 0
            if start >= len(body):
                self.answer(416, b"")
                return
            rest = body[start:]
            if fault == "other bytes":
                rest = bytes(len(rest))
            self.send_response(206 if start else 200)
            if start:
                where = start + 7 if fault == "elsewhere" else start
                self.send_header("Content-Range", f"bytes {where}-{len(body) - 1}/{len(body)}")
            if fault != "no length":
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            cut = fault in ("cut", "no length")
            self.wfile.write(rest[: state.cut_after] if cut else rest)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    state.files = {"/toy/deep/model.bin": BODY, "/toy/config.json": SMALL}
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


class Notes(Watch):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun: list[tuple[str, int]] = []
        self.count = 0

    def begin(self, file: File, *, done_bytes: int) -> None:
        self.begun.append((file.path, done_bytes))

    def read(self, size: int) -> None:
        self.count += size

    def say(self, text: str) -> None:
        self.said.append(text)


def bring(server: Server, weights: Path, one: Set = SET, *, tries: int = 2) -> Notes:
    notes = Notes()
    source = sources.mirror(server.url)
    fetch(one, weights, source, watch=notes, pauses_s=(0.0,) * (tries - 1))
    return notes


def assert_whole(weights: Path) -> None:
    assert (weights / "toy/deep/model.bin").read_bytes() == BODY
    assert (weights / "toy/config.json").read_bytes() == SMALL
    assert store.problem(SET, weights) == ""
    assert [*weights.rglob("*.part")] == []


def test_fetch_brings_and_stamps_everything(server: Server, tmp_path: Path) -> None:
    notes = bring(server, tmp_path)
    assert_whole(tmp_path)
    assert notes.begun == [("deep/model.bin", 0), ("config.json", 0)]
    assert notes.count == len(BODY) + len(SMALL)
    assert notes.said == []


def test_fetch_again_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path)
    server.asked.clear()
    bring(server, tmp_path)
    assert server.asked == []


@pytest.mark.parametrize("fault", ["cut", "no length"])
def test_cut_connection_goes_on_where_it_ended(server: Server, tmp_path: Path, fault: str) -> None:
    server.faults = [fault, fault]
    bring(server, tmp_path)
    assert_whole(tmp_path)
    asked = server.ranges("/toy/deep/model.bin")
    assert asked == ["", "bytes=300000-", "bytes=600000-"]


def test_next_day_goes_on_where_the_last_ended(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", "503", "503"]
    with pytest.raises(FetchFailed, match=r"busy.*300,000 bytes of deep/model.bin are kept.*again"):
        bring(server, tmp_path)
    server.asked.clear()
    bring(server, tmp_path)
    assert_whole(tmp_path)
    assert server.ranges("/toy/deep/model.bin") == ["bytes=300000-"]


def test_server_without_ranges_is_read_from_the_beginning(server: Server, tmp_path: Path) -> None:
    server.faults = ["cut", "no ranges"]
    bring(server, tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize("fault", ["elsewhere", "429", "500", "504"])
def test_fault_that_passes_is_tried_again(server: Server, tmp_path: Path, fault: str) -> None:
    server.faults = ["cut", fault]
    bring(server, tmp_path)
    assert_whole(tmp_path)


def test_wrong_bytes_are_thrown_away(server: Server, tmp_path: Path) -> None:
    server.faults = ["other bytes"]
    with pytest.raises(FetchFailed, match="not what was pinned"):
        bring(server, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".toy.lock"]
    assert store.problem(SET, tmp_path) != ""


def test_wrong_part_from_an_earlier_day_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "toy/deep/model.bin.part"
    part.parent.mkdir(parents=True)
    for old in (b"old" * 1000, BODY + b"too much", bytes(len(BODY))):
        part.write_bytes(old)
        notes = bring(server, tmp_path)
        assert notes.said == ["what was kept of deep/model.bin is not right; from the beginning"]
        assert_whole(tmp_path)
        (tmp_path / "toy/deep/model.bin").unlink()


def test_whole_part_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "toy/deep/model.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY)
    bring(server, tmp_path)
    assert_whole(tmp_path)
    assert server.ranges("/toy/deep/model.bin") == []


def test_right_file_without_a_stamp_is_read_not_fetched(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path)
    (tmp_path / "toy" / store.STAMP).unlink()
    server.asked.clear()
    notes = bring(server, tmp_path)
    assert server.asked == []
    assert notes.said[0] == "reading deep/model.bin, which is here already"
    assert_whole(tmp_path)


@pytest.mark.parametrize("content", [b"short", bytes(len(BODY))], ids=["size", "bytes"])
def test_altered_file_is_fetched_anew(server: Server, tmp_path: Path, content: bytes) -> None:
    bring(server, tmp_path)
    (tmp_path / "toy/deep/model.bin").write_bytes(content)
    (tmp_path / "toy" / store.STAMP).unlink()
    bring(server, tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("401", r"accept its licence there, then log in with `hf auth login`"),
        ("403", r"it answered 403"),
        ("404", r"has no owner/toy/deep/model\.bin at revision ffff"),
        ("418", r"answered 418"),
    ],
)
def test_refusal_is_a_sentence_and_not_tried_again(
    server: Server, tmp_path: Path, status: str, sentence: str
) -> None:
    server.faults = [status]
    with pytest.raises(FetchFailed, match=sentence):
        bring(server, tmp_path)
    assert len(server.asked) == 1


def test_nobody_there_is_a_sentence(tmp_path: Path) -> None:
    server = Server(url="http://127.0.0.1:9")
    with pytest.raises(FetchFailed, match=r"the connection to http://127\.0\.0\.1:9 ended"):
        bring(server, tmp_path)


def test_unpinned_set_is_not_fetched(server: Server, tmp_path: Path) -> None:
    loose = replace(SET, files=(File("config.json"),))
    with pytest.raises(FetchFailed, match=r"`python manage\.py weights pin toy` first"):
        bring(server, tmp_path, loose)
    assert server.asked == []


def test_too_little_room_is_said_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SPARE_BYTES", 1 << 60)
    with pytest.raises(FetchFailed, match="make room or move DIORAMA_WEIGHTS"):
        bring(server, tmp_path)
    assert server.asked == []


def test_full_disk_is_a_sentence_and_keeps_what_came(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    notes = Notes()
    monkeypatch.setattr(notes, "read", full)
    with pytest.raises(FetchFailed, match=r"the disk of .* is full: make room"):
        fetch(SET, tmp_path, sources.mirror(server.url), watch=notes)
    assert (tmp_path / "toy/deep/model.bin.part").stat().st_size > 0
    bring(server, tmp_path)
    assert_whole(tmp_path)


def test_folder_that_cannot_be_written_is_a_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("a file where the folder should be")
    with pytest.raises(FetchFailed, match="cannot be written"):
        bring(server, tmp_path)


def test_second_fetch_waits_for_the_first(server: Server, tmp_path: Path) -> None:
    notes = Notes()
    with (tmp_path / ".toy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=fetch, args=(SET, tmp_path, sources.mirror(server.url)), kwargs={"watch": notes}
        )
        thread.start()
        wait_until(lambda: notes.said, within_s=10, what="the second fetch sees the lock")
        assert server.asked == []
    thread.join(10)
    assert notes.said == ["toy is being fetched by another process; waiting for it"]
    assert_whole(tmp_path)


def test_two_fetches_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    threads = [threading.Thread(target=bring, args=(server, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert_whole(tmp_path)
    assert server.ranges("/toy/deep/model.bin") == [""]


def test_folder_mirror_is_a_copied_weights_folder(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path / "first")
    server.asked.clear()
    half = tmp_path / "second/toy/deep/model.bin.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(BODY[:1000])
    notes = Notes()
    fetch(SET, tmp_path / "second", sources.mirror(str(tmp_path / "first")), watch=notes)
    assert_whole(tmp_path / "second")
    assert notes.begun[0] == ("deep/model.bin", 1000)
    assert server.asked == []


def test_folder_mirror_without_the_file_or_itself_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="there is no mirror folder"):
        sources.mirror(str(tmp_path / "nowhere"))
    with pytest.raises(FetchFailed, match=r"the mirror does not give .*model\.bin"):
        fetch(SET, tmp_path / "weights", sources.mirror(str(tmp_path)))


# --- the hub -------------------------------------------------------------------------------------


def as_hub(server: Server, *, commit: str = SET.revision) -> None:
    """Make the server answer as the hub does, for the real huggingface_hub."""
    git = hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest()
    told = {
        "id": "owner/toy",
        "modelId": "owner/toy",
        "sha": commit,
        "siblings": [
            {
                "rfilename": "deep/model.bin",
                "size": len(BODY),
                "blobId": "0" * 40,
                "lfs": {"sha256": digest(BODY), "size": len(BODY), "pointerSize": 134},
            },
            {"rfilename": "config.json", "size": len(SMALL), "blobId": git},
        ],
    }
    for path in ("/api/models/owner/toy", f"/api/models/owner/toy/revision/{commit}"):
        server.files[path] = json.dumps(told).encode()
    base = f"/owner/toy/resolve/{commit}"
    server.files |= {f"{base}/deep/model.bin": BODY, f"{base}/config.json": SMALL}


def test_hub_is_asked_for_the_pinned_revision_with_the_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "hf_secret")
    as_hub(server)
    fetch(SET, tmp_path, sources.hub(server.url))
    assert_whole(tmp_path)
    assert [path for path, _ in server.asked] == [
        f"/owner/toy/resolve/{SET.revision}/deep/model.bin",
        f"/owner/toy/resolve/{SET.revision}/config.json",
    ]
    assert set(server.tokens) == {"Bearer hf_secret"}


def test_pin_writes_down_what_the_hub_states(server: Server, tmp_path: Path) -> None:
    loose = replace(SET, revision="", files=(File("deep/model.bin"), File("config.json")))
    as_hub(server)
    stated = sources.stated_by_hub(loose, server.url)
    assert (stated.revision, stated.files) == (SET.revision, SET.files)
    assert "/toy/deep/model.bin" not in [path for path, _ in server.asked]
    fetching.pin(stated, loose, tmp_path)
    assert pins.apply(loose, tmp_path) == SET


def test_pin_finds_small_files_that_arrive_altered(server: Server) -> None:
    as_hub(server)
    server.files[f"/owner/toy/resolve/{SET.revision}/config.json"] = b"{}"
    with pytest.raises(FetchFailed, match=r"config\.json arrived altered"):
        sources.stated_by_hub(SET, server.url)


def test_pin_of_a_file_or_repository_that_is_gone_is_a_sentence(server: Server) -> None:
    as_hub(server)
    gone = replace(SET, files=(File("gone.bin"),))
    with pytest.raises(FetchFailed, match=r"owner/toy has no gone\.bin at ffff"):
        sources.stated_by_hub(gone, server.url)
    server.files.clear()
    with pytest.raises(FetchFailed, match="the hub does not tell of owner/toy"):
        sources.stated_by_hub(SET, server.url)


def test_pin_from_a_folder_measures_it_and_takes_its_revision(tmp_path: Path) -> None:
    home = tmp_path / "mirror/toy"
    (home / "deep").mkdir(parents=True)
    (home / "deep/model.bin").write_bytes(BODY)
    (home / "config.json").write_bytes(SMALL)
    loose = replace(SET, revision="", files=(File("deep/model.bin"), File("config.json")))
    assert sources.stated_by_folder(loose, tmp_path / "mirror") == replace(SET, revision="")
    pins.write(tmp_path / "mirror", "toy", revision="e" * 40, files=SET.files)
    assert sources.stated_by_folder(loose, tmp_path / "mirror").revision == "e" * 40
    with pytest.raises(FetchFailed, match="the mirror has no toy/other"):
        sources.stated_by_folder(replace(SET, files=(File("other"),)), tmp_path / "mirror")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (File("config.json", len(SMALL), "0" * 64), "has sha256"),
        (File("config.json", 7, ""), "has 9 bytes, not 7"),
    ],
)
def test_pin_cannot_change_the_manifest(tmp_path: Path, file: File, sentence: str) -> None:
    fixed = replace(SET, files=(SET.files[0], file))
    with pytest.raises(FetchFailed, match=sentence):
        fetching.pin(SET, fixed, tmp_path)
    assert pins.read(tmp_path) == {}


def test_pins_of_other_sets_stay(tmp_path: Path) -> None:
    fetching.pin(SET, SET, tmp_path)
    fetching.pin(replace(SET, name="other"), SET, tmp_path)
    assert set(pins.read(tmp_path)) == {"toy", "other"}
