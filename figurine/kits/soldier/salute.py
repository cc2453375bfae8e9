"""A salute: the right hand flat at the helmet's brim, the left at the seam, heels together."""

from __future__ import annotations

import numpy as np

from figurine.kits.soldier.legs import Foot
from figurine.kits.solids import (
    Part,
    Point,
    Solid,
    below,
    capsule,
    common,
    creased,
    ellipsoid,
    grown,
    shell,
    slab,
    tube,
    union,
)
from figurine.types import Array

TURN_DEG = -6.0
FEET = (Foot(-0.136, 0.005, -22, -0.134), Foot(0.136, 0.005, 22, 0.134))

_FINGERS = ((0.0, 0.104, 0.0180), (1.0, 0.118, 0.0190), (2.0, 0.112, 0.0185), (3.0, 0.090, 0.0170))
"""Place across the palm, length and radius, from index to little finger."""
_APART = 0.0345


def arms() -> list[Part]:
    """The raised right arm, on the picture's left, and the hanging left one."""
    raised, raised_cuff, raised_hand = _raised()
    hanging, hanging_cuff, hanging_hand = _hanging()
    patch = common(
        shell(grown(hanging, 0.003), 0.005),
        slab((0.34, 1.00, 0.0), (0, 1, 0), 0.034),
        slab((0.34, 1.00, 0.01), (0, 0, 1), 0.032),
        below((0.27, 0, 0), (-1, 0, 0)),
        blend=0.003,
    )
    return [
        Part("sleeves", "cloth", union(raised, hanging), 0.03),
        Part("arm patch", "webbing", patch, 0.002),
        Part("cuffs", "cloth", union(raised_cuff, hanging_cuff), 0.006),
        Part("hands", "skin", union(raised_hand, hanging_hand), 0.006),
    ]


def _raised() -> tuple[Solid, Solid, Solid]:
    shoulder, elbow, wrist = (-0.25, 1.10, -0.005), (-0.540, 1.160, 0.075), (-0.402, 1.398, 0.118)
    sleeve = union(
        ellipsoid((-0.25, 1.095, -0.005), (0.112, 0.100, 0.108)),
        capsule(shoulder, elbow, 0.097, 0.086),
        capsule(elbow, wrist, 0.088, 0.064),
        blend=0.04,
    )
    sleeve = creased(
        sleeve, at=(-0.49, 1.20, 0.10), along=(0.95, 0.75, 0.1), spacing=0.036, depth=0.013,
        reach=0.095,
    )  # fmt: skip
    sleeve = creased(
        sleeve, at=(-0.30, 1.06, 0.07), along=(1, 0.35, 0.2), spacing=0.042, depth=0.011, reach=0.10
    )
    sleeve = creased(
        sleeve,
        at=(-0.44, 1.33, 0.13),
        along=(0.5, 0.85, 0.1),
        spacing=0.038,
        depth=0.008,
        reach=0.07,
    )
    cuff = capsule(_between(elbow, wrist, 0.90), _between(elbow, wrist, 1.02), 0.074, 0.072)
    hand = _hand(
        wrist=_between(elbow, wrist, 1.06),
        along=(0.55, 0.83, 0.02),
        palm=(0.62, -0.40, 0.67),
        side=-1,
        thumb=0.0,
        curl=0.006,
    )
    return sleeve, cuff, hand


def _hanging() -> tuple[Solid, Solid, Solid]:
    shoulder, elbow, wrist = (0.25, 1.09, -0.005), (0.372, 0.865, -0.035), (0.372, 0.655, 0.03)
    sleeve = union(
        ellipsoid((0.25, 1.095, -0.005), (0.112, 0.098, 0.108)),
        capsule(shoulder, elbow, 0.097, 0.086),
        capsule(elbow, wrist, 0.088, 0.066),
        blend=0.04,
    )
    sleeve = creased(
        sleeve, at=(0.37, 0.87, 0.04), along=(-0.1, 1, -0.2), spacing=0.038, depth=0.012, reach=0.09
    )
    sleeve = creased(
        sleeve, at=(0.24, 1.02, 0.06), along=(0.9, 0.7, 0.3), spacing=0.042, depth=0.010, reach=0.09
    )
    cuff = capsule(_between(elbow, wrist, 0.90), _between(elbow, wrist, 1.02), 0.075, 0.073)
    hand = _hand(
        wrist=_between(elbow, wrist, 1.10),
        along=(-0.06, -1.0, 0.10),
        palm=(-1.0, 0.05, 0.12),
        side=1,
        thumb=0.12,
        curl=0.020,
    )
    return sleeve, cuff, hand


def _between(start: Point, end: Point, share: float) -> Point:
    a, b = np.asarray(start), np.asarray(end)
    return tuple(float(x) for x in a + (b - a) * share)


def _hand(
    *, wrist: Point, along: Point, palm: Point, side: int, thumb: float, curl: float
) -> Solid:
    """A flat hand from its wrist, fingers closed.

    `along` points to the fingertips, `palm` out of the palm; `side` 1 puts the thumb at palm x
    along. `thumb` is how far it stands off, `curl` how far the fingertips lean into the palm.
    """
    u = _unit(np.asarray(along, np.float32))
    n = np.asarray(palm, np.float32)
    n = _unit(n - u * (n @ u))
    v = -side * np.cross(n, u)

    def at(out: float, across: float, off: float) -> Point:
        """Towards the fingertips, towards the little finger, out of the palm."""
        point = np.asarray(wrist, np.float32) + u * out + v * across + n * off
        return tuple(float(x) for x in point)

    middle = 1.5 * _APART
    flesh = union(
        capsule(at(-0.03, 0, 0), at(0.03, 0, 0), 0.047, 0.046),
        *(
            capsule(at(0.025, (k - 1.5) * _APART * 0.75, 0), at(0.098, k * _APART - middle, 0),
                    0.026, 0.022)
            for k in range(4)
        ),
        ellipsoid(at(0.05, -0.034, 0.012), (0.030, 0.034, 0.030)),
        blend=0.022,
    )  # fmt: skip
    fingers = []
    for place, length, radius in _FINGERS:
        across = place * _APART - middle
        root, tip = 0.098 - 0.006 * abs(place - 1.2), 0.098 + length
        bends = [
            at(root, across, 0),
            at(root + (tip - root) * 0.45, across * 0.99, curl * 0.25),
            at(root + (tip - root) * 0.75, across * 0.97, curl * 0.6),
            at(tip, across * 0.95, curl * 1.2),
        ]
        fingers.append(tube(bends, radius, radius * 0.84))
    thumb_line = [
        at(0.022, -0.038, 0.014),
        at(0.075, -0.070 - 0.04 * thumb, 0.018),
        at(0.128, -0.076 - 0.10 * thumb, 0.014),
    ]
    return union(flesh, union(*fingers, blend=0.001), tube(thumb_line, 0.0225, 0.0185), blend=0.007)


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
