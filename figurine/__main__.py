"""`python -m figurine SELFIE -o OUT.png`: a figurine from one photo, without Django.

`-o OUT.glb` makes it a model to look at from all sides, `-o OUT.stl` one to print, `-o OUT.mp4` or
`-o OUT.webm` a clip in which it moves.
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

from figurine import engines, kits, plaque, provenance, recipes, sheet
from figurine.decode import decode
from figurine.engines.base import FORMATS
from figurine.errors import FigurineError
from figurine.gate import admit
from figurine.types import Candidate, Pixels, Recipe

PERMANENT: Final = 3
TRANSIENT: Final = 4
INTERRUPTED: Final = 130

ENGINE: Final = "sculpt"
MOST_FACES: Final = 6
MODELS: Final = {f".{name}": name for name in FORMATS}
CLIPS: Final = (".mp4", ".webm")
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
    _check_outputs(options, parser)
    progress = ProgressLine(sys.stderr)
    started = time.monotonic()
    try:
        made = _make(data, options, progress)
    except FigurineError as error:
        progress.clear()
        print(f"{error.code}: {error.sentence} {error.advice}", file=sys.stderr)
        return PERMANENT if error.permanent else TRANSIENT
    except KeyboardInterrupt:
        progress.clear()
        return INTERRUPTED
    progress.clear()
    _write(made.still if isinstance(made, Candidate) else made, options.output, parser)
    if isinstance(made, Candidate) and options.cutout:
        _write(made.cutout, options.cutout, parser)
    print(f"{options.output}  {_size(made)}  {time.monotonic() - started:.1f} s")
    return 0


def _size(made: Candidate | bytes) -> str:
    if isinstance(made, bytes):
        return f"{len(made) / 1e6:.1f} MB"
    height, width = made.still.shape[:2]
    return f"{width} x {height} px"


def _check_outputs(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what cannot be written, before any work is done."""
    kinds = (".png", *MODELS, *CLIPS)
    if options.output.suffix.lower() not in kinds or not options.output.parent.is_dir():
        known = ", ".join(kinds)
        parser.error(f"cannot write {options.output}: give one of {known} in a folder that exists")
    cutout = options.cutout
    if cutout and (cutout.suffix.lower() != ".png" or not cutout.parent.is_dir()):
        parser.error(f"cannot write {cutout}: give a .png in a folder that exists")
    if cutout and options.output.suffix.lower() != ".png":
        parser.error("only a picture has a cut-out")


def _make(data: bytes, options: argparse.Namespace, progress: ProgressLine) -> Candidate | bytes:
    recipe = Recipe(
        engine=ENGINE,
        kit=options.kit,
        finish=options.finish,
        plaque=plaque.clean(options.plaque),
        options={"pose": options.pose} if options.pose else {},
    )
    recipes.check(recipe)
    progress("looking at the selfie", 0.0)
    selfie = admit(decode(data), most_faces=options.faces)

    def step(stage: str, done: float) -> None:
        progress(stage, LOOKING + (1 - LOOKING) * done)

    kind = options.output.suffix.lower()
    if kind in MODELS or kind in CLIPS:
        from figurine.engines.sculpt import SculptEngine  # noqa: PLC0415 - heavy, and only here

        sculptor = SculptEngine()
        if kind in MODELS:
            return sculptor.geometry(selfie, recipe, format=MODELS[kind], progress=step)
        clip = sculptor.clip(selfie, recipe, seed=options.seed, progress=step)
        return clip.mp4 if kind == ".mp4" else clip.webm
    engine = engines.load(ENGINE)
    return engine.generate(selfie, recipe, seeds=[options.seed], progress=step)[0]


def _read(selfie: Path, parser: argparse.ArgumentParser) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(selfie) == "-" else selfie.read_bytes()
    except OSError as error:
        parser.error(f"cannot read {selfie}: {error.strerror}")


def _write(made: Pixels | bytes, path: Path, parser: argparse.ArgumentParser) -> None:
    try:
        if isinstance(made, bytes):
            path.write_bytes(made)
        else:
            provenance.save(made, path, engine=ENGINE)
    except OSError as error:
        parser.error(f"cannot write {path}: {error.strerror}")


def _finishes() -> list[str]:
    return sorted({finish for kit in kits.names() for finish in kits.load(kit).finishes})


def _poses() -> str:
    return "; ".join(f"{kit}: {', '.join(recipes.poses(kit))}" for kit in kits.names())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m figurine",
        description="Make a figurine of the person in a selfie.",
        usage="%(prog)s [options] SELFIE -o OUT\n       %(prog)s sheet PHOTOS [-h]",
        epilog="exit codes: 0 made, 2 wrong usage, 3 refused for good, 4 failed for now",
    )
    parser.add_argument("selfie", type=Path, help="JPEG, PNG, WebP or HEIC; - reads standard input")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="a .png, .glb, .stl, .mp4 or .webm"
    )
    parser.add_argument("--cutout", type=Path, help="the figurine alone, with alpha, a .png")
    parser.add_argument(
        "--faces",
        type=int,
        default=1,
        choices=range(1, MOST_FACES + 1),
        help="how many may be in the selfie: more than one make a squad (%(default)s)",
    )
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
