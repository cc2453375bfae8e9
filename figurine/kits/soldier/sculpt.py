"""The soldier in clay: y up, z towards the camera, about two units tall on its base.

Only `bake` runs this. The face is not here: the engine sculpts it onto `head()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from figurine.kits import mannequin
from figurine.kits.soldier import binoculars, salute
from figurine.kits.soldier.legs import legs
from figurine.kits.solids import (
    Part,
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
    turned,
    union,
)
from figurine.types import Array

BOUNDS = ((-0.68, -0.01, -0.60), (0.68, 2.06, 0.62))
"""The sculpt's box: lowest and highest corner."""

_GRAIN = rotation("y", 37) @ rotation("z", 50)
_HELMET_AT = (0.0, 1.662, -0.055)
_HELMET_TILT = rotation("x", -16)


def head() -> Solid:
    """What every face is sculpted onto: star-shaped around the kit's face origin."""
    return mannequin.head()


def parts(pose: str) -> Sequence[Part]:
    """Everything but the face. The body stands a little turned; the head looks at you."""
    stance = {"binoculars": binoculars, "salute": salute}[pose]
    turn = rotation("y", stance.TURN_DEG)
    body = [*legs(*stance.FEET), *_torso(), *stance.arms()]
    return [
        *_base(),
        *_turned(body, turn),
        *_neck(),
        *_turned(_collar(), turn),
        *_helmet(),
    ]


def _turned(parts: Sequence[Part], turn: Array) -> list[Part]:
    return [replace(part, solid=turned(part.solid, turn)) for part in parts]


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
            Part("pouch", "webbing", pouch, 0.005),
            Part("stud", "metal", turned(stud, spin, about=(x, 0.755, z)), 0.002),
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
        Part("coat", "cloth", coat, 0.035),
        Part("button strip", "cloth", front, 0.004),
        Part("buttons", "metal", buttons, 0.002),
        Part("chest pockets", "cloth", pockets, 0.006),
        Part("suspenders", "webbing", straps, 0.003),
        Part("belt", "webbing", belt, 0.004),
        Part("buckle", "metal", union(buckle, prong), 0.002),
        *pouches,
        Part("pack", "webbing", pack, 0.01),
        Part("blanket", "cloth", roll, 0.006),
        Part("blanket straps", "webbing", ends, 0.003),
        Part("canteen", "webbing", canteen, 0.006),
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
    return [
        Part("neck", "skin", neck, 0.01),
        Part("ears", "skin", ears, 0.012),
    ]


def _collar() -> list[Part]:
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
        Part("collar", "cloth", collar, 0.012),
        Part("lapels", "cloth", lapels, 0.010),
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
