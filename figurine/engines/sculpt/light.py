"""The photo's own light, found and taken away: what is left is the face's.

Two facts about faces are used: their light varies with the direction the skin looks in, and they
are alike on both sides, at the scale of cheeks and shadows.

What of the light both sides share is the face's form: the hollows of eyes and cheeks, the bridge of
the nose. A miniature painter paints it in on purpose, and it is much of who somebody is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from figurine.engines.sculpt.blur import within
from figurine.engines.sculpt.surface import Grid, directions
from figurine.types import Array

_SMOOTH_DEG = 3.0
"""Of the head, for its normals: nostrils and lips of the mesh are too rough to tell light by."""
_THIN = 6
"""Every so many rows and columns go into the fit."""
_ROUNDS = 12
_FLOOR = 0.15
"""Least light, of the skin's median."""
_BROAD_DEG = 12.0
"""What varies more slowly than this, when all else is gone, is light too; the study's figure."""
_SHADOW_DEG = 2.5
"""Shadows broader than this that one side has and the other has not are the photo's."""
_SHADOW_SHARE = 0.9
_FORM = (-1.2, 0.5)
"""Darkest and lightest that form gets, in log-luminance: more light than this is shine, and hollows
cut off at -0.8 or heights at 0.2 cost 0.01 to 0.02 of likeness."""
_SURE = 0.7
"""Trust in a cell from which it counts as bare skin."""
_PLAIN = 60
"""Percentile of the light on bare skin that is neither hollow nor height."""
EPSILON = 0.012
"""Added before logarithms: film's and sensors' black."""


@dataclass(frozen=True)
class Skin:
    """Which of the grid's cells can be trusted, each (rows, columns) 0..1."""

    inside: Array
    """Within the face's outline."""
    bare: Array
    """Seen well, and neither eye, brow nor lip."""
    features: Array
    """Eyes, brows and lips, softly outlined."""


def removed(luminance: Array, radius: Array, skin: Skin, grid: Grid, *, form: float) -> Array:
    """Log-luminance without the light, 0 at plain skin, dark negative: (rows, columns).

    luminance: linear, 0..1. radius: the head's, on the same grid. form: how much of the light that
    both sides share is kept, 0..1.
    """
    # 1. What the skin's direction explains.
    shading = _fitted(luminance, _normals(radius, grid), skin.bare)
    detail = np.log(luminance + EPSILON) - np.log(shading + EPSILON)
    # 2. What is left of it, slowly varying.
    detail = detail - within(detail, skin.inside, _BROAD_DEG / grid.step_deg)
    # 3. Shadows: a broad patch darker than its mirror image is lifted to it.
    broad = within(detail, skin.inside, _SHADOW_DEG / grid.step_deg)
    shadow = np.minimum(broad - broad[:, ::-1], 0) * skin.inside * skin.inside[:, ::-1]
    shadow = within(shadow, skin.inside, 1.0 / grid.step_deg)
    detail = detail - _SHADOW_SHARE * shadow * (1 - skin.features)
    # 4. What both sides have of all this is no lamp's doing.
    taken = np.log(luminance + EPSILON) - detail
    return np.asarray(detail + form * _form(taken, skin), np.float32)


def _form(taken: Array, skin: Skin) -> Array:
    """The even part of the light taken away, 0 on plain skin; none where no skin is bare."""
    bare = skin.bare > _SURE
    if not bare.any():
        return np.zeros_like(taken)
    weight = skin.inside + skin.inside[:, ::-1]
    lit = taken * skin.inside
    even = (lit + lit[:, ::-1]) / np.maximum(weight, 1e-3)
    plain = float(np.percentile(even[bare], _PLAIN))
    return np.asarray(np.clip(even - plain, *_FORM) * skin.inside, np.float32)


def _fitted(luminance: Array, normals: Array, trust: Array) -> Array:
    """Light on the head by second-order harmonics of the normal, outliers weighed down.

    Source: Basri and Jacobs 2003, Lambertian Reflectance and Linear Subspaces, section 3.
    """
    basis = _harmonics(normals)
    thin = np.s_[::_THIN, ::_THIN]
    weight = trust[thin].ravel()
    some = weight > 0.05
    if np.count_nonzero(some) < basis.shape[-1]:
        return np.ones_like(luminance)
    b, y, weight = basis[thin].reshape(-1, 9)[some], luminance[thin].ravel()[some], weight[some]
    floor = _FLOOR * float(np.median(y))
    trusted = weight
    for _ in range(_ROUNDS):
        weighted = b * trusted[:, None]
        ridge = 1e-3 * np.eye(9) * trusted.sum() / 9
        light = np.linalg.solve(weighted.T @ b + ridge, weighted.T @ y)
        off = np.log(np.maximum(y, EPSILON)) - np.log(np.maximum(b @ light, floor + 1e-3))
        scale = 1.5 * float(np.median(np.abs(off))) + 0.02
        trusted = weight / (1 + (off / scale) ** 2)
    return np.asarray(np.maximum(basis @ light, floor))


def _harmonics(normals: Array) -> Array:
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return np.stack(
        [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], axis=-1
    )


def _normals(radius: Array, grid: Grid) -> Array:
    # Not on a small copy: its steps, too small to see, would be ribs in the normals.
    smooth = cv2.GaussianBlur(radius, (0, 0), _SMOOTH_DEG / grid.step_deg)
    points = directions(grid.degrees()) * smooth[..., None]
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    return np.asarray(normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12))
