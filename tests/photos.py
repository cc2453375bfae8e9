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
