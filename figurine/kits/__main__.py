"""`python -m figurine.kits bake soldier`: rebuild a kit from its clay. Needs the extra `bake`."""

from __future__ import annotations

import argparse
import sys

from figurine import kits
from figurine.errors import FigurineError
from figurine.kits import baking


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m figurine.kits", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    bake = commands.add_parser("bake", help="rebuild a kit's body and plates")
    bake.add_argument("kit", choices=kits.names())
    bake.add_argument("--pose", action="append", help="(all)")
    bake.add_argument("--plates-only", action="store_true", help="keep the body that is there")
    chosen = parser.parse_args(arguments)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        for kit in baking.stances(chosen.kit, chosen.pose):
            baking.bake(kit, say=say, plates_only=chosen.plates_only)
    except FigurineError as error:
        say(f"{error.code}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
