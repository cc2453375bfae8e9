"""figurine/eyes: lids and irises where they are, whichever way the photo lies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from figurine.decode import decode
from figurine.eyes import LOWER_LID, UPPER_LID, Eye, look
from figurine.faces import find_faces
from figurine.gate import admit
from tests.photos import PORTRAITS, portrait


@pytest.mark.parametrize("photo", PORTRAITS, ids=lambda photo: photo.stem)
def test_irises_lie_between_the_lids_of_every_portrait(photo: Path) -> None:
    selfie = admit(decode(photo.read_bytes()))
    (face,) = selfie.faces
    right, left = look(selfie.pixels, face)
    assert right.iris[0] < left.iris[0]
    for eye in (right, left):
        assert cv2.pointPolygonTest(_outline(eye), [float(v) for v in eye.iris], False) > 0
        # A real iris is 0.04 to 0.05 face widths; a turned head foreshortens one of them.
        assert 0.028 < eye.iris_radius_px / face.width_px < 0.07


def test_mirrored_photo_has_mirrored_eyes() -> None:
    """Left eyes are shown to the model mirrored: both must come back where they belong."""
    pixels = decode(portrait("collins").read_bytes())
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    right, left = look(pixels, find_faces(pixels)[0])
    other_right, other_left = look(mirrored, find_faces(mirrored)[0])
    width = pixels.shape[1]
    for eye, twin in ((right, other_left), (left, other_right)):
        gap = np.hypot(width - 1 - twin.iris[0] - eye.iris[0], twin.iris[1] - eye.iris[1])
        assert gap < 0.4 * eye.iris_radius_px


def _outline(eye: Eye) -> np.ndarray:
    return np.concatenate([eye.lids[list(UPPER_LID)], eye.lids[list(LOWER_LID)][::-1]])
