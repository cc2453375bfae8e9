"""Selfie to detail: what of a face is drawn in light and dark, with the photo's own light removed.

Everything is on a surface Grid; angles in degrees seen from the head's centre, where a face is
about 85° wide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from figurine import eyes
from figurine.engines.sculpt import light
from figurine.engines.sculpt.blur import blurred
from figurine.engines.sculpt.surface import OVAL, Grid, Head
from figurine.types import Array, Face, Selfie

BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""Outlines in the mesh. Source: MediaPipe FACEMESH_* connections."""

_FADE_DEG = (1.0, 10.0)
"""The brush edge, from and to this far inside the oval."""
_HAIRLINE_DEG = (34.0, 43.0)
"""Between these heights, just under the brim, a fringe or hairline fades into plain forehead."""
_CONTRAST = 0.80
"""Spread of the detail around eyes, brows and lips: the sample portraits' own is 0.52 to 0.91."""
_STRENGTHS = (0.8, 1.5)
_LINE_DEG, _LINE_GAIN = 2.2, 0.9
"""Lines are drawn firmer than they are. On the sample portraits this raised likeness by 0.01 in
paint and 0.03 in plastic; 3.2 degrees or a gain of 1.4 did no better."""
_FORM_DEG = 4.0
"""What is broader is form, and never mottle: without, highlights kept the mottle on them."""
_MOTTLE, _MOTTLE_DEG = 0.10, 1.2
"""Log-luminance below which unevenness of bare skin is the photo's, not the face's, and the
neighbourhood in which it is judged: cell by cell, what is kept would be islands with shores."""
_FINE_GRAIN = 0.045
"""Median grain of a clean portrait, real skin included: 0.015 to 0.040; of a grainy print 0.08."""
_CARVED_DEG = (6.0, 20.0)
_GRAZING = (0.18, 0.42)
"""Density of selfie pixels, the middle's being 1, between which skin goes from unseen to seen."""
_FAR_SIDE = (2.0, 3.2)
"""How many times denser the other side's pixels are, from where on it is drawn on both. Without,
heads turned by 40 degrees have stains at nose and chin; from 1.4 on, likeness suffers (0.655
instead of 0.661 painted)."""
_FOLD_DEG = 3.0
_STRAP_OUT, _STRAP_DEG = 1.085, 5.0
STRAP_HEIGHT = 0.011
_RELIEF = 0.0095
"""Depth in units of a detail of one e-fold, on a figure two units tall."""

_BALL, _LID = 0.006, 0.006
"""How far eyeballs and the folds of the upper lids stand out."""


@dataclass(frozen=True)
class Hand:
    """How a face is drawn for one kind of finish. Figures judged by likeness on the portraits."""

    plate: tuple[float, float, float]
    """How light its drawing sees linear red, green and blue."""
    form: float
    """How much of the face's own light and shade is drawn in: see light.removed."""


PAINTER = Hand(plate=(0.2126, 0.7152, 0.0722), form=0.7)
"""Form drawn in raised likeness from 0.62 to 0.66, most for faces without glasses."""
CASTER = Hand(plate=(0.0, 0.5, 0.5), form=0.2)
"""Red light goes deep into skin and comes out soft: green and blue show its surface, which is all
that one colour has. With more form the young look old in it."""


@dataclass(frozen=True)
class Eye:
    """One eye on the grid, in columns and rows."""

    upper: Array
    """(9, 2) the upper lid's edge, outer corner to inner."""
    lower: Array
    """(9, 2) the lower lid's, likewise."""
    iris: Array
    """(2,) centre."""
    iris_radius: float


@dataclass(frozen=True)
class Portrait:
    """A face laid flat on a grid."""

    grid: Grid
    lab: Array
    """(rows, columns, 3) CIELAB of the selfie, L 0..100."""
    detail: Array
    """(rows, columns): log-luminance without the light, as a brush lays it, 0 at skin, dark
    negative."""
    weight: Array
    """(rows, columns) 0..1: how much of the selfie counts; falls to 0 at the oval."""
    points: Array
    """(468, 2) column and row of the mesh's points."""
    depth_deg: Array
    """(rows, columns): how far inside the oval."""
    eyes: tuple[Eye, Eye]
    """The subject's right, then the left."""

    def outline(self, indices: tuple[int, ...], *, soft_deg: float) -> Array:
        """A filled polygon of mesh points, 0..1, with a soft edge."""
        mask = np.zeros(self.grid.shape, np.float32)
        cv2.fillPoly(mask, [_fixed(self.points[list(indices)])], 1.0, cv2.LINE_8, 4)
        return self.blurred(mask, soft_deg)

    def blurred(self, image: Array, sigma_deg: float) -> Array:
        return blurred(image, sigma_deg / self.grid.step_deg)


def flatten(selfie: Selfie, head: Head, *, grid: Grid, hand: Hand = PAINTER) -> Portrait:
    """Unroll the selfie's face onto a grid, take its light away and draw it."""
    # 1. The selfie, no finer than the grid needs, so that large photos do not alias.
    radius, xy = head.sampled(grid)
    scale = min(1.0, 110 / grid.step_deg / head.face_width_px)
    pixels = cv2.resize(selfie.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    flat = cv2.remap(
        pixels,
        xy[..., 0] * scale,
        xy[..., 1] * scale,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lab = cv2.cvtColor(flat.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    # 2. Where it counts: inside the oval, and where the camera did not graze the skin.
    points = grid.pixels(head.points_deg)
    inside = np.zeros(grid.shape, np.uint8)
    cv2.fillPoly(inside, [_fixed(points[list(OVAL)])], 1, cv2.LINE_8, 4)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5) * grid.step_deg
    faced = _faced(_density(xy, grid))
    edge = _ramp(depth, *_FADE_DEG) * (1 - _ramp(grid.degrees()[..., 1], *_HAIRLINE_DEG))
    portrait = Portrait(
        grid=grid,
        lab=lab,
        detail=np.zeros(grid.shape, np.float32),
        weight=edge * faced,
        points=points,
        depth_deg=depth.astype(np.float32),
        eyes=_placed(eyes.look(selfie.pixels, selfie.faces[0]), selfie.faces[0], head, grid),
    )

    # 3. Log-luminance less its light, its grain smoothed, its lines drawn firmer.
    features = np.clip(
        sum(portrait.outline(part, soft_deg=2.0) for part in (*BROWS, *EYES, LIPS)), 0, 1
    )
    skin = light.Skin(
        inside=inside.astype(np.float32),
        bare=portrait.weight * (1 - features),
        features=features,
    )
    linear = cv2.cvtColor(lab, cv2.COLOR_LAB2LRGB)
    luminance = np.clip(linear, 0, 1) @ np.asarray(hand.plate, np.float32)
    detail = light.removed(luminance, radius, skin, grid, form=hand.form)
    detail = np.clip(detail, -1.8, 0.8).astype(np.float32)
    grain = _grain(detail, edge > 0.9, grid)
    blur = 0.9 + 16 * max(0.0, grain - _FINE_GRAIN)
    tolerance = 0.22 + 6 * max(0.0, grain - _FINE_GRAIN)
    detail = np.asarray(cv2.bilateralFilter(detail, -1, tolerance, blur / grid.step_deg))
    soft = blurred(detail, _LINE_DEG / grid.step_deg)
    detail = np.clip(detail + _LINE_GAIN * (detail - soft), -1.8, 1.0)

    # 4. Hair that hangs into the oval is no feature of the face.
    up = grid.degrees()[..., 1]
    rim = (1 - _ramp(depth, 5.0, 17.0)) * _ramp(up, 12.0, 22.0)
    rim = np.maximum(rim, 1 - _ramp(depth, 3.0, 9.0))
    edge = edge * (1 - rim * _ramp(-detail, 0.30, 0.70))
    weight = edge * faced

    # 5. What the camera did not see of one cheek it saw of the other.
    unseen = edge * (1 - faced) * faced[:, ::-1]
    seen = weight + unseen
    share = (unseen / np.maximum(seen, 1e-3)).astype(np.float32)
    detail = detail + share * (detail[:, ::-1] - detail)
    lab = lab + share[..., None] * (lab[:, ::-1] - lab)
    portrait = replace(
        portrait,
        lab=lab.astype(np.float32),
        detail=detail.astype(np.float32),
        weight=np.clip(seen, 0, 1).astype(np.float32),
    )

    # 6. The same strength of drawing for a hazy photo as for a harsh one.
    contrast = float(portrait.detail[(features > 0.3) & (portrait.weight > 0.5)].std())
    strength = float(np.clip(_CONTRAST / contrast, *_STRENGTHS)) if contrast else 1.0
    return replace(portrait, detail=_brushed(replace(portrait, detail=portrait.detail * strength)))


def _brushed(portrait: Portrait) -> Array:
    """The detail as a brush lays it: form smooth, faint mottling gone, lines kept."""
    flat = cv2.bilateralFilter(portrait.detail, 9, 0.30, 1.6 / portrait.grid.step_deg)
    lines = portrait.detail - flat
    form = portrait.blurred(flat, _FORM_DEG)
    uneven = flat - form
    loud = 1 - np.exp(-portrait.blurred(uneven**2, _MOTTLE_DEG) / _MOTTLE**2)
    features = sum(portrait.outline(part, soft_deg=3.0) for part in (*BROWS, *EYES, LIPS))
    keep = np.clip(np.maximum(loud, features), 0, 1)
    return np.asarray(form + uneven * keep + lines * np.sqrt(keep), np.float32)


def _placed(
    found: tuple[eyes.Eye, eyes.Eye], face: Face, head: Head, grid: Grid
) -> tuple[Eye, Eye]:
    """The eyes' outlines from the selfie's pixels to the grid's."""
    near = [i for part in (*EYES, *BROWS) for i in part]
    place = RBFInterpolator(
        face.mesh[near, :2].astype(np.float64), grid.pixels(head.points_deg[near]), smoothing=1.0
    )

    def one(eye: eyes.Eye) -> Eye:
        rim = eye.iris + eye.iris_radius_px * np.asarray([[-1, 0], [1, 0]])
        lids, centre, ends = place(eye.lids), place(eye.iris[None])[0], place(rim)
        return Eye(
            upper=lids[list(eyes.UPPER_LID)],
            lower=lids[list(eyes.LOWER_LID)],
            iris=centre,
            iris_radius=float(np.linalg.norm(ends[1] - ends[0]) / 2),
        )

    right, left = found
    return one(right), one(left)


def _grain(detail: Array, skin: Array, grid: Grid) -> float:
    """Typical step between neighbours that no feature explains: film grain, sensor noise."""
    fine = detail - blurred(detail, 0.6 / grid.step_deg)
    return float(np.median(np.abs(fine[skin]))) if skin.any() else 0.0


def _ramp(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _density(xy: Array, grid: Grid) -> Array:
    """Selfie pixels a grid cell, relative to the face's middle. Folds at lips and nostrils, where
    the mesh overhangs, are narrower than what the blur lets through."""
    across, up = np.gradient(xy, axis=1), np.gradient(xy, axis=0)
    area = across[..., 0] * up[..., 1] - across[..., 1] * up[..., 0]
    rows, columns = area.shape
    middle = np.median(area[rows // 3 : 2 * rows // 3, 2 * columns // 5 : 3 * columns // 5])
    return blurred(area / middle, _FOLD_DEG / grid.step_deg)


def _faced(density: Array) -> Array:
    """How far the camera saw the skin, 0..1: enough of it, and not much less than on the other
    side."""
    better = density[:, ::-1] / np.maximum(density, 1e-3)
    return np.asarray(_ramp(density, *_GRAZING) * (1 - _ramp(better, *_FAR_SIDE)))


def displacement(portrait: Portrait, opening: Array, lids: Array) -> Array:
    """How far the clay rises (units) for what light and dark suggest: dark creases sink, but brows
    stand proud, as a sculptor makes them, eyeballs are round under their lids, teeth stay smooth.

    opening, lids: masks of the eyes, 0..1, on the portrait's grid.
    """
    fine = portrait.blurred(portrait.detail, 0.5)
    broad = portrait.blurred(portrait.detail, 1.6)
    height = (0.5 * fine + 0.9 * broad) * _RELIEF
    brows = sum(portrait.outline(brow, soft_deg=1.0) for brow in BROWS)
    height = height * (1 - 1.8 * brows) * (1 - 0.6 * portrait.outline(MOUTH, soft_deg=0.8))
    ball = portrait.blurred(opening, 0.7)
    height = height * (1 - ball) + _BALL * (portrait.blurred(opening, 2.0) - 0.5) * ball
    height = height + _LID * lids
    # Towards the oval the selfie is stretched: its pixels would become ridges.
    sure = portrait.weight * _ramp(portrait.depth_deg, *_CARVED_DEG)
    return np.asarray(height * sure, np.float32)


def strap(points_deg: Array, grid: Grid) -> Array:
    """The chin strap's cover of the grid, 0..1: from under the helmet past the ears to the chin,
    just outside the oval of the mesh's points (468, 2)."""
    lower = np.roll(np.arange(len(OVAL)), -6)[: len(OVAL) - 11]
    path = grid.pixels(points_deg[list(OVAL)][lower] * _STRAP_OUT)
    mask = np.zeros(grid.shape, np.float32)
    thickness = round(_STRAP_DEG / grid.step_deg)
    cv2.polylines(mask, [_fixed(path)], False, 1.0, thickness, cv2.LINE_8, 4)
    return blurred(mask, 0.45 / grid.step_deg)


def _fixed(points: Array) -> np.ndarray:
    """Sixteenths of a pixel, as cv2's `shift=4` takes them."""
    return np.round(points * 16).astype(np.int32)
