"""The explorer in clay: y up, z towards the camera, about two units tall on its base.

Only `bake` runs this. The face is not here: the engine sculpts it onto `head()`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from figurine.kits import mannequin
from figurine.kits.explorer import chart, hat, jungle
from figurine.kits.mannequin import band, frame, inlaid, placed, posed, seamed, strip
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
    rotation,
    shell,
    slab,
    tube,
    turned,
    union,
)
from figurine.types import Array

BOUNDS = ((-0.72, -0.01, -0.60), (0.70, 2.06, 0.62))
"""The sculpt's box: lowest and highest corner."""

_BODY_TURN = rotation("y", -9)
_SPYGLASS_AT = np.asarray((-0.385, 1.055, 0.300), np.float32)
_SPYGLASS_ALONG = np.asarray((-0.42, 0.90, 0.06), np.float32)


def head() -> Solid:
    """What every face is sculpted onto: star-shaped around the kit's face origin."""
    return mannequin.head()


def parts() -> Sequence[Part]:
    return [
        *jungle.parts(), *_legs(), *_torso(), *_belt(), *_satchel(), *_spyglass_arm(),
        *_map_arm(), *posed(chart.parts(), _BODY_TURN), *_neck(), *hat.parts(),
    ]  # fmt: skip


def _body(solid: Solid) -> Solid:
    """The body stands a little turned; the head looks at you."""
    return turned(solid, _BODY_TURN)


def _legs() -> list[Part]:
    built: list[Part] = []
    for s, foot, knee, toe in (
        (-1, (-0.195, 0.0, 0.0), (-0.160, 0.470, 0.045), -18),
        (1, jungle.FOOTHOLD, (0.205, 0.535, 0.190), 14),
    ):
        x, lift, z = foot
        hip, calf = (s * 0.105, 0.63, 0.0), (x, lift + 0.375, z - 0.005)
        leg = union(capsule(hip, knee, 0.138, 0.112), capsule(knee, calf, 0.112, 0.096), blend=0.05)
        leg = creased(
            leg, at=knee, along=(0.45 * s, 1, 0.2), spacing=0.055, depth=0.014, reach=0.09
        )
        leg = creased(
            leg, at=(s * 0.07, 0.61, 0.1), along=(s * 0.6, 1, 0), spacing=0.060, depth=0.010,
            reach=0.12,
        )  # fmt: skip
        blouse = ellipsoid((calf[0], calf[1] + 0.045, calf[2] + 0.004), (0.122, 0.058, 0.122))
        leg = creased(
            union(leg, blouse, blend=0.03), at=(calf[0], calf[1] + 0.06, calf[2] + 0.07),
            along=(1, 0.25, 0), spacing=0.034, depth=0.009, reach=0.10,
        )  # fmt: skip
        leg = seamed(leg, at=(0, 0, knee[2] * 0.5), across=(0, 0, 1))
        built += [
            Part("leg", "trousers", _body(leg), 0.03),
            *_boot(s, x, z, lift, rotation("y", toe)),
        ]
    return built


def _boot(s: int, x: float, z: float, lift: float, toe: Array) -> list[Part]:
    def worn(solid: Solid) -> Solid:
        raised = np.asarray([0, lift, 0], np.float32)
        shoe = turned(solid, toe, about=(x, 0.2, z))
        return _body(lambda p: shoe(p - raised))

    floor = inverse(below((0, 0.165, 0), (0, 1, 0)))
    upper = union(
        capsule((x, 0.225, z), (x, 0.28, z - 0.010), 0.086, 0.086),
        ellipsoid((x, 0.205, z + 0.085), (0.085, 0.072, 0.127)),
        blend=0.05,
    )
    upper = creased(
        upper, at=(x, 0.245, z + 0.085), along=(0, 1, -0.5), spacing=0.03, depth=0.006, reach=0.05
    )
    upper = common(upper, floor, blend=0.01)
    toe_cap = inlaid(upper, below((x, 0.2, z + 0.138), (0, 0.25, -1)), height=0.004)
    laces = union(
        *(
            tube(
                [
                    (x - 0.034, 0.252 - 0.020 * i, z + 0.088 + 0.026 * i),
                    (x, 0.262 - 0.020 * i, z + 0.102 + 0.026 * i),
                    (x + 0.034, 0.252 - 0.020 * i, z + 0.088 + 0.026 * i),
                ],
                0.0078,
            )
            for i in range(3)
        )
    )
    gaiter = union(
        capsule((x, 0.250, z - 0.010), (x, 0.400, z - 0.004), 0.095, 0.110),
        ellipsoid((x, 0.228, z + 0.050), (0.094, 0.052, 0.095)),
        blend=0.03,
    )
    gaiter = common(gaiter, slab((0, 0.314, z), (0, 1, 0.22), 0.086), blend=0.010)
    gaiter = creased(
        gaiter, at=(x, 0.30, z + 0.09), along=(0.15, 1, 0), spacing=0.034, depth=0.007, reach=0.11
    )
    heights = (0.300, 0.366)
    straps = [
        strip(gaiter, at=(x, y, z), across=(0, 1, 0.06), half=0.0120, thick=0.010) for y in heights
    ]
    buckles = union(
        *(
            turned(
                cut(
                    box((x, y, z + deep), (0.022, 0.020, 0.012), rounding=0.006),
                    box((x, y, z + deep + 0.014), (0.011, 0.009, 0.012), rounding=0.003),
                ),
                rotation("y", 40 * s),
                about=(x, y, z),
            )
            for y, deep in zip(heights, (0.118, 0.122), strict=True)
        )
    )
    return [
        Part("boot", "leather", worn(upper), 0.004),
        Part("toe cap", "leather", worn(toe_cap), 0.002),
        Part("laces", "canvas", worn(laces), 0.003),
        Part("gaiter", "canvas", worn(gaiter), 0.004),
        Part("gaiter straps", "leather", worn(union(*straps)), 0.002),
        Part("gaiter buckles", "metal", worn(buckles), 0.002),
        Part("sole", "rubber", worn(mannequin.sole(x, z)), 0.003),
    ]


def _trunk() -> Solid:
    return union(
        ellipsoid((0, 0.70, 0.0), (0.205, 0.13, 0.155)),
        ellipsoid((0, 0.87, 0.0), (0.212, 0.22, 0.165)),
        ellipsoid((0, 1.03, -0.005), (0.262, 0.15, 0.172)),
        mirrored(capsule((0.05, 1.155, -0.012), (0.23, 1.125, -0.006), 0.050, 0.054)),
        blend=0.09,
    )


def _pocket(x: float, y: float, z: float, yaw: float, half: Point, lean: float) -> list[Part]:
    """A bellows pocket with its pleat, flap and button."""
    hx, hy, hz = half
    at = (x, y, z)
    axes = rotation("y", yaw) @ rotation("x", lean)
    bag = union(
        box(at, half, rounding=0.013),
        box((x, y - hy * 0.15, z + 0.006), (hx * 0.22, hy * 0.80, hz), rounding=0.008),
        blend=0.003,
    )
    flap = box((x, y + hy * 0.62, z + 0.009), (hx + 0.006, hy * 0.44, hz), rounding=0.008)
    button = ellipsoid((x, y + hy * 0.42, z + hz + 0.011), (0.0105, 0.0105, 0.007))

    def sewn(solid: Solid) -> Solid:
        return _body(turned(solid, axes, about=at))

    return [
        Part("pocket", "jacket", sewn(union(bag, flap, blend=0.002)), 0.006),
        Part("pocket button", "leather", sewn(button), 0.002),
    ]


def _torso() -> list[Part]:
    trunk = _trunk()
    skirt = common(
        ellipsoid((0, 0.60, 0.0), (0.268, 0.25, 0.215)),
        slab((0, 0.682, 0), (0, 1, 0), 0.092),
        blend=0.028,
    )
    skirt = creased(
        skirt, at=(0.0, 0.60, 0.2), along=(1, 0.10, 0), spacing=0.070, depth=0.010, reach=0.20
    )
    coat = union(trunk, skirt, blend=0.03)
    for x, lean in ((-0.15, 0.3), (0.16, -0.35)):
        coat = creased(
            coat, at=(x, 0.845, 0.13), along=(lean, 1, 0), spacing=0.045, depth=0.010, reach=0.10
        )
    coat = creased(
        coat, at=(-0.21, 1.0, 0.08), along=(0.9, 0.6, 0), spacing=0.045, depth=0.009, reach=0.10
    )
    front = common(
        grown(union(trunk, skirt, blend=0.03), 0.008),
        slab((0.012, 0, 0), (1, 0, 0), 0.026),
        slab((0, 0.87, 0.15), (0, 1, 0), 0.28),
        inverse(below((0, 0, 0), (0, 0, 1))),
        blend=0.006,
    )
    buttons = union(
        *(ellipsoid((0.012, y, z), (0.0145, 0.0145, 0.009))
          for y, z in ((0.655, 0.222), (0.862, 0.181), (0.935, 0.184), (1.01, 0.183)))
    )  # fmt: skip
    epaulettes = mirrored(
        union(
            turned(
                box((0.20, 1.183, -0.005), (0.066, 0.012, 0.034), rounding=0.010),
                rotation("z", -17),
                about=(0.20, 1.183, -0.005),
            ),
        )
    )
    studs = mirrored(ellipsoid((0.158, 1.207, -0.003), (0.0115, 0.008, 0.0115)))
    return [
        Part("coat", "jacket", _body(coat), 0.035),
        Part("button strip", "jacket", _body(front), 0.004),
        Part("buttons", "leather", _body(buttons), 0.002),
        *_pocket(0.135, 0.975, 0.150, 22, (0.058, 0.056, 0.026), -4),
        *_pocket(-0.135, 0.975, 0.150, -22, (0.058, 0.056, 0.026), -4),
        *_pocket(0.145, 0.668, 0.170, 30, (0.066, 0.062, 0.032), 6),
        Part("epaulettes", "jacket", _body(epaulettes), 0.004),
        Part("epaulette studs", "metal", _body(studs), 0.002),
    ]


def _belt() -> list[Part]:
    around = ellipsoid((0, 0.775, 0), (0.236, 0.42, 0.190))
    belt = common(shell(around, 0.015), slab((0, 0.775, 0), (0, 1, 0), 0.031), blend=0.008)
    loops = union(
        *(
            turned(
                box((0, 0.775, 0.205), (0.011, 0.041, 0.014), rounding=0.006),
                rotation("y", yaw),
                about=(0, 0, 0),
            )
            for yaw in (-28, 34)
        )
    )
    buckle = cut(
        box((0.012, 0.775, 0.204), (0.050, 0.043, 0.014), rounding=0.011),
        box((0.012, 0.775, 0.221), (0.031, 0.024, 0.014), rounding=0.006),
    )
    prong = box((0.020, 0.775, 0.210), (0.034, 0.006, 0.012), rounding=0.004)
    return [
        Part("belt", "leather", _body(belt), 0.004),
        Part("belt loops", "jacket", _body(loops), 0.003),
        Part("buckle", "metal", _body(union(buckle, prong)), 0.002),
    ]


def _satchel() -> list[Part]:
    """On the hip, its strap over the other shoulder, a compass on the strap."""
    at = (-0.225, 0.672, 0.135)
    axes = rotation("y", -38) @ rotation("z", 5)

    def hung(solid: Solid) -> Solid:
        return _body(turned(solid, axes, about=at))

    x, y, z = at
    bag = creased(
        box(at, (0.092, 0.080, 0.050), rounding=0.024),
        at=(x, y - 0.04, z + 0.05), along=(1, 0.4, 0), spacing=0.06, depth=0.006, reach=0.09,
    )  # fmt: skip
    flap = union(
        box((x, y + 0.036, z + 0.012), (0.098, 0.052, 0.052), rounding=0.022),
        box((x, y + 0.012, z + 0.018), (0.085, 0.040, 0.046), rounding=0.018),
        blend=0.02,
    )
    ties = union(
        *(box((x + dx, y + 0.002, z + 0.030), (0.0125, 0.070, 0.044), rounding=0.006)
          for dx in (-0.046, 0.046))
    )  # fmt: skip
    buckles = union(
        *(
            cut(
                box((x + dx, y - 0.022, z + 0.074), (0.022, 0.019, 0.010), rounding=0.006),
                box((x + dx, y - 0.022, z + 0.088), (0.011, 0.009, 0.012), rounding=0.003),
            )
            for dx in (-0.046, 0.046)
        )
    )
    chest = grown(_trunk(), 0.006)
    across = (0.774, -0.633, 0.0)
    strap = common(
        strip(chest, at=(-0.035, 0.965, 0), across=across, half=0.0235, thick=0.012),
        inverse(below((0, 0.745, 0), (0, 1, 0))), blend=0.004,
    )  # fmt: skip
    middle = (-0.052, 0.944, 0.186)
    facing = (-0.10, 0.02, 1)
    case = cut(
        band(middle, facing, 0.044, 0.018, rounding=0.007),
        band(np.add(middle, (-0.002, 0, 0.022)), facing, 0.034, 0.012, rounding=0.002),
    )
    dial = band(np.add(middle, (0, 0, 0.004)), facing, 0.035, 0.008, rounding=0.001)
    ring = cut(
        band((-0.036, 0.992, 0.188), facing, 0.016, 0.006, rounding=0.004),
        band((-0.036, 0.992, 0.188), facing, 0.008, 0.020),
    )
    north = capsule((-0.055, 0.946, 0.200), (-0.038, 0.965, 0.199), 0.0062, 0.0035)
    south = capsule((-0.055, 0.944, 0.200), (-0.071, 0.925, 0.197), 0.0062, 0.0035)
    return [
        Part("satchel strap", "leather", _body(strap), 0.003),
        Part("satchel", "leather", hung(bag), 0.006),
        Part("satchel flap", "leather", hung(flap), 0.003),
        Part("satchel ties", "canvas", hung(ties), 0.002),
        Part("satchel buckles", "metal", hung(buckles), 0.002),
        Part("compass", "metal", _body(union(case, ring)), 0.002),
        Part("compass dial", "paper", _body(dial)),
        Part("compass north", "scarf", _body(north)),
        Part("compass south", "ink", _body(south)),
    ]


def _arm(shoulder: Point, elbow: Point, wrist: Point) -> list[Part]:
    """A sleeve rolled up over the elbow, and the bare forearm."""
    a, b, c = (np.asarray(p, np.float32) for p in (shoulder, elbow, wrist))
    upper, fore = b - a, c - b
    turn = b + fore * 0.22
    sleeve = union(
        ellipsoid(shoulder, (0.110, 0.098, 0.106)),
        capsule(shoulder, elbow, 0.097, 0.088),
        capsule(elbow, turn, 0.088, 0.080),
        blend=0.04,
    )
    sleeve = creased(
        sleeve, at=b, along=upper / np.linalg.norm(upper) + fore / np.linalg.norm(fore),
        spacing=0.036, depth=0.013, reach=0.085,
    )  # fmt: skip
    sleeve = creased(
        sleeve,
        at=a + upper * 0.35 + (0, 0, 0.07),
        along=upper,
        spacing=0.044,
        depth=0.010,
        reach=0.09,
    )
    roll = union(
        band(turn, fore, 0.091, 0.024, rounding=0.020),
        band(turn + fore * 0.14, fore, 0.086, 0.020, rounding=0.016),
        blend=0.002,
    )
    roll = creased(roll, at=turn, along=fore, spacing=0.03, depth=0.004, reach=0.1)
    bare = union(
        capsule(b + fore * 0.25, b + fore * 0.55, 0.062, 0.062),
        capsule(b + fore * 0.5, wrist, 0.061, 0.046),
        blend=0.02,
    )
    return [
        Part("sleeve", "jacket", _body(sleeve), 0.03),
        Part("sleeve roll", "jacket", _body(roll), 0.005),
        Part("forearm", "skin", _body(bare), 0.004),
    ]


def _spyglass_arm() -> list[Part]:
    along = _SPYGLASS_ALONG / np.linalg.norm(_SPYGLASS_ALONG)
    forward = np.asarray((0.30, 0.10, 1.0), np.float32)
    forward -= along * (forward @ along)
    axes = frame(forward, np.cross(along, forward))
    grip = 0.037
    hand_at = _SPYGLASS_AT - axes @ np.asarray(mannequin.grip_axis(grip), np.float32)
    hand = mannequin.hand(
        grip=grip,
        thumb=((0.045, 0.03, 0.012), (0.085, 0.060, 0.030), (0.082, 0.108, 0.040),
               (0.074, 0.140, 0.062)),
    )  # fmt: skip

    def at(t: float) -> Array:
        return np.asarray(_SPYGLASS_AT + along * t, np.float32)

    brass = union(
        band(at(-0.185), along, 0.029, 0.045, rounding=0.006),
        band(at(-0.232), along, 0.034, 0.012, rounding=0.008),
        band(at(-0.105), along, 0.041, 0.012, rounding=0.006),
        band(at(0.105), along, 0.043, 0.012, rounding=0.006),
        band(at(0.185), along, 0.041, 0.075, rounding=0.006),
        band(at(0.262), along, 0.046, 0.010, rounding=0.006),
        band(at(0.330), along, 0.048, 0.062, rounding=0.006),
        band(at(0.392), along, 0.055, 0.013, rounding=0.008),
    )
    brass = cut(brass, band(at(0.408), along, 0.043, 0.016, rounding=0.004), blend=0.003)
    wrap = capsule(at(-0.10), at(0.10), grip, grip + 0.002)
    lens = band(at(0.386), along, 0.045, 0.010, rounding=0.003)
    watch = np.asarray(hand_at)
    elbow = (-0.385, 0.895, -0.030)
    fore = watch - np.asarray(elbow, np.float32)
    strap = band(watch - fore * 0.13, fore, 0.056, 0.015, rounding=0.006)
    return [
        *_arm((-0.25, 1.09, -0.005), elbow, tuple(hand_at)),
        Part("wrist strap", "leather", _body(strap), 0.002),
        Part("spyglass", "metal", _body(brass)),
        Part("spyglass wrap", "leather", _body(wrap), 0.002),
        Part("spyglass lens", "glass", _body(lens)),
        Part("hand", "skin", _body(placed(hand, at=hand_at, axes=axes)), 0.005),
    ]


def _map_arm() -> list[Part]:
    wrist = (0.512, 0.800, 0.222)
    axes = frame((-0.52, 0.06, 0.82), (-0.82, 0.02, -0.55))
    hand = mannequin.hand(
        bends_deg=((46, 22, 6), (46, 20, 6), (48, 20, 6), (52, 22, 6)),
        spread_deg=(8, 2, -3, -9),
        thumb=((0.045, 0.03, 0.012), (0.082, 0.060, 0.040), (0.080, 0.100, 0.058)),
        thumb_side=-1,
    )
    return [
        *_arm((0.25, 1.09, -0.005), (0.430, 0.870, -0.005), wrist),
        Part("hand", "skin", _body(placed(hand, at=wrist, axes=axes)), 0.005),
    ]


def _neck() -> list[Part]:
    ring = turned(
        cylinder((0, 1.188, -0.012), 0.156, 0.048, rounding=0.040),
        rotation("x", 14),
        about=(0, 1.185, -0.012),
    )
    hole = capsule((0, 1.10, -0.010), (0, 1.45, 0.01), 0.106, 0.128)
    scarf = creased(
        cut(ring, hole, blend=0.008),
        at=(0, 1.15, 0.14), along=(0.25, 1, 0), spacing=0.032, depth=0.006, reach=0.2,
    )  # fmt: skip
    knot = creased(
        ellipsoid((0.0, 1.118, 0.176), (0.036, 0.030, 0.030)),
        at=(0, 1.118, 0.20), along=(1, 0.2, 0), spacing=0.022, depth=0.004, reach=0.06,
    )  # fmt: skip
    tails = union(
        *(
            placed(
                union(
                    box((0, -0.045, 0), (0.022, 0.048, 0.012), rounding=0.010),
                    box((0, -0.078, 0.002), (0.031, 0.028, 0.011), rounding=0.009),
                    blend=0.02,
                ),
                at=(x, 1.108, 0.182),
                axes=frame((lean, 1, 0.10), (-lean, 0, 1)),
            )
            for x, lean in ((-0.016, 0.42), (0.018, -0.34))
        )
    )
    collar = mirrored(
        turned(
            box((0.106, 1.136, 0.116), (0.066, 0.050, 0.014), rounding=0.012),
            rotation("x", -42) @ rotation("z", 36),
            about=(0.106, 1.136, 0.116),
        )
    )
    return [
        Part("neck", "skin", mannequin.neck(), 0.01),
        Part("ears", "skin", mannequin.ears(), 0.012),
        Part("collar", "jacket", _body(collar), 0.010),
        Part("scarf", "scarf", _body(scarf), 0.006),
        Part("scarf tails", "scarf", _body(tails), 0.004),
        Part("scarf knot", "scarf", _body(knot), 0.004),
    ]
