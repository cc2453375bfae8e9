"""Makes the pictures of kits that the phone page shows: `python -m tests.kit_pictures [KIT …]`.

Every kit in every finish, with the astronaut of scikit-image (public domain) in it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image

from figurine import decode, engines, gate, recipes
from figurine.types import Recipe
from tests.photos import ASTRONAUT

FOLDER = Path(__file__).resolve().parent.parent / "static" / "img" / "kits"
SIZE_PX = (480, 600)
QUALITY = 80
"""A kit in a finish is then 20 to 30 kB."""


def main(arguments: list[str] | None = None) -> int:
    shelf = {kit.name: kit for kit in recipes.shelf()}
    parser = argparse.ArgumentParser(prog="python -m tests.kit_pictures", description=__doc__)
    parser.add_argument("kit", nargs="*", choices=[*shelf, []], help="(all)")
    chosen = parser.parse_args(arguments).kit or list(shelf)
    FOLDER.mkdir(parents=True, exist_ok=True)
    selfie = gate.admit(decode.decode(ASTRONAUT.read_bytes()))
    engine = engines.load("sculpt")
    for name in chosen:
        for finish in shelf[name].finishes:
            recipe = Recipe("sculpt", name, finish.name)
            (made,) = engine.generate(selfie, recipe, seeds=[1])
            file = FOLDER / f"{name}-{finish.name}.webp"
            small = Image.fromarray(made.cutout).resize(SIZE_PX, Image.Resampling.LANCZOS)
            small.save(file, "WEBP", quality=QUALITY, method=6)
            print(file, f"{file.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
