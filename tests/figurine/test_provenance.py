"""What a file says of itself to machines."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from campaign import endings
from figurine import provenance
from figurine.types import Candidate, Recipe

FIELD = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def terms(file: io.BytesIO | Path) -> list[str]:
    """The terms in its XMP, as any reader of XMP finds them."""
    with Image.open(file) as image:
        told = ElementTree.fromstring(image.info["xmp"])
    return [value for node in told.iter() for name, value in node.items() if name == FIELD]


def candidate(engine: str) -> Candidate:
    cutout = np.full((90, 72, 4), 128, np.uint8)
    recipe = Recipe(engine, "soldier", "painted")
    return Candidate(cutout[..., :3].copy(), cutout, recipe, 1, "1")


@pytest.mark.parametrize(
    ("engine", "term"),
    [
        ("sculpt", "compositeSynthetic"),
        ("klein", "trainedAlgorithmicMedia"),
        ("hosted", "trainedAlgorithmicMedia"),
    ],
)
def test_pictures_of_a_figurine_say_how_they_were_made(engine: str, term: str) -> None:
    made = candidate(engine)
    for encode in (endings.encode_still, endings.encode_cutout):
        file = encode(made)
        assert file == encode(made), "again is the same to the byte"
        assert terms(io.BytesIO(file)) == [TERMS + term]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_picture_from_the_command_line_says_it_too(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    provenance.save(candidate("sculpt").still, path, engine="sculpt")
    assert terms(path) == [TERMS + "compositeSynthetic"]
