"""weights: the very files, or a clear refusal to start."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from figurine import faces, likeness, weights
from figurine.decode import decode
from figurine.engines.workshop import Workshop
from figurine.errors import LicenceMissing, MissingModel, by_code
from figurine.weights import (
    FACE_MESH,
    FULL_RANGE_DETECTOR,
    OPEN_NSFW,
    SHORT_RANGE_DETECTOR,
    Weight,
    locate,
    manifest,
    pins,
    store,
)
from figurine.weights.manifest import File
from tests import photos
from tests.figurine import synthetic
from tests.test_boundaries import OURS, ROOT, imports, modules

ALL = [FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR, FACE_MESH, OPEN_NSFW]


@pytest.mark.parametrize("weight", ALL, ids=lambda weight: weight.file)
def test_locate_finds_every_model_that_is_listed(weight: Weight) -> None:
    assert locate(weight).name == weight.file.rpartition("/")[2]


@pytest.mark.parametrize(
    "weight",
    [
        replace(FACE_MESH, package="a_package_that_is_not_there"),
        replace(FACE_MESH, file="data/not_there.tflite"),
        replace(FACE_MESH, sha256="0" * 64),
    ],
    ids=["package", "file", "altered"],
)
def test_locate_refuses_a_missing_or_altered_model(weight: Weight) -> None:
    with pytest.raises(MissingModel):
        locate(weight)


@pytest.mark.parametrize("weight", ALL, ids=lambda weight: weight.file)
def test_weights_are_licensed_for_advertising(weight: Weight) -> None:
    assert weight.licence in {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"}


# --- sets that are fetched -----------------------------------------------------------------------


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(weights=tmp_path / "weights")


def shelved(workshop: Workshop, name: str, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> Path:
    """Lay files as a set's into the weights folder, as if fetched; the set's folder."""
    home = workshop.weights / name
    home.mkdir(parents=True)
    for file, content in (files or {"model.bin": b"weights"}).items():
        (home / file).write_bytes(content)
    synthetic.shelve(monkeypatch, workshop.weights, name)
    return home


def test_manifest_names_a_licence_and_files_for_every_set() -> None:
    for one in manifest.all_sets():
        assert one.repository.count("/") == 1
        assert one.licence and one.purpose and one.needed_by and one.files
        assert len({file.path for file in one.files}) == len(one.files)
        assert all(re.fullmatch("[0-9a-f]{64}|", file.sha256) for file in one.files)
        assert re.fullmatch("[0-9a-f]{40}|", one.revision)


def test_manifest_pins_what_klein_needs() -> None:
    needed = [manifest.named(name) for name in weights.for_engine("klein")]
    assert [(one.name, one.is_pinned, one.is_commercial) for one in needed] == [
        ("klein-4b", True, True),
        ("auraface", True, True),
    ]


def test_manifest_takes_auraface_for_its_one_free_file() -> None:
    assert [file.path for file in manifest.named("auraface").files] == ["glintr100.onnx"]


def test_chosen_resolves_engines_and_needs_each_once() -> None:
    assert [one.name for one in manifest.chosen(["sdxl-faceid", "sdxl"])] == [
        "sdxl-base",
        "buffalo-l",
        "sdxl-faceid",
    ]


def test_manifest_refuses_files_outside_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = manifest._FILE.read_text().replace("glintr100.onnx", "../glintr100.onnx")
    (tmp_path / "manifest.toml").write_text(told)
    monkeypatch.setattr(manifest, "_FILE", tmp_path / "manifest.toml")
    with pytest.raises(ValueError, match="outside"):
        manifest.all_sets.__wrapped__()


def test_unknown_set_is_a_missing_model(workshop: Workshop) -> None:
    with pytest.raises(MissingModel, match="no weights are called nought"):
        weights.folder("nought", workshop)


def test_folder_gives_a_verified_set(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    home = shelved(workshop, "klein-4b", monkeypatch)
    assert weights.folder("klein-4b", workshop) == home
    assert weights.file("klein-4b", "model.bin", workshop) == home / "model.bin"
    assert weights.missing(["klein-4b"], workshop) == []


def test_file_that_no_set_has_is_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelved(workshop, "klein-4b", monkeypatch)
    with pytest.raises(MissingModel, match=r"have no file other\.bin"):
        weights.file("klein-4b", "other.bin", workshop)


def test_missing_set_says_what_to_run(workshop: Workshop) -> None:
    with pytest.raises(MissingModel, match=r"`python manage.py weights fetch auraface`"):
        weights.folder("auraface", workshop)
    assert weights.missing(["auraface", "auraface"], workshop) == [
        "the weights auraface lack glintr100.onnx: run `python manage.py weights fetch auraface`"
    ]


def test_altered_size_is_a_missing_model(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shelved(workshop, "klein-4b", monkeypatch)
    (home / "model.bin").write_bytes(b"weight")
    with pytest.raises(MissingModel, match="has 6 bytes instead of 7"):
        weights.folder("klein-4b", workshop)


def test_files_put_there_by_hand_must_be_verified_first(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shelved(workshop, "klein-4b", monkeypatch)
    (home / store.STAMP).unlink()
    with pytest.raises(MissingModel, match=r"weights verify klein-4b"):
        weights.folder("klein-4b", workshop)
    assert store.verify(manifest.named("klein-4b"), workshop.weights) == []
    assert weights.folder("klein-4b", workshop) == home


def test_start_reads_no_weights(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shelved(workshop, "klein-4b", monkeypatch)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("hashed at start")

    monkeypatch.setattr(store, "measure", never)
    weights.folder("klein-4b", workshop)


def test_verify_finds_what_a_start_does_not(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shelved(workshop, "klein-4b", monkeypatch)
    (home / "model.bin").write_bytes(b"WEIGHTS")
    assert weights.missing(["klein-4b"], workshop) == []
    [trouble] = store.verify(manifest.named("klein-4b"), workshop.weights)
    assert trouble.startswith("model.bin has sha256 ")
    assert weights.missing(["klein-4b"], workshop) != []  # the stamp went with the trust


@pytest.mark.parametrize("stamp", ["", "[]", '{"model.bin": 3}', "\xff"])
def test_damaged_stamp_asks_for_verify(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, stamp: str
) -> None:
    home = shelved(workshop, "klein-4b", monkeypatch)
    (home / store.STAMP).write_bytes(stamp.encode("latin-1"))
    with pytest.raises(MissingModel, match="weights verify"):
        weights.folder("klein-4b", workshop)


@pytest.fixture
def loose(monkeypatch: pytest.MonkeyPatch) -> None:
    """One set more, of which nobody has said what its bytes are."""
    kind = manifest.named("auraface")
    more = replace(kind, name="loose", files=(File("loose.safetensors"),), revision="")
    told = (*manifest.all_sets(), more)
    monkeypatch.setattr(manifest, "all_sets", lambda: told)


@pytest.mark.usefixtures("loose")
def test_unpinned_set_is_refused_and_fails_verify(workshop: Workshop) -> None:
    debugging = replace(workshop, is_production=False)
    with pytest.raises(MissingModel, match=r"not pinned.*weights pin loose"):
        weights.folder("loose", debugging)
    home = workshop.weights / "loose"
    home.mkdir(parents=True)
    (home / "loose.safetensors").write_bytes(b"x")
    assert store.verify(manifest.named("loose"), workshop.weights) == [
        "loose.safetensors is unpinned: nobody has said what its bytes should be"
    ]


@pytest.mark.usefixtures("loose")
def test_pins_fill_gaps_and_change_nothing_else(tmp_path: Path) -> None:
    pins.write(tmp_path, "loose", revision="a" * 40, files=[File("loose.safetensors", 3, "b" * 64)])
    pins.write(tmp_path, "auraface", revision="c" * 40, files=[File("glintr100.onnx", 1, "d" * 64)])
    assert store.known("loose", tmp_path).files == (File("loose.safetensors", 3, "b" * 64),)
    assert store.known("loose", tmp_path).revision == "a" * 40
    assert store.known("auraface", tmp_path) == manifest.named("auraface")


@pytest.mark.usefixtures("loose")
def test_damaged_pins_are_told(tmp_path: Path) -> None:
    (tmp_path / pins.NAME).write_text("{")
    with pytest.raises(MissingModel, match="cannot be read"):
        store.known("loose", tmp_path)


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, False),
        ({"licences": frozenset({"sdxl-base"})}, False),
        ({"licences": frozenset({"buffalo-l"})}, True),
        ({"is_production": False}, True),
    ],
    ids=["production", "another's licence", "licence", "debugging"],
)
def test_non_commercial_weights_need_a_licence_in_production(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    allowed: bool,
) -> None:
    shelved(workshop, "buffalo-l", monkeypatch)
    here = replace(workshop, **changed)
    if allowed:
        assert weights.missing(["buffalo-l"], here) == []
    else:
        with pytest.raises(LicenceMissing, match="add buffalo-l to DIORAMA_LICENCES"):
            weights.folder("buffalo-l", here)


def test_licence_of_what_a_set_needs_counts_too(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sdxl-base", "buffalo-l", "sdxl-faceid"):
        home = workshop.weights / name
        home.mkdir(parents=True)
        (home / "model.bin").write_bytes(b"weights")
    synthetic.shelve(monkeypatch, workshop.weights, "sdxl-base", "buffalo-l", "sdxl-faceid")
    half = replace(workshop, licences=frozenset({"sdxl-faceid"}))
    with pytest.raises(LicenceMissing, match="buffalo-l"):
        weights.folder("sdxl-faceid", half)
    whole = replace(workshop, licences=frozenset({"sdxl-faceid", "buffalo-l"}))
    assert weights.folder("sdxl-faceid", whole) == workshop.weights / "sdxl-faceid"


def test_licence_error_survives_a_process_border() -> None:
    assert isinstance(by_code("licence_missing", "x"), LicenceMissing)


# --- nothing is fetched by itself ----------------------------------------------------------------


def test_library_opens_no_connection(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(*wanted: object, **_: object) -> None:
        asked.append(wanted)
        raise OSError("no network here")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    names = [one.name for one in manifest.all_sets()]
    assert len(weights.missing(names, workshop)) >= len(names) - 1
    with pytest.raises(MissingModel):
        likeness.Recogniser.load(workshop.weights / "buffalo_l")
    model = likeness.Recogniser.load(synthetic.recogniser(workshop.weights.with_suffix(".onnx")))
    photo = decode(photos.portrait().read_bytes())
    model.embed(photo, faces.find_faces(photo)[0])
    assert asked == []


def test_only_the_command_fetches() -> None:
    fetchers = {
        str(path.relative_to(ROOT))
        for path in modules(*OURS)
        for name in imports(path)
        if name.startswith(("figurine.weights.fetching", "figurine.weights.sources"))
    }
    assert fetchers == {
        "deploy/management/commands/weights.py",
        "deploy/meter.py",
        "figurine/weights/fetching.py",
    }
    askers = {
        str(path.relative_to(ROOT))
        for path in modules(*OURS)
        for name in imports(path)
        if name.startswith("huggingface_hub")
    }
    assert askers == {"figurine/weights/sources.py"}
