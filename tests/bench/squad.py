"""How alike figurines in a squad are to their sitters, how long one takes, and how much memory:
`python -m tests.bench.squad`.

Puts portraits side by side into one selfie, makes a squad of it, and asks the face recognisers of
tests.bench.likeness. Beside each cosine: that of the nearest other sitter of the squad.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from figurine import engines, kits
from figurine.decode import decode
from figurine.faces import find_faces
from figurine.gate import admit
from figurine.types import Candidate, Face, Recipe, Selfie
from tests.bench.embedders import embedders
from tests.bench.memory import forget_torch, status_mb
from tests.photos import PORTRAITS, person

_HEIGHT_PX = 1200


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.squad", description=__doc__)
    parser.add_argument("--kit", default="soldier", choices=kits.names())
    parser.add_argument("--finish", default="painted")
    parser.add_argument("--count", type=int, action="append", help="(2, 3 and 6)")
    parser.add_argument("--keep", type=Path, help="a folder for the pictures")
    options = parser.parse_args(arguments)
    people = list({person(photo.name): photo for photo in PORTRAITS}.values())
    forget_torch()
    engine = engines.load("sculpt")
    recipe = Recipe("sculpt", options.kit, options.finish, plaque="SQUAD")
    made: list[tuple[Selfie, Candidate]] = []
    for count in options.count or (2, 3, 6):
        selfie = together(people[:count])
        engine.generate(selfie, recipe, seeds=[0])
        started = time.perf_counter()
        candidate = engine.generate(selfie, recipe, seeds=[1])[0]
        spent_s = time.perf_counter() - started
        print(
            f"{options.kit} {options.finish}, {count}: {spent_s:.1f} s warm, peak memory so far"
            f" {status_mb('VmHWM'):.0f} MB {candidate.timings_ms}"
        )
        made.append((selfie, candidate))
        if options.keep:
            name = f"squad-{count}-{options.finish}.png"
            Image.fromarray(candidate.still).save(options.keep / name)
    for selfie, candidate in made:  # only now, since recognisers take memory of their own
        compare(selfie, candidate)
    return 0


def compare(selfie: Selfie, made: Candidate) -> None:
    count = len(selfie.faces)
    found = find_faces(made.still, closely=True)
    print(f"\n{count}: {len(found)} faces found in the picture")
    if len(found) != count:
        return
    for embedder in embedders():
        sitters = np.stack([embedder.embed(selfie.pixels, face) for face in selfie.faces])
        figures = np.stack([embedder.embed(made.still, face) for face in found])
        cosines = figures @ sitters.T
        own = np.diag(cosines)
        right = int((cosines.argmax(axis=1) == np.arange(count)).sum())
        print(
            f"{embedder.name:8} own {' '.join(f'{c:.3f}' for c in own)}"
            f"  mean {own.mean():.3f}, lowest {own.min():.3f}, {right} of {count} right"
        )


def together(photos: Sequence[Path]) -> Selfie:
    """One selfie of several portraits, side by side."""
    tiles, faces, left = [], list[Face](), 0
    for photo in photos:
        alone = admit(decode(photo.read_bytes()))
        scale = _HEIGHT_PX / alone.pixels.shape[0]
        tile = cv2.resize(alone.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        face = alone.faces[0]
        mesh = (face.mesh * scale + [left, 0, 0]).astype(np.float32)
        faces.append(replace(face, mesh=mesh, width_px=face.width_px * scale))
        tiles.append(tile)
        left += tile.shape[1]
    pixels = np.ascontiguousarray(np.concatenate(tiles, axis=1)).astype(np.uint8)
    return Selfie(pixels, tuple(faces))


if __name__ == "__main__":
    sys.exit(main())
