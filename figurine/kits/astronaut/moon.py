"""The ground that the astronaut stands on: craters, dust, a footprint, a flag."""

from __future__ import annotations

import numpy as np

from figurine.kits import mannequin
from figurine.kits.mannequin import inlaid, oval
from figurine.kits.solids import (
    Part,
    capsule,
    cut,
    cylinder,
    ellipsoid,
    noise,
    rotation,
    rough,
    union,
)
from figurine.types import Array

_GRAIN = rotation("y", 37) @ rotation("z", 50)
_CRATERS = (
    (-0.40, 0.19, 0.105), (0.42, -0.10, 0.12), (-0.035, 0.345, 0.062), (-0.20, -0.30, 0.13),
    (0.44, 0.16, 0.055), (-0.50, -0.03, 0.045), (0.20, -0.34, 0.06), (-0.20, 0.325, 0.040),
    (0.28, 0.27, 0.030), (-0.31, 0.03, 0.028),
)  # fmt: skip
"""Centre x, z and radius."""


def _height(p: Array) -> Array:
    """Of the lunar ground above its disc: craters with raised rims, and dust."""
    h = np.asarray(0.006 * noise(p, size=0.40), np.float32)
    for x, z, r in _CRATERS:
        d = np.sqrt((p[:, 0] - x) ** 2 + ((p[:, 2] - z) * 1.08) ** 2) / r
        bowl = -0.42 * r * np.clip(1 - d * d, 0, 1) ** 1.2
        h += bowl + (0.012 + 0.10 * r) * np.exp(-(((d - 1.08) / 0.26) ** 2))
    return h


def parts() -> list[Part]:
    def ground(p: Array) -> Array:
        disc = oval(cylinder((0, 0.122, 0), 0.555, 0.026, rounding=0.018))(p)
        near = np.abs(disc) < 0.08
        if near.any():
            q = p[near]
            grain = 0.004 * noise(q @ _GRAIN, size=0.058) * noise(q @ _GRAIN.T, size=0.047)
            disc = disc.copy()
            disc[near] = (disc[near] - _height(q) - grain) * 0.85
        return disc

    print_at = (0.075, 0.150, 0.318)

    def tread(p: Array) -> Array:
        """A sole's print, pressed in with bars across."""
        q = (p - np.asarray(print_at, np.float32)) @ rotation("y", 28)
        outline = np.sqrt((q[:, 0] / 0.056) ** 2 + (q[:, 2] / 0.098) ** 2) - 1
        bars = 0.005 * np.clip(np.cos(q[:, 2] * 2 * np.pi / 0.036) * 2, -1, 1)
        floor = print_at[1] - 0.014 + bars
        return np.asarray(np.maximum(outline * 0.056, (floor - p[:, 1]) * 0.8), np.float32)

    rocks = union(
        *(
            ellipsoid((x, 0.148, z), (r, r * 0.7, r * 0.85))
            for x, z, r in ((0.47, 0.02, 0.026), (-0.46, 0.08, 0.022), (-0.30, 0.24, 0.016))
        )
    )
    pole_at = (-0.475, 0.14, 0.045)
    pole = union(
        capsule(pole_at, (pole_at[0], 0.59, pole_at[2]), 0.0105),
        ellipsoid((pole_at[0], 0.597, pole_at[2]), (0.017, 0.017, 0.017)),
        capsule((pole_at[0], 0.575, pole_at[2]), (pole_at[0] + 0.165, 0.575, pole_at[2]), 0.008),
    )

    def cloth(p: Array) -> Array:
        """A flag that hangs from its rod in still folds, there being no wind."""
        q = p - np.asarray([pole_at[0] + 0.088, 0.513, pole_at[2]], np.float32)
        wave = 0.011 * np.sin(q[:, 0] * 62) * np.clip(0.55 - q[:, 1] * 7, 0.2, 1)
        sides = np.maximum(np.abs(q[:, 0]) - 0.078, np.abs(q[:, 1]) - 0.056)
        return np.asarray((np.maximum(np.abs(q[:, 2] - wave) - 0.0085, sides) * 0.75), np.float32)

    def emblem(p: Array) -> Array:
        """A ringed planet."""
        q = p[:, :2] - np.asarray([pole_at[0] + 0.088, 0.513], np.float32)
        q = q @ rotation("z", 24)[:2, :2]
        away = np.sqrt((q[:, 0] / 0.052) ** 2 + (q[:, 1] / 0.017) ** 2)
        ring = np.abs(away - 1) * 0.018 - 0.005
        return np.asarray(np.minimum(np.linalg.norm(q, axis=1) - 0.026, ring), np.float32)

    return [
        Part("plinth", "base", mannequin.plinth()),
        Part("ground", "ground", cut(ground, tread, blend=0.003), 0.010),
        Part("rocks", "ground", rough(rocks, 0.005, size=0.05), 0.010),
        Part("flag pole", "metal", pole, 0.003),
        Part("flag", "flag", cloth, 0.002),
        Part("flag emblem", "suit", inlaid(cloth, emblem, height=0.006)),
        Part("plaque", "base", mannequin.plaque(), 0.008),
    ]
