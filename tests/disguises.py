"""Photos spoiled on purpose: masks, sunglasses, hands and shut eyes on real faces.

Every one is painted onto the photo along the face's own mesh, with the photo's own light.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from figurine.eyes import LOWER_LID, UPPER_LID, Eye, look
from figurine.faces import CHIN, LEFT_CHEEK, RIGHT_CHEEK
from figurine.kits.solids import Solid, capsule, ellipsoid, union
from figurine.types import Face, Pixels

Array = np.ndarray[Any, Any]

_OVER = 2
"""Shapes are drawn this much larger, then averaged."""
_MASK_TOP = (127, 116, 117, 118, 126, 197, 355, 347, 346, 345, 356)
_JAW = (356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
        148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127)  # fmt: skip
_BEARD = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
          323, 425, 164, 205)  # fmt: skip
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_RIGHT_BROW, _LEFT_BROW = (70, 63, 105, 66, 107), (300, 293, 334, 296, 336)
_SKIN_SPOTS = (50, 280, 117, 346, 151, 9)


def mask(pixels: Pixels, face: Face, *, colour: tuple[int, int, int] = (142, 178, 196)) -> Pixels:
    """A pleated cloth mask from the bridge of the nose to under the chin."""
    mesh = face.mesh[:, :2]
    middle = mesh[[4, CHIN]].mean(0)
    jaw = middle + (mesh[list(_JAW)] - middle) * 1.05
    top = mesh[[234, 117, 6, 346, 454]]
    top[1:4] += (mesh[[50, 197, 280]] - top[1:4]) * 0.45
    outline = np.concatenate([_curve(top), jaw[(jaw[:, 1] > top[[0, -1], 1].min())]])
    inside = _filled(pixels, [outline], soft_px=0.004 * face.width_px)
    # 1. The face's own light, without its features.
    light = _luma(cv2.GaussianBlur(pixels, (0, 0), 0.07 * face.width_px))
    light = light / _spot_luma(pixels, face)
    # 2. Pleats across, and the weave.
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    along = _level(face, columns, rows)
    pleat = 1 - 0.16 * np.exp(-(((along[1] * 5.2) % 1 - 0.5) ** 2) / 0.010)
    pleat *= 1 + 0.05 * np.sin(2 * np.pi * along[1] * 5.2)
    weave = np.random.default_rng(5).normal(1, 0.02, pixels.shape[:2])
    bulge = 1.04 - 0.5 * along[0] ** 2
    cloth = np.asarray(colour) * (light.clip(0.45, 1.25) * pleat * weave * bulge)[..., None]
    # 3. A hem, a shadow on the cheeks, and the loops to the ears.
    hem = _stroked(pixels, [_curve(top)], 0.012 * face.width_px)
    cloth *= (1 - 0.22 * hem)[..., None]
    out = pixels * (1 - 0.35 * _shadow(inside, face, (0.0, -0.012)))[..., None]
    loops = [mesh[[93, 234]] * 0 + mesh[[234, 127]], mesh[[454, 356]]]
    straps = _stroked(pixels, loops, 0.02 * face.width_px)
    out = _laid(out, np.full(3, 225.0) * 0.9, straps)
    return _laid(out, cloth, inside).clip(0, 255).astype(np.uint8)


def sunglasses(
    pixels: Pixels,
    face: Face,
    *,
    colour: tuple[int, int, int] = (16, 17, 20),
    opacity: float = 0.96,
    glare: float = 0.35,
) -> Pixels:
    """Glasses with a frame and a glare; dark lenses, or tinted ones with less opacity."""
    mesh = face.mesh[:, :2].astype(np.float64)
    right = (mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]) / face.width_px
    right /= np.linalg.norm(right)
    down = np.array([-right[1], right[0]])
    half = 0.205 * face.width_px
    lenses, shines = [], []
    for outer, inner in ((33, 133), (263, 362)):
        side = np.sign((mesh[outer] - mesh[inner]) @ right)
        eye = mesh[[outer, inner]].mean(0) + down * 0.035 * face.width_px
        eye = eye + right * side * 0.012 * face.width_px
        turn = np.linspace(0, 2 * np.pi, 80)
        x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.72
        y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.78
        y = y * (0.74 + 0.10 * x * side)
        lenses.append(eye + half * (x[:, None] * right + y[:, None] * down))
        stripe = np.array([[-0.75, -0.5], [-0.35, -0.6], [-0.62, 0.35], [-0.85, 0.2]])
        shines.append(eye + half * (stripe[:, :1] * right + stripe[:, 1:] * down))
    inside = _filled(pixels, lenses, soft_px=0.004 * face.width_px)
    out = pixels * (1 - 0.30 * _shadow(inside, face, (0.0, 0.03)))[..., None]
    # 1. The lenses: darker at the top, with the sky in them.
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    height = _level(face, columns, rows)[1]
    tint = np.asarray(colour, float) + 26 * glare * np.clip((height + 0.35) * 3, 0, 1)[..., None]
    out = _laid(out, tint, inside * opacity)
    shine = cv2.GaussianBlur(_filled(pixels, shines), (0, 0), 0.012 * face.width_px)
    out = _laid(out, np.array([225.0, 235, 245]), shine * inside * glare)
    # 2. The frame.
    first, second = (lens[np.argsort(lens @ right)] for lens in lenses)
    bridge = np.array([first[-1], second[0]]) - down * 0.03 * face.width_px
    arms = [
        np.array(ends) - down * 0.02 * face.width_px
        for ends in ((first[0], mesh[127]), (second[-1], mesh[356]))
    ]
    wire = _stroked(
        pixels,
        [*(np.vstack([lens, lens[:1]]) for lens in lenses), bridge, *arms],
        0.026 * face.width_px,
    )
    return _laid(out, np.array([20.0, 18, 18]), wire).clip(0, 255).astype(np.uint8)


def shut_eyes(pixels: Pixels, face: Face, *, share: float = 1.0) -> Pixels:
    """Draw both upper lids down, stretching the skin below the brows; share 1 shuts them."""
    out = pixels.copy()
    for eye, brow in zip(look(pixels, face), (_RIGHT_BROW, _LEFT_BROW), strict=True):
        out = _lid_drawn(out, face, eye, face.mesh[list(brow), :2], share)
    return out


def _lid_drawn(pixels: Pixels, face: Face, eye: Eye, brow: Array, share: float) -> Pixels:
    # 1. In the eye's own frame, x along it: heights of brow, upper and lower lid a column.
    upper, lower = eye.lids[list(UPPER_LID)], eye.lids[list(LOWER_LID)]
    origin = upper[0]
    ahead = (upper[-1] - upper[0]) / np.linalg.norm(upper[-1] - upper[0])
    down = np.array([-ahead[1], ahead[0]]) * np.sign(ahead[0])
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    x = (columns - origin[0]) * ahead[0] + (rows - origin[1]) * ahead[1]
    y = (columns - origin[0]) * down[0] + (rows - origin[1]) * down[1]

    def height(points: Array) -> Array:
        xs, ys = (points - origin) @ ahead, (points - origin) @ down
        order = np.argsort(xs)
        return np.asarray(np.interp(x, xs[order], ys[order]))

    width = float(np.linalg.norm(upper[-1] - upper[0]))
    top, lash, rim = height(brow), height(upper), height(lower)
    top = np.minimum(top + 0.12 * width, lash - 0.10 * width)
    line = lash + (rim + 0.01 * width - lash) * share  # where the lashes come to lie
    lash = lash + 0.02 * width
    # 2. Skin from brow to lash is stretched down to the line; lashes keep their own thickness.
    thick = 0.10 * width
    t = np.clip((y - top) / np.maximum(line - thick - top, 1), 0, 1)
    source = np.where(y < line - thick, top + t * (lash - thick - top), y - line + lash)
    source = np.where((y > top) & (y < line), source, y)
    ends = np.clip(np.minimum(x, width - x) / (0.06 * width) + 1.5, 0, 1)
    source = y + (source - y) * ends
    shift = (source - y).astype(np.float32)
    moved = cv2.remap(
        pixels,
        columns + shift * np.float32(down[0]),
        rows + shift * np.float32(down[1]),
        cv2.INTER_CUBIC,
    )
    # 3. What is left of the eye's dark just under the line becomes the lashes' line.
    soft = cv2.GaussianBlur(((y > top) & (y < line) & (ends > 0)).astype(np.float32), (0, 0), 0.8)
    out = _laid(pixels.astype(float), moved.astype(float), soft)
    curve = np.stack([np.linspace(0, width, 30)] * 2, 1)
    xs, order = (lower - origin) @ ahead, np.argsort((lower - origin) @ ahead)
    ys = np.interp(curve[:, 0], xs[order], ((lower - origin) @ down)[order])
    xu, oru = (upper - origin) @ ahead, np.argsort((upper - origin) @ ahead)
    yu = np.interp(curve[:, 0], xu[oru], ((upper - origin) @ down)[oru])
    ys = yu + (ys - yu) * share
    points = origin + curve[:, :1] * ahead + ys[:, None] * down
    lashes = cv2.GaussianBlur(_stroked(pixels, [points], 0.045 * width), (0, 0), 0.012 * width)
    dark = np.asarray(pixels[max(0, int(eye.iris[1])), max(0, int(eye.iris[0]))], float) * 0.5 + 20
    return _laid(out, dark, lashes * 0.8).clip(0, 255).astype(np.uint8)


_FINGERS = (  # knuckle, middle joint, tip in palm units; radius
    ((-0.42, 0.00, 0.05), (-0.52, -0.62, 0.16), (-0.52, -1.00, 0.02), 0.135),
    ((-0.14, -0.06, 0.10), (-0.17, -0.78, 0.22), (-0.18, -1.22, 0.06), 0.145),
    ((0.15, -0.05, 0.10), (0.16, -0.74, 0.22), (0.14, -1.16, 0.06), 0.142),
    ((0.42, 0.05, 0.04), (0.49, -0.50, 0.14), (0.47, -0.82, 0.02), 0.120),
)


@cache
def _hand(size: int = 360) -> tuple[Array, Array, Array]:
    """The back of a hand, fingers up: cover 0..1, normals (.., 3), nail share 0..1."""
    parts: list[Solid] = [
        union(capsule(a, b, r, r * 0.97), capsule(b, c, r * 0.97, r * 0.82), blend=0.03)
        for a, b, c, r in _FINGERS
    ]
    thumb = union(
        capsule((0.50, 0.75, 0.0), (0.82, 0.30, 0.05), 0.19, 0.16),
        capsule((0.82, 0.30, 0.05), (0.86, -0.12, 0.02), 0.155, 0.12),
        blend=0.03,
    )
    palm = union(
        ellipsoid((0.0, 0.52, 0.0), (0.60, 0.72, 0.22)),
        capsule((-0.05, 0.9, -0.02), (-0.05, 2.2, -0.02), 0.34, 0.36),
        blend=0.2,
    )
    solid = union(union(palm, thumb, blend=0.12), union(*parts), blend=0.07)
    # 1. March down onto it, straight from above.
    y, x = np.mgrid[-1.5 : 2.0 : size * 1j, -1.1 : 1.3 : int(size * 2.4 / 3.5) * 1j].astype(
        np.float32
    )
    p = np.stack([x.ravel(), y.ravel(), np.full(x.size, 0.9, np.float32)], 1)
    for _ in range(48):
        p[:, 2] -= solid(p).clip(-0.02, 0.2) * 0.8
        p[:, 2] = p[:, 2].clip(-0.8, None)
    hit = (np.abs(solid(p)) < 0.02) & (p[:, 2] > -0.5)
    # 2. Which way its skin faces, and where nails are.
    step = 0.01
    eye = np.eye(3, dtype=np.float32) * step
    normal = np.stack([solid(p + e) - solid(p - e) for e in eye], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    nail = np.zeros(len(p))
    for _, middle, tip, radius in _FINGERS:
        way = np.subtract(tip, middle)[:2] / np.linalg.norm(np.subtract(tip, middle)[:2])
        at = p[:, :2] - np.asarray(tip)[:2] - way * radius * 0.1
        along, across = at @ way, at @ np.array([-way[1], way[0]])
        oval = (along / (radius * 0.72)) ** 4 + (across / (radius * 0.62)) ** 4
        nail = np.maximum(nail, np.clip((1 - oval) * 4, 0, 1))
    shape = x.shape
    return hit.reshape(shape).astype(float), normal.reshape(*shape, 3), nail.reshape(shape)


def hand(
    pixels: Pixels,
    face: Face,
    *,
    at: int = 13,
    turn_deg: float = 70.0,
    size: float = 0.46,
    mirrored: bool = False,
) -> Pixels:
    """A hand of the face's own skin, its fingers over mesh point `at`; size: a palm in widths."""
    cover, normal, nail = _hand()
    # 1. Lit as a face is, from above; blood shows where skin turns away; creases at the joints.
    skin = np.median([_spot(pixels, face, spot) for spot in _SKIN_SPOTS], axis=0)
    key = np.array([-0.35, -0.55, 0.76]) / np.linalg.norm([-0.35, -0.55, 0.76])
    turn = np.deg2rad(turn_deg)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    normal = normal.copy()
    normal[..., :2] = normal[..., :2] @ spin.T
    lambert = (normal @ key).clip(0, 1)
    light = 0.46 + 0.66 * lambert
    edge = 1 - normal[..., 2].clip(0, 1)
    colour = skin * light[..., None] * (1 - edge[..., None] * np.array([0.06, 0.22, 0.26]))
    noise = np.asarray(np.random.default_rng(3).normal(0, 1, cover.shape))
    grain = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.6))
    colour *= (1 + 0.035 * grain / grain.std())[..., None]
    y, x = np.mgrid[-1.5 : 2.0 : cover.shape[0] * 1j, -1.1 : 1.3 : cover.shape[1] * 1j]
    for _, joint, tip, radius in _FINGERS:
        for centre in (joint, np.add(joint, tip) / 2 + np.array([0, -0.02, 0])):
            for shift in (-0.03, 0.0, 0.03):
                line = np.exp(-(((y - centre[1] - shift) / 0.012) ** 2))
                colour *= (1 - 0.14 * line * (np.abs(x - centre[0]) < radius * 0.7))[..., None]
    gloss = np.clip((normal @ key - 0.82) / 0.18, 0, 1) ** 3
    nails = (colour * np.array([1.04, 0.94, 0.94]) + 30) + 45 * gloss[..., None]
    colour = _laid(colour, nails, nail * 0.75) + 14 * gloss[..., None]
    # 2. Onto the photo: turned, its finger knuckles' middle at the point, with a soft shadow.
    px = size * face.width_px / (cover.shape[0] / 3.5)
    flip = -1.0 if mirrored else 1.0
    linear = px * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = np.diag([flip, 1.0]) @ linear
    pivot = np.array([1.1 / 2.4 * cover.shape[1], (1.5 - 0.55) / 3.5 * cover.shape[0]])
    to = np.column_stack([linear, face.mesh[at, :2] - linear @ pivot])
    size_px = (pixels.shape[1], pixels.shape[0])
    inside = cv2.warpAffine(cover, to, size_px, flags=cv2.INTER_LINEAR)
    placed = cv2.warpAffine(colour * cover[..., None], to, size_px, flags=cv2.INTER_LINEAR)
    placed = placed / np.maximum(inside, 1e-3)[..., None]
    inside = cv2.GaussianBlur(inside, (0, 0), max(0.5, 0.003 * face.width_px))
    out = pixels * (1 - 0.45 * _shadow(inside, face, (0.0, 0.035)))[..., None]
    light = _luma(cv2.GaussianBlur(pixels, (0, 0), 0.2 * face.width_px)) / _spot_luma(pixels, face)
    placed = placed * light.clip(0.75, 1.1)[..., None]
    return _laid(out, placed, inside).clip(0, 255).astype(np.uint8)


def beard(pixels: Pixels, face: Face, *, colour: tuple[int, int, int] = (38, 30, 26)) -> Pixels:
    """A full beard, blunter than any real one: it has an edge, and no hair lies along the face."""
    mesh = face.mesh[:, :2]
    inside = _filled(pixels, [mesh[list(_BEARD)]], soft_px=0.02 * face.width_px)
    bare = _filled(pixels, [mesh[list(_LIPS)]], soft_px=0.01 * face.width_px)
    noise = np.asarray(np.random.default_rng(2).normal(0, 1, inside.shape), np.float32)
    grain = np.asarray(cv2.GaussianBlur(noise, (0, 0), max(0.3, 0.005 * face.width_px)))
    share = inside * (1 - bare) * 0.85 * np.clip(0.85 + 0.15 * grain / float(grain.std()), 0, 1)
    return _laid(pixels, np.asarray(colour, float), share).clip(0, 255).astype(np.uint8)


def near(pixels: Pixels, face: Face, *, face_px: float = 320.0, across: float = 2.7) -> Pixels:
    """Cut the photo to the head and bring its face to this width."""
    x, y = face.mesh[:, :2].mean(0)
    half = across * face.width_px / 2
    x0, y0 = max(0, int(x - half)), max(0, int(y - half * 1.1))
    cut = pixels[y0 : int(y + half * 1.15), x0 : int(x + half)]
    zoom = face_px / face.width_px
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return cv2.resize(cut, None, fx=zoom, fy=zoom, interpolation=method).astype(np.uint8)


def _curve(points: Array, count: int = 60) -> Array:
    """A smooth line through points."""
    from scipy.interpolate import PchipInterpolator

    t = np.linspace(0, 1, len(points))
    return np.asarray(PchipInterpolator(t, points)(np.linspace(0, 1, count)))


def _filled(pixels: Pixels, outlines: list[Array], *, soft_px: float = 0.0) -> Array:
    canvas = np.zeros((pixels.shape[0] * _OVER, pixels.shape[1] * _OVER), np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [(outline * _OVER).round().astype(np.int32)], 255)
    return _averaged(canvas, pixels, soft_px)


def _stroked(pixels: Pixels, lines: list[Array], width_px: float) -> Array:
    canvas = np.zeros((pixels.shape[0] * _OVER, pixels.shape[1] * _OVER), np.uint8)
    for line in lines:
        cv2.polylines(
            canvas,
            [(line * _OVER).round().astype(np.int32)],
            False,
            255,
            max(1, round(width_px * _OVER)),
            cv2.LINE_AA,
        )
    return _averaged(canvas, pixels, 0.0)


def _averaged(canvas: Array, pixels: Pixels, soft_px: float) -> Array:
    size = (pixels.shape[1], pixels.shape[0])
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.GaussianBlur(small, (0, 0), soft_px) if soft_px > 0.3 else small


def _shadow(inside: Array, face: Face, by: tuple[float, float]) -> Array:
    to = np.asarray([[1, 0, by[0] * face.width_px], [0, 1, by[1] * face.width_px]])
    moved = cv2.warpAffine(inside, to, (inside.shape[1], inside.shape[0]))
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), 0.018 * face.width_px))


def _level(face: Face, x: Array, y: Array) -> tuple[Array, Array]:
    """Photo to face widths: across from the nose, and down from the eyes' line."""
    mesh = face.mesh[:, :2]
    right = mesh[LEFT_CHEEK] - mesh[RIGHT_CHEEK]
    right = right / np.linalg.norm(right)
    dx, dy = (x - mesh[168, 0]) / face.width_px, (y - mesh[168, 1]) / face.width_px
    return dx * right[0] + dy * right[1], dy * right[0] - dx * right[1]


def _spot(pixels: Pixels, face: Face, point: int) -> Array:
    x, y = face.mesh[point, :2].round().astype(int)
    reach = max(1, round(0.03 * face.width_px))
    cut = pixels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
    return np.asarray(np.median(cut.reshape(-1, 3), axis=0))


def _spot_luma(pixels: Pixels, face: Face) -> float:
    colours = np.array([_spot(pixels, face, spot) for spot in _SKIN_SPOTS])
    return float(np.median(colours @ [0.299, 0.587, 0.114])) / 255


def _luma(pixels: Array) -> Array:
    grey = cv2.cvtColor(pixels.astype(np.uint8), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey.astype(np.float32) / 255)


def _laid(below: Array, above: Array, share: Array) -> Array:
    return np.asarray(below + (above - below) * share[..., None])
