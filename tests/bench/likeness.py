"""How alike figurines are to their sitters: `python -m tests.bench.likeness`.

Makes a figurine of every portrait in each finish, and asks two face recognisers: the cosine of
figurine and selfie, and whether of all sitters the right one is nearest. Reported by group too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from figurine import engines, kits
from figurine.decode import decode
from figurine.faces import find_faces
from figurine.gate import admit
from figurine.sheet import SUFFIXES
from figurine.types import Array, Pixels, Recipe
from tests.bench.embedders import embedders
from tests.photos import PORTRAITS, groups, person

AIMS: Final = {"paint": 0.60, "plastic": 0.45}
"""Mean cosine wanted of a finish that paints the face, and of one that casts it."""
WORST: Final = 0.35
GROUP_GAP: Final = 0.08


@dataclass(frozen=True)
class Result:
    photo: str
    cosines: dict[str, list[float]]
    """By embedder: to every portrait, in the order they were given."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.likeness", description=__doc__)
    parser.add_argument("--kit", default="soldier", choices=kits.names())
    parser.add_argument("--finish", action="append", help="(painted and army-green)")
    parser.add_argument("--photos", type=Path, help="a folder of portraits (those of the tests)")
    parser.add_argument("--keep", type=Path, help="a folder for the figurines")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    photos = PORTRAITS
    if options.photos:
        photos = sorted(p for p in options.photos.iterdir() if p.suffix.lower() in SUFFIXES)
    for finish in options.finish or ("painted", "army-green"):
        recipe = Recipe(engine="sculpt", kit=options.kit, finish=finish)
        work = [(photo, photos, recipe, options.keep) for photo in photos]
        if options.jobs == 1:
            results = [measure(one) for one in work]
        else:
            # Spawned: a fork of a process whose renderer has threads would hang.
            with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
                results = list(pool.map(measure, work))
        report(results, photos, recipe)
    return 0


def measure(work: tuple[Path, list[Path], Recipe, Path | None]) -> Result:
    """Make one figurine and compare it with everyone."""
    photo, everyone, recipe, keep = work
    selfie = admit(decode(photo.read_bytes()))
    still = _engine().generate(selfie, recipe, seeds=[1])[0].still
    if keep:
        Image.fromarray(still).save(keep / f"{photo.stem}-{recipe.kit}-{recipe.finish}.png")
    made = _embeddings(still)
    gallery = [_selfie_embeddings(other) for other in everyone]
    return Result(
        photo.name,
        {
            name: [float(vector @ other[name]) if name in made else -1.0 for other in gallery]
            for name, vector in ((e.name, made.get(e.name, np.zeros(1))) for e in embedders())
        },
    )


@cache
def _engine() -> Any:
    return engines.load("sculpt")


@cache
def _selfie_embeddings(photo: Path) -> dict[str, Array]:
    selfie = admit(decode(photo.read_bytes()))
    return {e.name: e.embed(selfie.pixels, selfie.faces[0]) for e in embedders()}


def _embeddings(figurine: Pixels) -> dict[str, Array]:
    """Empty where no face is found in the figurine."""
    faces = find_faces(figurine)
    if not faces:
        return {}
    face = max(faces, key=lambda face: face.width_px)
    return {e.name: e.embed(figurine, face) for e in embedders()}


def report(results: list[Result], photos: list[Path], recipe: Recipe) -> None:
    names = [e.name for e in embedders()]
    people = [person(photo.name) for photo in photos]
    print(f"\n{recipe.kit} {recipe.finish}")
    print(f"{'':22}" + "".join(f"{n + ' own':>14}{'others':>9}{'rank':>6}" for n in names))
    own: dict[str, list[float]] = {name: [] for name in names}
    right: dict[str, int] = dict.fromkeys(names, 0)
    for number, result in enumerate(results):
        line = f"{result.photo:22}"
        for name in names:
            cosines = np.asarray(result.cosines[name])
            same = np.asarray([who == people[number] for who in people])
            rank = 1 + int((cosines[~same] > cosines[same].max()).sum())
            own[name].append(float(cosines[number]))
            right[name] += rank == 1
            line += f"{cosines[number]:14.3f}{cosines[~same].max(initial=-1):9.3f}{rank:6d}"
        print(line)
    for name in names:
        print(
            f"{name}: mean {np.mean(own[name]):.3f}, lowest {min(own[name]):.3f},"
            f" rank-1 {right[name]} of {len(results)}"
        )
    aim = AIMS[kits.load(recipe.kit).finish(recipe.finish).face]
    print(f"wanted of {names[0]}: mean {aim}, lowest {WORST}, no group {GROUP_GAP} behind")
    for group, members in _by_group(photos).items():
        inside = np.mean([own[names[0]][i] for i in members])
        others = [own[names[0]][i] for i in range(len(results)) if i not in members]
        gap = f"{inside - np.mean(others):+.3f} to the others" if others else ""
        print(f"  {group:12}{len(members):3d}  {inside:.3f}  {gap}")


def _by_group(photos: Iterable[Path]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, photo in enumerate(photos):
        for group in groups(photo.name):
            found.setdefault(group, []).append(number)
    return found


if __name__ == "__main__":
    sys.exit(main())
