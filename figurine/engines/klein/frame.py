"""A still of 4 : 5 into a model's frame, its backdrop extended, and back."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from figurine.types import Array, Box, Pixels

STILL_PX: Final = (1080, 1350)
"""Width and height of what an engine hands over."""
FRAMES: Final = {"square": (1024, 1024), "portrait": (832, 1216)}
"""Widths and heights that models paint: a megapixel each, so that neither costs more, and in whole
patches of 16. "portrait" is for screens that stand upright. Sizes are fixed so that compiled graphs
are used again.
"""
_EDGE_PX = 12
"""At 1080: the outermost columns or rows, which show nothing but backdrop and are carried on."""
_SMOOTH = 0.01
"""Of the frame: how far the carried edge is blurred along itself, or its grain would be streaks."""


def inner(width_px: int, height_px: int) -> Box:
    """Where the picture of 4 : 5 lies in a frame: as large as it fits, in the middle."""
    wide = min(width_px, round(height_px * STILL_PX[0] / STILL_PX[1]))
    high = min(height_px, round(width_px * STILL_PX[1] / STILL_PX[0]))
    return (width_px - wide) // 2, (height_px - high) // 2, wide, high


def extended(still: Pixels, *, width_px: int, height_px: int) -> Pixels:
    """A picture of 4 : 5, of any size, as a frame (height, width, 3)."""
    left, top, wide, high = inner(width_px, height_px)
    picture = resized(still, wide, high)
    right, bottom = width_px - left - wide, height_px - top - high
    edge = max(1, _EDGE_PX * wide // STILL_PX[0])
    whole = np.asarray(
        cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8
    )
    if left:
        whole[:, :left] = _carried(picture[:, :edge], axis=1)
        whole[:, -right:] = _carried(picture[:, -edge:], axis=1)
    if top:
        whole[:top] = _carried(picture[:edge], axis=0)
        whole[-bottom:] = _carried(picture[-edge:], axis=0)
    return whole


def cut(frame: Pixels) -> Pixels:
    """A frame's inner picture as a still, (1350, 1080, 3)."""
    left, top, wide, high = inner(frame.shape[1], frame.shape[0])
    return resized(frame[top : top + high, left : left + wide], *STILL_PX)


def placed(box: Box, *, of_px: tuple[int, int], width_px: int, height_px: int) -> Box:
    """A box of a 4 : 5 picture of this width and height, in a frame's pixels."""
    left, top, wide, high = inner(width_px, height_px)
    across, down = wide / of_px[0], high / of_px[1]
    x0, y0 = left + box[0] * across, top + box[1] * down
    x1, y1 = x0 + box[2] * across, y0 + box[3] * down
    return round(x0), round(y0), round(x1) - round(x0), round(y1) - round(y0)


def resized(picture: Pixels, width_px: int, height_px: int) -> Pixels:
    """By Lanczos; by area where it shrinks to less than half, which Lanczos would sample past."""
    if picture.shape[1::-1] == (width_px, height_px):
        return picture
    far = width_px * 2 < picture.shape[1]
    method = cv2.INTER_AREA if far else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=method), np.uint8)


def _carried(side: Array, *, axis: int) -> Array:
    """The strip's mean across, smoothed along itself; it broadcasts over what is to be filled."""
    mean = side.astype(np.float32).mean(axis=axis, keepdims=True)
    sigma = max(1.0, _SMOOTH * max(side.shape[:2]))
    return np.asarray(cv2.GaussianBlur(mean, (0, 0), sigma), np.float32).reshape(mean.shape).round()
