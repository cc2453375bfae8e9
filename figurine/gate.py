"""Decide whether a photo will make a good figurine: each face near, whole, lit, in focus and bare.

docs/bad-input.md says what becomes of every other photo.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from figurine import eyes, faces
from figurine.cover import cover, eyes_seen
from figurine.errors import (
    BigSquad,
    CutOff,
    EyesHidden,
    FaceCovered,
    FaceTooSmall,
    ManyFaces,
    NoFace,
    TooBlurred,
    TooDark,
    TurnedAway,
)
from figurine.faces import OVAL, face_patch, find_faces
from figurine.types import Face, Pixels, Selfie

# Measured on ten public-domain portraits (five of them b/w or low-resolution) and on versions of
# them cut, darkened, blurred, shaken and recompressed; tests/figurine/test_gate.py repeats it.

MIN_WIDTH_PX: Final = 64.0
"""Narrowest portrait 92, far face 11. Likeness (tests.bench, mean of nine, ArcFace and dlib) is
0.665 and 0.959 at full size, 0.667 and 0.958 at 100 px, 0.666 and 0.959 at 80, 0.659 and 0.957 at
64, 0.641 and 0.954 at 48, where lips and brows have gone soft. Ten portraits
67 px wide pass as noisy JPEGs of quality 40.
"""

MIN_SECOND_FACE: Final = 0.45
"""A face this wide beside the widest is of its squad; a smaller one is a passer-by or a poster."""

MAX_OUTSIDE: Final = 0.05
"""How far the outline may leave the photo, in face widths. Portraits stay 0.07 inside or more; one
cut off 0.2 inside the cheek reads 0.08 to 0.18.
"""

MIN_LUMA: Final = 0.08
"""Portraits 0.49 to 0.71; the same at a quarter of the light 0.12 to 0.18, the dark one 0.02. Kept
low: a dark skin in a dim room must pass, and the sculptor works on log-luminance.
"""

MIN_SHARPNESS: Final = 0.09
"""Portraits 0.22 to 0.45, the blurred one 0.02. Blurred by 1 % of the face's width (Gaussian sigma)
0.14 to 0.26, and still good; by 3 %, 0.05 to 0.09.
"""

MIN_SHADING: Final = 0.2
"""Portraits 0.56 to 0.76, hardly less in little light, noise or JPEG of quality 5; drawings 0.00 to
0.10. The detectors themselves take drawings for faces.
"""

MAX_YAW_DEG: Final = 32.0
"""As the mesh reads it: of five sitters who face the camera, turned by 35 degrees, it reads 23 to
31, by 45, 31 to 39, by 60, 37 to 52. The portraits' most is 27, 29 with a beard painted on. Beyond,
what is behind the far cheek gets onto the figurine.
"""

MIN_SCENE_LUMA: Final = 0.10
"""Where no face is found, and 95 % of the photo is darker than this, light is what is missing."""


def warm_up() -> None:
    """Load every model that admit() asks, and run each once. Raises MissingModel."""
    faces.warm_up()
    eyes.warm_up()


def admit(pixels: Pixels, *, most_faces: int = 1) -> Selfie:
    """Check an upright photo and say who is in it: the selfie, with its main face alone, or with
    those of a squad of up to `most_faces`, left to right.

    pixels: (H, W, 3) uint8 sRGB. Raises NoFace, ManyFaces or BigSquad, FaceTooSmall, CutOff,
    TooDark, TurnedAway, TooBlurred, FaceCovered, EyesHidden: the first that applies, in this order
    and of the widest face first, but TooDark before NoFace in a black photo.
    """
    # 1. Not more people than there may be.
    everyone = find_faces(pixels, closely=most_faces > 1)
    found = sorted(everyone, key=lambda face: -face.width_px)
    if not found:
        if scene_luma(pixels) < MIN_SCENE_LUMA:
            raise TooDark(f"scene luma {scene_luma(pixels):.3f}, no face found")
        raise NoFace("no face found")
    squad = [face for face in found if face.width_px > MIN_SECOND_FACE * found[0].width_px]
    if len(squad) > most_faces:
        widths = ", ".join(f"{face.width_px:.0f}" for face in squad)
        raise (ManyFaces if most_faces == 1 else BigSquad)(f"{len(squad)} faces, {widths} px wide")
    for face in squad:
        _check(face, pixels)
    return Selfie(pixels=pixels, faces=tuple(sorted(squad, key=_across)))


def _across(face: Face) -> float:
    """Where in the photo a face is, from left to right."""
    return float(face.mesh[:, 0].mean())


def _check(face: Face, pixels: Pixels) -> None:
    # 2. Near, whole, lit, real, facing us, in focus: what must be mended first comes first.
    if face.width_px < MIN_WIDTH_PX:
        raise FaceTooSmall(f"{face.width_px:.0f} px wide")
    if (outside := outside_share(face, pixels)) > MAX_OUTSIDE:
        raise CutOff(f"{outside:.2f} face widths outside")
    if face.luma < MIN_LUMA:
        raise TooDark(f"luma {face.luma:.3f}")
    if (shaded := shading(face, pixels)) < MIN_SHADING:
        raise NoFace(f"drawn: shading {shaded:.2f}")
    if abs(face.yaw_deg) > MAX_YAW_DEG:
        raise TurnedAway(f"yaw {face.yaw_deg:.0f} degrees")
    if face.sharpness < MIN_SHARPNESS:
        raise TooBlurred(f"sharpness {face.sharpness:.3f}")
    # 3. Nothing over it.
    if (over := cover(face, pixels)).is_there:
        raise FaceCovered(str(over))
    if (seen := eyes_seen(face, pixels)).are_hidden:
        raise EyesHidden(str(seen))


def outside_share(face: Face, pixels: Pixels) -> float:
    """How far the face's outline leaves the photo, in face widths; negative when all inside."""
    height, width = pixels.shape[:2]
    outline = face.mesh[list(OVAL), :2]
    beyond = np.concatenate([-outline, outline - (width, height)])
    return float(beyond.max()) / face.width_px


def shading(face: Face, pixels: Pixels) -> float:
    """Tell skin from flat colour: the median slope of luma inside the face over the mean slope.

    Light falls off everywhere on a real face; in a drawing nothing changes but at a few edges.
    """
    patch, inside = face_patch(pixels, face.mesh)
    luma = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    core = cv2.erode(inside.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    return float(np.median(slope[core]) / max(slope[core].mean(), 1e-6))


def scene_luma(pixels: Pixels) -> float:
    """Luma that 95 % of the photo stay below, 0..1."""
    return float(np.percentile(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 95)) / 255
