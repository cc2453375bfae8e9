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
_AT_ONCE = 400_000
"""Points put on triangles before the next: 50 MB."""
_STEPS, _STEP, _WARY = 24, 0.12, 0.6
"""A ball's way to where it is largest: so many steps of so many radii, none of them longer than
this share of the way to the nearest surface, so that it stays inside."""
_FILL = 1.04
"""Of the least wall, how thick a filled one is."""
_LOOK = 0.5
"""Between the points that are looked from first, in least walls."""
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
    if not len(cloud):
        return best
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

    around: only what is so near one of these points. Without chance: rows along each triangle's
    longest side, so that a sliver has few.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    corner = mesh.vertices[mesh.faces].astype(np.float64)
    tree, reach = (None, 0.0) if around is None else (cKDTree(around[0]), around[1])
    if tree is not None:
        # A large triangle may come near though its middle is far.
        middle = corner.mean(axis=1)
        wide = reach + np.linalg.norm(corner - middle[:, None], axis=2).max(axis=1)
        away, _ = tree.query(middle, distance_upper_bound=float(wide.max(initial=0)) + 1e-9)
        corner = corner[away <= wide]

    # 1. The longest side first.
    lengths = np.linalg.norm(np.roll(corner, -1, axis=1) - corner, axis=2)
    turn = (lengths.argmax(axis=1)[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(corner, turn[:, :, None], axis=1).transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    twice_area = np.linalg.norm(face, axis=1)
    face /= twice_area[:, None] + 1e-300
    long = lengths.max(axis=1, initial=0)
    across = np.ceil(long / spacing).astype(np.int64).clip(1)
    rows = np.ceil(twice_area / (long + 1e-300) / spacing).astype(np.int64).clip(1)

    # 2. So many at a time that they need little memory.
    found, facing = [np.zeros((0, 3))], [np.zeros((0, 3))]
    batch = np.cumsum(across * rows) // _AT_ONCE
    for number in np.unique(batch):
        own = np.flatnonzero(batch == number)
        of = np.repeat(own, (across * rows)[own])
        index = np.arange(len(of)) - np.searchsorted(of, of)
        along = ((index % across[of] + 0.5) / across[of])[:, None]
        up = ((index // across[of] + 1 / 3) / rows[of])[:, None]
        points = (a[of] * (1 - along) + b[of] * along) * (1 - up) + c[of] * up
        if tree is not None:
            near = np.isfinite(tree.query(points, distance_upper_bound=reach)[0])
            points, of = points[near], of[near]
        found.append(points)
        facing.append(face[of])
    return _sparse(np.concatenate(found), np.concatenate(facing), apart=0.7 * spacing)


def _sparse(points: Array, facing: Array, *, apart: float) -> tuple[Array, Array]:
    """One point of all that share a cell and a side: fine triangles have too many."""
    if not len(points):
        return points, facing
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

    # 1. Where it is thin: a look from all over it, then closely around what was found.
    mesh = from_solid(made)
    points, facing = sampled(mesh, spacing=_LOOK * least)
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
    del mesh, points, facing, cloud  # a hill's filling is larger than it
    balls = solid(isosurface(middles, radius=_FILL * least / 2, cell=_GRAIN * least))
    balls = balls.simplify(_SMOOTH * least)
    return manifold3d.Manifold.batch_boolean([made, balls], manifold3d.OpType.Add)
