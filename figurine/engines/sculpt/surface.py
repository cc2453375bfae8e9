"""Face to geometry: a 468-point mesh becomes a smooth head, seamless from ear to ear.

The head is a map of distances from the kit's face centre, over an azimuthal equidistant grid
(degrees right and up of straight ahead). A thin-plate spline carries the *difference* between the
visitor and the kit's template head, pinned to zero under helmet, ears and collar: so there is no
border to hide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import zoom

from figurine.kits import FacePlace
from figurine.types import Array, Face

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The mesh's outline, clockwise from the forehead. Source: MediaPipe FACEMESH_FACE_OVAL."""

SPAN_DEG = (-106.0, -78.0, 106.0, 62.0)
"""Left, bottom, right, top of the grid: beyond these the head is under ear, collar or helmet."""
FACE_SPAN_DEG = (-80.0, -66.0, 80.0, 48.0)
"""What of it carries a face: the rest is plain skin."""
_COARSE_STEP_DEG = 3.0
_SMOOTHING = 0.4
"""Of the spline, against the mesh model's jitter; judged by eye."""


@dataclass(frozen=True)
class Grid:
    """The map's samples: row 0 is the lowest, so texture rows run from chin to forehead."""

    step_deg: float
    span_deg: tuple[float, float, float, float] = SPAN_DEG

    @property
    def face(self) -> Grid:
        """The part of it that carries the face."""
        return Grid(self.step_deg, FACE_SPAN_DEG)

    def part(self, inner: Grid) -> tuple[slice, slice]:
        """Rows and columns of a grid of the same step within this one."""
        first = self.pixels(np.asarray(inner.span_deg[:2], np.float32)).round().astype(int)
        rows, columns = inner.shape
        return slice(first[1], first[1] + rows), slice(first[0], first[0] + columns)

    @property
    def shape(self) -> tuple[int, int]:
        left, bottom, right, top = self.span_deg
        return round((top - bottom) / self.step_deg) + 1, round((right - left) / self.step_deg) + 1

    def degrees(self) -> Array:
        """(rows, columns, 2): degrees right and up."""
        rows, columns = self.shape
        left, bottom, right, top = self.span_deg
        a, b = np.meshgrid(np.linspace(left, right, columns), np.linspace(bottom, top, rows))
        return np.stack([a, b], axis=-1).astype(np.float32)

    def pixels(self, degrees: Array) -> Array:
        """Degrees (…, 2) to column and row (…, 2)."""
        rows, columns = self.shape
        left, bottom, right, top = self.span_deg
        scale = np.asarray([(columns - 1) / (right - left), (rows - 1) / (top - bottom)])
        return np.asarray((degrees - np.asarray([left, bottom])) * scale, np.float32)


@dataclass(frozen=True)
class Head:
    """A visitor's head, ready to be sampled at any resolution."""

    points_deg: Array
    """(468, 2): where the mesh's points lie on the map."""
    radius: Array
    """Distance from the centre on the coarse grid."""
    selfie_xy: Array
    """Where in the selfie each direction of the coarse grid is seen: (rows, columns, 2) pixels."""
    face_width_px: float
    yaw_deg: float

    def sampled(self, grid: Grid) -> tuple[Array, Array]:
        """Radius (rows, columns) and selfie position (rows, columns, 2) on a finer grid."""
        return resized(self.radius, grid), resized(self.selfie_xy, grid)


def frontal(mesh: Array) -> Array:
    """(468, 3) with the head upright and facing the viewer: x right, y up, z towards the viewer,
    origin midway between the cheek edges (234, 454), which are 1 apart."""
    p = mesh * np.asarray([1, -1, -1], np.float32)
    x = p[263] - p[33]
    x /= np.linalg.norm(x)
    y = p[10] - p[152]
    y -= x * (y @ x)
    y /= np.linalg.norm(y)
    axes = np.stack([x, y, np.cross(x, y)], axis=1)
    width = np.linalg.norm(p[234] - p[454])
    return np.asarray((p - (p[234] + p[454]) / 2) @ axes / width, np.float32)


def to_degrees(offsets: Array) -> tuple[Array, Array]:
    """Offsets from the centre (N, 3) to degrees (N, 2) and distance (N,)."""
    r = np.linalg.norm(offsets, axis=1)
    away = np.degrees(np.arccos(np.clip(offsets[:, 2] / r, -1, 1)))
    planar = offsets[:, :2] / np.maximum(np.linalg.norm(offsets[:, :2], axis=1), 1e-9)[:, None]
    return np.asarray(planar * away[:, None], np.float32), np.asarray(r, np.float32)


def directions(degrees: Array) -> Array:
    """Degrees (…, 2) to unit vectors (…, 3)."""
    away = np.linalg.norm(degrees, axis=-1, keepdims=True)
    planar = degrees / np.maximum(away, 1e-6)
    a = np.radians(away)
    return np.concatenate([planar * np.sin(a), np.cos(a)], axis=-1).astype(np.float32)


def sculpt(face: Face, template: Array, place: FacePlace) -> Head:
    """Fit the template head (rows, columns on the coarse grid) to a face."""
    # 1. The face in the kit's place, as seen from the head's centre.
    points = frontal(face.mesh) * place.width + (place.origin - place.centre)
    degrees, radius = to_degrees(points)

    # 2. How far it stands out from the template, and nothing at the rim.
    coarse = Grid(_COARSE_STEP_DEG)
    at = coarse.pixels(degrees)
    under = cv2.remap(template, at[:, :1], at[:, 1:], cv2.INTER_CUBIC)[:, 0]
    rim = _rim()
    spots = np.concatenate([degrees, rim])
    change = np.concatenate([radius - under, np.zeros(len(rim), np.float32)])
    where = coarse.degrees().reshape(-1, 2)
    surface = RBFInterpolator(spots, change, kernel="thin_plate_spline", smoothing=_SMOOTHING)
    seen = RBFInterpolator(degrees, face.mesh[:, :2], kernel="thin_plate_spline", smoothing=0.05)
    rows, columns = coarse.shape
    return Head(
        points_deg=degrees,
        radius=(template + surface(where).reshape(rows, columns)).astype(np.float32),
        selfie_xy=seen(where).reshape(rows, columns, 2).astype(np.float32),
        face_width_px=face.width_px,
        yaw_deg=face.yaw_deg,
    )


def coarse_directions() -> Array:
    """The rays along which a kit's template head is measured: (rows, columns, 3)."""
    return directions(Grid(_COARSE_STEP_DEG).degrees())


def _rim() -> Array:
    """Points all around, a hand's breadth outside the oval, where template and head agree."""
    _, bottom, right, top = SPAN_DEG
    around = np.radians(np.arange(0, 360, 6))
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    reach = np.where(circle[:, 1] < 0, -bottom, top)
    return np.asarray(circle * np.stack([np.full_like(reach, right - 1), reach], axis=1))


def resized(coarse: Array, grid: Grid) -> Array:
    """Sampled by cubic splines at the fine grid's nodes; both whole grids have nodes on the span's
    edges.

    Not by cv2, which rounds positions to 1/32: the steps would show as ribs in light.
    """
    whole = Grid(grid.step_deg)
    up, across = (
        _spline(knots, samples)[part]
        for knots, samples, part in zip(coarse.shape, whole.shape, whole.part(grid), strict=False)
    )
    return np.asarray(np.einsum("ri,ij...,cj->rc...", up, coarse, across, optimize=True))


@cache
def _spline(knots: int, samples: int) -> Array:
    """(samples, knots) float32: the matrix that evaluates a cubic spline evenly, ends included."""
    return np.asarray(
        zoom(np.eye(knots), (samples / knots, 1), order=3, mode="nearest"), np.float32
    )
