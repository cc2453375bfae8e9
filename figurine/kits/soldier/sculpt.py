"""The soldier in clay: y up, z towards the camera, about two units tall on its base.

Only `bake` runs this. The face is not here: the engine sculpts it onto `head()`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    inverse,
    mirrored,
    noise,
    rotation,
    rough,
    shell,
    slab,
    tube,
    turned,
    union,
)
from figurine.types import Array

BOUNDS = ((-0.68, -0.01, -0.60), (0.68, 2.06, 0.62))
"""The sculpt's box: lowest and highest corner."""

_BODY_TURN = rotation("y", 13)
_GRAIN = rotation("y", 37) @ rotation("z", 50)
_HELMET_AT = (0.0, 1.662, -0.055)
_HELMET_TILT = rotation("x", -16)


def _body(solid: Solid) -> Solid:
    """The body stands a little turned; the head looks at you."""
    return turned(solid, _BODY_TURN)


def _pair(make: Solid) -> Solid:
    return _body(mirrored(make))


def head() -> Solid:
    """What every face is sculpted onto: star-shaped around the kit's face origin."""
    # The jaw is smaller than anyone's, so that a jawline stands out from what lies behind it.
    skull = ellipsoid((0, 1.557, -0.03), (0.190, 0.235, 0.215))
    jaw = ellipsoid((0, 1.375, 0.035), (0.118, 0.118, 0.120))
    return union(skull, jaw, blend=0.14)


def parts() -> Sequence[Part]:
    return [*_base(), *_legs(), *_torso(), *_arms(), *_binoculars(), *_neck(), *_helmet()]


def _base() -> list[Part]:
    def oval(p: Array) -> Array:
        q = p * np.asarray([1, 1, 1.3], np.float32)
        return cylinder((0, 0.065, 0), 0.6, 0.065, rounding=0.022)(q) / 1.3

    def ground(p: Array) -> Array:
        q = p * np.asarray([1, 1, 1.3], np.float32)
        lumps = 0.008 * noise(p, size=0.42) + 0.003 * noise(p[:, [2, 1, 0]] + 3, size=0.17)
        grain = 0.004 * noise(p @ _GRAIN, size=0.052) * noise(p @ _GRAIN.T, size=0.043)
        return cylinder((0, 0.125, 0), 0.555, 0.02, rounding=0.018)(q) / 1.3 - lumps - grain

    stones = union(
        *(
            rough(ellipsoid((x, 0.145, z), (r, r * 0.62, r * 0.85)), 0.004, size=0.09)
            for x, z, r in (
                (-0.41, 0.08, 0.040),
                (-0.36, 0.16, 0.022),
                (0.43, -0.04, 0.046),
                (0.41, 0.12, 0.022),
                (0.05, -0.33, 0.06),
                (0.47, 0.06, 0.018),
            )
        )
    )
    grass = union(
        *(
            capsule(
                (x + 0.012 * dx, 0.13, z + 0.010 * dz),
                (x + 0.040 * dx, 0.13 + tall, z + 0.030 * dz),
                0.0105,
                0.0045,
            )
            for x, z in ((-0.44, -0.09), (0.34, 0.20), (0.0, 0.30), (0.36, -0.20))
            for dx, dz, tall in (
                (-1, 0.2, 0.055), (-0.35, 0.8, 0.075), (0.2, -0.6, 0.085), (0.9, 0.1, 0.06),
                (0.5, 0.9, 0.05),
            )
        )
    )  # fmt: skip
    lean = rotation("x", -14)
    plate = turned(
        union(
            box((0, 0.090, 0.472), (0.325, 0.074, 0.022), rounding=0.014),
            box((0, 0.05, 0.43), (0.29, 0.045, 0.05), rounding=0.02),
            blend=0.01,
        ),
        lean,
        about=(0, 0.090, 0.472),
    )
    panel = turned(
        box((0, 0.090, 0.497), (0.304, 0.056, 0.009), rounding=0.008),
        lean,
        about=(0, 0.090, 0.472),
    )
    return [
        Part("oval", "base", oval),
        Part("ground", "ground", ground, 0.012),
        Part("stones", "stone", stones, 0.010),
        Part("grass", "grass", grass, 0.006),
        Part("plaque", "base", cut(plate, panel, blend=0.003), 0.008),
    ]


def _legs() -> list[Part]:
    built: list[Part] = []
    for s, foot_x, foot_z, toe in ((-1, -0.185, 0.0, -16), (1, 0.20, 0.07, 20)):
        hip, knee = (s * 0.105, 0.62, 0.0), (s * 0.155, 0.42, 0.045 + foot_z * 0.7)
        ankle = (foot_x, 0.275, foot_z - 0.01)
        leg = union(
            capsule(hip, knee, 0.135, 0.108), capsule(knee, ankle, 0.108, 0.098), blend=0.05
        )
        leg = union(
            leg,
            ellipsoid((ankle[0], 0.315, ankle[2]), (0.118, 0.062, 0.12)),
            blend=0.03,
        )
        leg = creased(
            leg, at=knee, along=(0.45 * s, 1, 0.2), spacing=0.058, depth=0.014, reach=0.085
        )
        leg = creased(
            leg,
            at=(s * 0.07, 0.60, 0.1),
            along=(s * 0.6, 1, 0),
            spacing=0.062,
            depth=0.009,
            reach=0.12,
        )
        leg = creased(
            leg, at=(ankle[0], 0.33, ankle[2] + 0.06), along=(-0.5 * s, 1, 0.1), spacing=0.046,
            depth=0.013, reach=0.085,
        )  # fmt: skip
        pocket = box((s * 0.245, 0.49, 0.03 + foot_z * 0.3), (0.028, 0.062, 0.062), rounding=0.014)
        flap = box((s * 0.252, 0.538, 0.03 + foot_z * 0.3), (0.028, 0.020, 0.066), rounding=0.009)
        built += [
            Part("leg", "cloth", _body(leg), 0.03),
            Part("thigh pocket", "cloth", _body(union(pocket, flap, blend=0.002)), 0.006),
            *_boot(s, foot_x, foot_z, rotation("y", toe)),
        ]
    return built


def _boot(s: int, x: float, z: float, toe: Array) -> list[Part]:
    at = (x, 0.2, z)

    def placed(solid: Solid) -> Solid:
        return _body(turned(solid, toe, about=at))

    upper = union(
        capsule((x, 0.225, z), (x, 0.29, z - 0.012), 0.088, 0.09),
        ellipsoid((x, 0.205, z + 0.085), (0.083, 0.07, 0.125)),
        blend=0.05,
    )
    upper = creased(
        upper, at=(x, 0.25, z + 0.07), along=(0, 1, -0.5), spacing=0.03, depth=0.006, reach=0.06
    )
    upper = common(upper, inverse(below((0, 0.165, 0), (0, 1, 0))), blend=0.01)
    laces = union(
        *(
            tube(
                [
                    (x - 0.034, 0.268 - 0.022 * i, z + 0.066 + 0.026 * i),
                    (x, 0.277 - 0.022 * i, z + 0.080 + 0.026 * i),
                    (x + 0.034, 0.268 - 0.022 * i, z + 0.066 + 0.026 * i),
                ],
                0.0075,
            )
            for i in range(3)
        )
    )
    cuff = cut(
        cylinder((x, 0.287, z - 0.008), 0.104, 0.017, rounding=0.012),
        cylinder((x, 0.30, z - 0.008), 0.06, 0.06),
    )

    def sole_outline(p: Array) -> Array:
        q = p - np.asarray([x, 0, z + 0.055], np.float32)
        waist = 1 - 0.13 * np.exp(-(((q[:, 2] + 0.03) / 0.045) ** 2))
        q = q * np.stack(
            [1 / (0.096 * waist), np.ones_like(waist), np.full_like(waist, 1 / 0.17)], 1
        )
        return np.asarray((np.sqrt(q[:, 0] ** 2 + q[:, 2] ** 2) - 1) * 0.08)

    sole = common(sole_outline, slab((0, 0.155, 0), (0, 1, 0), 0.022), blend=0.008)
    return [
        Part("boot", "leather", placed(upper), 0.004),
        Part("laces", "webbing", placed(laces), 0.003),
        Part("gaiter", "cloth", placed(cuff), 0.006),
        Part("sole", "rubber", placed(sole), 0.003),
    ]


def _torso() -> list[Part]:
    trunk = union(
        ellipsoid((0, 0.70, 0.0), (0.205, 0.13, 0.155)),
        ellipsoid((0, 0.87, 0.0), (0.212, 0.22, 0.165)),
        ellipsoid((0, 1.03, -0.005), (0.262, 0.15, 0.172)),
        blend=0.09,
    )
    skirt = common(
        ellipsoid((0, 0.62, 0.0), (0.255, 0.22, 0.20)),
        slab((0, 0.70, 0), (0, 1, 0), 0.075),
        blend=0.03,
    )
    coat = union(trunk, skirt, blend=0.03)
    coat = creased(
        coat, at=(0.1, 0.66, 0.15), along=(1, 0.12, 0), spacing=0.075, depth=0.008, reach=0.17
    )
    coat = creased(
        coat, at=(-0.14, 0.84, 0.13), along=(0.3, 1, 0), spacing=0.045, depth=0.008, reach=0.10
    )
    coat = creased(
        coat, at=(0.15, 0.84, 0.13), along=(-0.35, 1, 0), spacing=0.05, depth=0.008, reach=0.10
    )
    front = common(
        grown(trunk, 0.008),
        slab((0, 0, 0), (1, 0, 0), 0.026),
        slab((0, 0.98, 0.15), (0, 1, 0), 0.24),
        inverse(below((0, 0, 0), (0, 0, 1))),
        blend=0.006,
    )
    buttons = union(*(ellipsoid((0, y, 0.189), (0.015, 0.015, 0.010)) for y in (0.845, 0.905)))
    around = ellipsoid((0, 0.775, 0), (0.238, 0.42, 0.193))
    belt = common(shell(around, 0.014), slab((0, 0.775, 0), (0, 1, 0), 0.031), blend=0.008)
    buckle = cut(
        box((0, 0.775, 0.205), (0.046, 0.040, 0.014), rounding=0.010),
        box((0, 0.775, 0.222), (0.028, 0.022, 0.014), rounding=0.006),
    )
    prong = box((0, 0.775, 0.210), (0.006, 0.026, 0.014), rounding=0.004)
    pouches: list[Part] = []
    for x, z, yaw, half in (
        (-0.125, 0.178, -30, (0.05, 0.056, 0.034)),
        (0.125, 0.178, 30, (0.05, 0.056, 0.034)),
        (-0.225, 0.075, -72, (0.044, 0.052, 0.032)),
        (0.228, 0.06, 76, (0.052, 0.064, 0.042)),
    ):
        spin = rotation("y", yaw)
        hx, hy, hz = half
        body = box((x, 0.755, z), half, rounding=0.016)
        flap = box((x, 0.755 + hy * 0.55, z + 0.007), (hx + 0.005, hy * 0.48, hz + 0.002),
                   rounding=0.012)  # fmt: skip
        stud = ellipsoid((x, 0.755 + hy * 0.26, z + hz + 0.009), (0.010, 0.010, 0.007))
        pouch = turned(union(body, flap, blend=0.002), spin, about=(x, 0.755, z))
        pouches += [
            Part("pouch", "webbing", _body(pouch), 0.005),
            Part("stud", "metal", _body(turned(stud, spin, about=(x, 0.755, z))), 0.002),
        ]
    chest = ellipsoid((0, 1.0, 0), (0.268, 0.30, 0.192))

    def strap(p: Array) -> Array:
        lean = 0.115 + 0.11 * (p[:, 1] - 0.86)
        side = np.abs(np.abs(p[:, 0]) - lean) - 0.021
        return np.maximum(side * 0.98, 0.775 - p[:, 1])

    straps = common(
        shell(chest, 0.011), strap, inverse(below((0, 1.24, 0), (0, -1, 0))), blend=0.006
    )
    straps = common(straps, below((0, 1.17, 0), (0, 1, 0)), blend=0.01)
    pockets = mirrored(
        union(
            box((0.128, 0.955, 0.158), (0.058, 0.056, 0.026), rounding=0.014),
            box((0.128, 0.994, 0.164), (0.062, 0.022, 0.026), rounding=0.009),
            ellipsoid((0.128, 0.983, 0.192), (0.010, 0.010, 0.006)),
            blend=0.002,
        )
    )
    pack = union(
        creased(
            box((0, 0.98, -0.235), (0.165, 0.165, 0.085), rounding=0.045),
            at=(0, 0.95, -0.3), along=(0.2, 1, 0), spacing=0.07, depth=0.008, reach=0.2,
        ),
        box((0, 1.07, -0.252), (0.172, 0.075, 0.085), rounding=0.035),
        blend=0.006,
    )  # fmt: skip
    roll = capsule((-0.20, 1.185, -0.205), (0.20, 1.185, -0.205), 0.066)
    ends = union(*(cylinder((x, 1.185, -0.205), 0.071, 0.011, axis=0) for x in (-0.12, 0.12)))
    canteen = union(
        ellipsoid((0.21, 0.66, -0.145), (0.068, 0.082, 0.060)),
        cylinder((0.21, 0.745, -0.145), 0.022, 0.022),
        blend=0.012,
    )
    return [
        Part("coat", "cloth", _body(coat), 0.035),
        Part("button strip", "cloth", _body(front), 0.004),
        Part("buttons", "metal", _body(buttons), 0.002),
        Part("chest pockets", "cloth", _body(pockets), 0.006),
        Part("suspenders", "webbing", _body(straps), 0.003),
        Part("belt", "webbing", _body(belt), 0.004),
        Part("buckle", "metal", _body(union(buckle, prong)), 0.002),
        *pouches,
        Part("pack", "webbing", _body(pack), 0.01),
        Part("blanket", "cloth", _body(roll), 0.006),
        Part("blanket straps", "webbing", _body(ends), 0.003),
        Part("canteen", "webbing", _body(canteen), 0.006),
    ]


def _arms() -> list[Part]:
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
        Part("sleeves", "cloth", _pair(sleeve), 0.03),
        Part("arm patch", "webbing", _pair(patch), 0.002),
        Part("cuffs", "cloth", _pair(cuff), 0.006),
        Part("hands", "skin", _held(_hand()), 0.006),
    ]


_BARREL_X, _BARREL_Y, _BARREL_R = 0.066, 0.985, 0.047


def _around(angle_deg: float, radius: float, z: float) -> Point:
    """A point around the right barrel; 0° is its outer side, 90° its top."""
    a = np.radians(angle_deg)
    return (_BARREL_X + radius * float(np.cos(a)), _BARREL_Y + radius * float(np.sin(a)), z)


def _held(solid: Solid) -> Solid:
    """Binoculars rest on the chest, their front ends dipped, so that the hands are seen."""
    return _pair(turned(solid, rotation("x", 30), about=(0, 0.945, 0.305)))


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
        Part("sling", "leather", _body(sling), 0.003),
    ]


def _neck() -> list[Part]:
    neck = capsule((0, 1.10, -0.01), (0, 1.40, 0.01), 0.108, 0.105)
    ears = mirrored(
        union(
            cut(
                turned(
                    ellipsoid((0.212, 1.502, -0.045), (0.024, 0.068, 0.042)),
                    rotation("y", 24),
                    about=(0.212, 1.502, -0.045),
                ),
                ellipsoid((0.236, 1.510, -0.030), (0.017, 0.042, 0.022)),
                blend=0.010,
            ),
            ellipsoid((0.205, 1.452, -0.032), (0.020, 0.024, 0.022)),
            blend=0.016,
        )
    )
    ring = turned(
        cylinder((0, 1.195, -0.012), 0.150, 0.040, rounding=0.024),
        rotation("x", 14),
        about=(0, 1.195, -0.012),
    )
    opening = capsule((0, 1.19, 0.14), (0, 1.30, 0.17), 0.034, 0.075)
    collar = cut(
        cut(ring, capsule((0, 1.10, 0), (0, 1.45, 0.02), 0.112, 0.15), blend=0.012),
        opening,
        blend=0.012,
    )
    lapels = mirrored(
        turned(
            box((0.078, 1.152, 0.128), (0.058, 0.040, 0.014), rounding=0.012),
            rotation("x", -46) @ rotation("z", 34),
            about=(0.078, 1.152, 0.128),
        )
    )
    return [
        Part("neck", "skin", neck, 0.01),
        Part("ears", "skin", ears, 0.012),
        Part("collar", "cloth", _body(collar), 0.012),
        Part("lapels", "cloth", _body(lapels), 0.010),
    ]


def _helmet() -> list[Part]:
    x, y, z = _HELMET_AT

    def worn(solid: Solid) -> Solid:
        return turned(solid, _HELMET_TILT, about=_HELMET_AT)

    dome = ellipsoid(_HELMET_AT, (0.276, 0.262, 0.302))
    hollow = ellipsoid((x, y - 0.01, z), (0.252, 0.238, 0.276))
    edge_y = y - 0.055

    def sweep(p: Array) -> Array:
        """The edge dips at the sides, as on the real thing."""
        q = p.copy()
        q[:, 1] += 0.030 * np.clip(1 - ((q[:, 2] - z - 0.01) / 0.2) ** 2, 0, 1)
        return q

    steel = common(dome, inverse(below((0, edge_y, 0), (0, 1, 0))), blend=0.01)
    flare = common(
        ellipsoid((x, edge_y - 0.004, z + 0.006), (0.308, 0.060, 0.340)),
        slab((0, edge_y + 0.004, 0), (0, 1, 0), 0.011),
        blend=0.010,
    )
    bead = common(
        shell(ellipsoid((x, edge_y, z + 0.006), (0.306, 0.25, 0.338)), 0.007),
        slab((0, edge_y + 0.001, 0), (0, 1, 0), 0.010),
        blend=0.008,
    )
    hull = cut(union(steel, flare, bead, blend=0.026), hollow, blend=0.006)
    band = common(
        shell(ellipsoid(_HELMET_AT, (0.281, 0.268, 0.307)), 0.0085),
        slab((0, y + 0.012, 0), (0, 1, 0), 0.024),
        blend=0.006,
    )
    card = turned(
        box((0.115, y + 0.034, z + 0.284), (0.034, 0.044, 0.009), rounding=0.007),
        rotation("y", 21) @ rotation("x", -12) @ rotation("z", -8),
        about=(0.115, y + 0.034, z + 0.284),
    )
    rivets = mirrored(ellipsoid((0.286, y - 0.022, z + 0.03), (0.010, 0.012, 0.012)))

    def dipped(solid: Solid) -> Solid:
        return lambda p: solid(sweep(p)) * 0.95

    return [
        Part("helmet", "helmet", worn(dipped(hull))),
        Part("band", "webbing", worn(dipped(band)), 0.002),
        Part("card", "card", worn(card), 0.001),
        Part("rivets", "metal", worn(rivets), 0.002),
    ]
