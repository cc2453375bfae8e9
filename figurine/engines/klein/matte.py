"""A painted still becomes a cutout: the render that posed for it says roughly where the figure is.

What a model paints keeps the pose it was shown, so the render's own alpha is the trimap: inside is
figure, outside is backdrop, and colours decide in the band between.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from figurine.types import Array, Pixels

_WORK_PX: Final = 360
"""Width at which colours decide; the edge is then drawn at full size."""
_BAND: Final = 0.02
"""Of the width, to either side of the render's outline: as far as a painted one may stray."""
_ROUNDS: Final = 2
"""Of grabCut; a third moves intersection over union by 0.001. Source: Rother, Kolmogorov, Blake
2004, "GrabCut", SIGGRAPH."""
_SOFT_PX: Final = 1.2
"""At 1080: sigma of the edge's ramp, about that of a sculpted still's own edge."""
_FAR: Final = 0.03
"""Of the width: how far the backdrop's colour is carried in under the edge."""


def cutout(still: Pixels, rough: Pixels) -> Pixels:
    """The figure and its base alone, (H, W, 4) uint8 with straight alpha.

    still: (H, W, 3). rough: (h, w) uint8, the alpha of the render, of any size but the same aspect.
    """
    height, width = still.shape[:2]
    alpha = _soft(_inside(still, rough), width, height)
    colour = _without_backdrop(still, alpha)
    colour[alpha == 0] = 0
    return np.dstack([colour, alpha * 255]).round().astype(np.uint8)


def _inside(still: Pixels, rough: Pixels) -> Pixels:
    """1 where the figure is, at _WORK_PX."""
    size = (_WORK_PX, round(_WORK_PX * still.shape[0] / still.shape[1]))
    small = cv2.resize(still, size, interpolation=cv2.INTER_AREA)
    solid = (cv2.resize(rough, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    reach = 2 * max(1, round(_BAND * _WORK_PX)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    sure, maybe = cv2.erode(solid, brush), cv2.dilate(solid, brush)
    mask = np.where(solid > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[sure > 0], mask[maybe == 0] = cv2.GC_FGD, cv2.GC_BGD
    if not sure.any() or maybe.all():
        return solid
    cv2.setRNGSeed(0)  # grabCut's first clusters are drawn by chance
    models = np.zeros((2, 1, 65), np.float64)
    cv2.grabCut(small, mask, (0, 0, 0, 0), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # Islands that hang on nothing are specks of backdrop.
    _, islands = cv2.connectedComponents(inside)
    return np.isin(islands, np.unique(islands[(sure > 0) & (inside > 0)])).astype(np.uint8)


def _soft(inside: Pixels, width: int, height: int) -> Array:
    """(H, W) 0..1: the outline at full size, without the steps of the small one."""
    near = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.7)
    large = cv2.resize(near, (width, height), interpolation=cv2.INTER_CUBIC)
    sharp = (large > 0.5).astype(np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), _SOFT_PX * width / 1080)
    return np.where(soft < 1 / 255, 0, soft).astype(np.float32)


def _without_backdrop(still: Pixels, alpha: Array) -> Array:
    """The figure's own colours where the edge shows the backdrop through: (I - (1 - a) B) / a."""
    colour = still.astype(np.float32)
    edge = (alpha > 0) & (alpha < 1)
    a = alpha[edge, None]
    own = (colour[edge] - (1 - a) * _behind(still, alpha)[edge]) / np.maximum(a, 0.2)
    colour[edge] = np.clip(own, 0, 255)
    return colour


def _behind(still: Pixels, alpha: Array) -> Array:
    """(H, W, 3): the backdrop, carried in under the edge; smooth, so a quarter of the size does."""
    height, width = alpha.shape
    size = (width // 4, height // 4)
    shown = cv2.resize(still, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    outside = cv2.resize((alpha == 0).astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    sigma = _FAR * width / 12
    weight = cv2.GaussianBlur(outside, (0, 0), sigma)[..., None]
    spread = cv2.GaussianBlur(shown * outside[..., None], (0, 0), sigma)
    behind = np.where(weight > 1e-3, spread / np.maximum(weight, 1e-3), shown)
    return np.asarray(cv2.resize(behind, (width, height)), np.float32)
