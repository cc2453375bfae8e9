"""Fewer triangles: `thin`, and the same in a process of its own.

fast_simplification keeps its buffers for the life of the process: 250 MB after a kit's body.
A body is thinned once a kit, so its buffers are better elsewhere and gone.
"""

from __future__ import annotations

import numpy as np

from figurine import apart
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
    """As `thin`, in another process. Raises OutOfMemory."""
    given = {"vertices": vertices, "faces": faces, "count": count}
    made = apart.run("figurine.thinning", given)
    return made["vertices"], made["faces"]


def _thinned(given: apart.Arrays) -> dict[str, Array]:
    vertices, faces = thin(given["vertices"], given["faces"], count=int(given["count"]))
    return {"vertices": vertices, "faces": faces}


if __name__ == "__main__":
    apart.serve(_thinned)
