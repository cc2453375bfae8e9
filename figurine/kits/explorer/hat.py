"""The explorer's hat: it bares eyes and brows to the light, and hides all hair."""

from __future__ import annotations

import numpy as np

from figurine.kits.mannequin import frame, placed, seamed
from figurine.kits.solids import (
    Part,
    Solid,
    below,
    box,
    common,
    cut,
    ellipsoid,
    grown,
    inverse,
    mirrored,
    rotation,
    slab,
    turned,
)
from figurine.types import Array

_AT = (0.0, 1.655, -0.045)
_TILT = rotation("x", -15)
_BRIM_Y = _AT[1] - 0.046
_BRIM = (0.405, 0.400)
"""Half width and half depth."""


def parts() -> list[Part]:
    """A felt hat, its brim curled up at the sides and raised in front to let the light in."""
    x, _, z = _AT

    def worn(solid: Solid) -> Solid:
        return turned(solid, _TILT, about=_AT)

    def curl(q: Array) -> Array:
        side = np.clip((np.abs(q[:, 0]) - 0.22) / 0.20, 0, 1.2)
        back, front = np.clip(-q[:, 2] / 0.40, 0, 1), np.clip((q[:, 2] - 0.24) / 0.16, 0, 1)
        dip = 0.030 * back**2 + 0.016 * front**2
        return np.asarray(0.046 * side**2 * (1 - 0.6 * back) - dip, np.float32)

    def brim_outline(q: Array) -> Array:
        r = np.sqrt((q[:, 0] / _BRIM[0]) ** 2 + (q[:, 2] / _BRIM[1]) ** 2)
        return np.asarray((r - 1) * 0.38, np.float32)

    def brim_sheet(half: float, rim: float) -> Solid:
        def distance(p: Array) -> Array:
            q = p - np.asarray([x, _BRIM_Y, z], np.float32)
            thick = np.abs(q[:, 1] - curl(q)) - half
            d = np.stack([thick, brim_outline(q) + rim], axis=1) + half * 0.9
            rounded = np.linalg.norm(np.maximum(d, 0), axis=1) + np.minimum(d.max(axis=1), 0)
            return np.asarray((rounded - half * 0.9) * 0.80, np.float32)

        return distance

    def edge(p: Array) -> Array:
        """A bound edge all round the brim."""
        q = p - np.asarray([x, _BRIM_Y, z], np.float32)
        across = np.stack([brim_outline(q) + 0.006, q[:, 1] - curl(q)], axis=1)
        return np.asarray((np.linalg.norm(across, axis=1) - 0.0145) * 0.80, np.float32)

    def crown(p: Array) -> Array:
        q = p - np.asarray([x, _BRIM_Y, z], np.float32)
        up = np.clip(q[:, 1], -0.05, 0.4)
        taper = 1 - 0.62 * np.clip(up, 0, 0.4) ** 1.25
        r = np.sqrt((q[:, 0] / 0.252) ** 2 + (q[:, 2] / 0.285) ** 2)
        wall = (r - taper) * 0.24
        groove = 0.058 * np.exp(-((q[:, 0] / 0.062) ** 2)) * np.clip(0.72 + q[:, 2] * 1.6, 0, 1.1)
        top = q[:, 1] - (0.262 - 0.25 * q[:, 2] ** 2 - groove)
        h = np.clip(0.5 + 0.5 * (wall - top) / 0.060, 0, 1)
        rounded = top + (wall - top) * h + 0.060 * h * (1 - h)
        return np.asarray(rounded * 0.85, np.float32)

    pinch = mirrored(ellipsoid((0.150, _BRIM_Y + 0.215, z + 0.225), (0.070, 0.105, 0.075)))
    felt = cut(crown, pinch, blend=0.045)
    felt = common(felt, inverse(below((0, _BRIM_Y - 0.010, 0), (0, 1, 0))), blend=0.004)
    felt = seamed(felt, at=(0, 0, z - 0.01), across=(0, 0, 1))
    hatband = common(
        grown(crown, 0.011), slab((0, _BRIM_Y + 0.046, 0), (0, 1, 0), 0.030), blend=0.006
    )
    bow_at = (-0.244, _BRIM_Y + 0.048, z + 0.060)
    clasp = placed(
        cut(box((0, 0, 0), (0.032, 0.037, 0.016), rounding=0.009),
            box((0, 0, 0.016), (0.018, 0.021, 0.012), rounding=0.004)),
        at=bow_at, axes=frame((0, 1, 0), (-0.97, 0.05, 0.28)),
    )  # fmt: skip
    plume_axes = frame((-0.30, 1, -0.20), (-0.40, 0.10, 0.90))

    def plume(p: Array) -> Array:
        q = (p - np.asarray(bow_at, np.float32)) @ plume_axes
        t = np.clip(q[:, 1] / 0.33, 0, 1)
        q = q - np.stack([-0.05 * t**2, 0 * t, -0.02 * t], axis=1).astype(np.float32)
        wide = 0.004 + 0.046 * np.clip(np.sin(np.pi * (0.06 + 0.94 * t) ** 0.8), 0, 1) ** 0.8
        barbs = 0.006 * np.abs(np.sin((q[:, 1] - np.abs(q[:, 0]) * 1.1) * 95))
        quill = 0.005 * np.exp(-((q[:, 0] / 0.006) ** 2))
        flat = np.abs(q[:, 2]) - (0.010 - 0.06 * np.abs(q[:, 0])) - quill
        sides = np.abs(q[:, 0]) - (wide - barbs)
        ends = np.maximum(q[:, 1] - 0.33, -0.01 - q[:, 1])
        return np.asarray(np.maximum(np.maximum(flat, sides), ends) * 0.7, np.float32)

    return [
        Part("brim", "hat", worn(brim_sheet(0.0095, 0.0))),
        Part("brim edge", "leather", worn(edge), 0.002),
        Part("crown", "hat", worn(felt), 0.022),
        Part("hat band", "canvas", worn(hatband), 0.002),
        Part("feather", "scarf", worn(plume), 0.002),
        Part("clasp", "metal", worn(clasp), 0.002),
    ]
