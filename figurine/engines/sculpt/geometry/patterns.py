"""A finish's patina, veins and inner light as glTF textures, without unwrapping anything.

A vertex's texture coordinates say how it stands to the pattern: how deep it lies in a crease, or
where between two veins. Both run smoothly over the triangles, and small textures turn them into
colour, metal, roughness and light, as sharp as the texture is. Faces have textures of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figurine.engines.sculpt import coating, meshes
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry.packing import Skin
from figurine.kits import Finish, Layer, srgb
from figurine.kits.body import Body
from figurine.types import Array

_STEPS, _ACROSS = 64, 512
"""Texels of a ramp, and from one vein to the next."""
NEAREST = 4
"""Vertices of the fine sculpt that tell where a thinned mesh's vertex lies."""
_HOLLOW = Layer(
    where="creases", colour=np.zeros(3, np.float32), roughness=0.5, amount=1.0, size=0.03
)
"""How deep a vertex lies, where it is light that the hollows lack."""
_OPEN = (0.92, 0.8)
"""How much of its light from inside comes out of a ridge, and how much of that a hollow loses."""
_MEAN_OPEN = 0.75
"""The same where hollows are not told apart."""
_BRIGHT = 0.25
"""Light from inside that is worth telling hollows from ridges."""


@dataclass(frozen=True)
class Pattern:
    """Where a fine body's vertices lie in a finish's patterns."""

    finish: Finish
    points: Array
    cover: Array
    hollow: Array

    def uv(self, vertices: Array, *, nearest: int = NEAREST) -> Array:
        """(V, 2) texture coordinates of a thinned mesh's vertices; v up, as trimesh has it.

        nearest: fine vertices that count for each: many where the mesh is much coarser.
        """
        from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

        layer = self.finish.layer
        if layer is not None and layer.where == "veins":
            return along_veins(vertices, layer)
        _, near = cKDTree(self.points).query(vertices, k=nearest)
        return _ramped(self.cover[near].mean(axis=1), self.hollow[near].mean(axis=1))


def is_patterned(finish: Finish) -> bool:
    """Whether its surfaces need more than one colour each."""
    return finish.layer is not None or float(finish.inner.max()) > _BRIGHT


def of(body: Body, finish: Finish) -> Pattern:
    """The patterns of a finish on a fine body."""
    count = len(body.vertices)
    cover = hollow = np.zeros(count, np.float32)
    if finish.layer is not None and finish.layer.where == "creases":
        cover = coating.on_body(body, meshes.normals_of(body), finish.layer)
        cover = cover / max(finish.layer.amount, 1e-6)
    if float(finish.inner.max()) > _BRIGHT:
        hollow = coating.on_body(body, meshes.normals_of(body), _HOLLOW)
    return Pattern(finish, body.vertices, cover, hollow)


def plain_uv(vertices: Array, finish: Finish) -> Array:
    """Of surfaces without creases of their own."""
    if finish.layer is not None and finish.layer.where == "veins":
        return along_veins(vertices, finish.layer)
    flat = np.zeros(len(vertices), np.float32)
    return _ramped(flat, flat + 0.2 * (float(finish.inner.max()) > _BRIGHT))


def along_veins(vertices: Array, layer: Layer) -> Array:
    """How many veins of the first bed lie before each vertex, and how strong they are there."""
    sheet, strength = coating.bed(vertices, layer, 0)
    return np.asarray(np.stack([sheet, _inset(strength)], axis=1), np.float32)


def _ramped(cover: Array, hollow: Array) -> Array:
    return np.asarray(np.stack([_inset(cover), _inset(hollow)], axis=1), np.float32)


def _inset(share: Array) -> Array:
    """0..1 onto the middles of a ramp's first and last texel: textures repeat."""
    return np.asarray((np.clip(share, 0, 1) * (_STEPS - 1) + 0.5) / _STEPS, np.float32)


def glow(colour: Array, finish: Finish) -> Array:
    """(3,) light that a surface of one colour gives off all over."""
    return np.asarray(colour * coating.within(np.full(1, _MEAN_OPEN), finish), np.float32)


def skin(colour: Array, finish: Finish, *, metallic: float) -> Skin:
    """Textures for a surface of one colour (3,) under the finish's patterns."""
    up = np.linspace(1, 0, _STEPS, dtype=np.float32)[:, None]  # row 0 is v = 1
    open_ = np.full((_STEPS, 1), _MEAN_OPEN, np.float32)
    layer = finish.layer
    if layer is not None and layer.where == "veins":
        _, spacing, share = coating.BEDS[0]
        past = (np.arange(_ACROSS) + 0.5)[None] / _ACROSS
        away = np.minimum(past, 1 - past) * spacing * layer.size
        cover = np.asarray(layer.amount * share * coating.vein(away) * up, np.float32)
    else:
        amount = 0.0 if layer is None else layer.amount
        cover = np.linspace(0, amount, _STEPS, dtype=np.float32)[None].repeat(_STEPS, axis=0)
        open_ = _OPEN[0] - _OPEN[1] * up
    return _skin(np.broadcast_to(colour, (*cover.shape, 3)), cover, open_, finish, metallic)


def face_skin(made: Bust, finish: Finish, *, metallic: float) -> Skin:
    """Textures for a face in its own paint; row 0 is the top."""
    texels = made.albedo.shape[:2]
    facing = meshes.grid_normals(made.clay)
    rows, columns = texels
    cover, hollow = np.zeros(texels, np.float32), np.zeros(texels, np.float32)
    if finish.layer is not None:
        cover = coating.on_head(made.clay, facing, finish.layer, texels=(rows, columns))
    if float(finish.inner.max()) > _BRIGHT:
        hollow = coating.on_head(made.clay, facing, _HOLLOW, texels=(rows, columns))
    open_ = _OPEN[0] - _OPEN[1] * hollow
    return _skin(made.albedo[::-1], cover[::-1], open_[::-1], finish.on_face(), metallic)


def _skin(albedo: Array, cover: Array, open_: Array, finish: Finish, metallic: float) -> Skin:
    """Textures of one size from albedo (h, w, 3), cover (h, w) and openness (h, w or 1)."""
    layer = finish.layer
    share = np.clip(cover, 0, 1)[..., None]
    rough = np.full(cover.shape, np.sqrt(finish.roughness), np.float32)
    mixed = albedo
    if layer is not None:
        mixed = albedo * (1 - share) + layer.colour * share
        rough = rough * (1 - share[..., 0]) + np.sqrt(layer.roughness) * share[..., 0]
    metal = metallic * (1 - share[..., 0])
    channels = np.stack([np.ones_like(rough), rough, metal], axis=2)
    lit = None
    if float(finish.inner.max()) > _BRIGHT:
        lit = srgb(mixed * coating.within(open_[..., None], finish))
    varies = layer is not None and (metallic > 0 or layer.roughness != finish.roughness)
    return Skin(
        colour=srgb(mixed * finish.room),
        rough_metal=np.asarray(np.round(channels * 255), np.uint8) if varies else None,
        glow=lit,
    )
