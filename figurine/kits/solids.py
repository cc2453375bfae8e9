"""Clay: signed distances of simple solids, and how to join, cut, bend and crease them.

A solid is a function from points (N, 3) float32 to signed distances (N,) float32, negative inside.
Units are the kit's own. Formulas: I. Quilez, "3D distance functions", iquilezles.org.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from figurine.types import Array

Solid = Callable[[Array], Array]
Point = Sequence[float] | Array


@dataclass(frozen=True)
class Part:
    """A solid of one material, as a sculptor would add it to what stands already."""

    name: str
    material: str
    solid: Solid
    blend: float = 0.0
    """Radius of the fillet where it meets the parts before it; 0 leaves a crease."""


def _vector(point: Point) -> Array:
    return np.asarray(point, np.float32)


def _length(v: Array) -> Array:
    length: Array = np.sqrt(np.einsum("ij,ij->i", v, v))
    return length


def ellipsoid(centre: Point, radii: Point) -> Solid:
    c, r = _vector(centre), _vector(radii)

    def distance(p: Array) -> Array:
        q = (p - c) / r
        k0, k1 = _length(q), _length(q / r)
        return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-6))

    return distance


def capsule(start: Point, end: Point, radius: float, end_radius: float | None = None) -> Solid:
    a, axis = _vector(start), _vector(end) - _vector(start)
    taper = (radius if end_radius is None else end_radius) - radius
    squared = float(axis @ axis)

    def distance(p: Array) -> Array:
        q = p - a
        t = np.clip(q @ axis / squared, 0, 1)
        return np.asarray(_length(q - t[:, None] * axis) - (radius + taper * t))

    return distance


def tube(points: Sequence[Point], radius: float, end_radius: float | None = None) -> Solid:
    """A capsule along a broken line, tapering evenly from its first point to its last."""
    last = radius if end_radius is None else end_radius
    radii = np.linspace(radius, last, len(points))
    return union(
        *(
            capsule(a, b, float(ra), float(rb))
            for a, b, ra, rb in zip(points, points[1:], radii, radii[1:], strict=False)
        ),
        blend=radius * 0.25,
    )


def box(centre: Point, half: Point, *, rounding: float = 0.01) -> Solid:
    c, h = _vector(centre), _vector(half) - rounding

    def distance(p: Array) -> Array:
        d = np.abs(p - c) - h
        return np.asarray(_length(np.maximum(d, 0)) + np.minimum(d.max(axis=1), 0) - rounding)

    return distance


def cylinder(
    centre: Point, radius: float, half_height: float, *, axis: int = 1, rounding: float = 0.01
) -> Solid:
    c = _vector(centre)
    around = [i for i in range(3) if i != axis]

    def distance(p: Array) -> Array:
        q = p - c
        d = np.stack(
            [
                _length(q[:, around]) - radius + rounding,
                np.abs(q[:, axis]) - half_height + rounding,
            ],
            axis=1,
        )
        return np.asarray(_length(np.maximum(d, 0)) + np.minimum(d.max(axis=1), 0) - rounding)

    return distance


def smooth_min(a: Array, b: Array, radius: float) -> Array:
    """Minimum with a fillet of this radius."""
    if radius <= 0:
        return np.minimum(a, b)
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0, 1)
    return b + (a - b) * h - radius * h * (1 - h)


def union(*solids: Solid, blend: float = 0.0) -> Solid:
    def distance(p: Array) -> Array:
        d = solids[0](p)
        for solid in solids[1:]:
            d = smooth_min(d, solid(p), blend)
        return d

    return distance


def common(*solids: Solid, blend: float = 0.0) -> Solid:
    """What all of them share."""

    def distance(p: Array) -> Array:
        d = -solids[0](p)
        for solid in solids[1:]:
            d = smooth_min(d, -solid(p), blend)
        return -d

    return distance


def inverse(solid: Solid) -> Solid:
    return lambda p: -solid(p)


def cut(solid: Solid, tool: Solid, *, blend: float = 0.0) -> Solid:
    return common(solid, inverse(tool), blend=blend)


def below(point: Point, normal: Point) -> Solid:
    """The half space behind a plane."""
    c, n = _vector(point), _vector(normal)
    n = n / np.linalg.norm(n)
    return lambda p: (p - c) @ n


def slab(point: Point, normal: Point, half: float) -> Solid:
    c, n = _vector(point), _vector(normal)
    n = n / np.linalg.norm(n)
    return lambda p: np.abs((p - c) @ n) - half


def shell(solid: Solid, half: float) -> Solid:
    """A skin of this half thickness on the solid's surface."""
    return lambda p: np.abs(solid(p)) - half


def grown(solid: Solid, by: float) -> Solid:
    return lambda p: solid(p) - by


def rotation(axis: str, degrees: float) -> Array:
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    return np.asarray(
        {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }[axis],
        np.float32,
    )


def turned(solid: Solid, matrix: Array, *, about: Point = (0, 0, 0)) -> Solid:
    """The solid rotated by `matrix` about a point."""
    c = _vector(about)
    return lambda p: solid(np.ascontiguousarray((p - c) @ matrix + c))


def mirrored(solid: Solid) -> Solid:
    """The solid's right half (x > 0), and its mirror image on the left."""

    def distance(p: Array) -> Array:
        q = p.copy()
        q[:, 0] = np.abs(q[:, 0])
        return solid(q)

    return distance


def noise(p: Array, *, size: float) -> Array:
    """Cheap smooth noise in -1..1 with features of about this size; the same on every machine."""
    q = p * (2 * np.pi / size)
    x, y, z = q[:, 0], q[:, 1], q[:, 2]
    return np.asarray(
        (
            np.sin(x * 0.81 + np.sin(y * 0.63 + 1.7) * 1.3)
            + np.sin(y * 0.93 + np.sin(z * 0.71 + 0.4) * 1.3)
            + np.sin(z * 0.87 + np.sin(x * 0.59 + 2.9) * 1.3)
        )
        / 3,
        np.float32,
    )


def rough(solid: Solid, amount: float, *, size: float) -> Solid:
    return lambda p: solid(p) + amount * noise(p, size=size)


def creased(
    solid: Solid, *, at: Point, along: Point, spacing: float, depth: float, reach: float
) -> Solid:
    """The solid with cloth folds around a point, lying across the direction `along`."""
    c, n = _vector(at), _vector(along)
    n = n / np.linalg.norm(n)

    def distance(p: Array) -> Array:
        d = solid(p)
        near = np.abs(d) < 4 * depth + 0.06
        if near.any():
            q = p[near] - c
            phase = (q @ n) / spacing + 0.45 * noise(p[near], size=spacing * 4.5)
            fold = np.abs(np.sin(np.pi * phase))
            fade = np.exp(-np.einsum("ij,ij->i", q, q) / (reach * reach))
            d = d.copy()
            d[near] += depth * fade * (1 - fold) ** 1.5 * 1.6 - depth * fade * 0.45
        return d

    return distance
