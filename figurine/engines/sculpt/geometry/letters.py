"""The name on the plaque as solid letters, whatever the script: from the drawn mask's outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from figurine import lettering
from figurine.errors import NotSolid
from figurine.kits import Kit
from figurine.types import Array

_FILL = (0.86, 0.62)
"""Shares of the plaque's width and height that the name may take, as in its picture."""
_RAISED, _ROOT = 0.016, 0.012
"""How far the letters stand out (0.45 mm on a figure of 54 mm) and reach in, in units."""
_SMOOTH = 0.003
"""Largest error of an outline, as a share of the letters' height."""
_FINER = 4
"""Pixels in one of the drawn name's: its grey edge says where a slope runs, without stairs."""
_COARSER = 1.2
"""By how much that error grows until an outline has few enough points."""
_SOUGHT = 0.06
"""How far before and behind the kit's plaque its surface is looked for, in units."""


def letters(name: str, kit: Kit, body: Any, *, most_points: int = 0) -> Any | None:
    """A manifold3d solid in the kit's units, standing on the body's plaque; None without a name.

    most_points: of all outlines, which are drawn coarser until they have no more; 0 is any number.
    Raises BadPlaque, and NotSolid where the kit has nothing behind its plaque.
    """
    import manifold3d  # noqa: PLC0415 - only in a worker

    text = lettering.letters(name)
    if not text:
        return None
    # 1. Outlines, x right and y up, around the middle.
    mask = cv2.resize(lettering.drawn(text), None, fx=_FINER, fy=_FINER)
    height, width = mask.shape
    outlines, _ = cv2.findContours(
        np.pad((mask > 0.5).astype(np.uint8), 1), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    smooth = _smooth(outlines, error_px=_SMOOTH * height, most_points=most_points)
    middle_px = np.asarray([width / 2 + 0.5, height / 2 + 0.5])
    flat = [(line - middle_px) * [1.0, -1.0] for line in smooth]

    # 2. As large as the plaque allows, raised.
    top_left, top_right, bottom_right, _ = kit.plaque.astype(np.float64)
    right, up = top_right - top_left, top_right - bottom_right
    scale = min(
        float(np.linalg.norm(up)) * _FILL[1] / height,
        float(np.linalg.norm(right)) * _FILL[0] / width,
    )
    shape = manifold3d.CrossSection([line * scale for line in flat], manifold3d.FillRule.EvenOdd)
    raised = manifold3d.Manifold.extrude(shape, _RAISED + _ROOT).translate((0, 0, -_ROOT))

    # 3. Onto the plaque.
    right /= np.linalg.norm(right)
    up -= right * (up @ right)
    up /= np.linalg.norm(up)
    out = np.cross(right, up)
    middle = kit.plaque.mean(axis=0) + out * _depth(body, kit.plaque, out)
    return raised.transform(np.column_stack([right, up, out, middle]))


def _smooth(outlines: Sequence[Any], *, error_px: float, most_points: int) -> list[Array]:
    """Outlines (N, 2) of few points, without those that enclose nothing."""
    while True:
        drawn = [
            np.asarray(cv2.approxPolyDP(line, error_px, True)[:, 0], np.float32)
            for line in outlines
        ]
        smooth = [line for line in drawn if len(line) > 2]
        if not most_points or sum(map(len, smooth)) <= most_points:
            return smooth
        error_px *= _COARSER


def _depth(body: Any, corners: Array, out: Array) -> float:
    """How far the plaque's surface lies before the kit's corners, in units."""
    found = []
    for across in (0.2, 0.5, 0.8):
        for down in (0.35, 0.65):
            spot = _between(corners, across, down)
            hits = body.ray_cast(spot + out * _SOUGHT, spot - out * _SOUGHT)
            found += [_SOUGHT - 2 * _SOUGHT * hit.distance for hit in hits[:1]]
    if not found:
        raise NotSolid("there is no plaque where the kit says it is")
    return float(np.median(found))


def _between(corners: Array, across: float, down: float) -> Array:
    top = corners[0] * (1 - across) + corners[1] * across
    bottom = corners[3] * (1 - across) + corners[2] * across
    return np.asarray(top * (1 - down) + bottom * down, np.float64)
