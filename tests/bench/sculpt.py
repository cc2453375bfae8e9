"""Where a figurine's seconds go, and a worker's memory: `python -m tests.bench.sculpt`.

Makes figurines of every portrait in turn, in a process of its own for each of mitsuba's variants
that runs here. The floor is what no engine could leave out: decoding the upload, one pass of the
denoiser over a face's pixels, encoding the still.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from PIL import Image

from figurine import engines, kits
from figurine.decode import decode
from figurine.engines import Engine
from figurine.engines.sculpt import backend, compose, scene
from figurine.gate import admit
from figurine.types import Pixels, Recipe, Selfie
from tests.bench.memory import forget_torch, status_mb
from tests.bench.timing import p, timed
from tests.photos import PORTRAITS

SIZES_PX: Final = {"still, 1080 x 1350": 1080, "preview, 540 x 675": 540}
_SETTLED: Final = 40
"""Figurines after which a worker keeps all it ever will: every finish, each met often."""
_WINDOW: Final = 20
"""Figurines whose median is taken: faces and finishes differ by 6 % of the memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sculpt", description=__doc__)
    parser.add_argument("--runs", type=int, default=24, help="figurines of each size (24)")
    parser.add_argument("--row", type=int, default=0, help="then so many in a row, for memory")
    parser.add_argument("--variant", choices=backend.VARIANTS, help="(the fastest, and scalar)")
    parser.add_argument("--kit", default="soldier", choices=kits.names())
    parser.add_argument("--finish", default="painted")
    parser.add_argument("--here", action="store_true", help="in this process, figures as JSON")
    options = parser.parse_args(arguments)
    if options.here:
        forget_torch()
        print(json.dumps(measure(options.kit, options.finish, runs=options.runs, row=options.row)))
        return 0
    for variant in (options.variant,) if options.variant else runnable():
        passed = [f"--{name}={getattr(options, name)}" for name in ("runs", "row", "kit", "finish")]
        child = subprocess.run(
            [sys.executable, "-m", "tests.bench.sculpt", "--here", *passed],
            env={**os.environ, "SCULPT_VARIANT": variant},
            stdout=subprocess.PIPE,
            check=True,
        )
        report(f"{variant}, {options.kit}, {options.finish}", json.loads(child.stdout))
    return 0


def runnable() -> list[str]:
    """The fastest variant here, and the one that runs everywhere."""
    return list(dict.fromkeys([backend.fastest(), backend.VARIANTS[-1]]))


def measure(kit: str, finish: str, *, runs: int, row: int) -> dict[str, Any]:
    """Seconds by size and stage, and memory in MB."""
    photos = [path.read_bytes() for path in PORTRAITS]
    selfies = [admit(decode(photo)) for photo in photos]
    engine = engines.load("sculpt")
    recipe = Recipe("sculpt", kit, finish, plaque="NOVA")
    spans = {
        name: stages(engine, selfies, replace(recipe, options={"width_px": width_px}), runs)
        for name, width_px in SIZES_PX.items()
    }
    spans["floor"] = floor(photos[0], kit, runs)
    recipes = [replace(recipe, finish=name) for name in kits.load(kit).finishes]
    memory = []
    for seed in range(row):
        engine.generate(selfies[seed % len(selfies)], recipes[seed % len(recipes)], seeds=[seed])
        memory.append(status_mb("VmRSS"))
    return {"spans": spans, "memory": memory, "peak": status_mb("VmHWM")}


def stages(
    engine: Engine, selfies: Sequence[Selfie], recipe: Recipe, runs: int
) -> dict[str, list[float]]:
    """Seconds of each stage and of the whole, of warm figurines."""
    engine.generate(selfies[0], recipe, seeds=[0])
    seconds: dict[str, list[float]] = defaultdict(list)
    for seed in range(runs):
        started = time.perf_counter()
        candidate = engine.generate(selfies[seed % len(selfies)], recipe, seeds=[seed])[0]
        seconds["whole"].append(time.perf_counter() - started)
        for stage, ms in candidate.timings_ms.items():
            seconds[stage].append(ms / 1000)
    return dict(seconds)


def floor(photo: bytes, kit: str, runs: int) -> dict[str, list[float]]:
    width, height = compose.crop_box(kits.load(kit), compose.PLATE_PX)[2:]
    grain = np.random.default_rng(0).random((height, width, 3), np.float32)
    still = decode(photo)
    parts: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(photo),
        "one pass of OIDN": lambda: scene.denoised(grain, grain, grain),
        "encode": lambda: _encoded(still),
    }
    seconds = {name: [timed(part) for _ in range(runs)] for name, part in parts.items()}
    return {"whole": [sum(each) for each in zip(*seconds.values(), strict=True)], **seconds}


def report(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}{'p50':>{44 - len(title)}}{'p95':>9}")
    for name, spans in figures["spans"].items():
        for part, seconds in spans.items():
            label = name if part == "whole" else f"  {part}"
            print(f"{label:36}{1000 * p(seconds, 50):8.0f}{1000 * p(seconds, 95):9.0f} ms")
    print(f"{'peak memory':36}{figures['peak']:8.0f} MB")
    memory = figures["memory"]
    if len(memory) >= _SETTLED + 2 * _WINDOW:
        first = statistics.median(memory[_SETTLED : _SETTLED + _WINDOW])
        growth = statistics.median(memory[-_WINDOW:]) / first - 1
        print(f"{f'growth over {len(memory)} figurines':36}{100 * growth:8.1f} %")


def _encoded(still: Pixels) -> bytes:
    picture = Image.fromarray(still).resize(compose.PLATE_PX)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92, subsampling=0, optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
