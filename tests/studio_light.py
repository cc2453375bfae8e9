"""The light in which phones show the 3D model: `python -m tests.studio_light` makes it anew.

A softbox from the upper left, a faint one from the right, two from behind for the edges, and next
to nothing all around: the viewer's own light is even and takes the modelling out of a face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from figurine.types import Array

FILE: Final = Path(__file__).parent.parent / "static" / "img" / "studio.hdr"
WIDTH_PX, HEIGHT_PX = 64, 32
EDGE: Final = 40.0
"""How hard a softbox's edge is; at this one it is a fifth of a radian wide."""

SOFTBOXES: Final = (
    # towards (x right, y up, z to the viewer), radius in radians, colour, radiance
    ((-0.8, 1.0, 0.9), 0.42, (1.0, 0.95, 0.86), 8.5),
    ((1.0, 0.35, 0.7), 0.50, (0.85, 0.93, 1.0), 1.0),
    ((0.9, 0.7, -0.9), 0.40, (1.0, 0.98, 0.95), 7.0),
    ((-0.95, 0.5, -0.8), 0.35, (0.9, 0.95, 1.0), 5.0),
)
AROUND: Final = (0.06, 0.065, 0.065)
SKY: Final = (0.16, 0.17, 0.18)
FLOOR: Final = (0.07, 0.06, 0.04)


def light() -> Array:
    """(32, 64, 3) linear radiance, equirectangular, as three.js reads it."""
    azimuth = ((np.arange(WIDTH_PX) + 0.5) / WIDTH_PX - 0.5) * 2 * np.pi
    height = np.pi / 2 - (np.arange(HEIGHT_PX) + 0.5) / HEIGHT_PX * np.pi
    azimuth, height = np.meshgrid(azimuth, height)
    up = np.sin(height)
    towards = np.stack(
        [np.cos(height) * np.cos(azimuth), up, np.cos(height) * np.sin(azimuth)], axis=-1
    )
    seen: Array = np.asarray(AROUND) + np.clip(up, 0, 1)[..., None] * np.asarray(SKY)
    seen = seen + np.clip(-up, 0, 1)[..., None] * np.asarray(FLOOR)
    for direction, radius, colour, radiance in SOFTBOXES:
        cosine = towards @ (np.asarray(direction) / np.linalg.norm(direction))
        inside = 1 / (1 + np.exp(-(cosine - np.cos(radius)) * EDGE))
        seen = seen + radiance * inside[..., None] * np.asarray(colour)
    return seen


def encoded(radiance: Array) -> bytes:
    """Radiance RGBE, not packed. Source: G. Ward, "Real Pixels", Graphics Gems II, 1991."""
    most = radiance.max(axis=2)
    mantissa, exponent = np.frexp(most)
    pixels = np.empty((HEIGHT_PX, WIDTH_PX, 4), np.uint8)
    pixels[..., :3] = radiance * (mantissa * 256 / most)[..., None]
    pixels[..., 3] = exponent + 128
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {HEIGHT_PX} +X {WIDTH_PX}\n"
    return head.encode() + pixels.tobytes()


if __name__ == "__main__":
    FILE.write_bytes(encoded(light()))
