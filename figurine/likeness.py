"""How like a figurine is to its selfie: a face as 512 numbers, and the cosine between two.

The numbers are a person's biometric template: they live in memory only, in no file, log or repr.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from figurine.errors import MissingModel, NoFaceInFigurine
from figurine.faces import find_faces
from figurine.types import Face, Floats, Pixels

SIZE: Final = 512
"""Of an embedding."""
CHIP_PX: Final = 112
"""Side of the square that ArcFace sees. Source: insightface, utils/face_align.py."""
FIVE: Final = ((33, 133), (263, 362), (1,), (61,), (291,))
"""Mesh points whose means are what ArcFace aligns by: the viewer's left eye, right eye, nose tip,
left and right corner of the mouth.
"""
EYES_APART_PX: Final = 35.24
"""In the aligned square. Source: insightface, arcface_dst."""


class Recogniser:
    """A loaded ArcFace-compatible model, such as AuraFace's glintr100.onnx."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def load(cls, path: Path, *, device: str = "") -> Recogniser:
        """Load an ONNX file. Raises MissingModel when it is not there or recognises no faces.

        device: as torch names it; "cuda:1" means that GPU, empty the first there is. Where
        onnxruntime is built without CUDA it is the CPU, which gives the same numbers later.
        """
        if not path.is_file():
            raise MissingModel(f"there is no recogniser at {path}")
        from insightface.model_zoo import get_model  # noqa: PLC0415 - heavy
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX  # noqa: PLC0415 - heavy

        # get_model goes by the name's end; any other is a pack's, which it looks for elsewhere.
        if path.suffix != ".onnx":
            raise MissingModel(f"{path} is no ONNX file")
        try:
            model = get_model(str(path), providers=_providers(device))
        except Exception as error:  # onnxruntime's and protobuf's own, which share no base
            raise MissingModel(f"{path} cannot be read as a recogniser: {error}") from error
        if not isinstance(model, ArcFaceONNX) or model.input_size != (CHIP_PX, CHIP_PX):
            raise MissingModel(f"{path} is a model, but none that recognises faces")
        shape = model.get_feat(np.full((CHIP_PX, CHIP_PX, 3), 128, np.uint8)).shape
        if shape != (1, SIZE):
            raise MissingModel(f"{path} gives {shape} numbers for a face, not (1, {SIZE})")
        return cls(model)

    def __repr__(self) -> str:
        return f"<Recogniser on {self.provider}>"

    @property
    def provider(self) -> str:
        """onnxruntime's name of what it runs on."""
        return str(self._model.session.get_providers()[0])

    def embed(self, pixels: Pixels, face: Face) -> Floats:
        """A face as (512,) float32 of unit length. pixels: (H, W, 3) uint8 sRGB.

        Source: ArcFace, arXiv 1801.07698, section 3; alignment as insightface does it.
        """
        chip = align(pixels, face)
        # insightface takes OpenCV's order of channels and turns it round itself.
        numbers = np.asarray(self._model.get_feat(chip[..., ::-1]), np.float32).ravel()
        embedding: Floats = numbers / np.linalg.norm(numbers)
        return embedding


def align(pixels: Pixels, face: Face) -> Pixels:
    """Cut out a face as ArcFace wants it: (112, 112, 3) uint8, in the order of channels given."""
    from insightface.utils.face_align import norm_crop  # noqa: PLC0415 - heavy

    five = np.stack([face.mesh[list(points), :2].mean(axis=0) for points in FIVE])
    # A single warp over more than two pixels a step would alias, so a close-up is shrunk before.
    zoom = min(1.0, 2 * EYES_APART_PX / float(np.linalg.norm(five[1] - five[0])))
    if zoom < 1:
        height, width = pixels.shape[:2]
        size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        # Pixel centres: what was at x is at (x + 0.5) · zoom - 0.5 now.
        scale = np.asarray(size) / (width, height)
        five = (five + 0.5) * scale - 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # insightface calls scikit-image's old name
        return np.asarray(
            norm_crop(np.ascontiguousarray(pixels), five.astype(np.float32)), np.uint8
        )


def cosine(a: Floats, b: Floats) -> float:
    """How alike two faces are, -1..1. a, b: (512,) of unit length."""
    return float(np.clip(a @ b, -1.0, 1.0))


def score(recogniser: Recogniser, wanted: Sequence[Floats], still: Pixels) -> float:
    """The lowest cosine of a figurine's faces and those wanted, paired left to right.

    wanted: embeddings of the selfie's faces, left to right. still: (H, W, 3) uint8 sRGB. Where the
    figurine has more faces, the widest count: a face in a badge or on a backdrop is smaller.
    Raises NoFaceInFigurine when it has fewer.
    """
    found = find_faces(still, closely=len(wanted) > 1)
    if len(found) < len(wanted):
        raise NoFaceInFigurine(f"{len(found)} faces in a figurine of {len(wanted)}")
    widest = sorted(found, key=lambda face: -face.width_px)[: len(wanted)]
    made = sorted(widest, key=lambda face: float(face.mesh[:, 0].mean()))
    return min(
        cosine(one, recogniser.embed(still, face)) for one, face in zip(wanted, made, strict=True)
    )


def _providers(device: str) -> list[Any]:
    """onnxruntime's providers for torch's name of a device."""
    import onnxruntime  # noqa: PLC0415 - heavy

    kind, _, number = device.partition(":")
    if kind in ("", "cuda") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]
