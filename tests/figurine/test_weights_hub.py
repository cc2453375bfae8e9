"""What the hub, or a mirror's folder, says of a set: fetched from and pinned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from figurine.weights import fetching, pins, sources
from figurine.weights.fetching import fetch
from figurine.weights.manifest import File
from figurine.weights.sources import FetchFailed
from tests.figurine.toy_weights import BODY, SET, SMALL, Server, assert_whole, digest


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
