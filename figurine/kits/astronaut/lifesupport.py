"""What the astronaut breathes with: chest pack, backpack and the hoses between them.

In the body's own frame, not yet turned.
"""

from __future__ import annotations

from figurine.kits.mannequin import band, curve, hose, seamed
from figurine.kits.solids import (
    Part,
    Solid,
    box,
    capsule,
    cut,
    cylinder,
    ellipsoid,
    mirrored,
    rotation,
    tube,
    turned,
    union,
)


def chest_pack() -> list[Part]:
    """The control unit: gauge, knobs, lamps, and two hoses that go round to the backpack."""
    lean = rotation("x", -14)
    pivot = (0, 0.965, 0.215)

    def on_front(solid: Solid) -> Solid:
        return turned(solid, lean, about=pivot)

    case = union(
        box((0, 0.962, 0.222), (0.132, 0.088, 0.056), rounding=0.020),
        box((0, 0.972, 0.268), (0.114, 0.066, 0.020), rounding=0.010),
        blend=0.004,
    )
    front = 0.290
    gauge_ring = cut(
        cylinder((-0.062, 0.985, front), 0.038, 0.012, axis=2, rounding=0.005),
        cylinder((-0.062, 0.985, front + 0.012), 0.029, 0.008, axis=2, rounding=0.002),
    )
    gauge_face = cylinder((-0.062, 0.985, front - 0.004), 0.030, 0.008, axis=2, rounding=0.001)
    needle = capsule((-0.062, 0.985, front + 0.006), (-0.046, 1.004, front + 0.006), 0.0045)
    knobs = union(
        *(
            union(
                cylinder((x, 1.058, 0.225), 0.025, 0.022, rounding=0.006),
                box((x, 1.080, 0.225), (0.006, 0.012, 0.022), rounding=0.004),
            )
            for x in (-0.07, 0.07)
        )
    )
    keys = [
        Part(name, material, on_front(box((x, y, front), (0.0150, 0.0150, 0.016), rounding=0.006)))
        for name, material, x, y in (
            ("key", "trim", 0.030, 1.000), ("key", "lamp", 0.074, 1.000),
            ("key", "patch", 0.030, 0.954), ("key", "rubber", 0.074, 0.954),
        )
    ]  # fmt: skip
    slot = box((-0.062, 0.931, front), (0.040, 0.008, 0.008), rounding=0.004)
    hoses = union(
        *(
            hose(curve(path), 0.0215, rib=0.0042, pitch=0.020)
            for path in (
                [(-0.105, 0.905, 0.225), (-0.17, 0.845, 0.250), (-0.262, 0.870, 0.185),
                 (-0.305, 0.955, 0.06), (-0.275, 1.04, -0.10), (-0.20, 1.06, -0.22)],
                [(0.105, 0.905, 0.225), (0.165, 0.860, 0.245), (0.245, 0.905, 0.175),
                 (0.285, 0.99, 0.05), (0.26, 1.06, -0.10), (0.20, 1.06, -0.22)],
            )
        )
    )  # fmt: skip
    sockets = union(
        *(band((x, 0.888, 0.225), (x * 0.8, -0.8, 0.25), 0.030, 0.022, rounding=0.006)
          for x in (-0.112, 0.112))
    )  # fmt: skip
    return [
        Part("chest pack", "shell", on_front(case), 0.004),
        Part("gauge ring", "metal", on_front(gauge_ring), 0.001),
        Part("gauge", "black", on_front(gauge_face)),
        Part("needle", "lamp", on_front(needle)),
        Part("knobs", "black", on_front(knobs), 0.002),
        *keys,
        Part("slot", "black", on_front(slot)),
        Part("hoses", "hose", hoses, 0.002),
        Part("sockets", "trim", sockets, 0.003),
    ]


def backpack() -> list[Part]:
    case = union(
        box((0, 1.035, -0.290), (0.250, 0.285, 0.115), rounding=0.055),
        box((0, 1.285, -0.285), (0.205, 0.055, 0.100), rounding=0.040),
        blend=0.015,
    )
    case = seamed(case, at=(0, 0, -0.290), across=(0, 0, 1), height=0.004)
    ribs = union(*(box((0, y, -0.407), (0.15, 0.014, 0.012), rounding=0.008)
                   for y in (0.86, 0.92, 0.98)))  # fmt: skip
    aerial = capsule((0.285, 1.24, -0.27), (0.400, 1.70, -0.30), 0.0125, 0.0095)
    spring = union(
        band((0.292, 1.270, -0.272), (0.25, 1, -0.06), 0.026, 0.030, rounding=0.008),
        capsule((0.22, 1.22, -0.28), (0.290, 1.262, -0.272), 0.030),
    )
    tip = ellipsoid((0.402, 1.708, -0.30), (0.026, 0.026, 0.026))
    straps = mirrored(
        tube(curve([(0.105, 1.02, 0.215), (0.118, 1.09, 0.178), (0.150, 1.165, 0.10),
                    (0.170, 1.195, 0.0), (0.165, 1.19, -0.08),
                    (0.155, 1.16, -0.20)]), 0.021)
    )  # fmt: skip
    return [
        Part("backpack", "shell", case, 0.006),
        Part("pack ribs", "hose", ribs, 0.003),
        Part("aerial", "metal", aerial, 0.002),
        Part("aerial foot", "shell", spring, 0.002),
        Part("aerial tip", "trim", tip, 0.003),
        Part("pack straps", "hose", straps, 0.006),
    ]
