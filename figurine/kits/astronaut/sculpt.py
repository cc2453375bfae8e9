"""The astronaut in clay: y up, z towards the camera, about two units tall on its base.

Only `bake` runs this. The face is not here: the engine sculpts it onto `head()`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from figurine.kits import mannequin
from figurine.kits.astronaut import lifesupport, moon
from figurine.kits.mannequin import (
    band,
    curve,
    frame,
    inlaid,
    placed,
    posed,
    seamed,
    strip,
)
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

BOUNDS = ((-0.72, -0.01, -0.60), (0.72, 1.90, 0.62))
"""The sculpt's box: lowest and highest corner."""

_BODY_TURN = rotation("y", 13)
_HELMET_AT = (0.385, 0.80, 0.185)


def head() -> Solid:
    """What every face is sculpted onto: star-shaped around the kit's face origin."""
    return mannequin.head()


def parts() -> Sequence[Part]:
    return [
        *moon.parts(), *_legs(), *_torso(), *posed(lifesupport.chest_pack(), _BODY_TURN),
        *posed(lifesupport.backpack(), _BODY_TURN), *_waving_arm(),
        *_holding_arm(), *_helmet(), *_collar(), *_cap(),
    ]  # fmt: skip


def _body(solid: Solid) -> Solid:
    """The body stands a little turned; the head looks at you."""
    return turned(solid, _BODY_TURN)


def _legs() -> list[Part]:
    built: list[Part] = []
    for s, foot_x, foot_z, toe in ((-1, -0.185, 0.0, -16), (1, 0.20, 0.06, 20)):
        hip, knee = (s * 0.112, 0.62, 0.0), (s * 0.158, 0.43, 0.035 + foot_z * 0.6)
        ankle = (foot_x, 0.30, foot_z - 0.012)
        leg = union(
            capsule(hip, knee, 0.140, 0.122), capsule(knee, ankle, 0.122, 0.108), blend=0.05
        )
        leg = creased(
            leg, at=(knee[0], knee[1] + 0.01, knee[2] + 0.06), along=(0.25 * s, 1, 0.15),
            spacing=0.050, depth=0.015, reach=0.10,
        )  # fmt: skip
        leg = creased(
            leg, at=(s * 0.08, 0.61, 0.1), along=(s * 0.7, 1, 0), spacing=0.06, depth=0.010,
            reach=0.12,
        )  # fmt: skip
        leg = creased(
            leg, at=(ankle[0], 0.33, ankle[2] + 0.05), along=(-0.3 * s, 1, 0.1), spacing=0.042,
            depth=0.012, reach=0.09,
        )  # fmt: skip
        leg = seamed(leg, at=(0, 0, foot_z * 0.5), across=(0, 0, 1))
        pocket = box(
            (s * 0.262, 0.515, 0.045 + foot_z * 0.3), (0.026, 0.060, 0.058), rounding=0.014
        )
        flap = box((s * 0.268, 0.562, 0.045 + foot_z * 0.3), (0.026, 0.018, 0.062), rounding=0.009)
        tab = box((s * 0.290, 0.552, 0.045 + foot_z * 0.3), (0.010, 0.026, 0.013), rounding=0.005)
        built += [
            Part("leg", "suit", _body(leg), 0.03),
            Part("thigh pocket", "suit", _body(union(pocket, flap, blend=0.002)), 0.006),
            Part("pocket tab", "trim", _body(tab), 0.002),
            *_boot(s, foot_x, foot_z, rotation("y", toe)),
        ]
    return built


def _boot(s: int, x: float, z: float, toe: Array) -> list[Part]:
    def worn(solid: Solid) -> Solid:
        return _body(turned(solid, toe, about=(x, 0.2, z)))

    upper = union(
        capsule((x, 0.225, z), (x, 0.285, z - 0.012), 0.096, 0.102),
        ellipsoid((x, 0.210, z + 0.085), (0.093, 0.080, 0.132)),
        blend=0.05,
    )
    upper = creased(
        upper, at=(x, 0.265, z + 0.075), along=(0, 1, -0.55), spacing=0.032, depth=0.010, reach=0.07
    )
    floor = inverse(below((0, 0.160, 0), (0, 1, 0)))
    upper = common(upper, floor, blend=0.01)
    cuff = band((x, 0.297, z - 0.012), (0, 1, 0), 0.119, 0.021, rounding=0.019)
    buckle_strap = strip(
        upper, at=(x, 0.236, z + 0.070), across=(0, 0.62, -0.78), half=0.021, thick=0.011
    )
    buckle = box((x + s * 0.078, 0.244, z + 0.070), (0.019, 0.022, 0.026), rounding=0.006)
    cap = inlaid(upper, below((0, 0, z + 0.142), (0, 0.25, -1)))

    def treads(p: Array) -> Array:
        along = (p[:, 2] - z) * 2 * np.pi / 0.038
        return np.asarray(mannequin.sole(x, z, width=0.112, length=0.186)(p)
                          + 0.0035 * np.cos(along), np.float32)  # fmt: skip

    return [
        Part("boot", "hose", worn(upper), 0.006),
        Part("toe cap", "rubber", worn(cap), 0.002),
        Part("boot strap", "suit", worn(common(buckle_strap, floor)), 0.006),
        Part("boot buckle", "metal", worn(buckle), 0.002),
        Part("boot cuff", "hose", worn(cuff), 0.006),
        Part("sole", "rubber", worn(treads), 0.003),
    ]


def _torso() -> list[Part]:
    trunk = union(
        ellipsoid((0, 0.69, 0.0), (0.222, 0.135, 0.172)),
        ellipsoid((0, 0.87, 0.0), (0.236, 0.23, 0.185)),
        ellipsoid((0, 1.035, -0.005), (0.282, 0.155, 0.188)),
        blend=0.09,
    )
    for x, y, lean, spacing in ((-0.14, 0.80, 0.35, 0.05), (0.15, 0.80, -0.35, 0.055)):
        trunk = creased(
            trunk, at=(x, y, 0.13), along=(lean, 1, 0), spacing=spacing, depth=0.010, reach=0.12
        )
    trunk = creased(
        trunk, at=(0.0, 0.66, 0.16), along=(0.15, 1, 0), spacing=0.055, depth=0.010, reach=0.14
    )
    around = ellipsoid((0, 0.735, 0), (0.236, 0.42, 0.194))
    belt = common(shell(around, 0.019), slab((0, 0.735, 0), (0, 1, 0), 0.026), blend=0.008)
    buckle = box((0, 0.735, 0.207), (0.038, 0.032, 0.014), rounding=0.008)
    catch = box((0, 0.735, 0.221), (0.014, 0.020, 0.008), rounding=0.004)
    zip_strip = common(
        strip(trunk, at=(0, 0, 0), across=(1, 0, 0), half=0.016, thick=0.007),
        slab((0, 0.65, 0), (0, 1, 0), 0.09),
        inverse(below((0, 0, 0), (0, 0, 1))),
        blend=0.004,
    )
    valves = union(
        *(
            union(
                band((x, y, z), (x, 0, 0.30), 0.033, 0.022, rounding=0.007),
                band((x * 1.06, y, z + 0.015), (x, 0, 0.30), 0.024, 0.020, rounding=0.005),
            )
            for x, y, z in ((-0.158, 0.845, 0.149), (-0.171, 0.94, 0.160), (0.167, 0.94, 0.162))
        )
    )
    return [
        Part("trunk", "suit", _body(trunk), 0.035),
        Part("zip", "suit", _body(zip_strip), 0.003),
        Part("belt", "hose", _body(belt), 0.004),
        Part("buckle", "metal", _body(buckle), 0.002),
        Part("catch", "trim", _body(catch), 0.001),
        Part("valves", "metal", _body(valves), 0.003),
    ]


def _sleeve(shoulder: Point, elbow: Point, wrist: Point) -> Solid:
    arm = union(
        ellipsoid(shoulder, (0.122, 0.110, 0.118)),
        capsule(shoulder, elbow, 0.108, 0.098),
        capsule(elbow, wrist, 0.098, 0.080),
        blend=0.04,
    )
    upper, fore = np.subtract(elbow, shoulder), np.subtract(wrist, elbow)
    arm = creased(
        arm, at=elbow, along=upper / np.linalg.norm(upper) + fore / np.linalg.norm(fore),
        spacing=0.040, depth=0.015, reach=0.105,
    )  # fmt: skip
    arm = creased(
        arm, at=np.add(shoulder, upper * 0.28), along=upper, spacing=0.046, depth=0.010, reach=0.10
    )
    return creased(
        arm, at=np.add(elbow, fore * 0.75), along=fore, spacing=0.040, depth=0.009, reach=0.08
    )


def _wrist(elbow: Point, wrist: Point, fore: Array) -> list[Part]:
    """The metal ring that a glove locks into, and the glove's gauntlet."""
    w = np.asarray(wrist, np.float32)
    return [
        Part("wrist ring", "trim", _body(band(w, fore, 0.085, 0.017, rounding=0.007)), 0.002),
        Part("wrist lock", "metal", _body(band(w + fore * 0.026, fore, 0.079, 0.014)), 0.002),
        Part(
            "gauntlet",
            "suit",
            _body(
                creased(
                    capsule(w + fore * 0.045, w + fore * 0.095, 0.070, 0.060),
                    at=w + fore * 0.07, along=fore, spacing=0.028, depth=0.007, reach=0.10,
                )
            ),
            0.004,
        ),
    ]  # fmt: skip


def _stripes(elbow: Point, shoulder: Point, sleeve: Solid) -> Solid:
    """A mission commander's band around the upper arm."""
    along = np.subtract(elbow, shoulder)
    at = np.add(shoulder, along * 0.62)
    ring = common(slab(at, along, 0.018), capsule(shoulder, elbow, 0.16))
    return inlaid(sleeve, ring)


def _waving_arm() -> list[Part]:
    shoulder, elbow, wrist = (-0.275, 1.085, -0.005), (-0.475, 1.000, 0.055), (-0.520, 1.190, 0.135)
    sleeve = _sleeve(shoulder, elbow, wrist)
    fore = np.subtract(wrist, elbow).astype(np.float32)
    fore /= np.linalg.norm(fore)
    up = (-0.10, 1.0, 0.10)
    glove = mannequin.hand(
        bends_deg=((8, 14, 10), (4, 10, 8), (6, 12, 10), (12, 16, 12)),
        spread_deg=(13, 4, -6, -17),
        finger=0.0225,
        thumb=((0.05, 0.03, 0.012), (0.100, 0.062, 0.026), (0.132, 0.104, 0.034)),
    )
    at = np.add(wrist, fore * 0.105)
    axes = frame(up, (0.16, 0.10, 1.0))
    thumb_end = common(below((0.120, 0.088, 0), (-0.45, -0.8, 0)), below((0.1, 0, 0), (-1, 0, 0)))
    tips = inlaid(glove, union(below((0, 0.180, 0), (0, -1, 0)), thumb_end))
    badge_at = (-0.345, 1.085, 0.10)
    flag = inlaid(sleeve, box(badge_at, (0.046, 0.038, 0.08), rounding=0.004))
    bars = [
        Part("arm flag bar", material, _body(
            inlaid(flag, box((-0.345, y, 0.10), (0.036, 0.011, 0.07), rounding=0.002),
                   soft=0.007)
        ))
        for material, y in (("patch", 1.100), ("flag", 1.070))
    ]  # fmt: skip
    return [
        Part("sleeve", "suit", _body(sleeve), 0.03),
        Part("arm band", "trim", _body(_stripes(elbow, shoulder, sleeve)), 0.002),
        Part("arm flag", "shell", _body(flag), 0.002),
        *bars,
        Part("glove", "suit", _body(placed(glove, at=at, axes=axes)), 0.008),
        Part("finger tips", "rubber", _body(placed(tips, at=at, axes=axes))),
        *_wrist(elbow, wrist, fore),
    ]


def _holding_arm() -> list[Part]:
    shoulder, elbow, wrist = (0.275, 1.085, -0.005), (0.505, 0.880, -0.070), (0.535, 0.690, 0.045)
    sleeve = _sleeve(shoulder, elbow, wrist)
    fore = np.subtract(wrist, elbow).astype(np.float32)
    fore /= np.linalg.norm(fore)
    glove = mannequin.hand(
        bends_deg=((12, 66, 34), (10, 62, 34), (10, 60, 34), (14, 62, 34)),
        spread_deg=(8, 3, -3, -8),
        finger=0.0225,
        thumb=((0.05, 0.03, 0.012), (0.098, 0.062, 0.040), (0.108, 0.098, 0.085)),
        thumb_side=-1,
    )
    at = (0.485, 0.622, 0.105)
    axes = frame((-0.42, -0.06, 0.90), (-0.05, 1.0, 0.06))
    tips = inlaid(
        glove, common(below((0, 0, 0.045), (0, 0, -1)), below((0, 0.12, 0), (0, -1, 0))),
    )  # fmt: skip
    spot, out = (0.352, 1.045, 0.12), (0.35, 0.1, 1)
    patch = inlaid(sleeve, band(spot, out, 0.047, 0.08, rounding=0.002))
    inner = inlaid(patch, band(spot, out, 0.036, 0.08, rounding=0.002))
    moon = inlaid(
        inner, band(np.add(spot, (0.006, 0.006, 0)), out, 0.021, 0.08, rounding=0.002)
    )  # fmt: skip
    return [
        Part("sleeve", "suit", _body(sleeve), 0.03),
        Part("arm band", "trim", _body(_stripes(elbow, shoulder, sleeve)), 0.002),
        Part("patch rim", "lamp", _body(patch), 0.002),
        Part("patch", "patch", _body(inner)),
        Part("patch moon", "suit", _body(moon)),
        Part("glove", "suit", _body(placed(glove, at=at, axes=axes)), 0.008),
        Part("finger tips", "rubber", _body(placed(tips, at=at, axes=axes))),
        *_wrist(elbow, wrist, fore),
    ]


def _helmet() -> list[Part]:
    """Held on the hip, its gold visor towards you."""
    axes = frame((0.06, 1, -0.10), (-0.06, 0.06, 1))

    def held(solid: Solid) -> Solid:
        return _body(placed(solid, at=_HELMET_AT, axes=axes))

    bowl = ellipsoid((0, 0, 0), (0.172, 0.172, 0.178))
    bowl = common(bowl, inverse(below((0, -0.135, 0), (0, 1, 0))), blend=0.012)
    bowl = seamed(bowl, at=(0, 0, -0.03), across=(0, 0, 1))
    ring = cylinder((0, -0.140, 0), 0.128, 0.022, rounding=0.008)

    def opening(p: Array) -> Array:
        q = p - np.asarray([0, 0.008, 0], np.float32)
        wide = (np.abs(q[:, 0]) / 0.138) ** 2.6 + (np.abs(q[:, 1]) / 0.094) ** 2.6
        return np.asarray((wide ** (1 / 2.6) - 1) * 0.09, np.float32)

    front = inverse(below((0, 0, 0.02), (0, 0, 1)))
    visor = common(ellipsoid((0, 0, 0.004), (0.170, 0.170, 0.182)), opening, front, blend=0.006)
    rim = common(
        shell(opening, 0.011), ellipsoid((0, 0, 0.002), (0.186, 0.186, 0.194)), front, blend=0.006
    )
    hubs = mirrored(
        union(
            cylinder((0.166, 0.008, -0.01), 0.040, 0.020, axis=0, rounding=0.008),
            cylinder((0.182, 0.008, -0.01), 0.018, 0.018, axis=0, rounding=0.005),
        )
    )
    stripe = inlaid(
        bowl,
        common(slab((0, 0, 0), (1, 0, 0), 0.022), inverse(below((0, 0.105, 0), (0, 1, 0)))),
    )
    return [
        Part("helmet", "shell", held(bowl), 0.004),
        Part("helmet ring", "metal", held(ring), 0.003),
        Part("helmet stripe", "trim", held(stripe), 0.001),
        Part("visor", "visor", held(visor)),
        Part("visor rim", "shell", held(rim), 0.002),
        Part("visor hubs", "hose", held(hubs), 0.002),
    ]


def _collar() -> list[Part]:
    """Neck, suit collar and the ring that the helmet locks into."""
    lean = rotation("x", 13)
    at = (0, 1.185, -0.012)

    def on_neck(solid: Solid) -> Solid:
        return _body(turned(solid, lean, about=at))

    hole = capsule((0, 1.16, -0.012), (0, 1.40, -0.012), 0.128, 0.150)
    base = creased(
        cylinder((0, 1.160, -0.012), 0.196, 0.045, rounding=0.038),
        at=(0, 1.15, 0.12), along=(0.1, 1, 0), spacing=0.04, depth=0.006, reach=0.2,
    )  # fmt: skip
    ring = union(
        cylinder((0, 1.192, -0.012), 0.176, 0.021, rounding=0.009),
        cylinder((0, 1.214, -0.012), 0.164, 0.016, rounding=0.010),
        blend=0.002,
    )
    latches = union(
        *(
            turned(
                box((0, 1.192, 0.168), (0.022, 0.019, 0.013), rounding=0.006),
                rotation("y", yaw),
                about=(0, 1.192, -0.012),
            )
            for yaw in (-104, 0, 104)
        )
    )
    return [
        Part("neck", "skin", mannequin.neck(), 0.01),
        Part("collar", "suit", on_neck(cut(base, hole, blend=0.010)), 0.014),
        Part("neck ring", "metal", on_neck(cut(ring, hole, blend=0.006)), 0.003),
        Part("latches", "trim", on_neck(latches), 0.002),
    ]


def _cap() -> list[Part]:
    """The communications cap: it leaves the face free and hides hair and ears."""
    skull = union(
        grown(mannequin.head(), 0.040),
        ellipsoid((0, 1.565, -0.050), (0.243, 0.258, 0.262)),
        ellipsoid((0, 1.600, 0.0), (0.246, 0.250, 0.262)),
        blend=0.05,
    )

    def opening(p: Array) -> Array:
        """A tunnel along z round the face, as wide as cheeks, as high as the hairline, and wider
        towards its mouth so that no light is kept from the temples."""
        half = 0.194 + 0.34 * np.clip(p[:, 2] - 0.03, 0, 0.2)
        x, y = np.abs(p[:, 0]) / half, np.abs(p[:, 1] - 1.405) / 0.266
        return np.asarray(((x**2.8 + y**2.8) ** (1 / 2.8) - 1) * 0.19, np.float32)

    face = common(opening, inverse(below((0, 0, 0.005), (0, 0, 1))))
    jaw = below((0, 1.352, 0.02), (0, -1, 0.50))
    cloth = cut(common(skull, jaw, blend=0.012), face, blend=0.010)
    cloth = creased(
        cloth, at=(0.2, 1.40, -0.06), along=(0, 1, 0.5), spacing=0.04, depth=0.006, reach=0.10
    )
    hem = common(
        shell(grown(opening, 0.010), 0.011), grown(skull, 0.007), jaw,
        inverse(below((0, 0, 0.0), (0, 0, 1))), blend=0.006,
    )  # fmt: skip
    crown = inverse(below((0, 1.58, 0), (0, 1, 0)))
    centre = inlaid(
        cloth, common(slab((0, 0, 0), (1, 0, 0), 0.088), crown, inverse(grown(opening, 0.022)))
    )
    stitches = inlaid(
        centre,
        common(slab((0, 0, 0), (1, 0, 0), 0.010), crown, inverse(grown(opening, 0.030))),
        height=0.006,
    )  # fmt: skip
    cups = mirrored(
        union(
            cylinder((0.252, 1.490, -0.030), 0.080, 0.028, axis=0, rounding=0.018),
            cylinder((0.276, 1.490, -0.030), 0.056, 0.020, axis=0, rounding=0.010),
            blend=0.004,
        )
    )
    caps = mirrored(cylinder((0.294, 1.490, -0.030), 0.030, 0.010, axis=0, rounding=0.006))
    boom = tube(
        curve([(0.270, 1.455, 0.025), (0.262, 1.395, 0.095), (0.215, 1.335, 0.175),
               (0.168, 1.296, 0.215)]), 0.0100, 0.0090,
    )  # fmt: skip
    tip = capsule((0.175, 1.298, 0.210), (0.152, 1.290, 0.220), 0.0195)
    return [
        Part("cap", "cap", cloth),
        Part("cap centre", "suit", centre),
        Part("cap seam", "suit", stitches),
        Part("cap hem", "suit", hem, 0.003),
        Part("ear cups", "suit", cups, 0.004),
        Part("ear cup lids", "trim", caps, 0.002),
        Part("boom", "black", boom, 0.002),
        Part("microphone", "black", tip, 0.003),
    ]
