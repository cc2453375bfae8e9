"""likeness.py: the right face, the right way round, and no trace of it anywhere."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from figurine import likeness
from figurine.decode import decode
from figurine.errors import MissingModel, NoFaceInFigurine
from figurine.faces import find_faces
from figurine.likeness import Recogniser, cosine, score
from figurine.types import Face, Floats, Pixels
from tests.bench.embedders import ARCFACE_WEIGHTS
from tests.figurine import synthetic
from tests.photos import PORTRAITS, person, portrait


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    return Recogniser.load(synthetic.recogniser(tmp_path_factory.mktemp("model") / "r.onnx"))


@pytest.fixture(scope="module")
def sitter() -> tuple[Pixels, Face]:
    photo = decode(portrait("obama").read_bytes())
    return photo, find_faces(photo)[0]


def test_embedding_is_512_numbers_of_unit_length(
    recogniser: Recogniser, sitter: tuple[Pixels, Face]
) -> None:
    embedding = recogniser.embed(*sitter)
    assert embedding.shape == (512,)
    assert embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
    assert cosine(embedding, embedding) == pytest.approx(1, abs=1e-6)
    assert cosine(embedding, -embedding) == pytest.approx(-1, abs=1e-6)


def test_embedding_is_of_the_face_and_not_of_its_size_in_the_photo(
    recogniser: Recogniser, sitter: tuple[Pixels, Face]
) -> None:
    photo, face = sitter
    half = np.ascontiguousarray(photo[::2, ::2])
    same = recogniser.embed(half, find_faces(half)[0])
    assert cosine(recogniser.embed(photo, face), same) > 0.97


def test_aligned_face_has_its_eyes_where_arcface_wants_them(sitter: tuple[Pixels, Face]) -> None:
    _, face = sitter
    five = np.stack([face.mesh[list(points), :2].mean(axis=0) for points in likeness.FIVE])
    dots = np.zeros((*sitter[0].shape[:2], 3), np.uint8)
    reach = max(3, round(face.width_px / 30))
    for x, y in five[:2].round().astype(int):
        dots[y - reach : y + reach + 1, x - reach : x + reach + 1] = 255
    chip = likeness.align(dots, face)[..., 0].astype(float)
    ys, xs = np.mgrid[:112, :112]
    for side, wanted in ((slice(0, 56), (38.3, 51.7)), (slice(56, 112), (73.5, 51.5))):
        light = chip[:, side]
        found = [(light * axis[:, side]).sum() / light.sum() for axis in (xs, ys)]
        assert np.hypot(*np.subtract(found, wanted)) < 4  # no face fits the template exactly


def test_channels_reach_the_model_in_its_order(tmp_path: Path, sitter: tuple[Pixels, Face]) -> None:
    """A model of insightface's takes RGB: a photo whose red and blue are swapped differs."""
    model = Recogniser.load(synthetic.recogniser(tmp_path / "r.onnx"))
    photo, face = sitter
    red = np.zeros_like(photo)
    red[..., 0] = photo[..., 0]
    session = model._model.session
    chip = likeness.align(red, face)
    blob = chip.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
    direct = session.run(None, {session.get_inputs()[0].name: blob})[0].ravel()
    assert cosine(model.embed(red, face), direct / np.linalg.norm(direct)) > 0.9999


@pytest.mark.skipif(not ARCFACE_WEIGHTS.exists(), reason="no test weights beside the repository")
def test_real_recogniser_knows_people_apart() -> None:
    model = Recogniser.load(ARCFACE_WEIGHTS)
    known: list[tuple[str, Floats]] = []
    for path in PORTRAITS:
        photo = decode(path.read_bytes())
        known.append((person(path.name), model.embed(photo, find_faces(photo)[0])))
    same = [cosine(a, b) for (one, a), (two, b) in combinations(known, 2) if one == two]
    others = [cosine(a, b) for (one, a), (two, b) in combinations(known, 2) if one != two]
    assert min(same) >= 0.52
    assert max(others) <= 0.30


def test_score_of_the_selfie_itself_is_one(
    recogniser: Recogniser, sitter: tuple[Pixels, Face]
) -> None:
    assert score(recogniser, [recogniser.embed(*sitter)], sitter[0]) == pytest.approx(1, abs=1e-5)


def test_score_pairs_left_to_right_and_gives_the_lowest(recogniser: Recogniser) -> None:
    left, right = (decode(portrait(name).read_bytes()) for name in ("obama", "jemison"))
    height = min(left.shape[0], right.shape[0])
    both = np.concatenate([left[:height], right[:height]], axis=1)
    wanted = [recogniser.embed(both, face) for face in find_faces(both, closely=True)]
    assert len(wanted) == 2
    assert score(recogniser, wanted, both) == pytest.approx(1, abs=1e-5)
    crossed = score(recogniser, wanted[::-1], both)
    assert crossed == pytest.approx(cosine(wanted[0], wanted[1]), abs=1e-5)
    half = score(recogniser, [wanted[0], wanted[0]], both)
    assert half == pytest.approx(cosine(wanted[0], wanted[1]), abs=1e-5)


def test_figurine_without_a_face_is_an_outcome_with_a_code(
    recogniser: Recogniser, sitter: tuple[Pixels, Face]
) -> None:
    wanted = [recogniser.embed(*sitter)]
    with pytest.raises(NoFaceInFigurine) as raised:
        score(recogniser, wanted, np.full((320, 256, 3), 128, np.uint8))
    assert (raised.value.code, raised.value.permanent) == ("no_face_in_figurine", False)
    with pytest.raises(NoFaceInFigurine):
        score(recogniser, wanted * 2, sitter[0])


@pytest.mark.parametrize(
    "kind", ["absent", "a folder", "no ONNX", "no name", "detector", "128 numbers"]
)
def test_what_is_no_recogniser_is_a_missing_model(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.onnx"
    match kind:
        case "a folder":
            path.mkdir()
        case "no ONNX":
            path.write_bytes(b"not a model")
        case "no name":
            path = synthetic.recogniser(tmp_path / "model.bin")
        case "detector":
            synthetic.blob_detector(path)
        case "128 numbers":
            synthetic.recogniser(path, size=128)
    with pytest.raises(MissingModel):
        Recogniser.load(path)


def test_recogniser_shows_and_keeps_no_numbers(
    recogniser: Recogniser, sitter: tuple[Pixels, Face]
) -> None:
    before = dict(vars(recogniser))
    recogniser.embed(*sitter)
    assert vars(recogniser) == before
    assert repr(recogniser) == f"<Recogniser on {recogniser.provider}>"


def test_recogniser_runs_on_the_cpu_where_there_is_no_cuda(tmp_path: Path) -> None:
    path = synthetic.recogniser(tmp_path / "r.onnx")
    assert Recogniser.load(path, device="cpu").provider == "CPUExecutionProvider"


def test_synthetic_pack_runs_through_the_real_classes(tmp_path: Path) -> None:
    from insightface.app import FaceAnalysis

    app = FaceAnalysis(
        name=str(synthetic.pack(tmp_path / "pack")), providers=["CPUExecutionProvider"]
    )
    app.prepare(ctx_id=-1, det_size=(320, 320))
    photo = np.zeros((320, 320, 3), np.uint8)
    photo[144:152, 96:104] = 255
    photo[144:152, 216:224] = 255
    found = sorted(app.get(photo), key=lambda face: float(face.bbox[0]))
    assert [face.bbox.round().tolist() for face in found] == [
        [64, 112, 128, 176],
        [184, 112, 248, 176],
    ]
    assert [face.embedding.shape for face in found] == [(512,), (512,)]
