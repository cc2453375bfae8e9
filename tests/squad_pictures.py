"""Makes the picture of squads in docs/squads.md: `python -m tests.squad_pictures`.

Two, three and five of scikit-image's astronaut (public domain), each a little unlike the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from figurine import engines, gate
from figurine.types import Recipe
from tests.squads import group_photo

FILE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "squads.jpg"
PLAQUE = "SQUAD 7"
SQUADS = ((2, "astronaut", "painted"), (3, "explorer", "painted"), (5, "soldier", "army-green"))
TONES = (1.0, 0.85, 1.1, 0.9, 1.0)
HEIGHTS = (1.0, 0.93, 1.05, 0.97, 1.0)
SIZE_PX = (540, 675)
QUALITY = 90


def main() -> int:
    engine = engines.load("sculpt")
    row = []
    for count, kit, finish in SQUADS:
        photo = group_photo(count, tones=TONES[:count], heights=HEIGHTS[:count])
        selfie = gate.admit(photo, most_faces=count)
        recipe = Recipe("sculpt", kit, finish, plaque=PLAQUE)
        (made,) = engine.generate(selfie, recipe, seeds=[1])
        row.append(Image.fromarray(made.still).resize(SIZE_PX, Image.Resampling.LANCZOS))
    Image.fromarray(np.hstack([np.asarray(each) for each in row])).save(
        FILE, "JPEG", quality=QUALITY
    )
    print(FILE, f"{FILE.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
