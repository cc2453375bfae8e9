"""Fewer triangles: `thin`, and the same in a process of its own.

fast_simplification keeps its buffers for the life of the process: 250 MB after a kit's body.
A body is thinned once a kit, so its buffers are better elsewhere and gone.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np

from figurine.errors import OutOfMemory
from figurine.types import Array

_FINE_UNIT = 0.005
"""fast_simplification's first pass collapses whatever errs by less than 0.0015 of its unit, in the
order of the file: in this unit that is nothing, and the largest errors are kept for last."""


def thin(vertices: Array, faces: Array, *, count: int) -> tuple[Array, Array]:
    """About `count` triangles, where the shape needs them: vertices float32, faces int64.

    Source: Garland and Heckbert, Surface Simplification Using Quadric Error Metrics, 1997.
    """
    from fast_simplification import simplify  # noqa: PLC0415 - only in a worker

    points, index = simplify(
        np.ascontiguousarray(vertices / _FINE_UNIT, np.float32),
        np.ascontiguousarray(faces, np.int32),
        target_count=count,
    )
    return np.asarray(points * _FINE_UNIT, np.float32), np.asarray(index, np.int64)


def thin_apart(vertices: Array, faces: Array, *, count: int) -> tuple[Array, Array]:
    """As `thin`, in another process. Raises OutOfMemory where that one is killed."""
    buffer = io.BytesIO()
    np.savez(buffer, vertices=vertices, faces=faces, count=count)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "figurine.thinning"],
        input=buffer.getbuffer(),
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},  # nothing of the parent's secrets
    )
    if done.returncode:
        raise OutOfMemory(f"thinning {len(faces)} triangles ended with {done.returncode}")
    with np.load(io.BytesIO(done.stdout)) as file:
        return file["vertices"], file["faces"]


def main() -> None:
    """Arrays from standard input to standard output."""
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as file:
        vertices, faces = thin(file["vertices"], file["faces"], count=int(file["count"]))
    np.savez(sys.stdout.buffer, vertices=vertices, faces=faces)


if __name__ == "__main__":
    main()
