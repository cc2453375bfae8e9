"""A contact sheet: every portrait of a folder in a kit and finish, selfie beside figurine.

`python -m figurine sheet PHOTOS` is how a kit is judged: at full size, again and again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figurine import engines, kits, recipes
from figurine.bounds import MAX_BYTES
from figurine.decode import decode
from figurine.errors import FigurineError
from figurine.gate import admit
from figurine.types import Face, Pixels, Recipe, Selfie

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic"})
CELL_PX: Final = (540, 675)
CLOSE_PX: Final = (420, 460)
CAPTION_PX: Final = 44
SELFIE_WIDTH: Final = 0.30
"""Of a cell; the selfie lies in its upper left corner, cut to the face. Beside a head at full size,
which fills its cell, it has a place of its own, as high."""
SELFIE_HEIGHT: Final = 1.2
"""Of its width."""
SELFIE_FACE: Final = 1.7
"""Width of that cut, in face widths."""
PAPER: Final = (250, 246, 234)
INK: Final = (20, 23, 15)
BAD: Final = (195, 50, 31)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sitter:
    """A photo, and the selfie it makes or why it does not."""

    name: str
    selfie: Selfie | None
    refusal: str = ""


def sitters(photos: Iterable[Path]) -> list[Sitter]:
    """Read photos, refusals kept by their code."""
    found = []
    for photo in photos:
        try:
            if photo.stat().st_size > MAX_BYTES:
                found.append(Sitter(photo.stem, None, "too_large"))
            else:
                found.append(Sitter(photo.stem, admit(decode(photo.read_bytes()))))
        except FigurineError as error:
            found.append(Sitter(photo.stem, None, error.code))
    return found


def sheet(
    everyone: Sequence[Sitter], recipe: Recipe, *, columns: int, close: bool, say: Say
) -> Image.Image:
    """Make everyone's figurine and lay them out; `close` shows heads at full size."""
    engine = engines.load(recipe.engine)
    kit = recipes.posed(recipe)
    cell = (round(CLOSE_PX[1] / SELFIE_HEIGHT) + CLOSE_PX[0], CLOSE_PX[1]) if close else CELL_PX
    rows = -(-len(everyone) // columns)
    page = Image.new("RGB", (columns * cell[0], rows * (cell[1] + CAPTION_PX)), PAPER)
    for number, sitter in enumerate(everyone):
        say(f"{kit.name} {kit.pose} {recipe.finish}: {sitter.name}")
        at = (number % columns * cell[0], number // columns * (cell[1] + CAPTION_PX))
        refusal = sitter.refusal
        if sitter.selfie is not None:
            try:
                still = engine.generate(sitter.selfie, recipe, seeds=[1])[0].still
                picture = Image.fromarray(still)
                if close:
                    picture = _around_face(picture, kit.face.crop)
                    picture = picture.resize(CLOSE_PX, Image.Resampling.LANCZOS)
                    page.paste(picture, (at[0] + cell[0] - CLOSE_PX[0], at[1]))
                    page.paste(_selfie(sitter.selfie, cell[0] - CLOSE_PX[0]), at)
                else:
                    page.paste(picture.resize(cell, Image.Resampling.LANCZOS), at)
                    page.paste(_selfie(sitter.selfie, round(cell[0] * SELFIE_WIDTH)), at)
            except FigurineError as error:
                refusal = error.code
        _caption(page, f"{sitter.name}  {refusal}".strip(), at, cell, bad=bool(refusal))
    return page


def _around_face(picture: Image.Image, crop: tuple[float, float, float, float]) -> Image.Image:
    """The kit's face crop, widened to the cell's shape."""
    left, top, right, bottom = (
        share * side for share, side in zip(crop, (*picture.size, *picture.size), strict=True)
    )
    width = max(right - left, (bottom - top) * CLOSE_PX[0] / CLOSE_PX[1])
    height = width * CLOSE_PX[1] / CLOSE_PX[0]
    x, y = (left + right) / 2, (top + bottom) / 2
    return picture.crop(
        (
            round(x - width / 2),
            round(y - height / 2),
            round(x + width / 2),
            round(y + height / 2),
        )
    )


def _selfie(selfie: Selfie, width_px: int) -> Image.Image:
    face = selfie.faces[0]
    return Image.fromarray(_cut(selfie.pixels, face)).resize(
        (width_px, round(width_px * SELFIE_HEIGHT)), Image.Resampling.LANCZOS
    )


def _cut(pixels: Pixels, face: Face) -> Pixels:
    """The photo around a face; what lies outside the photo is black."""
    half_w = face.width_px * SELFIE_FACE / 2
    half_h = half_w * SELFIE_HEIGHT
    x, y = face.mesh[:, :2].mean(axis=0)
    pad = int(half_h * 2)
    padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)))
    return padded[
        int(y - half_h) + pad : int(y + half_h) + pad, int(x - half_w) + pad : int(x + half_w) + pad
    ]


def _caption(
    page: Image.Image, text: str, at: tuple[int, int], cell: tuple[int, int], *, bad: bool
) -> None:
    ImageDraw.Draw(page).text(
        (at[0] + 14, at[1] + cell[1] + 8),
        text,
        font=ImageFont.load_default(22),
        fill=BAD if bad else INK,
    )


def main(arguments: Sequence[str]) -> int:
    """Write a sheet per kit, finish and pose into a folder; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    photos = sorted(p for p in options.photos.iterdir() if p.suffix.lower() in SUFFIXES)
    if not photos:
        parser.error(f"no photos in {options.photos}")
    if not options.output.is_dir():
        parser.error(f"cannot write to {options.output}: give a folder that exists")
    everyone = sitters(photos)
    if options.portraits:
        everyone = [sitter for sitter in everyone if sitter.selfie is not None]

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    for recipe in _recipes(options):
        page = sheet(everyone, recipe, columns=options.columns, close=options.close, say=say)
        pose = recipe.options.get("pose")
        words = (recipe.kit, pose, recipe.finish, "close" if options.close else "")
        file = options.output / f"{'-'.join(str(word) for word in words if word)}.png"
        page.save(file)
        print(file)
    return 0


def _recipes(options: argparse.Namespace) -> Iterator[Recipe]:
    for kit in options.kit or kits.names():
        known = kits.load(kit)
        poses = [pose for pose in known.poses if pose in (options.pose or known.poses)]
        for pose, finish in product(poses or [""], options.finish or known.finishes):
            yield Recipe(
                engine="sculpt",
                kit=kit,
                finish=finish,
                plaque=options.plaque,
                options={"pose": pose} if pose else {},
            )


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m figurine sheet", description=__doc__)
    parser.add_argument("photos", type=_folder, help="a folder of photos")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), help="a folder for the sheets (here)"
    )
    parser.add_argument("--kit", action="append", choices=kits.names(), help="(all)")
    parser.add_argument("--pose", action="append", help="(all of the kit's)")
    parser.add_argument("--finish", action="append", help="(all of the kit's)")
    parser.add_argument("--plaque", default="")
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--close", action="store_true", help="heads at full size")
    parser.add_argument("--portraits", action="store_true", help="leave refused photos out")
    return parser
