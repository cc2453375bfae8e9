"""Surfaces in their coats as one glTF 2.0 binary: metres, y up, facing +z, standing on y = 0.

Nothing in it that a viewer must know beyond the core. Source: Khronos glTF 2.0 specification.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from figurine.engines.sculpt.geometry.meshes import Mesh
from figurine.engines.sculpt.terrain import Place
from figurine.types import Array, Pixels

_TEXTURE_QUALITY = 93
_U16, _U32 = 5123, 5125
"""glTF's names for types of numbers."""


@dataclass(frozen=True)
class Coat:
    """A glTF material."""

    name: str
    colour: Array
    """(3,) linear RGB; of a texture, what it is multiplied by."""
    roughness: float
    specular: float = 1.0
    opacity: float = 1.0
    metallic: float = 0.0
    texture: Pixels | None = None


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


def packed(surfaces: list[Surface], *, scale: float, foot: float) -> bytes:
    """The file. Lengths in units, `scale` metres each, on a table at height `foot`."""
    import trimesh  # noqa: PLC0415 - only in a worker

    visual: Any = trimesh.visual
    gltf: Any = trimesh.exchange.gltf
    scene = trimesh.Scene()
    coats = {surface.coat.name: surface.coat for surface in surfaces}
    pictures = {
        name: Image.fromarray(coat.texture)
        for name, coat in coats.items()
        if coat.texture is not None
    }
    for surface in surfaces:
        name = surface.coat.name
        uv = surface.uv if name in pictures else np.zeros((len(surface.mesh.vertices), 2))
        down = np.asarray([0, 0 if surface.place else foot, 0])
        mesh = trimesh.Trimesh(
            (surface.mesh.vertices - down) * scale,
            surface.mesh.faces,
            vertex_normals=surface.normals,
            process=False,
            visual=visual.TextureVisuals(
                uv=uv if name in pictures else None,
                material=visual.material.PBRMaterial(
                    name=name, baseColorTexture=pictures.get(name)
                ),
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
        for material in tree["materials"]:
            texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
            if texture is not None:
                image = tree["images"][tree["textures"][texture["index"]]["source"]]
                items[keys[image["bufferView"]]] = _jpeg(coats[material["name"]].texture)
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
        for material in tree["materials"]:
            coat = coats[material["name"]]
            material.setdefault("pbrMetallicRoughness", {}).update(
                baseColorFactor=[*np.round(coat.colour.astype(float), 5), coat.opacity],
                metallicFactor=coat.metallic,
                roughnessFactor=round(coat.roughness, 4),
            )
            if coat.opacity < 1:
                material["alphaMode"] = "BLEND"
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


def srgb(albedo: Array) -> Pixels:
    """Linear 0..1 to sRGB bytes. Source: IEC 61966-2-1."""
    low, high = albedo * 12.92, 1.055 * np.clip(albedo, 1e-6, 1) ** (1 / 2.4) - 0.055
    return np.asarray(np.round(np.where(albedo <= 0.0031308, low, high) * 255), np.uint8)


def _jpeg(texture: Pixels | None) -> bytes:
    assert texture is not None
    buffer = io.BytesIO()
    Image.fromarray(texture).save(buffer, "JPEG", quality=_TEXTURE_QUALITY, subsampling=0)
    return _padded(buffer.getvalue())


def _padded(data: bytes) -> bytes:
    """To a multiple of 4, as every view of a GLB's buffer begins. Source: glTF 2.0, 3.6.2.4."""
    return data + bytes(-len(data) % 4)
