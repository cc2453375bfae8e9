"""weights.py: the very files, or a clear refusal to start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from figurine.errors import MissingModel
from figurine.weights import (
    FACE_MESH,
    FULL_RANGE_DETECTOR,
    OPEN_NSFW,
    SHORT_RANGE_DETECTOR,
    Weight,
    locate,
)

ALL = [FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR, FACE_MESH, OPEN_NSFW]


@pytest.mark.parametrize("weight", ALL, ids=lambda weight: weight.file)
def test_locate_finds_every_model_that_is_listed(weight: Weight) -> None:
    assert locate(weight).name == weight.file.rpartition("/")[2]


@pytest.mark.parametrize(
    "weight",
    [
        replace(FACE_MESH, package="a_package_that_is_not_there"),
        replace(FACE_MESH, file="data/not_there.tflite"),
        replace(FACE_MESH, sha256="0" * 64),
    ],
    ids=["package", "file", "altered"],
)
def test_locate_refuses_a_missing_or_altered_model(weight: Weight) -> None:
    with pytest.raises(MissingModel):
        locate(weight)


@pytest.mark.parametrize("weight", ALL, ids=lambda weight: weight.file)
def test_weights_are_licensed_for_advertising(weight: Weight) -> None:
    assert weight.licence in {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"}
