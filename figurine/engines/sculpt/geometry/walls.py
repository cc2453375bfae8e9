"""Thin parts: measured by rays, and thickened until a printer can make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from figurine.engines.sculpt.geometry.meshes import Mesh, normals, solid
from figurine.types import Array

_OPPOSED = -0.6
"""Cosine between the normals of a wall's two sides: at a ridge's flanks they open wider."""
_ROUNDS = 2
_SPREAD, _FADE = 3, 0.7
"""Neighbours over which a thickening fades out, and how much of it each keeps."""
_MARGIN = 1.04
_LEAST_STEP = 0.01
_ROOM = 0.4
"""Share of a gap that each of its sides may take. Without it, sides grew through each other."""


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


def clearance(made: Any, points: Array, directions: Array, *, most: float) -> Array:
    """(N,) free way from points on a solid's surface along `directions`, `most` if that is free."""
    starts = (points + directions * (most * 1e-3)).astype(np.float64)
    ends = (points + directions * most).astype(np.float64)
    hits = [made.ray_cast(start, end)[:1] for start, end in zip(starts, ends, strict=True)]
    return np.asarray([most * hit[0].distance if hit else most for hit in hits], np.float32)


def thickened(mesh: Mesh, *, least: float) -> Mesh:
    """Walls, blades and cords under `least` grown on both sides until they have it, as far as
    their neighbours leave room."""
    wanted = least * _MARGIN
    thin = np.ones(len(mesh.vertices), bool)
    for _ in range(_ROUNDS):
        # 1. What is missing, half on each side, fading out over the neighbours without a step.
        made, facing = solid(mesh), normals(mesh)
        grow = (wanted - thickness(made, mesh.vertices, facing, most=wanted)) / 2 * thin
        thin &= grow > 0
        for _ in range(_SPREAD):
            grow = np.maximum(grow, _FADE * _neighbours_mean(mesh, grow))

        # 2. No further than half way to whatever is opposite: it may grow too.
        moving = np.flatnonzero(grow > _LEAST_STEP * least)
        room = clearance(made, mesh.vertices[moving], facing[moving], most=2 * least)
        steps = np.zeros_like(grow)
        steps[moving] = np.minimum(grow[moving], _ROOM * room)
        mesh = mesh.moved(facing * steps[:, None])
    return mesh


def _neighbours_mean(mesh: Mesh, values: Array) -> Array:
    """Of each vertex, the mean of `values` over its triangles' corners."""
    count = len(mesh.vertices)
    corners = mesh.faces.ravel()
    around = np.repeat(values[mesh.faces].sum(axis=1), 3)
    total = np.bincount(corners, around, count)
    return np.asarray(total / np.maximum(3 * np.bincount(corners, minlength=count), 1), np.float32)
