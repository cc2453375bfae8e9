"""The name on the plaque as solid letters, whatever the script: from the drawn mask's outlines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from figurine import lettering
from figurine.engines.sculpt.geometry.meshes import Mesh, solid
from figurine.errors import NotSolid
from figurine.kits import Kit
from figurine.types import Array

_FILL = (0.86, 0.62)
"""Shares of the plaque's width and height that the name may take, as in its picture."""
_RAISED, _ROOT = 0.016, 0.012
"""How far the letters stand out (0.45 mm on a figure of 54 mm) and reach in, in units."""
_BEVEL = (0.005, 0.08)
"""Width and depth of the slope around a letter, in units, and at most of a name's height: as wide
as the edge that shines or lies in shade in the picture, without which a name of the base's own
colour is not to be read."""
_BEVELS_COST = 2
"""Points that one point of an outline is worth with its slope."""
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
    Their edges slope, unless that would be too many points.
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
    if most_points and shape.num_vert() * _BEVELS_COST > most_points:
        raised = manifold3d.Manifold.extrude(shape, _RAISED + _ROOT).translate((0, 0, -_ROOT))
    else:
        raised = solid(_bevelled(shape, bevel=min(_BEVEL[0], _BEVEL[1] * height * scale)))

    # 3. Onto the plaque.
    right /= np.linalg.norm(right)
    up -= right * (up @ right)
    up /= np.linalg.norm(up)
    out = np.cross(right, up)
    middle = kit.plaque.mean(axis=0) + out * _depth(body, kit.plaque, out)
    return raised.transform(np.column_stack([right, up, out, middle]))


def _bevelled(shape: Any, *, bevel: float) -> Mesh:
    """A manifold3d cross section raised from -_ROOT to _RAISED, its upper edge sloping inwards."""
    import manifold3d  # noqa: PLC0415 - only in a worker

    # 1. The outline at the foot and where the slope begins, and the outline of what stays level.
    level = shape.offset(-bevel, manifold3d.JoinType.Miter).simplify(bevel / 20)
    outline, inset = shape.to_polygons(), level.to_polygons()
    wide, narrow = np.concatenate(outline), np.concatenate([*inset, np.zeros((0, 2))])
    count = len(wide)
    heights = np.repeat([-_ROOT, _RAISED - bevel, _RAISED], [count, count, len(narrow)])
    points = np.column_stack([np.concatenate([wide, wide, narrow]), heights])

    # 2. Foot, walls, slope, top.
    after = np.concatenate([np.roll(ring, -1) for ring in _rings(outline)])
    here = np.arange(count)
    # The slope lies between the outline and the inset as a hole.
    holes = [ring[::-1] + 2 * count for ring in _rings(inset)]
    of_slope = np.concatenate([here + count, *holes])
    slope = manifold3d.triangulate([*outline, *(line[::-1] for line in inset)])
    faces = [
        np.asarray(manifold3d.triangulate(outline))[:, ::-1],
        np.column_stack([here, after, after + count]),
        np.column_stack([here, after + count, here + count]),
        of_slope[np.asarray(slope)],
    ]
    if inset:
        faces.append(np.asarray(manifold3d.triangulate(inset)) + 2 * count)
    return Mesh(points.astype(np.float32), np.concatenate(faces).astype(np.int64))


def _rings(lines: Sequence[Array]) -> list[Array]:
    """Indices of each closed line's points in the list of all."""
    starts = np.cumsum([0, *map(len, lines)])
    return [np.arange(start, end) for start, end in pairwise(starts)]


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
