"""Eyes as a toy painter makes them: white, iris, pupil, one glint, and the line of the lashes.

A photo's own eyes are a few dozen pixels of lashes, blinks and flash. What they tell (where the
lids are, where the eye looks, its colour) is drawn anew, crisp at any size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from figurine.engines.sculpt.blur import blurred
from figurine.engines.sculpt.relief import Eye, Portrait
from figurine.types import Array

_OVER = 4
"""Drawn this many times larger, then averaged."""
_OPEN = 1.0
"""The opening is drawn a little taller than it is: the lashes' line takes as much of it back."""
_PUPIL = 0.44
_LIMBUS = 0.80
"""Radii of the pupil and of the iris's dark rim's inner edge, in iris radii."""
_GLINT, _GLINT_AT = 0.24, (-0.34, 0.40)
"""The key lamp's reflection: its radius and place in iris radii, left and up of the centre."""
_LASH_DEG, _UNDER_DEG = 1.15, 0.45
_WING = 0.16
"""How far the upper line runs out beyond the outer corner, in eye widths."""
_SHUT, _SHUT_TOO = 0.09, 0.12
"""Area of the opening over its width squared, under which an eye is painted shut, and under which
the other then is: a line of lashes on a round lid. Ten portraits 0.13 to 0.29, the least of them
laughing; shut eyes that the iris model takes for shut 0.00 to 0.08, the second to 0.11.
"""
_SHUT_SAG, _SHUT_LASH = 0.16, 1.25
"""How far the line of a shut eye hangs, in eye widths, and how much heavier it is."""
_SLACK = 0.5
"""Of an eye's width around it: the window that is drawn."""


@dataclass(frozen=True)
class Gaze:
    """Both eyes as layers, each (rows, columns) 0..1, to be laid in this order."""

    opening: Array
    shade: Array
    """The upper lid's shadow on the eyeball."""
    iris: Array
    limbus: Array
    pupil: Array
    glint: Array
    lash: Array
    under: Array
    """The lower lid's edge."""
    lids: Array
    """The upper lid's fold, to be raised in clay."""
    iris_lab: Array
    """(3,) the irises' colour in the photo, CIELAB."""


def draw(portrait: Portrait) -> Gaze:
    rows, columns = portrait.grid.shape
    layers = {
        name: np.zeros((rows, columns), np.float32)
        for name in (
            "opening",
            "shade",
            "iris",
            "limbus",
            "pupil",
            "glint",
            "lash",
            "under",
            "lids",
        )
    }
    openness = [_openness(eye) for eye in portrait.eyes]
    for eye, own in zip(portrait.eyes, openness, strict=True):
        is_shut = own < (_SHUT_TOO if min(openness) < _SHUT else _SHUT)
        box, drawn = _one(eye, portrait, is_shut=is_shut)
        for name, layer in drawn.items():
            layers[name][box] = np.maximum(layers[name][box], layer)
    return Gaze(**layers, iris_lab=_iris_lab(portrait, layers["opening"]))


def _openness(eye: Eye) -> float:
    """The opening's area over its width squared."""
    outline = np.concatenate([_smoothed(eye.upper), _smoothed(eye.lower)[::-1]])
    width = float(np.linalg.norm(eye.upper[0] - eye.upper[-1]))
    return float(cv2.contourArea(outline.astype(np.float32))) / width**2


def _one(
    eye: Eye, portrait: Portrait, *, is_shut: bool
) -> tuple[tuple[slice, slice], dict[str, Array]]:
    step = portrait.grid.step_deg
    rows, columns = portrait.grid.shape
    # 1. The window, and its points in its own large pixels. Rows run upwards on the grid.
    outline = np.concatenate([eye.upper, eye.lower])
    width = float(np.linalg.norm(eye.upper[0] - eye.upper[-1]))
    low = np.maximum(np.floor(outline.min(axis=0) - _SLACK * width), 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0) + _SLACK * width), (columns, rows)).astype(int)
    size = (high - low) * _OVER
    canvas = (int(size[1]), int(size[0]))
    middle = outline.mean(axis=0)
    stretch = np.asarray([1, _OPEN])

    def large(points: Array) -> Array:
        return np.asarray((points - low + 0.5) * _OVER - 0.5)

    upper, lower = (
        large(_smoothed((lid - middle) * stretch + middle)) for lid in (eye.upper, eye.lower)
    )
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    deg = _OVER / step
    if is_shut:
        drawn = _shut(canvas, upper, deg=deg)
        return box, {name: _shrunk(layer) for name, layer in drawn.items()}
    opening = _filled(canvas, [np.concatenate([upper, lower[::-1]])])
    centre, radius = large(eye.iris[None])[0], eye.iris_radius * _OVER

    # 2. The eyeball.
    up, across = np.mgrid[0 : canvas[0], 0 : canvas[1]].astype(np.float32)
    away = np.hypot(across - centre[0], up - centre[1]) / radius
    soft = 1.2 / radius

    def disc(distance: Array, reach: float) -> Array:
        return np.clip((reach - distance) / soft + 0.5, 0, 1) * opening

    glint_at = centre + radius * np.asarray(_GLINT_AT)
    spark = np.hypot(across - glint_at[0], up - glint_at[1]) / radius
    iris = disc(away, 1.0)
    lid_shadow = blurred(1 - opening, 0.9 / step * _OVER)
    above = np.clip((up - centre[1]) / radius * 0.5 + 0.5, 0, 1)

    # 3. Lines: heaviest over the iris, winged at the outer corner.
    out = (upper[0] - upper[-1]) * _WING
    winged = np.concatenate([[upper[0] + out * (1, 0.25)], upper])
    lash = _stroke(canvas, winged, _LASH_DEG * deg, taper=0.35)
    under = _stroke(canvas, lower, _UNDER_DEG * deg, taper=0.2)
    fold = _stroke(canvas, upper + np.asarray([0, 1.5 * deg]), 1.6 * deg, taper=0.5)
    drawn = {
        "opening": opening,
        "shade": np.clip(lid_shadow * above * 2.2, 0, 1) * opening,
        "iris": iris,
        "limbus": iris * np.clip((away - _LIMBUS) / (1 - _LIMBUS), 0, 1),
        "pupil": disc(away, _PUPIL),
        "glint": disc(spark, _GLINT),
        "lash": lash,
        "under": under,
        "lids": blurred(fold, 0.5 * deg),
    }
    return box, {name: _shrunk(layer) for name, layer in drawn.items()}


def _shut(canvas: tuple[int, int], upper: Array, *, deg: float) -> dict[str, Array]:
    """A lid drawn down: its lashes where the lids meet, and its round, to be raised in clay."""
    t = np.linspace(0, 1, len(upper))[:, None]
    hang = (t * (1 - t)) * 4 * np.asarray([0, np.linalg.norm(upper[-1] - upper[0])])
    chord = upper[:1] + (upper[-1:] - upper[:1]) * t
    line = chord - hang * _SHUT_SAG
    lash = _stroke(canvas, line, _LASH_DEG * _SHUT_LASH * deg, taper=0.25)
    lid = _filled(canvas, [np.concatenate([line, (chord + hang * 0.22)[::-1]])])
    return {"lash": lash, "lids": cv2.GaussianBlur(lid, (0, 0), 1.0 * deg)}


def _smoothed(lid: Array) -> Array:
    """A lid's nine points as a smooth curve of thirty-three, its corners kept."""
    t = np.linspace(0, 1, len(lid))
    fine = np.linspace(0, 1, 33)
    chord = lid[:1] + (lid[-1:] - lid[:1]) * t[:, None]
    bow = np.stack([t * (1 - t), t * (1 - t) * (2 * t - 1), (t * (1 - t)) ** 2], axis=1)
    shape, *_ = np.linalg.lstsq(bow, lid - chord, rcond=None)
    bow = np.stack(
        [fine * (1 - fine), fine * (1 - fine) * (2 * fine - 1), (fine * (1 - fine)) ** 2], axis=1
    )
    return np.asarray(lid[:1] + (lid[-1:] - lid[:1]) * fine[:, None] + bow @ shape)


def _filled(size: tuple[int, int], polygons: Iterable[Array]) -> Array:
    mask = np.zeros(size, np.float32)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    return mask


def _stroke(size: tuple[int, int], path: Array, width_px: float, *, taper: float) -> Array:
    """A brush stroke, full in its middle and this much of its width at the ends."""
    t = np.linspace(-1, 1, len(path))
    widths = width_px * (taper + (1 - taper) * np.clip(1.25 * (1 - t**2), 0, 1))
    side = np.gradient(path, axis=0)
    side = np.stack([-side[:, 1], side[:, 0]], axis=1)
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    half = side * widths[:, None] / 2
    mask = _filled(size, [np.concatenate([path + half, (path - half)[::-1]])])
    return cv2.GaussianBlur(mask, (0, 0), _OVER * 0.35)


def _shrunk(layer: Array) -> Array:
    rows, columns = layer.shape
    return np.asarray(
        cv2.resize(layer, (columns // _OVER, rows // _OVER), interpolation=cv2.INTER_AREA),
        np.float32,
    )


def _iris_lab(portrait: Portrait, opening: Array) -> Array:
    """Median of the irises' rings, glints and lashes left out."""
    rows, columns = np.mgrid[0 : portrait.grid.shape[0], 0 : portrait.grid.shape[1]]
    samples = []
    for eye in portrait.eyes:
        away = np.hypot(columns - eye.iris[0], rows - eye.iris[1]) / eye.iris_radius
        # The lower half: the upper lies in the lashes' shadow.
        ring = (away > 0.5) & (away < 0.85) & (opening > 0.9) & (rows < eye.iris[1])
        samples.append(portrait.lab[ring])
    seen = np.concatenate(samples)
    if not len(seen):
        return np.asarray([20, 0, 0], np.float32)
    dim = seen[seen[:, 0] <= np.percentile(seen[:, 0], 70)]
    return np.asarray(np.median(dim, axis=0), np.float32)
