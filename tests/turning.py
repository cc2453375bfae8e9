"""Heads turned on purpose: a photo's face seen more from the side."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from figurine.faces import LEFT_CHEEK, OVAL, RIGHT_CHEEK
from figurine.types import Face, Pixels

Array = np.ndarray[Any, Any]


def turned(pixels: Pixels, face: Face, *, by_deg: float) -> Pixels:
    """Turn the head about its upright axis, its depth taken from the mesh; the wall stays."""
    # 1. Depth: the mesh's inside the face, an egg's around it; 0 at the cheeks, in widths.
    width = face.width_px
    mesh = face.mesh.astype(np.float64)
    centre = mesh[[RIGHT_CHEEK, LEFT_CHEEK]].mean(0)
    grid = np.linspace(-1.15, 1.15, 93), np.linspace(-1.25, 1.15, 97)
    gx, gy = np.meshgrid(*grid)
    px, py = centre[0] + gx * width, centre[1] + gy * width
    inside = _mesh_depth(mesh, px, py)
    depth = np.where(np.isnan(inside), np.nan, (centre[2] - inside) / width)
    oval = mesh[list(OVAL), :2].astype(np.float32)
    away = np.array(
        [
            cv2.pointPolygonTest(oval, (float(a), float(b)), True)
            for a, b in zip(px.ravel(), py.ravel(), strict=True)
        ]
    ).reshape(px.shape)
    away = away / width
    rim_x, rim_y = mesh[list(OVAL), 0], mesh[list(OVAL), 1]
    rim_z = (centre[2] - mesh[list(OVAL), 2]) / width
    near = np.argmin((px[..., None] - rim_x) ** 2 + (py[..., None] - rim_y) ** 2, axis=-1)
    outside = rim_z[near] - np.clip(-away, 0, None) * 0.9
    depth = np.where(np.isnan(depth), outside, depth)
    depth = cv2.GaussianBlur(depth, (0, 0), 0.7)
    # 2. The head stands before the wall: hair and neck go with it, fading out.
    head = ((gx / 0.92) ** 2 + ((gy + 0.15) / 1.05) ** 2) < 1
    weight = np.clip(1.4 * (1 - np.sqrt((gx / 1.1) ** 2 + ((gy + 0.1) / 1.2) ** 2)) / 0.35, 0, 1)
    turn = np.deg2rad(by_deg)
    axis = -0.35  # where the neck is, behind the cheeks
    z = depth - axis
    new_x = gx * np.cos(turn) + z * np.sin(turn)
    new_z = z * np.cos(turn) - gx * np.sin(turn)
    new_x = gx + (new_x - gx) * weight
    return _redrawn(pixels, (px, py), (centre[0] + new_x * width, py), new_z, head)


def _mesh_depth(mesh: Array, px: Array, py: Array) -> Array:
    return np.asarray(LinearNDInterpolator(mesh[:, :2], mesh[:, 2])(px, py))


def _redrawn(
    pixels: Pixels,
    here: tuple[Array, Array],
    there: tuple[Array, Array],
    nearness: Array,
    head: Array,
) -> Pixels:
    """Carry the grid's cells from here to there, far ones first."""
    out = pixels.copy()
    rows, columns = here[0].shape
    cells = [
        (nearness[r : r + 2, c : c + 2].mean(), r, c)
        for r in range(rows - 1)
        for c in range(columns - 1)
    ]
    for _, r, c in sorted(cells):
        at = [(r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c)]
        source = np.asarray([[here[0][i], here[1][i]] for i in at], np.float32)
        target = np.asarray([[there[0][i], there[1][i]] for i in at], np.float32)
        if cv2.contourArea(target, oriented=True) * cv2.contourArea(source, oriented=True) <= 0:
            continue  # its back
        target = target.mean(0) + (target - target.mean(0)) * 1.12
        x0, y0 = np.maximum(np.floor(target.min(0)).astype(int), 0)
        x1, y1 = np.ceil(target.max(0)).astype(int) + 1
        x1, y1 = min(x1, out.shape[1]), min(y1, out.shape[0])
        if x1 <= x0 or y1 <= y0:
            continue
        source = source.mean(0) + (source - source.mean(0)) * 1.12
        to = cv2.getAffineTransform(source[:3], (target - (x0, y0))[:3].astype(np.float32))
        s0 = np.maximum(np.floor(source.min(0)).astype(int) - 2, 0)
        s1 = np.ceil(source.max(0)).astype(int) + 3
        patch = pixels[s0[1] : s1[1], s0[0] : s1[0]]
        if patch.size == 0:
            continue
        to[:, 2] += to[:, :2] @ s0
        size = (int(x1 - x0), int(y1 - y0))
        drawn = cv2.warpAffine(patch, to, size, borderMode=cv2.BORDER_REPLICATE)
        cover = np.zeros(size[::-1], np.uint8)
        cv2.fillConvexPoly(cover, (target - (x0, y0)).round().astype(np.int32), 1)
        out[y0:y1, x0:x1][cover > 0] = drawn[cover > 0]
    return out
