"""Tell whether something is over a face, or dark glasses over its eyes.

The mesh model draws a mouth under any mask, but it guesses: the guess changes with the crop, and
alone it is no mouth. Hiding parts from the model tells: 17 ms a face on one core, its eyes 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from figurine import eyes
from figurine.faces import (
    BROW,
    CHIN,
    EYES,
    LEFT_CHEEK,
    MESH_INPUT_PX,
    MOUTH,
    RIGHT_CHEEK,
    View,
    lay_mesh,
    views,
)
from figurine.types import Array, Face, Floats, Pixels

# Measured on nine portraits in 28 versions each (turned, dark, blurred, grey, noisy, tinted, lit
# from one side, with glasses, with a painted beard ...), and with masks, sunglasses and hands on
# them (tests/disguises.py). "Portraits" are the worst of all versions.

MAX_UNREST: Final = 0.0160
"""How far the mesh moves between crops, in face widths. Portraits to 0.0133, half of them 0.008,
painted beards to 0.0142; masks 0.012 to 0.026, a hand over an eye 0.011 to 0.034.
"""
MAX_MOUTH_GUESS: Final = 0.125
"""How far the mouth moves (mean, in face widths) once all above the nose's middle is a blur.
Portraits to 0.061, painted beards to 0.080; masks and hands on the mouth 0.03 to 0.30.
"""
MAX_EYE_GUESS: Final = 0.065
"""How far an eye moves once the other half of the face is a blur. Portraits to 0.048, painted
beards to 0.052; masks and hands 0.01 to 0.32. Together the three find every mask of those that the
detectors take for a face (42 of 72), 21 of 24 hands on the mouth, 17 of 19 over an eye.
"""
FAR_HALF_DEG: Final = 12.0
"""Beyond this yaw the far half is too narrow to be known by itself: 0.05 to 0.11."""

MIN_LIT: Final = 0.52
"""Luma that 80 % about an eye stay below, over the skin's; the lighter eye. Portraits 0.66 and
more, the least with thick dark frames; behind lenses that pass half the light 0.58 to 0.73, a
quarter 0.39 to 0.55, sunglasses 0.17 to 0.51.
"""
MIN_IRIS: Final = 0.05
MIN_CONTRAST: Final = 0.24
"""Mirrored lenses are light, but show no eye: the iris is this much darker than what is about it,
and the opening has this spread of luma (10th to 90th percentile), both over the skin's luma.
Portraits 0.17 and 0.33, blurred by 2 % of the face's width 0.08 and 0.16; mirrors to 0.04 and 0.22,
one of nine 0.31. Shut eyes have no iris either, but lashes: 0.26 and more.
"""

_NOSE_MIDDLE, _NOSE_ROOT = 195, 168
_SOCKETS: Final = (
    (226, 113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
    (446, 342, 445, 444, 443, 442, 441, 413, 464, 453, 452, 451, 450, 449, 448, 261),
)
"""About the right eye and the left, from under the brow to below the lower lid."""
_SKIN: Final = (50, 280, 205, 425, 151, 4, 101, 330)
"""Cheeks, brow and nose."""
_EDGE_PX: Final = 2.0
_FACE_PX: Final = 240.0
"""Eyes are measured at this width of the face."""


@dataclass(frozen=True)
class Cover:
    """How much the mesh model had to guess, in face widths."""

    unrest: float
    mouth_guess: float
    eye_guess: float

    @property
    def is_there(self) -> bool:
        return (
            self.unrest > MAX_UNREST
            or self.mouth_guess > MAX_MOUTH_GUESS
            or self.eye_guess > MAX_EYE_GUESS
        )


@dataclass(frozen=True)
class EyesSeen:
    """What can be seen of the better seen eye, in lumas of the skin."""

    lit: float
    iris: float
    contrast: float

    @property
    def are_hidden(self) -> bool:
        mirrored = self.iris < MIN_IRIS and self.contrast < MIN_CONTRAST
        return self.lit < MIN_LIT or mirrored


def cover(face: Face, pixels: Pixels) -> Cover:
    """Lay the mesh again with parts of the face out of sight, and see how far the rest moves."""
    first, second, third, fourth = views(pixels, face.mesh)
    mouth = [_guess(view, MOUTH, keep=_below) for view in (first, second)]
    right = _guess(third, EYES[0], keep=_right_of) if face.yaw_deg > -FAR_HALF_DEG else 0.0
    left = _guess(fourth, EYES[1], keep=_left_of) if face.yaw_deg < FAR_HALF_DEG else 0.0
    return Cover(unrest=face.unrest, mouth_guess=float(np.mean(mouth)), eye_guess=max(right, left))


def eyes_seen(face: Face, pixels: Pixels) -> EyesSeen:
    """Measure how much of the eyes there is to see."""
    # 1. The face's luma, 240 px wide.
    mesh = face.mesh[:, :2]
    scale = _FACE_PX / face.width_px
    corner = np.maximum(np.floor(mesh.min(axis=0)), 0).astype(int)
    x1, y1 = np.ceil(mesh.max(axis=0)).astype(int) + 1
    grey = cv2.cvtColor(
        np.ascontiguousarray(pixels[corner[1] : y1, corner[0] : x1]), cv2.COLOR_RGB2GRAY
    )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    luma = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=method).astype(np.float32)

    def placed(points: Array) -> Array:
        return np.asarray((points - corner) * scale, np.float32)

    # 2. The skin beside them.
    across, down = placed(mesh[list(_SKIN)]).round().astype(int).T
    spots = luma[down.clip(0, luma.shape[0] - 1), across.clip(0, luma.shape[1] - 1)]
    skin = max(float(np.median(spots)), 1.0)
    # 3. The better seen of the two.
    rows, columns = np.mgrid[: luma.shape[0], : luma.shape[1]].astype(np.float32)
    lit, iris, contrast = [0.0], [0.0], [0.0]
    for eye, socket in zip(eyes.look(pixels, face), _SOCKETS, strict=True):
        about = luma[_inside(luma, placed(mesh[list(socket)]))]
        lids = eye.lids[[*eyes.UPPER_LID, *reversed(eyes.LOWER_LID[1:-1])]]
        opening = _inside(luma, placed(lids))
        if not about.size or not opening.any():
            continue
        x, y = placed(eye.iris)
        away = np.hypot(columns - x, rows - y) / (eye.iris_radius_px * scale)
        disc, white = luma[opening & (away < 0.7)], luma[opening & (away > 1.05)]
        low, high = np.percentile(luma[opening], [10, 90])
        lit.append(float(np.percentile(about, 80)) / skin)
        contrast.append(float(high - low) / skin)
        if disc.size and white.size:
            iris.append(float(np.median(white) - np.median(disc)) / skin)
    return EyesSeen(lit=max(lit), iris=max(iris), contrast=max(contrast))


def _guess(view: View, points: Sequence[int], *, keep: Callable[[Floats], Array]) -> float:
    """How far these points move, in face widths, where only the kept side of a line is sharp."""
    square, mesh = view
    # 1. The rest is blurred past recognition, but keeps its colours: an edge would be a feature.
    small = cv2.resize(square, (MESH_INPUT_PX // 8,) * 2, interpolation=cv2.INTER_AREA)
    fog = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.75), (MESH_INPUT_PX,) * 2)
    kept = 1 / (1 + np.exp((-keep(mesh) / _EDGE_PX).clip(-60, 60)))[..., None]
    # 2. Ask again.
    found, _ = lay_mesh(np.asarray(square * kept + fog * (1 - kept), np.uint8))
    away = np.linalg.norm(found[list(points), :2] - mesh[list(points)], axis=1)
    return float(away.mean() / np.linalg.norm(mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]))


def _below(mesh: Floats) -> Array:
    """How far each pixel of a view lies below the middle of the nose."""
    return _along(mesh[CHIN] - mesh[BROW], mesh[_NOSE_MIDDLE])


def _right_of(mesh: Floats) -> Array:
    """How far each pixel lies on the subject's right of the face's middle."""
    return _along(_upright(mesh), mesh[_NOSE_ROOT])


def _left_of(mesh: Floats) -> Array:
    return _along(-_upright(mesh), mesh[_NOSE_ROOT])


def _upright(mesh: Floats) -> Array:
    """Across the line from chin to brow, towards the subject's right."""
    up = mesh[BROW] - mesh[CHIN]
    across = np.asarray([up[1], -up[0]])
    return np.asarray(across * np.sign(across @ (mesh[RIGHT_CHEEK] - mesh[LEFT_CHEEK])))


def _along(way: Array, origin: Array) -> Array:
    rows, columns = np.mgrid[:MESH_INPUT_PX, :MESH_INPUT_PX].astype(np.float32)
    way = way / np.linalg.norm(way)
    return np.asarray((columns - origin[0]) * way[0] + (rows - origin[1]) * way[1])


def _inside(luma: Array, outline: Array) -> Array:
    mask = np.zeros(luma.shape, np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1)
    return mask > 0
