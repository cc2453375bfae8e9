"""Surfaces in their coats as one glTF 2.0 binary: metres, y up, facing +z, standing on y = 0.

Nothing in it that a viewer must know beyond the core. Source: Khronos glTF 2.0 specification.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from figurine import provenance
from figurine.engines.sculpt.geometry.meshes import Mesh
from figurine.engines.sculpt.terrain import Place
from figurine.types import Array, Pixels

_TEXTURE_QUALITY = 93
_PHOTO_PX = 200
"""From this size on a texture is a JPEG; ramps stay PNG."""
_U16, _U32 = 5123, 5125
"""glTF's names for types of numbers."""


@dataclass(frozen=True)
class Skin:
    """Textures of one size, (h, w, 3) each; what is None is the coat's plain number."""

    colour: Pixels
    rough_metal: Pixels | None = None
    """Roughness in green, metal in blue."""
    glow: Pixels | None = None
    """Light that it gives off, sRGB."""


@dataclass(frozen=True)
class Coat:
    """A glTF material."""

    name: str
    colour: Array
    """(3,) linear RGB; of a texture, what it is multiplied by."""
    roughness: float
    specular: float = 1.0
    metallic: float = 0.0
    skin: Skin | None = None
    glow: Array = field(default_factory=lambda: np.zeros(3))
    """(3,) light that it gives off, linear RGB, where no texture says so."""


@dataclass(frozen=True)
class Surface:
    """A node: a mesh in one coat."""

    name: str
    coat: Coat
    mesh: Mesh
    normals: Array
    uv: Array | None = None
    place: Place | None = None
    """Where its figure stands; equal meshes in several places are stored once."""


def told_apart(surfaces: Sequence[Surface]) -> list[Surface]:
    """The same, no two of them under one name and no two different coats: a kit is free to call a
    material "head" or "name", which figures have of their own."""
    coats: dict[str, Coat] = {}
    nodes: dict[str, Surface] = {}
    for surface in surfaces:
        coat = next(
            coat
            for coat in (replace(surface.coat, name=name) for name in _names(surface.coat.name))
            if coat.name not in coats or _is_same(coats[coat.name], coat)
        )
        coats[coat.name] = coat
        node = next(name for name in _names(surface.name) if name not in nodes)
        nodes[node] = replace(surface, name=node, coat=coat)
    return list(nodes.values())


def _names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} ({number})" for number in count(2))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two coats, or two of their fields, are alike."""
    if is_dataclass(one) and is_dataclass(other):
        return one is other or all(
            _is_same(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)
        )
    return bool(np.array_equal(one, other))


def packed(surfaces: list[Surface], *, scale: float, foot: float) -> bytes:
    """The file. Lengths in units, `scale` metres each, on a table at height `foot`."""
    import trimesh  # noqa: PLC0415 - only in a worker

    visual: Any = trimesh.visual
    gltf: Any = trimesh.exchange.gltf
    scene = trimesh.Scene()
    surfaces = told_apart(surfaces)
    coats = {surface.coat.name: surface.coat for surface in surfaces}
    textures = {name: _textures(coat.skin) for name, coat in coats.items() if coat.skin}
    for surface in surfaces:
        name = surface.coat.name
        down = np.asarray([0, 0 if surface.place else foot, 0])
        mesh = trimesh.Trimesh(
            (surface.mesh.vertices - down) * scale,
            surface.mesh.faces,
            vertex_normals=surface.normals,
            process=False,
            visual=visual.TextureVisuals(
                uv=surface.uv if name in textures else None,
                material=visual.material.PBRMaterial(name=name, **textures.get(name, {})),
            ),
        )
        scene.add_geometry(
            mesh,
            node_name=surface.name,
            geom_name=surface.name,
            transform=_put(surface.place, scale=scale, foot=foot),
        )

    def pack(items: dict[str, bytes], tree: dict[str, Any]) -> None:
        """Textures as JPEG, corners as 16-bit numbers: half the size, in the core of glTF."""
        keys = list(items)
        for image in tree.get("images", ()):
            with Image.open(io.BytesIO(items[keys[image["bufferView"]]])) as picture:
                if min(picture.size) >= _PHOTO_PX:
                    items[keys[image["bufferView"]]] = _jpeg(picture)
                    image["mimeType"] = "image/jpeg"
        views = {
            accessor["bufferView"]: accessor
            for accessor in tree["accessors"].values()
            if accessor["componentType"] == _U32
        }
        for view, accessor in views.items():
            corners = np.frombuffer(items[keys[view]], "<u4")[: accessor["count"]]
            if corners.max() < 0xFFFF:
                items[keys[view]] = _padded(corners.astype("<u2").tobytes())
                accessor["componentType"] = _U16

    def finish(tree: dict[str, Any]) -> None:
        """What trimesh has only as bytes, or no field for: exact colours, strength of gloss."""
        tree["asset"]["generator"] = "Diorama"
        tree["asset"]["extras"] = {"digitalSourceType": provenance.COMPOSITE}
        for material in tree["materials"]:
            coat = coats[material["name"]]
            is_mapped = coat.skin is not None and coat.skin.rough_metal is not None
            material.setdefault("pbrMetallicRoughness", {}).update(
                baseColorFactor=[*np.round(coat.colour.astype(float), 5), 1.0],
                metallicFactor=1.0 if is_mapped else coat.metallic,
                roughnessFactor=1.0 if is_mapped else round(coat.roughness, 4),
            )
            glow = np.ones(3) if "emissiveTexture" in material else coat.glow
            if glow.any():
                material["emissiveFactor"] = [*np.round(np.clip(glow, 0, 1).astype(float), 5)]
            material["extensions"] = {
                "KHR_materials_specular": {"specularFactor": round(min(coat.specular, 1.0), 4)}
            }
        used = {*tree.get("extensionsUsed", ()), "KHR_materials_specular"}
        tree["extensionsUsed"] = sorted(used)

    return bytes(
        gltf.export_glb(
            scene,
            include_normals=True,
            unitize_normals=True,
            buffer_postprocessor=pack,
            tree_postprocessor=finish,
        )
    )


def _put(place: Place | None, *, scale: float, foot: float) -> Array:
    """A place as a matrix (4, 4) for points in metres."""
    matrix = np.eye(4)
    if place is not None:
        matrix[:3, :3] = place.turn()
        matrix[:3, 3] = np.asarray([place.x, place.y - foot, place.z]) * scale
    return matrix


def _textures(skin: Skin) -> dict[str, Image.Image]:
    """By trimesh's names for them."""
    named = {
        "baseColorTexture": skin.colour,
        "metallicRoughnessTexture": skin.rough_metal,
        "emissiveTexture": skin.glow,
    }
    return {name: Image.fromarray(each) for name, each in named.items() if each is not None}


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_TEXTURE_QUALITY, subsampling=0)
    return _padded(buffer.getvalue())


def _padded(data: bytes) -> bytes:
    """To a multiple of 4, as every view of a GLB's buffer begins. Source: glTF 2.0, 3.6.2.4."""
    return data + bytes(-len(data) % 4)
