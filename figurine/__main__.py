"""`python -m figurine SELFIE -o OUT.png`: a figurine from one photo, without Django.

`python -m figurine sheet PHOTOS`: a contact sheet of a folder of them.

Exit codes: 0 made · 2 wrong usage · 3 refused for good (no face, too dark …) · 4 failed for now,
try again · 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from PIL import Image

from figurine import engines, kits, plaque, recipes, sheet
from figurine.decode import decode
from figurine.errors import FigurineError
from figurine.gate import admit
from figurine.types import Candidate, Pixels, Recipe

PERMANENT: Final = 3
TRANSIENT: Final = 4
INTERRUPTED: Final = 130

ENGINE: Final = "sculpt"
BAR_CELLS: Final = 28
LOOKING: Final = 0.05
"""Share of the whole that reading and checking the selfie is taken for."""


class ProgressLine:
    """One line that redraws itself in a terminal, or one plain line a stage elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._stage = ""

    def __call__(self, stage: str, done: float) -> None:
        percent = round(100 * done)
        if self._is_terminal:
            filled = round(BAR_CELLS * done)
            bar = "█" * filled + "░" * (BAR_CELLS - filled)
            self._out.write(f"\r\033[2K{bar} {percent:3d} %  {stage}")
        elif stage != self._stage:
            self._out.write(f"{percent:3d} %  {stage}\n")
        self._stage = stage
        self._out.flush()

    def clear(self) -> None:
        """Leave the cursor on an empty line."""
        if self._is_terminal and self._stage:
            self._out.write("\r\033[2K")
            self._out.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one figurine, or a sheet of many; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["sheet"]:
        return sheet.main(words[1:])
    parser = _parser()
    options = parser.parse_args(words)
    data = _read(options.selfie, parser)
    for picture in filter(None, (options.output, options.cutout)):
        if picture.suffix.lower() != ".png" or not picture.parent.is_dir():
            parser.error(f"cannot write {picture}: give a .png in a folder that exists")
    progress = ProgressLine(sys.stderr)
    started = time.monotonic()
    try:
        candidate = _make(data, options, progress)
    except FigurineError as error:
        progress.clear()
        print(f"{error.code}: {error.sentence} {error.advice}", file=sys.stderr)
        return PERMANENT if error.permanent else TRANSIENT
    except KeyboardInterrupt:
        progress.clear()
        return INTERRUPTED
    progress.clear()
    _write(candidate.still, options.output, parser)
    if options.cutout:
        _write(candidate.cutout, options.cutout, parser)
    height, width = candidate.still.shape[:2]
    print(f"{options.output}  {width} x {height} px  {time.monotonic() - started:.1f} s")
    return 0


def _make(data: bytes, options: argparse.Namespace, progress: ProgressLine) -> Candidate:
    recipe = Recipe(
        engine=ENGINE,
        kit=options.kit,
        finish=options.finish,
        plaque=plaque.clean(options.plaque),
        options={"pose": options.pose} if options.pose else {},
    )
    recipes.check(recipe)
    progress("looking at the selfie", 0.0)
    selfie = admit(decode(data))
    engine = engines.load(ENGINE)
    candidates = engine.generate(
        selfie,
        recipe,
        seeds=[options.seed],
        progress=lambda stage, done: progress(stage, LOOKING + (1 - LOOKING) * done),
    )
    return candidates[0]


def _read(selfie: Path, parser: argparse.ArgumentParser) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(selfie) == "-" else selfie.read_bytes()
    except OSError as error:
        parser.error(f"cannot read {selfie}: {error.strerror}")


def _write(pixels: Pixels, picture: Path, parser: argparse.ArgumentParser) -> None:
    try:
        Image.fromarray(pixels).save(picture)
    except OSError as error:
        parser.error(f"cannot write {picture}: {error.strerror}")


def _finishes() -> list[str]:
    return sorted({finish for kit in kits.names() for finish in kits.load(kit).finishes})


def _poses() -> str:
    return "; ".join(f"{kit}: {', '.join(recipes.poses(kit))}" for kit in kits.names())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m figurine",
        description="Make a figurine of the person in a selfie.",
        usage="%(prog)s [options] SELFIE -o OUT.png\n       %(prog)s sheet PHOTOS [-h]",
        epilog="exit codes: 0 made, 2 wrong usage, 3 refused for good, 4 failed for now",
    )
    parser.add_argument("selfie", type=Path, help="JPEG, PNG, WebP or HEIC; - reads standard input")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the picture, a .png")
    parser.add_argument("--cutout", type=Path, help="the figurine alone, with alpha, a .png")
    parser.add_argument("--kit", default="soldier", help="what it wears (%(default)s)")
    parser.add_argument("--pose", default="", help=f"how it stands ({_poses()}; the first)")
    parser.add_argument("--finish", default="painted", choices=_finishes(), help="(%(default)s)")
    parser.add_argument("--plaque", default="", help="name on the base, up to 16 letters")
    parser.add_argument(
        "--seed", type=int, default=1, help="same seed, same figurine (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
