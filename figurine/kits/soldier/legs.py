"""Trousers and boots, standing as a pose wants them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    inverse,
    rotation,
    slab,
    tube,
    turned,
    union,
)
from figurine.types import Array


@dataclass(frozen=True)
class Foot:
    """Where a boot stands: its ankle, and how far its toe points outwards."""

    x: float
    z: float
    toe_deg: float
    knee_x: float


def legs(left: Foot, right: Foot) -> list[Part]:
    """Trousers and boots; `left` is the one on the picture's left."""
    built: list[Part] = []
    for s, foot in ((-1, left), (1, right)):
        foot_x, foot_z, toe = foot.x, foot.z, foot.toe_deg
        hip, knee = (s * 0.105, 0.62, 0.0), (foot.knee_x, 0.42, 0.045 + foot_z * 0.7)
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
            Part("leg", "cloth", leg, 0.03),
            Part("thigh pocket", "cloth", union(pocket, flap, blend=0.002), 0.006),
            *_boot(s, foot_x, foot_z, rotation("y", toe)),
        ]
    return built


def _boot(s: int, x: float, z: float, toe: Array) -> list[Part]:
    at = (x, 0.2, z)

    def placed(solid: Solid) -> Solid:
        return turned(solid, toe, about=at)

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
