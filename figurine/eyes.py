"""Where exactly lids and irises are, by MediaPipe's iris model run in OpenCV: 4 ms an eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from figurine.faces import run
from figurine.types import Array, Face, Floats, Pixels
from figurine.weights import IRIS

INPUT_PX: Final = 64
MARGIN: Final = 2.3
"""Side of the model's crop over the eye's width. Source: MediaPipe, iris_landmark graph."""
CORNERS: Final = ((33, 133), (263, 362))
"""Mesh points: outer and inner corner of the subject's right eye, then of the left."""
LOWER_LID: Final = tuple(range(9))
UPPER_LID: Final = (0, *range(9, 16), 8)
"""Rows of `Eye.lids`, outer corner to inner. Source: MediaPipe, iris model card."""


@dataclass(frozen=True)
class Eye:
    """One eye in pixels of the upright selfie."""

    lids: Floats
    """(16, 2): the edge of the opening, in the model's order."""
    iris: Floats
    """(2,) centre."""
    iris_radius_px: float


def warm_up() -> None:
    """Load the model and run it once. Raises MissingModel."""
    run(IRIS, np.zeros((INPUT_PX, INPUT_PX, 3), np.float32), row_sizes=(3, 3))


def look(pixels: Pixels, face: Face) -> tuple[Eye, Eye]:
    """Find the subject's right eye, then the left. pixels: (H, W, 3) uint8. Raises MissingModel."""
    right, left = (_eye(pixels, face.mesh[list(ends), :2]) for ends in CORNERS)
    return right, left


def _eye(pixels: Pixels, corners: Array) -> Eye:
    outer, inner = corners
    across = inner - outer
    side_px = float(np.linalg.norm(across)) * MARGIN
    # 1. The model knows right eyes, outer corner left: a left eye is mirrored.
    flipped = bool(across[0] < 0)
    level = np.asarray([abs(across[0]), -across[1] if flipped else across[1]])
    turn = np.asarray([level, [-level[1], level[0]]]) / np.linalg.norm(level)
    if flipped:
        turn = turn * np.asarray([-1, 1])
    zoom = INPUT_PX / side_px
    middle = (outer + inner) / 2
    to_crop = np.column_stack([turn * zoom, INPUT_PX / 2 - turn @ middle * zoom])
    # 2. Averaged down first where the photo is finer: sampling would skip pixels.
    square = _sampled(pixels, to_crop, shrink=max(1.0, side_px / INPUT_PX))
    contours, iris = run(IRIS, np.float32(1 / 255) * square, row_sizes=(3, 3))
    # 3. Back to the photo.
    back = cv2.invertAffineTransform(to_crop)
    lids = contours[:16, :2] @ back[:, :2].T + back[:, 2]
    ring = iris[:, :2] @ back[:, :2].T + back[:, 2]
    return Eye(
        lids=lids.astype(np.float32),
        iris=ring[0].astype(np.float32),
        iris_radius_px=float(np.linalg.norm(ring[1] - ring[3]) + np.linalg.norm(ring[2] - ring[4]))
        / 4,
    )


def _sampled(pixels: Pixels, to_crop: Array, *, shrink: float) -> Array:
    corners = cv2.invertAffineTransform(to_crop) @ np.asarray(
        [[0, INPUT_PX, 0, INPUT_PX], [0, 0, INPUT_PX, INPUT_PX], [1, 1, 1, 1]], np.float64
    )
    x0, y0 = np.maximum(np.floor(corners.min(axis=1)) - 2, 0).astype(int)
    x1, y1 = np.ceil(corners.max(axis=1) + 2).astype(int)
    window = pixels[y0:y1, x0:x1]
    small = cv2.resize(window, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    matrix = np.column_stack(
        [to_crop[:, :2] * shrink, to_crop[:, 2] + to_crop[:, :2] @ np.asarray([x0, y0])]
    )
    return np.asarray(
        cv2.warpAffine(small, matrix, (INPUT_PX, INPUT_PX), borderMode=cv2.BORDER_REPLICATE)
    )
