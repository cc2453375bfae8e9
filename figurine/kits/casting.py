"""Clay to mesh: samples a sculpt program's parts near their surface and runs marching cubes.

Only `bake` uses this: it needs scikit-image, which a running worker does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from figurine.kits.body import Body
from figurine.kits.solids import Part, Solid, smooth_min
from figurine.types import Array

_BLOCK = 24
"""Samples along a block's edge: small enough for the arrays to stay in a core's cache."""
_SLACK = 0.05
"""How far, in units, a part may be wrong about its distance (creases, ellipsoids) or reach out
by its fillet: above the largest fillet and the deepest crease of the soldier."""
_EDGE = 0.0016
"""Half width, in units, of the soft border between two materials: about one pixel."""


def cast(
    parts: Sequence[Part],
    *,
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]],
    materials: Sequence[str],
    step: float,
) -> Body:
    """Mesh of all parts joined in order, each vertex with the material of the nearest part."""
    from skimage.measure import marching_cubes  # noqa: PLC0415 - the extra `bake`

    low = np.asarray(bounds[0], np.float32)
    counts = np.ceil((np.asarray(bounds[1]) - low) / step).astype(int) + 1
    volume = np.full(counts, 1.0, np.float32)
    corners = [
        (i, j, k)
        for i in range(0, counts[0], _BLOCK)
        for j in range(0, counts[1], _BLOCK)
        for k in range(0, counts[2], _BLOCK)
    ]
    reach = _BLOCK * step * np.sqrt(3) / 2 + _SLACK

    # 1. Which parts come near which block.
    middles = (low + (np.asarray(corners) + _BLOCK / 2) * step).astype(np.float32)
    near = np.stack([part.solid(middles) for part in parts], axis=1)

    def fill(index: int) -> None:
        i, j, k = corners[index]
        block = tuple(slice(a, min(a + _BLOCK, n)) for a, n in zip((i, j, k), counts, strict=True))
        active = [part for part, d in zip(parts, near[index], strict=True) if d < reach]
        if not active:
            return
        axes = [np.arange(s.start, s.stop, dtype=np.float32) * step for s in block]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        points = np.ascontiguousarray(grid.reshape(-1, 3) + low)
        volume[block] = joined(active, points).reshape(grid.shape[:3])

    # 2. Distances, only near the surface.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(len(corners))))

    # 3. The surface, and what it is made of.
    vertices, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
        volume, 0.0, spacing=(step,) * 3, allow_degenerate=False
    )
    vertices = (vertices + low).astype(np.float32)
    first, second, share = _materials(parts, vertices, materials)
    return Body(
        vertices=vertices,
        faces=faces.astype(np.int32),
        material=first,
        other_material=second,
        share=share,
    )


def joined(parts: Sequence[Part], points: Array) -> Array:
    d = parts[0].solid(points)
    for part in parts[1:]:
        d = smooth_min(d, part.solid(points), part.blend)
    return d


def _materials(
    parts: Sequence[Part], points: Array, materials: Sequence[str]
) -> tuple[Array, Array, Array]:
    """The nearest material of each point, the runner-up, and the nearest one's share (0..255)."""
    nearest = np.full((len(materials), len(points)), 9.0, np.float32)
    for part in parts:
        row = materials.index(part.material)
        np.minimum(nearest[row], part.solid(points), out=nearest[row])
    order = np.argsort(nearest, axis=0, kind="stable")[:2]
    gap = np.take_along_axis(nearest, order, axis=0)
    share = np.clip(0.5 + (gap[1] - gap[0]) / (2 * _EDGE), 0, 1)
    return (
        order[0].astype(np.uint8),
        order[1].astype(np.uint8),
        np.round(share * 255).astype(np.uint8),
    )


def radial_map(solid: Solid, *, origin: Array, directions: Array, reach: float) -> Array:
    """Distance from `origin` to a star-shaped solid's surface along each direction."""
    low = np.zeros(len(directions), np.float32)
    high = np.full(len(directions), reach, np.float32)
    for _ in range(24):
        middle = (low + high) / 2
        inside = solid(origin + directions * middle[:, None]) < 0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return (low + high) / 2
