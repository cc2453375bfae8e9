"""gate.py: every good photo passes with room to spare, and each bad one gets its own code."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image, ImageDraw

from figurine.cover import (
    MAX_EYE_GUESS,
    MAX_MOUTH_GUESS,
    MAX_UNREST,
    MIN_CONTRAST,
    MIN_IRIS,
    MIN_LIT,
    cover,
    eyes_seen,
)
from figurine.decode import decode
from figurine.errors import (
    BigSquad,
    CutOff,
    FaceTooSmall,
    FigurineError,
    ManyFaces,
    NoFace,
    TooBlurred,
    TooDark,
)
from figurine.faces import OVAL, find_faces
from figurine.gate import (
    MAX_YAW_DEG,
    MIN_LUMA,
    MIN_SHADING,
    MIN_SHARPNESS,
    MIN_WIDTH_PX,
    admit,
    shading,
)
from figurine.types import Face, Pixels
from tests.disguises import beard, shut_eyes, sunglasses
from tests.photos import BAD, PORTRAITS, portrait
from tests.squads import group_photo

AnyPixels = np.ndarray[Any, Any]
ALL = pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)


@cache
def photo_of(path: Path) -> tuple[Pixels, Face]:
    """A portrait and its face; at most 1,000 px high, to be quick."""
    pixels = decode(path.read_bytes())
    pixels = scaled(pixels, min(1.0, 1000 / pixels.shape[0]))
    return pixels, admit(pixels).faces[0]


def outline(face: Face) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the face's outline."""
    points = face.mesh[list(OVAL), :2]
    left, top = points.min(0)
    right, bottom = points.max(0)
    return int(left), int(top), int(right), int(bottom)


def scaled(pixels: Pixels, factor: float) -> Pixels:
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(
        np.uint8
    )


def drawing() -> Pixels:
    image = Image.new("RGB", (800, 800), (150, 200, 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((200, 150, 600, 660), fill=(255, 220, 180), outline="black", width=8)
    for x in (310, 490):
        draw.ellipse((x - 42, 320, x + 42, 404), fill="white", outline="black", width=5)
        draw.ellipse((x - 16, 346, x + 16, 378), fill="black")
    draw.polygon([(400, 400), (378, 490), (422, 490)], fill=(225, 170, 140))
    draw.arc((310, 470, 490, 590), 20, 160, fill="black", width=9)
    return np.array(image)


@ALL
def test_admit_lets_a_portrait_in_with_room_to_spare(path: Path) -> None:
    pixels, face = photo_of(path)
    assert admit(pixels).pixels is pixels
    assert face.width_px > 1.1 * MIN_WIDTH_PX
    assert face.luma > 4 * MIN_LUMA
    assert face.sharpness > 2 * MIN_SHARPNESS
    assert shading(face, pixels) > 2 * MIN_SHADING
    assert abs(face.yaw_deg) < MAX_YAW_DEG - 5
    over, eyes = cover(face, pixels), eyes_seen(face, pixels)
    assert over.unrest < 0.8 * MAX_UNREST
    assert over.mouth_guess < 0.5 * MAX_MOUTH_GUESS
    assert over.eye_guess < 0.6 * MAX_EYE_GUESS
    assert eyes.lit > 1.5 * MIN_LIT
    assert eyes.iris > 3 * MIN_IRIS
    assert eyes.contrast > 1.5 * MIN_CONTRAST


@pytest.mark.parametrize(("path", "code"), BAD, ids=lambda value: getattr(value, "stem", ""))
def test_admit_gives_each_bad_photo_its_own_code(path: Path, code: str) -> None:
    with pytest.raises(FigurineError) as refusal:
        admit(decode(path.read_bytes()))
    assert refusal.value.code == code


def turned(pixels: Pixels, face: Face, degrees: float) -> AnyPixels:
    to = cv2.getRotationMatrix2D(face.mesh[:, :2].mean(0).tolist(), degrees, 0.9)
    size = (pixels.shape[1], pixels.shape[0])
    return cv2.warpAffine(pixels, to, size, borderMode=cv2.BORDER_REFLECT_101)


def recompressed(pixels: Pixels, quality: int) -> AnyPixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue())


def lit_from(pixels: Pixels, face: Face, side: int) -> AnyPixels:
    across = (np.arange(pixels.shape[1]) - face.mesh[:, 0].mean()) / face.width_px
    return np.asarray(pixels * np.clip(0.55 + side * 0.9 * across, 0.12, 1.0)[None, :, None])


def tinted(pixels: Pixels, *rgb: float) -> AnyPixels:
    return np.asarray((pixels * np.asarray(rgb)).clip(0, 255))


CHANGES: dict[str, Callable[[Pixels, Face], AnyPixels]] = {
    "mirrored": lambda pixels, face: np.ascontiguousarray(pixels[:, ::-1]),
    "turned left": lambda pixels, face: turned(pixels, face, 30),
    "turned right": lambda pixels, face: turned(pixels, face, -30),
    "gamma 2": lambda pixels, face: (pixels / 255.0) ** 2 * 255,
    "half light": lambda pixels, face: pixels * 0.5,
    "quarter light": lambda pixels, face: pixels * 0.25,
    "hardly any light": lambda pixels, face: pixels * (0.09 / face.luma),
    "lit from the left": lambda pixels, face: lit_from(pixels, face, -1),
    "lit from the right": lambda pixels, face: lit_from(pixels, face, 1),
    "candlelight": lambda pixels, face: tinted(pixels, 1.1, 0.85, 0.55),
    "blue light": lambda pixels, face: tinted(pixels, 0.6, 0.8, 1.15),
    "darker skin": lambda pixels, face: tinted(pixels, 0.5, 0.42, 0.38),
    "black and white": lambda pixels, face: np.repeat(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2
    ),
    "beard": beard,
    "glasses": lambda pixels, face: sunglasses(pixels, face, opacity=0.06, glare=0.1),
    "tinted glasses": lambda pixels, face: sunglasses(
        pixels, face, colour=(92, 60, 34), opacity=0.5, glare=0.2
    ),
    "eyes shut": shut_eyes,
    "67 px wide": lambda pixels, face: scaled(pixels, 67 / face.width_px),
    "jpeg 15": lambda pixels, face: recompressed(pixels, 15),
    "noise": lambda pixels, face: np.random.default_rng(1).normal(pixels, 8).clip(0, 255),
    "blur 1 %": lambda pixels, face: cv2.GaussianBlur(pixels, (0, 0), 0.01 * face.width_px),
}


@ALL
@pytest.mark.parametrize("change", CHANGES)
def test_admit_lets_a_changed_portrait_in(path: Path, change: str) -> None:
    pixels, face = photo_of(path)
    (found,) = admit(CHANGES[change](pixels, face).astype(np.uint8)).faces
    shrunk = 0.9 if change.startswith("turned") else 1.0
    width_px = 67 if change == "67 px wide" else face.width_px * shrunk
    assert found.width_px == pytest.approx(width_px, rel=0.1)


@ALL
def test_admit_refuses_too_dark(path: Path) -> None:
    pixels, _ = photo_of(path)
    with pytest.raises(TooDark):
        admit((pixels * 0.05).astype(np.uint8))


def test_admit_calls_a_covered_lens_too_dark() -> None:
    with pytest.raises(TooDark):
        admit(np.full((800, 600, 3), 9, np.uint8))


@ALL
def test_admit_refuses_too_blurred(path: Path) -> None:
    pixels, face = photo_of(path)
    with pytest.raises(TooBlurred):
        admit(cv2.GaussianBlur(pixels, (0, 0), 0.04 * face.width_px).astype(np.uint8))


@ALL
@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_admit_refuses_cut_off(path: Path, edge: str) -> None:
    pixels, face = photo_of(path)
    left, top, right, bottom = outline(face)
    cut = int(0.2 * face.width_px)
    kept: dict[str, Pixels] = {
        "left": pixels[:, left + cut :],
        "right": pixels[:, : right - cut],
        "top": pixels[top + cut :],
        "bottom": pixels[: bottom - cut],
    }
    with pytest.raises(CutOff):
        admit(np.ascontiguousarray(kept[edge]))


@ALL
def test_admit_refuses_far_faces(path: Path) -> None:
    pixels, face = photo_of(path)
    far = scaled(pixels, 45 / face.width_px)
    scene = np.full((960, 1280, 3), (92, 120, 90), np.uint8)
    height, width = far.shape[:2]
    scene[300 : 300 + height, 400 : 400 + width] = far[: 960 - 300, : 1280 - 400]
    with pytest.raises(FaceTooSmall):
        admit(scene)


def test_admit_refuses_two_people() -> None:
    pixels, _ = photo_of(portrait("collins"))
    both = np.ascontiguousarray(np.concatenate([pixels, pixels[:, ::-1]], 1))
    with pytest.raises(ManyFaces):
        admit(both)


@pytest.mark.parametrize("smaller", [1.0, 0.6])
def test_admit_refuses_somebody_close_behind(smaller: float) -> None:
    pixels, _ = photo_of(portrait("collins"))
    beside = np.zeros_like(pixels)
    friend = scaled(pixels, smaller)
    beside[-friend.shape[0] :, : friend.shape[1]] = friend
    with pytest.raises(ManyFaces):
        admit(np.ascontiguousarray(np.concatenate([pixels, beside], 1)))


def test_admit_overlooks_a_passer_by() -> None:
    pixels, face = photo_of(portrait("collins"))
    left, top, right, bottom = outline(face)
    near = scaled(pixels[max(0, top - 60) : bottom + 60, left - 60 : right + 60], 4)
    passer_by = scaled(near, 0.35)
    beside = np.full_like(near, 120)
    beside[: passer_by.shape[0], : passer_by.shape[1]] = passer_by
    scene = np.ascontiguousarray(np.concatenate([near, beside], 1))
    assert len(find_faces(scene)) == 2
    (found,) = admit(scene).faces
    assert found.width_px == pytest.approx(4 * face.width_px, rel=0.05)


def test_admit_refuses_a_drawing_that_the_detectors_believe() -> None:
    assert len(find_faces(drawing())) == 1
    with pytest.raises(NoFace):
        admit(drawing())


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "rocket.jpg", "brick.png"])
def test_admit_refuses_what_has_no_face(name: str) -> None:
    with pytest.raises(NoFace):
        admit(decode((Path(skimage.__file__).parent / "data" / name).read_bytes()))


def test_admit_takes_a_squad_left_to_right() -> None:
    photo = group_photo(4, heights=(1.0, 1.3, 0.9, 1.2))
    faces = admit(photo, most_faces=4).faces
    across = [float(face.mesh[:, 0].mean()) for face in faces]
    assert len(faces) == 4
    assert across == sorted(across)


def test_admit_finds_those_who_stand_back() -> None:
    photo = group_photo(2, heights=(2.6, 1.3))
    wide = np.full((photo.shape[0] * 2, photo.shape[1] * 3, 3), 90, np.uint8)
    wide[-photo.shape[0] :, : photo.shape[1]] = photo
    assert len(admit(wide, most_faces=2).faces) == 2


def test_admit_refuses_a_squad_too_big() -> None:
    with pytest.raises(BigSquad):
        admit(group_photo(3), most_faces=2)
    with pytest.raises(ManyFaces):
        admit(group_photo(3))


def test_admit_takes_one_alone_where_a_squad_may_be() -> None:
    pixels, face = photo_of(portrait("collins"))
    (found,) = admit(pixels, most_faces=6).faces
    assert found.width_px == pytest.approx(face.width_px, rel=0.05)


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_admit_asks_as_much_of_everyone_in_a_squad(whose: int) -> None:
    soft = group_photo(3)
    third = soft.shape[1] // 3
    part = np.s_[:, whose * third : (whose + 1) * third]
    soft[part] = cv2.GaussianBlur(soft[part], (0, 0), 3)
    with pytest.raises(TooBlurred):
        admit(soft, most_faces=3)
