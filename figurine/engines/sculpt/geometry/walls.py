"""Thin walls: found by rays and balls, and filled out until a printer can make them.

A wall is where two sides face away from each other closer than they may be, and where no ball of
that thickness lies in the solid near by. Rays alone would count the rim of every thick plate; balls
alone would count every corner, which none of them reaches into.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from figurine.engines.sculpt.geometry.isosurface import isosurface
from figurine.engines.sculpt.geometry.meshes import Mesh, from_solid, solid
from figurine.types import Array

_OPPOSED = -0.6
"""Cosine between the normals of a wall's two sides: at a ridge's flanks they open wider."""
_NEAR = 0.625
"""How far from a ball a point may be, in its radii beyond touching it, and still belong to what it
lies in: the edge of a block is 0.41, that of a wedge of 76 degrees 0.625."""
_ROUNDED = 0.95
"""Share of the least wall that counts as enough: the meshes are as coarse as that."""
_CLOUD = 0.15
"""Of the least wall, between the points that stand for the surface where balls are measured: they
come out 1 % too large."""
_STEPS, _STEP, _WARY = 24, 0.12, 0.6
"""A ball's way to where it is largest: so many steps of so many radii, none of them longer than
this share of the way to the nearest surface, so that it stays inside."""
_FILL = 1.04
"""Of the least wall, how thick a filled one is."""
_FOUND = 0.4
"""How near to a ball a point must be to be left alone, in its radii: stricter than what is
measured, so that borders are filled as well."""
_RIM = 0.65
"""Of half a wall's depth: where another side is nearer to its middle than this, its rim is."""
_GRAIN = 0.2
"""Cell of the filling, and how close the balls are, in least walls: as fine as a printer's line."""
_SMOOTH = 0.04
"""How far the filling may be from its shape when its triangles are thinned out, in least walls."""


def thickness(made: Any, points: Array, directions: Array, *, most: float) -> Array:
    """(N,) depth of a manifold3d solid under points on its surface, along -directions, where two
    sides face away from each other; `most` where it is as thick as that, or a mere ridge.

    Units as the solid's. Method: ray thickness, as in trimesh.proximity.thickness.
    """
    starts = (points - directions * (most * 1e-3)).astype(np.float64)
    ends = (points - directions * most).astype(np.float64)
    found = np.full(len(points), most, np.float32)
    for number, (start, end, normal) in enumerate(
        zip(starts, ends, directions.astype(np.float64), strict=True)
    ):
        for hit in made.ray_cast(start, end):
            facing = float(np.dot(hit.normal, normal))
            if facing < 0:
                if facing < _OPPOSED:
                    found[number] = most * (1e-3 + hit.distance * (1 - 1e-3))
                break
    return found


def is_thin(made: Any, points: Array, directions: Array, *, least: float) -> NDArray[np.bool_]:
    """(N,) whether points on a manifold3d solid's surface belong to a wall thinner than `least`.

    directions: (N, 3) outward.
    """
    return _thin(made, points, directions, least=least, near=_NEAR)[0]


def _thin(
    made: Any, points: Array, directions: Array, *, least: float, near: float
) -> tuple[NDArray[np.bool_], Array]:
    """As `is_thin`, and each point's depth. near: see _NEAR."""
    depth = thickness(made, points, directions, most=2 * least)
    thin = depth < _ROUNDED * least
    where = np.flatnonzero(thin)
    thin[where] = (
        _room(from_solid(made), points[where], directions[where], radius=least / 2, near=near)
        < _ROUNDED * least / 2
    )
    return thin, depth


def _room(mesh: Mesh, points: Array, directions: Array, *, radius: float, near: float) -> Array:
    """(N,) radius of the largest ball inside a mesh whose middle is within `radius` * (1 + `near`)
    of each point on it.

    Method: from under the surface away from whatever is nearest, step by step, along the medial
    axis where it is reached.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    best = np.zeros(len(points), np.float32)
    if not len(points):
        return best
    reach = radius * (1 + near)
    cloud, _ = sampled(mesh, spacing=2 * radius * _CLOUD, around=(points, 2.5 * reach))
    tree = cKDTree(cloud)
    middle = points - directions * (radius * 0.12)
    for _ in range(_STEPS):
        small = np.flatnonzero(best < _ROUNDED * radius)
        start, here = points[small], middle[small]
        away, nearest = tree.query(here)
        best[small] = np.maximum(best[small], away)
        up = (here - cloud[nearest]) / np.maximum(away, 1e-9)[:, None]
        off = here + up * np.minimum(_STEP * radius, _WARY * away)[:, None] - start
        far = np.linalg.norm(off, axis=1, keepdims=True)
        middle[small] = start + off * np.minimum(1, reach / np.maximum(far, 1e-9))
    return best


def sampled(
    mesh: Mesh, *, spacing: float, around: tuple[Array, float] | None = None
) -> tuple[Array, Array]:
    """Points about `spacing` apart on a mesh, and their triangles' normals: each (N, 3).

    around: only triangles whose middle is so near one of these points. Without chance: a lattice
    in each triangle, as fine as its longest side needs.
    """
    corner = mesh.vertices[mesh.faces].astype(np.float64)
    if around is not None:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

        points, reach = around
        away, _ = cKDTree(points).query(corner.mean(axis=1), distance_upper_bound=reach)
        corner = corner[np.isfinite(away)]
    sides = corner - np.roll(corner, 1, axis=1)
    steps = np.ceil(np.linalg.norm(sides, axis=2).max(axis=1) / spacing).astype(int).clip(1)
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    face /= np.linalg.norm(face, axis=1, keepdims=True) + 1e-300
    found, facing = [], []
    for count in np.unique(steps):
        here = steps == count
        # Middles of the small triangles that stand as the large one does.
        i, j = np.nonzero(np.add.outer(np.arange(count), np.arange(count)) < count)
        b, c = (i + 1 / 3) / count, (j + 1 / 3) / count
        shares = np.stack([1 - b - c, b, c], axis=1)
        found.append(np.einsum("kc,fcx->fkx", shares, corner[here]).reshape(-1, 3))
        facing.append(np.repeat(face[here], len(shares), axis=0))
    return _sparse(np.concatenate(found), np.concatenate(facing), apart=0.7 * spacing)


def _sparse(points: Array, facing: Array, *, apart: float) -> tuple[Array, Array]:
    """One point of all that share a cell and a side: fine triangles have too many."""
    cell = np.floor((points - points.min(axis=0)) / apart).astype(np.int64)
    side = np.abs(facing).argmax(axis=1)
    side += 3 * (np.take_along_axis(facing, side[:, None], axis=1)[:, 0] > 0)
    _, first = np.unique(cell @ (1, 1 << 18, 1 << 36) + (side << 54), return_index=True)
    return points[first], facing[first]


def reinforced(made: Any, *, least: float, behind_z: float = np.inf) -> Any:
    """A manifold3d solid whose walls, blades and cords are filled out to `least`, and which is
    otherwise as it was: along the middle of what is too thin, balls are added.

    behind_z: only what lies behind this is looked at.
    Gaps that they close are closed: fingers and blades of grass grow together.
    """
    import manifold3d  # noqa: PLC0415 - only in a worker
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    # 1. Where it is thin: a look from every triangle, then closely around what was found.
    mesh = from_solid(made)
    points, facing = _middles(mesh)
    points, facing = (each[points[:, 2] < behind_z] for each in (points, facing))
    coarse = thickness(made, points, facing, most=2 * least) < least
    if not coarse.any():
        return made
    points, facing = sampled(mesh, spacing=_GRAIN * least, around=(points[coarse], 0.6 * least))
    thin, depth = _thin(made, points, facing, least=least, near=_FOUND)
    if not thin.any():
        return made

    # 2. Half way through it a ball at each point, but for its rim, which others reach.
    half = depth[thin] / 2
    middles = points[thin] - facing[thin] * half[:, None]
    cloud, _ = sampled(mesh, spacing=_CLOUD * least, around=(middles, least))
    away, _ = cKDTree(cloud).query(middles, distance_upper_bound=least)
    middles = middles[away > _RIM * half]
    if not len(middles):
        return made
    filling = isosurface(middles, radius=_FILL * least / 2, cell=_GRAIN * least)
    balls = solid(filling).simplify(_SMOOTH * least)
    return manifold3d.Manifold.batch_boolean([made, balls], manifold3d.OpType.Add)


def _middles(mesh: Mesh) -> tuple[Array, Array]:
    corner = mesh.vertices[mesh.faces].astype(np.float64)
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    return corner.mean(axis=1), face / (np.linalg.norm(face, axis=1, keepdims=True) + 1e-300)
