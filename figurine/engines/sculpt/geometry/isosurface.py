"""Skin around a cloud of points at one distance: marching tetrahedra, only where it runs."""

from __future__ import annotations

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
_SHARE = (0.02, 0.98)
"""Of an edge, where it may be cut: no triangle shrinks to nothing."""


def isosurface(points: Array, *, radius: float, cell: float) -> Mesh:
    """A closed mesh of all that is within `radius` of a point (N, 3).

    Source: Doi and Koide, An efficient method of triangulating equi-valued surfaces by using
    tetrahedral cells, 1991.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    # 1. Distances on a lattice around the points, each lattice point by a number.
    reach = int(np.ceil(radius / cell)) + 2
    low = points.min(axis=0) - (reach + 1) * cell
    numbers = _numbered(np.unique(np.round((points - low) / cell).astype(np.int64), axis=0))
    for axis in range(3):
        steps = np.arange(-reach, reach + 1) << (_BITS * axis)
        numbers = np.unique(numbers[:, None] + steps)
    at = np.stack([(numbers >> (_BITS * axis)) & ((1 << _BITS) - 1) for axis in range(3)], axis=1)
    away, _ = cKDTree(points).query(low + at * cell, distance_upper_bound=radius + 2 * cell)
    field = np.minimum(away, radius + 2 * cell) - radius

    # 2. Cells that the surface crosses: their corners' places in the list.
    inside = field < 0
    steps = _numbered(_CORNERS)
    near = np.unique(numbers[inside][:, None] - steps)
    corners = np.searchsorted(numbers, near[:, None] + steps)
    crossed = inside[corners].any(axis=1) & ~inside[corners].all(axis=1)
    tetrahedra = corners[crossed][:, _TETRAHEDRA].reshape(-1, 4)

    # 3. Those inside first: one of them leaves a triangle, two a square, three a triangle.
    count = inside[tetrahedra].sum(axis=1)
    order = np.argsort(~inside[tetrahedra], axis=1, kind="stable")
    a, b, c, d = np.take_along_axis(tetrahedra, order, axis=1).T
    one, two, three = count == 1, count == 2, count == 3
    edges = np.concatenate(
        [
            _triangles((a, b), (a, c), (a, d), one),
            _triangles((a, c), (a, d), (b, d), two),
            _triangles((a, c), (b, d), (b, c), two),
            _triangles((a, d), (b, d), (c, d), three),
        ]
    )
    owner = np.concatenate([np.flatnonzero(kind) for kind in (one, two, two, three)])

    # 4. A vertex an edge, triangles with their backs to the inside.
    keys = np.sort(edges.reshape(-1, 2), axis=1)
    cut, index = np.unique(keys[:, 0] * len(numbers) + keys[:, 1], return_inverse=True)
    first, second = cut // len(numbers), cut % len(numbers)
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
    return Mesh(vertices.astype(np.float32), faces.astype(np.int64))


def _numbered(at: Array) -> Array:
    return np.asarray(at @ np.asarray([1, 1 << _BITS, 1 << 2 * _BITS], np.int64))


def _triangles(
    p: tuple[Array, Array], q: tuple[Array, Array], r: tuple[Array, Array], which: Array
) -> Array:
    """(N, 3, 2): triangles between edges, where they are wanted."""
    return np.stack([np.stack(edge, axis=1)[which] for edge in (p, q, r)], axis=1)
