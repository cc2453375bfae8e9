"""A lookout: binoculars before the chest, legs apart."""

from __future__ import annotations

import numpy as np

from figurine.kits.soldier.legs import Foot
from figurine.kits.solids import (
    Part,
    Point,
    Solid,
    below,
    box,
    capsule,
    common,
    creased,
    cut,
    cylinder,
    ellipsoid,
    grown,
    mirrored,
    rotation,
    shell,
    slab,
    tube,
    turned,
    union,
)

TURN_DEG = 13.0
FEET = (Foot(-0.185, 0.0, -16, -0.155), Foot(0.20, 0.07, 20, 0.155))


def arms() -> list[Part]:
    """Both sleeves and hands, and what they hold."""
    shoulder, elbow, wrist = (0.25, 1.09, -0.005), (0.345, 0.875, 0.06), (0.178, 0.935, 0.305)
    sleeve = union(
        ellipsoid((0.25, 1.095, -0.005), (0.112, 0.098, 0.108)),
        capsule(shoulder, elbow, 0.097, 0.088),
        capsule(elbow, wrist, 0.090, 0.066),
        blend=0.04,
    )
    sleeve = creased(
        sleeve, at=(0.335, 0.90, 0.075), along=(-0.3, 0.9, -0.55), spacing=0.036, depth=0.013,
        reach=0.085,
    )  # fmt: skip
    sleeve = creased(
        sleeve, at=(0.26, 0.90, 0.19), along=(-0.6, 0.2, 0.9), spacing=0.04, depth=0.010, reach=0.08
    )
    sleeve = creased(
        sleeve, at=(0.23, 1.03, 0.05), along=(0.9, 0.7, 0.3), spacing=0.042, depth=0.010, reach=0.09
    )
    patch = common(
        shell(grown(sleeve, 0.003), 0.005),
        slab((0.34, 1.02, 0.0), (0, 1, 0), 0.034),
        slab((0.34, 1.02, 0.03), (0, 0, 1), 0.032),
        below((0.27, 0, 0), (-1, 0, 0)),
        blend=0.003,
    )
    cuff = capsule((0.190, 0.932, 0.288), (0.175, 0.938, 0.315), 0.076, 0.074)
    return [
        Part("sleeves", "cloth", mirrored(sleeve), 0.03),
        Part("arm patch", "webbing", mirrored(patch), 0.002),
        Part("cuffs", "cloth", mirrored(cuff), 0.006),
        Part("hands", "skin", _held(_hand()), 0.006),
        *_binoculars(),
    ]


_BARREL_X, _BARREL_Y, _BARREL_R = 0.066, 0.985, 0.047


def _around(angle_deg: float, radius: float, z: float) -> Point:
    """A point around the right barrel; 0° is its outer side, 90° its top."""
    a = np.radians(angle_deg)
    return (_BARREL_X + radius * float(np.cos(a)), _BARREL_Y + radius * float(np.sin(a)), z)


def _held(solid: Solid) -> Solid:
    """Binoculars rest on the chest, their front ends dipped, so that the hands are seen."""
    return mirrored(turned(solid, rotation("x", 30), about=(0, 0.945, 0.305)))


def _hand() -> Solid:
    """The right hand, its four fingers over the barrel and its thumb below."""
    palm = union(
        capsule((0.168, 0.945, 0.318), (0.138, 0.958, 0.36), 0.046, 0.05),
        ellipsoid((0.134, 0.968, 0.385), (0.034, 0.05, 0.062)),
        blend=0.03,
    )
    fingers = []
    for i, (reach, radius) in enumerate(((128, 0.0185), (138, 0.0195), (134, 0.019), (120, 0.017))):
        z, gap = 0.322 + 0.0385 * i, _BARREL_R + radius * 0.95
        bends = [_around(a, gap + (0.009 if k == 1 else 0), z - 0.004 * k)
                 for k, a in enumerate((8, 52, 92, reach))]  # fmt: skip
        fingers.append(tube(bends, radius, radius * 0.86))
    thumb = tube(
        [_around(-35, 0.075, 0.345), _around(-70, 0.070, 0.372), _around(-108, 0.066, 0.392)],
        0.0245,
        0.020,
    )
    return union(palm, union(*fingers, blend=0.001), thumb, blend=0.007)


def _binoculars() -> list[Part]:
    x, y, r = _BARREL_X, _BARREL_Y, _BARREL_R
    barrel = union(
        capsule((x, y, 0.30), (x, y, 0.47), r * 0.9, r),
        cylinder((x, y, 0.505), r * 1.26, 0.034, axis=2, rounding=0.012),
        cylinder((x, y, 0.462), r * 1.15, 0.012, axis=2, rounding=0.008),
        cylinder((x, y, 0.275), r * 0.78, 0.030, axis=2, rounding=0.010),
        blend=0.006,
    )
    barrel = cut(
        barrel, cylinder((x, y, 0.54), r * 0.98, 0.024, axis=2, rounding=0.008), blend=0.006
    )
    lens = ellipsoid((x, y, 0.505), (r * 1.0, r * 1.0, 0.022))
    bridge = union(
        box((0, y + 0.012, 0.42), (0.04, 0.015, 0.042), rounding=0.010),
        box((0, y + 0.006, 0.34), (0.04, 0.012, 0.020), rounding=0.008),
        cylinder((0, y + 0.022, 0.375), 0.019, 0.042, axis=2, rounding=0.006),
        blend=0.004,
    )
    sling = mirrored(
        tube(
            [(0.085, 1.00, 0.265), (0.118, 1.04, 0.225), (0.135, 1.10, 0.170),
             (0.128, 1.165, 0.10), (0.11, 1.20, 0.0)],
            0.0105,
        )
    )  # fmt: skip
    return [
        Part("barrels", "black", _held(barrel), 0.003),
        Part("bridge", "black", _held(bridge), 0.004),
        Part("lenses", "glass", _held(lens)),
        Part("sling", "leather", sling, 0.003),
    ]
