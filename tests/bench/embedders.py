"""Two opinions on who a face is. For measuring only: neither ships with the product.

The first one's weights lie beside the repository (origin not stated: test use only); dlib's are
CC0 and come in a wheel.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Protocol

import cv2
import numpy as np

from figurine.types import Array, Face, Pixels
from tests.photos import SHARED

ARCFACE_WEIGHTS: Final = SHARED.parent / "weights" / "faceplugin_fr_feature.onnx"
FIVE: Final = ((33, 133), (263, 362), (1,), (61,), (291,))
"""Mesh points of the viewer's left eye, right eye, nose tip and mouth corners."""
TEMPLATE: Final = np.asarray(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]],
    np.float32,
)  # fmt: skip
"""Where ArcFace wants them in 112 x 112. Source: insightface, face_align.arcface_dst."""

JITTERS: Final = 25
"""Chips at random about the face that dlib averages: with 4, cosines differ by 0.005 from run to
run, as much as some sitters are apart."""


class Embedder(Protocol):
    name: str

    def embed(self, pixels: Pixels, face: Face) -> Array:
        """(D,) float32 of unit length. pixels: (H, W, 3) sRGB."""


class ArcFaceLike:
    name = "arcface"

    def __init__(self) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(
            str(ARCFACE_WEIGHTS), providers=["CPUExecutionProvider"]
        )

    def embed(self, pixels: Pixels, face: Face) -> Array:
        five = np.stack([face.mesh[list(points), :2].mean(axis=0) for points in FIVE])
        to_chip, _ = cv2.estimateAffinePartial2D(five, TEMPLATE, method=cv2.LMEDS)
        # Shrunk in steps: one warp over many pixels would alias.
        scale = float(np.hypot(to_chip[0, 0], to_chip[1, 0]))
        while scale < 0.5:
            half = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            pixels = half.astype(np.uint8)
            to_chip[:, :2] *= 2
            scale *= 2
        chip = cv2.warpAffine(pixels, to_chip, (112, 112))
        blob = chip[None].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        name = self._session.get_inputs()[0].name
        return _unit(self._session.run(None, {name: blob})[0])


class Dlib:
    name = "dlib"

    def __init__(self) -> None:
        import dlib
        import face_recognition_models as models

        self._dlib = dlib
        self._points = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self._net = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def embed(self, pixels: Pixels, face: Face) -> Array:
        # The box that dlib's own detector would draw: brows to chin, and square.
        x, y = face.mesh[:, :2].mean(axis=0)
        half = face.width_px * 0.55
        box = self._dlib.rectangle(
            *(round(float(v)) for v in (x - half, y - half, x + half, y + half))
        )
        contiguous = np.ascontiguousarray(pixels)
        shape = self._points(contiguous, box)
        return _unit(
            np.asarray(self._net.compute_face_descriptor(contiguous, shape, JITTERS), np.float32)
        )


@cache
def embedders() -> tuple[Embedder, ...]:
    """Those that can be had here; the first is the one whose cosine is quoted."""
    found: list[Embedder] = []
    if ARCFACE_WEIGHTS.exists():
        found.append(ArcFaceLike())
    found.append(Dlib())
    return tuple(found)


def _unit(vector: Any) -> Array:
    flat = np.asarray(vector, np.float32).ravel()
    return flat / np.linalg.norm(flat)
