"""Portraits and bad photos to test with.

They lie beside the repository, in ../shared/data/photos; where they do not, the one public-domain
portrait that scikit-image carries stands in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import skimage

SHARED: Final = Path(__file__).parents[2] / "shared" / "data" / "photos"
ASTRONAUT: Final = Path(skimage.__file__).parent / "data" / "astronaut.png"

PORTRAITS: Final = [
    path for path in sorted(SHARED.glob("*")) if not path.name.startswith("bad_")
] or [ASTRONAUT]
"""Every photo that must make a figurine."""

_BAD: Final = {
    "bad_blurred.jpg": "too_blurred",
    "bad_cartoon.jpg": "no_face",
    "bad_cat.png": "no_face",
    "bad_coffee.png": "no_face",
    "bad_dark.jpg": "too_dark",
    "bad_html_as.jpg": "not_an_image",
    "bad_partial_face.jpg": "cut_off",
    "bad_rocket.jpg": "no_face",
    "bad_tiny_face.jpg": "face_too_small",
}
BAD: Final = [(SHARED / name, code) for name, code in _BAD.items() if (SHARED / name).exists()]
"""Every photo that must not, and the code of its refusal. Empty where there are none."""


def portrait(name: str = "") -> Path:
    """The portrait whose file name starts so, or else the first."""
    return next((path for path in PORTRAITS if name and path.name.startswith(name)), PORTRAITS[0])


_GROUPS: Final = {
    "apgar": ("light skin", "glasses", "45 or older"),
    "astronaut": ("light skin", "no glasses", "under 45"),
    "biden": ("light skin", "no glasses", "45 or older"),
    "collins": ("light skin", "no glasses", "under 45"),
    "curie": ("light skin", "no glasses", "45 or older"),
    "hopper": ("light skin", "glasses", "45 or older"),
    "jemison": ("dark skin", "no glasses", "under 45"),
    "obama": ("dark skin", "no glasses", "45 or older"),
    "ochoa": ("light skin", "no glasses", "under 45"),
    "vaughan": ("dark skin", "glasses", "45 or older"),
}


def person(name: str) -> str:
    """Who is in a photo, by its file's name; two photos can show one person."""
    return "ochoa" if name.startswith("rot_exif6") else name.split("_")[0].split(".")[0]


def groups(name: str) -> tuple[str, ...]:
    """What a likeness must not depend on: skin, glasses, age. Empty for a stranger's photo."""
    return _GROUPS.get(person(name), ())
