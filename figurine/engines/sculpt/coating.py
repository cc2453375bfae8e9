"""A finish on a shape: what the wash tints, where the second coat lies, and light from inside.

Points and normals are (…, 3) in the kit's units, covers 0..1.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import sparse

from figurine.kits import Finish, Layer
from figurine.kits.body import Body
from figurine.types import Array

_LUMA = np.asarray([0.2126, 0.7152, 0.0722], np.float32)
_HOLLOW = (-0.05, 0.12)
"""Depths, in sizes of the layer, between which creases go from bare to covered: the flat lies
below the middle, edges stay bright."""
_PALE = 0.55
"""How far the dry brush's paint is from the surface's colour towards grey."""
_FACE_SHARE = 0.4
"""Of the cover, on faces: more reads as dirt, and hides who it is."""
_OCTAVES = 2
BEDS = (
    (np.asarray([0.62, 0.55, 0.56], np.float32), 1.0, 1.0),
    (np.asarray([-0.55, 0.74, 0.39], np.float32), 0.8, 0.4),
)
"""Sheets of veins: direction across them, how far apart in sizes of the layer, how strong."""
_VEIN = 0.0045
"""Half width of a vein in units, about three pixels of a still."""

_INNER_LIT = (0.1, 0.68)
"""The lamps' light on a pale figure, as if its albedo were 1: 1st and 95th percentile."""
_INNER_LEAST, _INNER_MOST, _INNER_FALL = 0.07, 1.3, 1.45
"""Light from inside that leaves the deepest crease, at most, and how fast it falls between; judged
by eye."""


def toned(albedo: Array, base: Array, finish: Finish) -> Array:
    """A one-coloured face's lights and darks (h, w, 3) as this finish shows them.

    The dark runs towards the finish's wash, not towards black; the light is paler than the surface,
    since its own colour, brighter, would seem to glow."""
    shade = np.asarray(albedo @ _LUMA / max(float(base @ _LUMA), 1e-4))[..., None]
    held = np.clip(1 - shade, 0, 1) ** finish.wash_grip
    pale = _PALE * float(base @ _LUMA) + (1 - _PALE) * base
    light = np.maximum(shade - 1, 0) * pale * finish.dry_brush
    return np.asarray(np.clip(base + (finish.wash - base) * held + light, 0, 0.95), np.float32)


def on_body(body: Body, normals: Array, layer: Layer) -> Array:
    """Cover of the second coat at each vertex, (V,)."""
    if layer.where == "veins":
        return veins(body.vertices, layer)
    # A few rounds of averaging with the neighbours reach as far as the layer's size.
    a, b, c = body.faces.T.astype(np.int64)
    count = len(body.vertices)
    pairs = np.concatenate([a, b, b, c, c, a]), np.concatenate([b, a, c, b, a, c])
    links = sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape=(count, count))
    shares = np.maximum(np.asarray(links.sum(axis=1)), 1)
    corner = body.vertices[body.faces[:: max(1, len(body.faces) // 2000)]]
    edge = float(np.median(np.linalg.norm(corner[:, 1] - corner[:, 0], axis=1)))
    smooth = body.vertices.astype(np.float32)
    for _ in range(max(1, round((layer.size / edge) ** 2))):
        smooth = np.asarray(links @ smooth / shares, np.float32)
    depth = np.einsum("ij,ij->i", smooth - body.vertices, normals) / layer.size
    return np.asarray(layer.amount * _ramp(depth, *_HOLLOW), np.float32)


def on_head(points: Array, normals: Array, layer: Layer, *, texels: tuple[int, int]) -> Array:
    """Cover of the second coat on a grid of points (rows, columns, 3), as a texture (h, w)."""
    size = texels[::-1]
    if layer.where == "veins":
        some = points[::2, ::2]  # veins are wide enough, and this is done for every visitor
        cover = _FACE_SHARE * veins(some.reshape(-1, 3), layer).reshape(some.shape[:2])
        return cv2.resize(cover, size, interpolation=cv2.INTER_CUBIC)
    step = float(np.median(np.linalg.norm(np.diff(points, axis=1), axis=2)))
    smooth = cv2.GaussianBlur(points.astype(np.float32), (0, 0), layer.size / step)
    depth = np.einsum("ijk,ijk->ij", smooth - points, normals) / layer.size
    cover = layer.amount * _FACE_SHARE * _ramp(depth, *_HOLLOW)
    return cv2.resize(cover, size, interpolation=cv2.INTER_LINEAR)


def veins(points: Array, layer: Layer) -> Array:
    """Cover of stone's veins at points (N, 3): thin bent sheets, here strong and there fading."""
    total = np.zeros(len(points), np.float32)
    for number, (_, spacing, share) in enumerate(BEDS):
        sheet, here = bed(points, layer, number)
        away = np.abs(sheet - np.round(sheet)) * (spacing * layer.size)
        total += share * vein(away) * here
    return np.asarray(layer.amount * np.clip(total, 0, 1), np.float32)


def bed(points: Array, layer: Layer, number: int) -> tuple[Array, Array]:
    """How many veins of one of the BEDS lie before points (N, 3), and how strong they are there."""
    along, spacing, _ = BEDS[number]
    p = points / layer.size
    bend = 0.60 * _noise(p * 0.40 / spacing + 17.3 * number)
    bend += 0.11 * _turbulence(p * 1.1 / spacing + 41.9 + number)
    sheet = points @ along / (spacing * layer.size) + bend
    return sheet, _ramp(_noise(p * 0.45 / spacing + 61.4 + 5 * number), -0.75, 0.55)


def vein(away: Array) -> Array:
    """Cover of a vein so many units from its middle."""
    fine, wide = np.exp(-((away / _VEIN) ** 2)), np.exp(-away / (5 * _VEIN))
    return np.asarray(0.75 * fine + 0.25 * wide)


def own_colour(guide: Array) -> Array:
    """The surface's colour from albedo and normal (H, W, 6), also where their few samples missed it
    at the outline."""
    seen = np.minimum(np.linalg.norm(guide[..., 3:6], axis=2, keepdims=True), 1)
    near = cv2.blur(seen, (3, 3))[..., None]
    own = guide[..., :3] / np.maximum(seen, 0.01)
    around = cv2.blur(guide[..., :3], (3, 3)) / np.maximum(near, 0.01)
    return np.asarray(np.where(seen > 0.01, own, around), np.float32)


def lit_within(light: Array, albedo: Array, finish: Finish) -> Array:
    """Light of a figure in the finish's room, with what comes from inside: light that went into
    the material and comes out elsewhere, coloured by it. Path tracing it would take minutes.

    Light and albedo (H, W, 3), not multiplied by alpha.
    """
    if not finish.inner.any():
        return np.asarray(light * finish.room, np.float32)
    # 1. How open the surface lies.
    lit = light.sum(axis=2, keepdims=True) / np.maximum(albedo.sum(axis=2, keepdims=True), 0.01)
    low, high = _INNER_LIT
    open_ = np.clip((lit - low) / (high - low), 0, _INNER_MOST)

    # 2. What comes out of it.
    return np.asarray(light * finish.room + albedo * within(open_, finish), np.float32)


def within(open_: Array, finish: Finish) -> Array:
    """Light from inside of a white surface that lies so open, 0..1.3 (…, 1): (…, 3)."""
    shape = _INNER_LEAST + (1 - _INNER_LEAST) * open_**_INNER_FALL
    # The longer its way out, the more of the material's colour it has.
    rank = finish.inner / max(float(finish.inner.max()), 1e-6)
    return np.asarray(finish.inner * shape ** (2 - rank))


def _turbulence(p: Array) -> Array:
    total = np.zeros(len(p), np.float32)
    for octave in range(_OCTAVES):
        total += _noise(p * 2**octave + 7.1 * octave) / 2**octave
    return total


def _noise(p: Array) -> Array:
    """Smooth noise, about -1..1, with features of size 1; the same on every machine."""
    cell = np.floor(p).astype(np.int64)
    t = (p - cell).astype(np.float32)
    t = t * t * t * (t * (t * 6 - 15) + 10)
    total = np.zeros(len(p), np.float32)
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, t, 1 - t), axis=1)
        total += share * _hashed(cell + np.asarray(corner))
    return np.asarray(np.clip(total * 1.6, -1, 1), np.float32)


def _hashed(cell: Array) -> Array:
    """A number in -1..1 for each lattice point. Source: the finaliser of MurmurHash3."""
    x = cell.astype(np.uint64) * np.asarray([73856093, 19349663, 83492791], np.uint64)
    h = (x[:, 0] ^ x[:, 1] ^ x[:, 2]) & np.uint64(0xFFFFFFFF)
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        h = ((h ^ (h >> np.uint64(15))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    return np.asarray(h.astype(np.float32) / np.float32(2**31) - 1, np.float32)


def _ramp(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
