"""Skin around a cloud of points at one distance: marching tetrahedra, only where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from figurine.engines.sculpt.geometry.meshes import Mesh
from figurine.types import Array

_BITS = 20
"""Of a lattice point's number, for each axis."""
_CORNERS = np.asarray(list(np.ndindex(2, 2, 2)), np.int64)
_TETRAHEDRA = np.asarray(
    [
        np.cumsum([np.zeros(3, int), *np.eye(3, dtype=int)[list(order)]], axis=0) @ (4, 2, 1)
        for order in permutations(range(3))
    ]
)
"""(6, 4) corners of each, counted as in _CORNERS: neighbouring cells are cut alike."""
_LAYERS = 12
"""Of the lattice that are looked at together: a hill's rock takes 40 MB so, and 700 at once."""
_SHARE = (0.02, 0.98)
"""Of an edge, where it may be cut: no triangle shrinks to nothing."""


@dataclass(frozen=True)
class _Slab:
    """The skin in a few of the lattice's layers."""

    cuts: Array
    """(V,) int64, sorted: on which edge of the lattice each vertex lies."""
    vertices: Array
    """(V, 3) float32."""
    triangles: tuple[Array, ...]
    """(N, 3) int32 each, into the slab's vertices: as many as a tetrahedron is cut in ways."""


def isosurface(points: Array, *, radius: float, cell: float) -> Mesh:
    """A closed mesh of all that is within `radius` of a point (N, 3).

    Source: Doi and Koide, An efficient method of triangulating equi-valued surfaces by using
    tetrahedral cells, 1991.
    """
    slabs = list(_slabs(points, radius=radius, cell=cell))
    starts = np.cumsum([0, *(len(slab.cuts) for slab in slabs)])
    # A vertex in a layer between two slabs is in both of them.
    _, first, index = np.unique(
        np.concatenate([slab.cuts for slab in slabs]), return_index=True, return_inverse=True
    )
    vertices = np.concatenate([slab.vertices for slab in slabs])[first]
    ways = zip(*(slab.triangles for slab in slabs), strict=True)
    faces = [
        index[own + start] for way in ways for own, start in zip(way, starts[:-1], strict=True)
    ]
    return Mesh(vertices, np.concatenate(faces).astype(np.int64))


def _slabs(points: Array, *, radius: float, cell: float) -> Iterator[_Slab]:
    """From the lowest layer to the highest."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    reach = int(np.ceil(radius / cell)) + 2
    low = points.min(axis=0) - (reach + 1) * cell
    nearest = _numbered(np.unique(np.round((points - low) / cell).astype(np.int64), axis=0))
    layer = nearest >> 2 * _BITS
    tree = cKDTree(points)
    for bottom in range(int(layer.min()) - reach, int(layer.max()) + reach, _LAYERS):
        # 1. Distances on a lattice around the points, each lattice point by a number.
        numbers = nearest[(layer >= bottom - reach) & (layer <= bottom + _LAYERS + reach)]
        for axis in (2, 1, 0):
            steps = np.arange(-reach, reach + 1) << (_BITS * axis)
            numbers = np.unique(numbers[:, None] + steps)
            if axis == 2:
                layers = numbers >> 2 * _BITS
                numbers = numbers[(layers >= bottom) & (layers <= bottom + _LAYERS)]
        if len(numbers):
            at = _at(numbers)
            away, _ = tree.query(low + at * cell, distance_upper_bound=radius + 2 * cell)
            field = np.minimum(away, radius + 2 * cell) - radius
            yield _slab(numbers, field, bottom=bottom, low=low, cell=cell)


def _slab(numbers: Array, field: Array, *, bottom: int, low: Array, cell: float) -> _Slab:
    """field: (N,) distance from the skin of the lattice points, negative inside."""
    # 2. Cells that the surface crosses: their corners' places in the list.
    at, inside = _at(numbers), field < 0
    steps = _numbered(_CORNERS)
    near = np.unique(numbers[inside][:, None] - steps)
    near = near[(near >> 2 * _BITS >= bottom) & (near >> 2 * _BITS < bottom + _LAYERS)]
    corners = np.searchsorted(numbers, near[:, None] + steps)
    crossed = inside[corners].any(axis=1) & ~inside[corners].all(axis=1)
    tetrahedra = corners[crossed][:, _TETRAHEDRA].reshape(-1, 4)

    # 3. Those inside first: one of them leaves a triangle, two a square, three a triangle.
    count = inside[tetrahedra].sum(axis=1)
    order = np.argsort(~inside[tetrahedra], axis=1, kind="stable")
    a, b, c, d = np.take_along_axis(tetrahedra, order, axis=1).T
    one, two, three = count == 1, count == 2, count == 3
    ways = [
        _triangles((a, b), (a, c), (a, d), one),
        _triangles((a, c), (a, d), (b, d), two),
        _triangles((a, c), (b, d), (b, c), two),
        _triangles((a, d), (b, d), (c, d), three),
    ]
    owner = np.concatenate([np.flatnonzero(kind) for kind in (one, two, two, three)])

    # 4. A vertex an edge, triangles with their backs to the inside.
    ends = np.sort(np.concatenate(ways).reshape(-1, 2), axis=1)
    keys = numbers[ends[:, 0]] * len(steps) + np.searchsorted(
        np.sort(steps), numbers[ends[:, 1]] - numbers[ends[:, 0]]
    )
    cuts, some, index = np.unique(keys, return_index=True, return_inverse=True)
    first, second = ends[some].T
    share = np.clip(field[first] / (field[first] - field[second]), *_SHARE)[:, None]
    vertices = low + cell * (at[first] * (1 - share) + at[second] * share)
    faces = index.reshape(-1, 3)
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    hold = inside[tetrahedra][owner][..., None]
    where = at[tetrahedra[owner]]
    outwards = (where * ~hold).sum(axis=1) / (~hold).sum(axis=1)
    outwards = outwards - (where * hold).sum(axis=1) / hold.sum(axis=1)
    wrong = np.einsum("ij,ij->i", normal, outwards) < 0
    faces[wrong] = faces[wrong][:, ::-1]
    return _Slab(
        cuts=cuts,
        vertices=vertices.astype(np.float32),
        triangles=tuple(np.split(faces.astype(np.int32), np.cumsum([*map(len, ways[:-1])]))),
    )


def _at(numbers: Array) -> Array:
    """(N, 3) places in the lattice."""
    mask = (1 << _BITS) - 1
    return np.stack([(numbers >> (_BITS * axis)) & mask for axis in range(3)], axis=1)


def _numbered(at: Array) -> Array:
    return np.asarray(at @ np.asarray([1, 1 << _BITS, 1 << 2 * _BITS], np.int64))


def _triangles(
    p: tuple[Array, Array], q: tuple[Array, Array], r: tuple[Array, Array], which: Array
) -> Array:
    """(N, 3, 2): triangles between edges, where they are wanted."""
    return np.stack([np.stack(edge, axis=1)[which] for edge in (p, q, r)], axis=1)
