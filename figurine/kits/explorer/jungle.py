"""The ground that the explorer stands on: earth, rock, roots, ferns, and a snake."""

from __future__ import annotations

import numpy as np

from figurine.kits import mannequin
from figurine.kits.mannequin import curve, frame, inlaid, oval, placed
from figurine.kits.solids import (
    Part,
    Point,
    Solid,
    below,
    capsule,
    common,
    cylinder,
    ellipsoid,
    noise,
    rotation,
    rough,
    slab,
    tube,
    union,
)
from figurine.types import Array

FOOTHOLD = (0.205, 0.105, 0.130)
"""Where the raised foot stands, in the body's turned frame: x, height above the ground, z."""
_ROCK_AT = (0.185, 0.0, 0.205)
"""Under it."""
_GRAIN = rotation("y", 37) @ rotation("z", 50)


def parts() -> list[Part]:
    return [
        Part("plinth", "base", mannequin.plinth()),
        Part("ground", "ground", _ground, 0.012),
        Part("rock", "stone", _rock(), 0.014),
        Part("moss", "leaf", _moss(_rock())),
        Part("moss", "leaf", _moss(_ground)),
        Part("stones", "stone", _stones(), 0.010),
        Part("root", "leather", _root(), 0.012),
        *_plants(),
        *_snake(),
        Part("plaque", "base", mannequin.plaque(), 0.008),
    ]


def _ground(p: Array) -> Array:
    lumps = 0.009 * noise(p, size=0.36) + 0.004 * noise(p[:, [2, 1, 0]] + 3, size=0.15)
    grain = 0.005 * noise(p @ _GRAIN, size=0.052) * noise(p @ _GRAIN.T, size=0.043)
    disc = oval(cylinder((0, 0.125, 0), 0.555, 0.02, rounding=0.018))(p)
    return np.asarray(disc - lumps - grain, np.float32)


def _rock() -> Solid:
    """Faceted, flat on top where the boot stands."""
    x, _, z = _ROCK_AT
    lump = ellipsoid((x, 0.150, z), (0.165, 0.150, 0.180))
    facets = [
        below((x + dx * 0.128, 0.16 + dy * 0.09, z + dz * 0.140), (dx, dy, dz))
        for dx, dy, dz in (
            (-0.9, 0.45, 0.35), (-0.3, 0.5, 0.85), (0.55, 0.4, 0.75), (0.95, 0.35, 0.0),
            (-0.6, 0.6, -0.5),
        )
    ]  # fmt: skip
    flat = below((x, 0.145 + FOOTHOLD[1] - 0.008, z), (0.02, 1, -0.02))
    return rough(common(lump, flat, *facets, blend=0.016), 0.006, size=0.085)


def _moss(solid: Solid) -> Solid:
    """In patches, standing up a little."""

    def patches(p: Array) -> Array:
        spread = 0.6 * noise(p, size=0.21) + 0.4 * noise(p[:, [2, 0, 1]] + 5, size=0.09)
        bare = np.asarray(0.055 * (0.20 - spread), np.float32)
        return np.maximum(bare, 0.130 - p[:, 1])

    return rough(inlaid(solid, patches, height=0.005, soft=0.006), 0.0015, size=0.020)


def _stones() -> Solid:
    return union(
        *(
            rough(ellipsoid((x, 0.145, z), (r, r * 0.66, r * 0.85)), 0.004, size=0.08)
            for x, z, r in (
                (-0.43, 0.14, 0.042), (-0.375, 0.205, 0.024), (0.47, 0.06, 0.030),
                (0.425, 0.15, 0.020), (-0.50, 0.05, 0.018), (0.02, 0.33, 0.022),
                (0.06, 0.345, 0.014),
            )
        )
    )  # fmt: skip


def _root() -> Solid:
    return tube(
        curve([(0.52, 0.12, -0.10), (0.43, 0.165, -0.03), (0.40, 0.152, 0.09), (0.43, 0.13, 0.20)]),
        0.026, 0.012,
    )  # fmt: skip


def _frond(base: Point, yaw_deg: float, length: float, rise: float) -> Solid:
    """An arching stem with leaflets in pairs, shorter towards its tip."""
    a = np.radians(yaw_deg)
    out = np.asarray([np.sin(a), 0, np.cos(a)])
    side = np.asarray([np.cos(a), 0, -np.sin(a)])
    ts = np.linspace(0, 1, 13)
    b = np.asarray(base)
    stem = [b + out * length * t**1.15 + np.asarray([0, rise * (1.9 * t - 1.05 * t**2.4), 0])
            for t in ts]  # fmt: skip
    solids = [tube([tuple(p) for p in stem], 0.0105, 0.006)]
    for i in range(2, 13):
        run = stem[i] - stem[i - 1]
        run = run / np.linalg.norm(run)
        reach = length * 0.36 * np.sin(np.pi * (0.16 + 0.80 * ts[i])) ** 0.8
        for hand in (-1, 1):
            tip = (
                stem[i]
                + side * hand * reach
                + run * reach * 0.55
                - np.asarray([0, reach * 0.22, 0])
            )
            solids.append(capsule(tuple(stem[i]), tuple(tip), 0.0118, 0.0058))
    return union(*solids, blend=0.003)


def _blade(base: Point, along: Point, facing: Point, length: float, width: float) -> Solid:
    """A broad leaf, bent over its length and folded along its midrib."""
    axes = frame(along, facing)

    def distance(p: Array) -> Array:
        t = np.clip(p[:, 1] / length, 0, 1)
        x = p[:, 0]
        bow = p[:, 2] + 0.35 * length * t**2 - 0.35 * np.abs(x)
        half = width * np.clip(np.sin(np.pi * (0.04 + 0.96 * t) ** 0.75), 0, 1) ** 0.9
        ribs = 0.0035 * np.cos((p[:, 1] - np.abs(x) * 0.9) * 2 * np.pi / 0.042)
        rib = 0.006 * np.exp(-((x / 0.008) ** 2))
        flat = np.abs(bow) - 0.0085 - ribs * (np.abs(x) > 0.008) - rib
        ends = np.maximum(p[:, 1] - length, -p[:, 1])
        return np.asarray(np.maximum(np.maximum(flat, np.abs(x) - half), ends) * 0.72, np.float32)

    stalk = capsule((0, -0.05, 0), (0, 0.02, 0), 0.011)
    return placed(union(distance, stalk, blend=0.006), at=base, axes=axes)


def _plants() -> list[Part]:
    ferns = [
        _frond((-0.40, 0.135, -0.13), yaw, length, rise)
        for yaw, length, rise in (
            (-95, 0.20, 0.24), (-30, 0.17, 0.16), (-160, 0.17, 0.30), (30, 0.15, 0.26),
        )
    ] + [
        _frond((0.44, 0.135, -0.09), yaw, length, rise)
        for yaw, length, rise in ((80, 0.17, 0.20), (20, 0.14, 0.13), (150, 0.14, 0.26))
    ]  # fmt: skip
    blades = union(
        _blade((0.36, 0.16, -0.19), (0.42, 1, -0.10), (-0.2, 0.3, 1), 0.40, 0.078),
        _blade((0.33, 0.16, -0.21), (-0.10, 1, -0.25), (0.2, 0.3, 1), 0.44, 0.080),
        _blade((-0.30, 0.16, -0.24), (-0.55, 1, -0.15), (0.2, 0.3, 1), 0.36, 0.072),
    )
    return [
        *(Part("fern", "leaf", fern, 0.004) for fern in ferns),
        Part("broad leaves", "leaf", blades, 0.004),
    ]


def _snake() -> list[Part]:
    path = curve(
                 [(-0.44, 0.150, 0.02), (-0.37, 0.162, 0.085), (-0.415, 0.160, 0.165),
                  (-0.335, 0.160, 0.235), (-0.25, 0.160, 0.200), (-0.185, 0.160, 0.270),
                  (-0.115, 0.165, 0.262), (-0.085, 0.215, 0.250), (-0.068, 0.252, 0.272)],
    )  # fmt: skip
    body = tube(path, 0.0120, 0.0240)
    skull = union(
        ellipsoid((-0.060, 0.262, 0.296), (0.0285, 0.0225, 0.040)),
        body,
        blend=0.012,
    )
    eyes = union(*(ellipsoid((-0.060 + dx, 0.277, 0.308), (0.0085, 0.0085, 0.0085))
                   for dx in (-0.022, 0.022)))  # fmt: skip
    tongue = union(
        capsule((-0.060, 0.257, 0.322), (-0.058, 0.254, 0.352), 0.0058),
        capsule((-0.058, 0.254, 0.350), (-0.066, 0.258, 0.372), 0.0052),
        capsule((-0.058, 0.254, 0.350), (-0.048, 0.258, 0.372), 0.0052),
    )
    rings = [
        common(slab(path[i], np.subtract(path[i + 1], path[i]), 0.0085),
               ellipsoid(path[i], (0.05, 0.05, 0.05)))
        for i in range(3, len(path) - 3, 2)
    ]  # fmt: skip
    bands = inlaid(body, union(*rings), height=0.002, soft=0.004)
    return [
        Part("snake", "snake", skull, 0.002),
        Part("snake bands", "ink", bands),
        Part("snake eyes", "ink", eyes),
        Part("snake tongue", "scarf", tongue),
    ]
