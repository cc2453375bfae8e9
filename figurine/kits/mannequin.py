"""What kits share in clay: head, neck, ears, hands, soles, plinth and plaque; how to place, rib,
seam and inlay a solid.

A kit made on this mannequin fits every face place, camera and plaque of the soldier's kit.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from figurine.kits.solids import (
    Part,
    Point,
    Solid,
    box,
    capsule,
    common,
    cut,
    cylinder,
    ellipsoid,
    grown,
    mirrored,
    rotation,
    slab,
    tube,
    turned,
    union,
)
from figurine.types import Array

_PLINTH_DEPTH = 1.3
"""How much wider than deep the plinth is."""
_FINGER_STEPS_DEG = (0, 48, 96, 144, 186)
_SEAM_HALF = 0.0035


def head() -> Solid:
    """What every face is sculpted onto: star-shaped around the kits' face centre."""
    # The jaw is smaller than anyone's, so that a jawline stands out from what lies behind it.
    skull = ellipsoid((0, 1.557, -0.03), (0.190, 0.235, 0.215))
    jaw = ellipsoid((0, 1.375, 0.035), (0.118, 0.118, 0.120))
    return union(skull, jaw, blend=0.14)


def neck() -> Solid:
    return capsule((0, 1.10, -0.01), (0, 1.40, 0.01), 0.108, 0.105)


def ears() -> Solid:
    shape = turned(
        ellipsoid((0.212, 1.502, -0.045), (0.024, 0.068, 0.042)),
        rotation("y", 24),
        about=(0.212, 1.502, -0.045),
    )
    hollow = ellipsoid((0.236, 1.510, -0.030), (0.017, 0.042, 0.022))
    lobe = ellipsoid((0.205, 1.452, -0.032), (0.020, 0.024, 0.022))
    return mirrored(union(cut(shape, hollow, blend=0.010), lobe, blend=0.016))


def oval(solid: Solid) -> Solid:
    """A solid flattened from front to back as the plinth is."""
    squash = np.asarray([1, 1, _PLINTH_DEPTH], np.float32)
    return lambda p: solid(p * squash) / _PLINTH_DEPTH


def plinth() -> Solid:
    return oval(cylinder((0, 0.065, 0), 0.6, 0.065, rounding=0.022))


def plaque() -> Solid:
    """The name's frame at the front of the plinth, in the place every kit.toml gives."""
    pivot = (0, 0.090, 0.472)
    plate = union(
        box(pivot, (0.325, 0.074, 0.022), rounding=0.014),
        box((0, 0.05, 0.43), (0.29, 0.045, 0.05), rounding=0.02),
        blend=0.01,
    )
    panel = box((0, 0.090, 0.497), (0.304, 0.056, 0.009), rounding=0.008)
    return turned(cut(plate, panel, blend=0.003), rotation("x", -14), about=pivot)


def frame(along: Point, facing: Point) -> Array:
    """Axes (3, 3) in columns: y along one direction, z as near as can be to the other."""
    y = np.asarray(along, np.float32)
    y = y / np.linalg.norm(y)
    z = np.asarray(facing, np.float32)
    z = z - y * (z @ y)
    z = z / np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], axis=1).astype(np.float32)


def placed(solid: Solid, *, at: Point, axes: Array) -> Solid:
    """A solid made around the origin, moved to a point and laid along axes (3, 3)."""
    c = np.asarray(at, np.float32)
    return lambda p: solid(np.ascontiguousarray((p - c) @ axes))


def posed(parts: Sequence[Part], turn: Array) -> list[Part]:
    """Parts modelled straight ahead, turned about the upright through the origin."""
    return [replace(part, solid=turned(part.solid, turn)) for part in parts]


def band(at: Point, along: Point, radius: float, half: float, *, rounding: float = 0.01) -> Solid:
    """A disc or ring's body: a cylinder along any direction."""
    aside = (0.31, 0.17, 0.93) if abs(along[2]) < 0.9 * np.linalg.norm(along) else (0.93, 0.2, 0.3)
    return placed(
        cylinder((0, 0, 0), radius, half, rounding=rounding), at=at, axes=frame(along, aside)
    )


def curve(points: Sequence[Point], *, per_span: int = 6) -> list[Point]:
    """A smooth line through points. Source: Catmull and Rom, 1974."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    spans: list[Point] = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        for t in np.arange(per_span) / per_span:
            bend = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
            spans.append(tuple((bend + (3 * b - a - 3 * c + d) * t**3) / 2))
    return [*spans, tuple(p[-2])]


def hose(points: Sequence[Point], radius: float, *, rib: float, pitch: float) -> Solid:
    """A tube along a broken line, ribbed across: ribs stand out by `rib`, `pitch` apart."""
    p = np.asarray(points, np.float32)
    axes = np.diff(p, axis=0)
    lengths = np.linalg.norm(axes, axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def distance(q: Array) -> Array:
        best = np.full(len(q), 9.0, np.float32)
        for a, axis, length, start in zip(p, axes, lengths, starts, strict=False):
            offset = q - a
            t = np.clip(offset @ axis / length**2, 0, 1)
            away = np.linalg.norm(offset - t[:, None] * axis, axis=1)
            wave = np.cos(2 * np.pi * (start + t * length) / pitch)
            np.minimum(best, away - radius - rib * wave, out=best)
        return best

    return distance


def seamed(solid: Solid, *, at: Point, across: Point, height: float = 0.003) -> Solid:
    """The solid with the faint ridge that the two halves of a mould leave where they meet."""
    c, n = np.asarray(at, np.float32), np.asarray(across, np.float32)
    n = n / np.linalg.norm(n)

    def distance(p: Array) -> Array:
        away = (p - c) @ n / _SEAM_HALF
        return solid(p) - np.asarray(height * np.exp(-(away**2)), np.float32)

    return distance


def inlaid(solid: Solid, region: Solid, *, height: float = 0.004, soft: float = 0.008) -> Solid:
    """The solid's skin inside a region, raised a little, its edge sloping over twice `soft`.

    For whatever is thinner than twice the casting step (patches, stripes, caps): a steep edge that
    low would come out of the casting ragged.
    """

    def distance(p: Array) -> Array:
        return np.asarray(solid(p) + height * np.clip(region(p) / soft, -1, 1), np.float32)

    return distance


def hand(
    *,
    bends_deg: Sequence[Sequence[float]] = (),
    spread_deg: Sequence[float] = (7, 2, -3, -8),
    grip: float = 0.0,
    finger: float = 0.0195,
    thumb: Sequence[Point] = ((0.045, 0.03, 0.01), (0.088, 0.062, 0.022), (0.108, 0.105, 0.03)),
    thumb_side: int = 1,
) -> Solid:
    """A hand: wrist at the origin, fingers along y, palm facing z, thumb at +x (or -x).

    Fingers bend by three angles each, or close around a bar of radius `grip` along x, whose axis
    is then at `grip_axis(grip, finger)`.
    """
    gap = finger * 1.95
    lengths = (2.35, 2.75, 2.6, 2.1)
    fingers = []
    for i in range(4):
        x = (1.5 - i) * gap
        if grip:
            r, turn = grip + finger * 0.92, np.radians(_FINGER_STEPS_DEG)
            y, z = grip_axis(grip, finger)[1:]
            ends = len(turn) if i in (1, 2) else len(turn) - 1
            path = [(x, y + r * np.sin(a), z - r * np.cos(a)) for a in turn[:ends]]
            path.insert(0, (x * 0.9, 0.06, z - r))
        else:
            lean, bent = np.radians(spread_deg[i]), 0.0
            path = [(x * 0.8, 0.055, 0.0), (x, 0.105 - 0.006 * abs(i - 1.4), 0.0)]
            for bend, share in zip(bends_deg[i], (1.0, 0.72, 0.55), strict=True):
                bent += np.radians(bend)
                step = lengths[i] * finger * share
                a, b, c = path[-1]
                path.append(
                    (
                        a + step * np.sin(lean) * np.cos(bent),
                        b + step * np.cos(lean) * np.cos(bent),
                        c + step * np.sin(bent),
                    )
                )
        fingers.append(tube(path, finger, finger * 0.88))
    palm = union(
        box((0, 0.062, -0.002), (gap * 2.02, 0.058, 0.029), rounding=0.027),
        ellipsoid((0.038, 0.045, 0.016), (0.032, 0.045, 0.024)),
        capsule((0, -0.05, 0), (0, 0.02, 0), 0.046, 0.048),
        blend=0.02,
    )
    whole = union(
        palm,
        union(*fingers, blend=0.002),
        tube(list(thumb), finger * 1.25, finger * 1.02),
        blend=0.009,
    )
    if thumb_side > 0:
        return whole
    flip = np.asarray([-1, 1, 1], np.float32)
    return lambda p: whole(p * flip)


def grip_axis(grip: float, finger: float = 0.0195) -> Point:
    """Where, in a hand's own axes, the middle of the bar lies that it closes around."""
    return (0.0, 0.105, 0.012 + grip + finger * 0.2)


def sole(x: float, z: float, *, width: float = 0.096, length: float = 0.17) -> Solid:
    """A shoe's sole, 44 thousandths thick, its heel and ball set apart by a waist."""

    def outline(p: Array) -> Array:
        q = p - np.asarray([x, 0, z + 0.055], np.float32)
        waist = 1 - 0.13 * np.exp(-(((q[:, 2] + 0.03) / 0.045) ** 2))
        q = q * np.stack([1 / (width * waist), np.ones_like(waist), 1 / length + 0 * waist], 1)
        return np.asarray((np.sqrt(q[:, 0] ** 2 + q[:, 2] ** 2) - 1) * 0.08)

    return common(outline, slab((0, 0.155, 0), (0, 1, 0), 0.022), blend=0.008)


def strip(solid: Solid, *, at: Point, across: Point, half: float, thick: float) -> Solid:
    """What of a slightly grown solid lies in a slab: a strap, hem or piping laid on it."""
    return common(grown(solid, thick), slab(at, across, half), blend=thick * 0.8)
