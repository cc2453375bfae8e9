"""Tell whether something is over a face, or dark glasses over its eyes.

The mesh model draws a nose and a mouth under any mask, but it guesses: its guesses change with the
crop, and it cannot find the mouth again once the eyes are out of sight. 24 ms for a face, and 9 ms
for its eyes, on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from figurine import eyes
from figurine.faces import BROW, CHIN, LEFT_CHEEK, MESH_INPUT_PX, RIGHT_CHEEK, lay_mesh, views
from figurine.types import Array, Face, Floats, Pixels

# Measured on nine portraits in 28 versions (turned, dark, blurred, grey, noisy, lit from one side,
# with reading glasses, a painted beard ...) and, of each, nine masks, 36 sunglasses, twelve hands.

MAX_UNREST: Final = 0.0150
MAX_MOUTH_UNREST: Final = 0.0190
MAX_EYE_UNREST: Final = 0.0134
"""How far points move between crops (RMS, in face widths): all, the mouth's, the eyes'. Uncovered
portraits reach 0.0117, 0.0155 and 0.0110, half of them 0.008, 0.009 and 0.007. Masks 0.012 to
0.023 and 0.013 to 0.039; a hand over an eye 0.010 to 0.028 at the eyes.
"""
MAX_MOUTH_GUESS: Final = 0.105
"""How far the mouth moves (mean, in face widths) once all above the nose's middle is a blur.
Portraits 0.01 to 0.06, painted beards to 0.081; masks 0.10 to 0.28, a hand on the mouth from 0.06.
"""

MIN_LIT: Final = 0.52
"""Luma that 80 % about an eye stay below, over the skin's; the lighter eye. Portraits 0.66 and
more, the least with thick dark frames; behind lenses that pass half the light 0.57 to 0.75, a
quarter 0.40 to 0.55, sunglasses 0.18 to 0.52.
"""
MIN_IRIS: Final = 0.05
MIN_CONTRAST: Final = 0.24
"""Mirrored lenses are light, but show no eye: the iris is this much darker than what is about it,
and the opening has this spread of luma (10th to 90th percentile), both over the skin's luma.
Portraits 0.17 and 0.33, blurred by 2 % of the face's width 0.08 and 0.16; mirrors to 0.02 and 0.25.
Shut eyes have no iris either, but lashes: 0.29 and more.
"""

_MOUTH: Final = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 13, 14)
_EYES: Final = (33, 133, 159, 145, 263, 362, 386, 374)
_NOSE_MIDDLE: Final = 195
_SOCKETS: Final = (
    (226, 113, 225, 224, 223, 222, 221, 189, 244, 233, 232, 231, 230, 229, 228, 31),
    (446, 342, 445, 444, 443, 442, 441, 413, 464, 453, 452, 451, 450, 449, 448, 261),
)
"""About the right eye and the left, from under the brow to below the lower lid."""
_SKIN: Final = (50, 280, 205, 425, 151, 4, 101, 330)
"""Cheeks, brow and nose."""
_GUESSES: Final = 2
_EDGE_PX: Final = 2.0
_FACE_PX: Final = 240.0
"""Eyes are measured at this width of the face."""


@dataclass(frozen=True)
class Unrest:
    """How unsure the mesh model is, in face widths."""

    all: float
    mouth: float
    eyes: float
    mouth_guess: float

    @property
    def is_covered(self) -> bool:
        return (
            self.all > MAX_UNREST
            or self.mouth > MAX_MOUTH_UNREST
            or self.eyes > MAX_EYE_UNREST
            or self.mouth_guess > MAX_MOUTH_GUESS
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


def unrest(face: Face, pixels: Pixels) -> Unrest:
    """Lay the mesh again, on four views, and on two of them with the eyes out of sight."""
    seen = views(pixels, face.mesh)
    off = np.asarray([_moved(square, mesh) for square, mesh in seen])
    spread = np.sqrt((off.std(axis=0) ** 2).sum(axis=-1))
    guesses = np.asarray([_moved(_eyeless(square, mesh), mesh) for square, mesh in seen[:_GUESSES]])
    return Unrest(
        all=float(spread.mean()),
        mouth=float(spread[list(_MOUTH)].mean()),
        eyes=float(spread[list(_EYES)].mean()),
        mouth_guess=float(np.linalg.norm(guesses[:, list(_MOUTH)], axis=-1).mean()),
    )


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


def _moved(square: Pixels, mesh: Floats) -> Array:
    """(468, 2): where the model now sees each point, less where it was, in face widths."""
    points, _ = lay_mesh(square)
    width = float(np.linalg.norm(mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]))
    return np.asarray((points[:, :2] - mesh) / width)


def _eyeless(square: Pixels, mesh: Floats) -> Pixels:
    """The view with everything above the middle of the nose blurred past recognition."""
    small = cv2.resize(square, (MESH_INPUT_PX // 8,) * 2, interpolation=cv2.INTER_AREA)
    fog = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.75), (MESH_INPUT_PX,) * 2)
    up = (mesh[BROW] - mesh[CHIN]) / np.linalg.norm(mesh[BROW] - mesh[CHIN])
    rows, columns = np.mgrid[:MESH_INPUT_PX, :MESH_INPUT_PX].astype(np.float32)
    nose = mesh[_NOSE_MIDDLE]
    above = (columns - nose[0]) * up[0] + (rows - nose[1]) * up[1]
    kept = 1 / (1 + np.exp((above / _EDGE_PX).clip(-60, 60)))[..., None]
    return np.asarray(square * kept + fog * (1 - kept), np.uint8)


def _inside(luma: Array, outline: Array) -> Array:
    mask = np.zeros(luma.shape, np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 1)
    return mask > 0
