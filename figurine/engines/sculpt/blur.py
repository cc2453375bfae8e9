"""Gaussian blurs, at a cost that does not grow with their width."""

from __future__ import annotations

import cv2
import numpy as np

from figurine.types import Array

_KEPT_PX = 2.5
"""Least sigma on a shrunken copy: the error stays below 3 % of the image's range."""


def blurred(image: Array, sigma_px: float) -> Array:
    """The image (rows, columns, …) blurred; a wide blur is made on a smaller copy."""
    shrink = int(sigma_px / _KEPT_PX)
    if shrink < 2:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
    rows, columns = image.shape[:2]
    small = (-(-columns // shrink), -(-rows // shrink))
    # Shrinking is a blur too: a box as wide as the cells that become one.
    sigma = np.sqrt(sigma_px**2 - (shrink**2 - 1) / 12)
    across, down = sigma * small[0] / columns, sigma * small[1] / rows
    copy = cv2.resize(image.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    copy = cv2.GaussianBlur(copy, (0, 0), across, sigmaY=down)
    return np.asarray(cv2.resize(copy, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)


def within(image: Array, mask: Array, sigma_px: float) -> Array:
    """Blur that does not look beyond the mask (rows, columns), 0..1."""
    spread = blurred(mask, sigma_px) + 1e-4
    around = blurred(image * (mask if image.ndim == 2 else mask[..., None]), sigma_px)
    return np.asarray(around / (spread if image.ndim == 2 else spread[..., None]), np.float32)
