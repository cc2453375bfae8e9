"""The name on the base: letters raised and painted, in the plate's own light."""

from __future__ import annotations

import cv2
import numpy as np

from figurine import kits, lettering
from figurine.engines.sculpt.compose import Figure
from figurine.kits import Finish, Kit
from figurine.types import Array

_FILL = (0.86, 0.62)
"""Shares of the plaque's width and height that the name may take."""
_PAD = 0.005
"""Around the letters, of the picture's width: as far as their relief is blurred."""


def engrave(figure: Figure, name: str, kit: Kit, finish: Finish) -> Figure:
    """The figure with the name on its plaque. Raises BadPlaque."""
    text = lettering.letters(name)
    if not text:
        return figure
    # 1. The letters, flat, then as the camera sees them on the plaque.
    height, width = figure.alpha.shape
    corners = kit.camera.project(kit.plaque, (width, height))
    here, shape = _seen(lettering.drawn(text), corners, (width, height))

    # 2. Paint, lit as the panel under it is lit.
    light = figure.light[here]
    panel = finish.palette[kit.materials.index("base")]
    ink = kits.linear(finish.plaque_ink) if finish.plaque_ink else panel * 1.35
    lit = light / np.maximum(panel, 0.02)
    painted = light * (1 - shape[..., None]) + lit * ink * shape[..., None]

    # 3. Relief: edges towards the key light (up and left) shine, the others lie in shade.
    scale = width / 1080
    height_map = cv2.GaussianBlur(shape, (0, 0), 1.1 * scale)
    slope = (np.gradient(height_map, axis=1) + 1.6 * np.gradient(height_map, axis=0)) * scale
    painted = painted * (1 + np.clip(slope * 2.2, -0.62, 1.1)[..., None])
    result = figure.light.copy()
    result[here] = painted
    return Figure(light=result, alpha=figure.alpha)


def _seen(
    drawn: Array, corners: Array, size_px: tuple[int, int]
) -> tuple[tuple[slice, slice], Array]:
    """The drawn text centred on the plaque in perspective: where, and (h, w) 0..1."""
    h, w = drawn.shape
    across = np.linalg.norm(corners[1] - corners[0]) * _FILL[0]
    down = np.linalg.norm(corners[3] - corners[0]) * _FILL[1]
    # Every name is set at the same height unless it would not fit.
    scale = min(down / h, across / w)
    half_u = scale * w / np.linalg.norm(corners[1] - corners[0]) / 2
    half_v = scale * h / np.linalg.norm(corners[3] - corners[0]) / 2
    unit = np.asarray([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    inner = np.asarray([[-half_u, -half_v], [half_u, -half_v], [half_u, half_v], [-half_u, half_v]])
    plaque = cv2.getPerspectiveTransform(unit, corners)
    target = cv2.perspectiveTransform((inner[None] + 0.5).astype(np.float32), plaque)[0]
    source = np.asarray([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    low = np.floor(target.min(axis=0) - _PAD * size_px[0] - 4).astype(int)
    high = np.ceil(target.max(axis=0) + _PAD * size_px[0] + 4).astype(int)
    (left, top), (right, bottom) = np.clip(low, 0, size_px), np.clip(high, 0, size_px)
    size = (int(right - left), int(bottom - top))
    # Shrunk four times over in one warp, letters would alias: draw large, then average.
    over = 3
    warp = cv2.getPerspectiveTransform(source, ((target - (left, top)) * over).astype(np.float32))
    large = cv2.warpPerspective(drawn, warp, (size[0] * over, size[1] * over))
    seen = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    return np.s_[top:bottom, left:right], np.asarray(seen)
