"""A glTF 2.0 binary for phones and headsets: metres, y up, standing on y = 0, facing +z.

A mesh a material, no extension that a viewer must know. Source: Khronos glTF 2.0 specification.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from figurine import kits
from figurine.engines.sculpt import bust, surface
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import bodies, heads
from figurine.engines.sculpt.geometry.letters import letters
from figurine.engines.sculpt.geometry.meshes import Mesh, divided, from_solid, normals, solid
from figurine.engines.sculpt.geometry.pieces import Piece
from figurine.kits import Finish, Kit
from figurine.types import Array, Pixels

HEAD_FACES = 36_000
_TEXTURE_QUALITY = 93
_U16, _U32 = 5123, 5125
"""glTF's names for types of numbers."""
_EMBOSSED = 1.35
"""A name without ink is this much lighter than its plate, as in the picture."""
_LINER_GAIN = 40.0
"""Degrees beyond the clay's rim that a vertex all of liner stands for, where the two compete."""


@dataclass(frozen=True)
class _Coat:
    """A glTF material."""

    name: str
    colour: Array
    """(3,) linear RGB; of a texture, what it is multiplied by."""
    roughness: float
    specular: float = 1.0
    opacity: float = 1.0
    texture: Pixels | None = None


@dataclass(frozen=True)
class _Surface:
    coat: _Coat
    mesh: Mesh
    normals: Array
    uv: Array | None = None


def write(made: Bust, kit: Kit, finish: Finish, *, name: str, pieces: Iterable[Piece]) -> bytes:
    """A GLB under 4 MB. Raises BadPlaque, MissingModel, NotSolid."""
    body = bodies.make(kit.name, kit.pose)
    surfaces = [
        *_head(made, kit, finish, body.liner),
        *_body(made, kit, finish),
        *_name(name, kit, finish, body),
        *(
            _Surface(
                _Coat(piece.name, piece.colour, piece.roughness, opacity=piece.opacity),
                piece.mesh,
                normals(piece.mesh),
            )
            for piece in pieces
        ),
    ]
    return _packed(
        surfaces,
        scale=body.scale_mm / 1000,
        foot=body.foot,
        metallic=float(finish.surface == "metal"),
    )


def _head(made: Bust, kit: Kit, finish: Finish, over: heads.Liner) -> list[_Surface]:
    """The face in its texture, the back of the head, and what fills the helmet."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    # 1. Fewer triangles; where each vertex lies is told by its direction.
    whole = heads.skull(made.clay, kit, over)
    light = heads.light(whole.mesh, faces=HEAD_FACES)
    tree = cKDTree(whole.mesh.vertices)
    nearest = tree.query(light.vertices)[1]

    # 2. Three parts, each to the line where the next begins.
    left, bottom, right, top = surface.SPAN_DEG
    at = whole.degrees[nearest]
    beyond = np.max([left - at[:, 0], at[:, 0] - right, bottom - at[:, 1], at[:, 1] - top], axis=0)
    lined = (whole.lined[nearest] - 0.5) * _LINER_GAIN
    face, back, liner = divided(
        light, np.stack([np.zeros_like(beyond), beyond + 1, lined], axis=1).astype(np.float32)
    )

    # 3. Coats.
    fine = normals(whole.mesh)
    skin_row = kit.materials.index("skin")
    roughness, gloss = _roughness(finish), float(finish.specular[skin_row])
    texture = _srgb(made.albedo[::-1])
    coats = [
        _Coat("face", np.ones(3), roughness, gloss, texture=texture),
        _Coat("head", made.skin, roughness, gloss),
    ]
    if over.material >= 0:
        coats.append(
            _Coat(
                "liner",
                finish.palette[over.material],
                roughness,
                float(finish.specular[over.material]),
            )
        )
    surfaces = []
    for coat, part in zip(coats, (face, back, liner), strict=False):
        uv = _uv(part.vertices, kit, texture.shape[:2]) if coat.texture is not None else None
        if len(part.faces):
            surfaces.append(_Surface(coat, part, fine[tree.query(part.vertices)[1]], uv))
    return surfaces


def _uv(points: Array, kit: Kit, texels: tuple[int, int]) -> Array:
    """Where in the upright texture each point of the head lies; v up, as trimesh has it."""
    degrees, _ = surface.to_degrees(points - kit.face.centre)
    height, width = texels
    at = bust.PAINT.pixels(degrees)
    return np.asarray((at + 0.5) / [width, height], np.float32)


def _body(made: Bust, kit: Kit, finish: Finish) -> list[_Surface]:
    skin_row = kit.materials.index("skin")
    return [
        _Surface(
            _Coat(
                kit.materials[part.material],
                made.skin if part.material == skin_row else finish.palette[part.material],
                _roughness(finish),
                float(finish.specular[part.material]),
            ),
            part.mesh,
            part.normals,
        )
        for part in bodies.coloured(kit.name, kit.pose)
    ]


def _name(name: str, kit: Kit, finish: Finish, body: bodies.Body) -> list[_Surface]:
    raised = letters(name, kit, solid(body.print))
    if raised is None:
        return []
    panel = finish.palette[kit.materials.index("base")]
    ink = kits.linear(finish.plaque_ink) if finish.plaque_ink else panel * _EMBOSSED
    mesh = _flat(from_solid(raised))
    return [_Surface(_Coat("name", ink, _roughness(finish)), mesh, normals(mesh))]


def _flat(mesh: Mesh) -> Mesh:
    """The mesh with corners of its own for each triangle: edges stay sharp."""
    return Mesh(mesh.vertices[mesh.faces.ravel()], np.arange(mesh.faces.size).reshape(-1, 3))


def _roughness(finish: Finish) -> float:
    """glTF squares its roughness into the alpha that mitsuba takes. Source: glTF 2.0, B.2."""
    return float(np.sqrt(finish.roughness))


def _srgb(albedo: Array) -> Pixels:
    """Linear 0..1 to sRGB bytes. Source: IEC 61966-2-1."""
    low, high = albedo * 12.92, 1.055 * np.clip(albedo, 1e-6, 1) ** (1 / 2.4) - 0.055
    return np.asarray(np.round(np.where(albedo <= 0.0031308, low, high) * 255), np.uint8)


def _jpeg(texture: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(texture).save(buffer, "JPEG", quality=_TEXTURE_QUALITY, subsampling=0)
    return _padded(buffer.getvalue())


def _padded(data: bytes) -> bytes:
    """To a multiple of 4, as every view of a GLB's buffer begins. Source: glTF 2.0, 3.6.2.4."""
    return data + bytes(-len(data) % 4)


def _packed(surfaces: list[_Surface], *, scale: float, foot: float, metallic: float) -> bytes:
    import trimesh  # noqa: PLC0415 - only in a worker

    visual: Any = trimesh.visual
    gltf: Any = trimesh.exchange.gltf
    scene = trimesh.Scene()
    textured = [part.coat.texture for part in surfaces if part.coat.texture is not None]
    for part in surfaces:
        picture = None if part.coat.texture is None else Image.fromarray(part.coat.texture)
        uv = np.zeros((len(part.mesh.vertices), 2)) if part.uv is None else part.uv
        mesh = trimesh.Trimesh(
            (part.mesh.vertices - [0, foot, 0]) * scale,
            part.mesh.faces,
            vertex_normals=part.normals,
            process=False,
            visual=visual.TextureVisuals(
                uv=uv if picture else None,
                material=visual.material.PBRMaterial(name=part.coat.name, baseColorTexture=picture),
            ),
        )
        scene.add_geometry(mesh, node_name=part.coat.name, geom_name=part.coat.name)
    coats = {part.coat.name: part.coat for part in surfaces}

    def pack(items: dict[str, bytes], tree: dict[str, Any]) -> None:
        """Textures as JPEG, corners as 16-bit numbers: half the size, in the core of glTF."""
        keys = list(items)
        for image, part in zip(tree.get("images", ()), textured, strict=True):
            items[keys[image["bufferView"]]] = _jpeg(part)
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
                metallicFactor=metallic,
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
