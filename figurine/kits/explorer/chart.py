"""The explorer's map, in the body's own frame, not yet turned."""

from __future__ import annotations

import numpy as np

from figurine.kits.mannequin import curve, frame, placed
from figurine.kits.solids import Part, Solid, box, capsule, common, ellipsoid, slab, tube, union
from figurine.types import Array

_AT = (0.268, 0.835, 0.290)


def parts() -> list[Part]:
    """A chart that still wants to roll up: coast, dotted way, and a cross."""
    axes = frame((-0.05, 1, -0.20), (0.02, 0.20, 1))
    w, h = 0.140, 0.155

    def bent(solid: Solid) -> Solid:
        """Curled about x, more so at both ends."""

        def distance(p: Array) -> Array:
            q = p.copy()
            q[:, 2] -= 0.9 * q[:, 1] ** 2 + 0.006 * np.sin(q[:, 0] * 26)
            return solid(q) * 0.88

        return distance

    def drawn(solid: Solid) -> Solid:
        return placed(bent(solid), at=_AT, axes=axes)

    sheet = box((0, 0, 0), (w, h, 0.0085), rounding=0.006)
    rolls = union(
        capsule((-w, h - 0.004, 0.010), (w, h - 0.004, 0.010), 0.019),
        capsule((-w, -h + 0.004, 0.010), (w, -h + 0.004, 0.010), 0.019),
    )
    rolls = common(rolls, slab((0, 0, 0), (1, 0, 0), w), blend=0.004)
    z = 0.0095
    coast = tube(
        curve([(-0.135, 0.098, z), (-0.090, 0.112, z), (-0.062, 0.080, z), (-0.088, 0.040, z),
               (-0.118, 0.010, z), (-0.100, -0.040, z), (-0.128, -0.090, z)]), 0.0058,
    )  # fmt: skip
    hills = union(
        *(tube([(x - 0.020, y, z), (x, y + 0.026, z), (x + 0.020, y, z)], 0.0056)
          for x, y in ((0.015, 0.094), (0.052, 0.082)))
    )  # fmt: skip
    way = union(
        *(ellipsoid((x, y, z), (0.0085, 0.0085, 0.008))
          for x, y in ((-0.075, -0.112), (-0.045, -0.104), (-0.016, -0.090), (0.004, -0.064),
                       (-0.006, -0.036), (-0.030, -0.016), (-0.040, 0.012)))
    )  # fmt: skip
    x, y = -0.026, 0.048
    cross = union(
        capsule((x - 0.020, y - 0.020, z), (x + 0.020, y + 0.020, z), 0.0085),
        capsule((x - 0.020, y + 0.020, z), (x + 0.020, y - 0.020, z), 0.0085),
    )
    return [
        Part("map", "paper", drawn(union(sheet, rolls, blend=0.006))),
        Part("map ink", "ink", drawn(union(coast, hills, way))),
        Part("map cross", "scarf", drawn(cross)),
    ]
