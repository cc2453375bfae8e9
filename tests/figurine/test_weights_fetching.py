"""Fetching from a real http server with its faults, and from a folder."""

from __future__ import annotations

import errno
import fcntl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from figurine.weights import fetching, sources, store
from figurine.weights.fetching import fetch
from figurine.weights.manifest import File
from figurine.weights.sources import FetchFailed
from tests.figurine.toy_weights import BODY, SET, SMALL, Notes, Server, assert_whole, bring
from tests.stack import wait_until


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
