"""How large models and prints are, how long they take, and how much memory:
`python -m tests.bench.solids`.

A process each, as a worker's first of its kind: kept kits would take less time and the peak of one
would hide that of the next. One sitter, or group photos of scikit-image's astronaut.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from figurine import kits
from figurine.decode import decode
from figurine.engines.base import FORMATS
from figurine.engines.sculpt import SculptEngine
from figurine.gate import admit
from figurine.types import Recipe, Selfie
from tests.bench.memory import Together, forget_torch, status_mb
from tests.photos import ASTRONAUT
from tests.squads import group_photo

_COUNTS = (1, 2, 6)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.solids", description=__doc__)
    parser.add_argument("--kit", action="append", choices=kits.names(), help="(all)")
    parser.add_argument("--finish", action="append", help="(all)")
    parser.add_argument("--count", action="append", type=int, help="faces (1, 2 and 6)")
    parser.add_argument("--format", action="append", choices=FORMATS, help="(both)")
    parser.add_argument("--here", action="store_true", help="the first, in this process, as JSON")
    options = parser.parse_args(arguments)
    if options.here:
        forget_torch()
        print(json.dumps(measure(*next(_wanted(options)))))
        return 0
    for kit, finish, count, format in _wanted(options):
        chosen = ["--kit", kit, "--finish", finish, "--count", str(count), "--format", format]
        child = subprocess.run(
            [sys.executable, "-m", "tests.bench.solids", "--here", *chosen],
            stdout=subprocess.PIPE,
            check=True,
        )
        made = json.loads(child.stdout)
        print(
            f"{format} {kit} {finish}, {count}: {made['bytes'] / 1e6:.2f} MB,"
            f" {made['spent_s']:.0f} s, peak memory {made['peak_mb']:.0f} MB,"
            f" with its children {made['together_mb']:.0f}",
            flush=True,
        )
    return 0


def _wanted(options: argparse.Namespace) -> Iterator[tuple[str, str, int, Any]]:
    """Prints are the same in all finishes, so of them one finish a kit."""
    for kit in options.kit or kits.names():
        finishes = options.finish or list(kits.load(kit).finishes)
        for format in options.format or FORMATS:
            for count in options.count or _COUNTS:
                for finish in finishes if format == "glb" else finishes[:1]:
                    yield kit, finish, count, format


def measure(kit: str, finish: str, count: int, format: Any) -> dict[str, Any]:
    """together_mb is the most that this process and its children held at one time."""
    selfie = _selfie(count)
    started = time.perf_counter()
    recipe = Recipe("sculpt", kit, finish, plaque="MAE")
    with Together() as memory:
        data = SculptEngine().geometry(selfie, recipe, format=format)
    return {
        "bytes": len(data),
        "spent_s": time.perf_counter() - started,
        "peak_mb": status_mb("VmHWM"),
        "together_mb": memory.peak_mb,
        "is_one_solid": format == "stl" and _is_one_solid(data),
    }


def _selfie(count: int) -> Selfie:
    if count == 1:
        return admit(decode(ASTRONAUT.read_bytes()))
    return admit(group_photo(count), most_faces=count)


def _is_one_solid(data: bytes) -> bool:
    import trimesh

    mesh: Any = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    return bool(mesh.is_watertight and mesh.body_count == 1)


if __name__ == "__main__":
    sys.exit(main())
