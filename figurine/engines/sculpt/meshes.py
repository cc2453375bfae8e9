"""Bodies and heads as mitsuba's meshes, in the colours and under the coats of a finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from figurine.engines.sculpt import coating
from figurine.engines.sculpt.backend import mitsuba
from figurine.kits import Camera, Finish, Layer
from figurine.kits.body import Body
from figurine.types import Array, Box

_MARGIN, _AWAY, _COARSE_CELL = 0.012, -0.3, 0.022
"""Around a crop, of the picture's width; cosine of the angle to the camera past which a surface is
not seen, nor bends the shading of what is; and the grid of unseen triangles, in units."""
_SWATCH = 16
_LAYER_GLOSS = 0.6
_PALETTE_KEYS = tuple(
    f"bsdf.{nested}{kind}_reflectance.data"
    for kind in ("diffuse", "specular")
    for nested in ("", "bsdf_0.")
)
"""Where a body's palette lies: plastic has both kinds, and its is the first."""


def body_shape(body: Body, finish: Finish, *, cover: Array | None = None) -> Any:
    """The body as a mitsuba mesh in the finish's palette.

    cover: (V,) of the finish's layer, where it is known; to find it takes long on a fine body.
    """
    normals = normals_of(body)
    index, faces, uv = _paired(body, len(finish.palette))
    gloss = _swatches(finish.specular[:, None].repeat(3, axis=1))
    coat = _coat(finish, _swatches(finish.palette), bitmap(gloss))
    if finish.layer is None:
        return mesh("body", body.vertices[index], faces, normals[index], uv, coat)
    if cover is None:
        cover = coating.on_body(body, normals, finish.layer)
    weight = {"type": "mesh_attribute", "name": "vertex_cover"}
    return mesh(
        "body",
        body.vertices[index],
        faces,
        normals[index],
        uv,
        _layered(coat, finish.layer, weight),
        attributes={"vertex_cover": cover[index]},
    )


def thinned(
    body: Body,
    cameras: Sequence[Camera],
    size_px: tuple[int, int],
    crop_px: Box,
    *,
    cell: float = _COARSE_CELL,
) -> Body:
    """A body for a few views: fine where a crop of the picture shows it, coarse where it only
    throws shadows and light. For one view of the face, a third of the triangles, and of the time to
    find one's way among them."""
    corner = body.vertices[body.faces]
    middle = corner.mean(axis=1)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    left, top, width, height = crop_px
    margin = _MARGIN * size_px[0]
    seen = np.zeros(len(middle), np.bool_)
    for camera in cameras:
        towards = camera.eye - middle
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        x, y = camera.project(middle, size_px).T
        inside = (x > left - margin) & (x < left + width + margin)
        inside &= (y > top - margin) & (y < top + height + margin)
        seen |= inside & (np.einsum("ij,ij->i", normal, towards) >= _AWAY)
    return body.coarser(~seen, cell=cell)


def recolour(body: Any, palette: Array) -> None:
    """Paint a `body_shape` anew, in place."""
    values = mitsuba().traverse(body)
    key = next(name for name in _PALETTE_KEYS if name in values)
    values[key] = mitsuba().TensorXf(_swatches(palette))
    values.update()


def head_shape(points: Array, texture: Array, finish: Finish, *, gloss: Array) -> Any:
    """A grid of points (rows, columns, 3) with albedo (h, w, 3) and gloss (h, w) stretched over it.

    gloss: strength of the highlight; 1 is plastic.
    """
    shine = bitmap(gloss[..., None].repeat(3, axis=2))
    coat = _coat(finish.on_face(), texture, shine)
    if finish.layer is not None:
        rows, columns = texture.shape[:2]
        cover = coating.on_head(points, grid_normals(points), finish.layer, texels=(rows, columns))
        coat = _layered(coat, finish.layer, bitmap(cover[..., None]))
    return grid(points, coat, texels=texture.shape[:2])


def grid(
    points: Array,
    surface: dict[str, Any],
    *,
    texels: tuple[int, ...] = (1, 1),
    glow: dict[str, Any] | None = None,
) -> Any:
    """A sheet through a grid of points (rows, columns, 3), its texture's rows along the grid's."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate(
        [np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)]
    )
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    # Texels sit at half steps: the first and last lie half a texel inside the square.
    h, w = texels
    uv = np.stack([(u * (w - 1) + 0.5) / w, (v * (h - 1) + 0.5) / h], axis=-1).reshape(-1, 2)
    normals = grid_normals(points).reshape(-1, 3)
    return mesh("grid", points.reshape(-1, 3), faces, normals, uv, surface, glow=glow)


def grid_normals(points: Array) -> Array:
    across, up = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normals = np.cross(across, up)
    return np.asarray(normals / (np.linalg.norm(normals, axis=2, keepdims=True) + 1e-12))


def bitmap(texture: Array) -> dict[str, Any]:
    return {
        "type": "bitmap",
        "data": mitsuba().TensorXf(np.ascontiguousarray(texture, np.float32)),
        "raw": True,
        "wrap_mode": "clamp",
    }


def _coat(finish: Finish, albedo: Array, gloss: dict[str, Any]) -> dict[str, Any]:
    """The surface itself: `albedo` is its colour as a texture."""
    if finish.surface == "metal":
        return {
            "type": "roughconductor",
            "alpha": finish.roughness,
            "specular_reflectance": bitmap(albedo),
        }
    return {
        "type": "roughplastic",
        "alpha": finish.roughness,
        "nonlinear": True,
        "specular_reflectance": gloss,
        "diffuse_reflectance": bitmap(albedo),
    }


def _layered(coat: dict[str, Any], layer: Layer, cover: dict[str, Any]) -> dict[str, Any]:
    second = {
        "type": "roughplastic",
        "alpha": layer.roughness,
        "nonlinear": True,
        "specular_reflectance": {"type": "rgb", "value": _LAYER_GLOSS},
        "diffuse_reflectance": {"type": "rgb", "value": layer.colour.tolist()},
    }
    return {"type": "blendbsdf", "weight": cover, "bsdf_0": coat, "bsdf_1": second}


def mesh(
    name: str,
    vertices: Array,
    faces: Array,
    normals: Array,
    uv: Array,
    surface: dict[str, Any],
    *,
    glow: dict[str, Any] | None = None,
    attributes: Mapping[str, Array] = MappingProxyType({}),
) -> Any:
    """A mesh of vertices (V, 3), faces (F, 3), normals (V, 3) and uv (V, 2).

    glow: a texture of the light it gives off; attributes (V, c): what textures take from vertices.
    """
    mi = mitsuba()
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(surface)
    if glow is not None:
        properties["emitter"] = mi.load_dict({"type": "area", "radiance": glow})
    made = mi.Mesh(
        name,
        len(vertices),
        len(faces),
        properties,
        has_vertex_normals=True,
        has_vertex_texcoords=True,
    )
    values = mi.traverse(made)
    values["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    values["vertex_texcoords"] = np.ascontiguousarray(uv, np.float32).ravel()
    values["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    values.update()
    # Apart, since new positions make mitsuba work out normals of its own.
    values["vertex_normals"] = np.ascontiguousarray(normals, np.float32).ravel()
    values.update()
    for key, value in attributes.items():
        flat = np.ascontiguousarray(value, np.float32).reshape(len(vertices), -1)
        made.add_attribute(key, flat.shape[1], flat.ravel())
    return made


def _paired(body: Body, count: int) -> tuple[Array, Array, Array]:
    """Indices of vertices, faces of those, and their places in `_swatches` of `count` materials.

    A vertex that borders two pairs is split, so that no triangle sweeps across foreign colours.
    """
    own = body.material.astype(np.int64)
    other = body.other_material.astype(np.int64)
    pair = np.where(body.share < 255, np.minimum(own, other) * count + np.maximum(own, other), -1)
    of_face = pair[body.faces].max(axis=1)
    plain = own[body.faces[:, 0]]
    of_face = np.where(of_face < 0, plain * count + plain, of_face)

    corners = body.faces.astype(np.int64) * count**2 + of_face[:, None]
    unique, index = np.unique(corners.ravel(), return_inverse=True)
    vertex, row = unique // count**2, unique % count**2
    share = body.share[vertex].astype(np.float32) / 255
    left, right = own[vertex] == row // count, own[vertex] == row % count
    u = np.where(left, 1 - share, np.where(right, share, 0.5))
    uv = np.stack([(u * (_SWATCH - 1) + 0.5) / _SWATCH, (row + 0.5) / count**2], axis=1)
    return vertex, index.reshape(-1, 3), uv


def _swatches(palette: Array) -> Array:
    """A texture with a row for each pair of materials, mixed from left to right."""
    first, second = np.divmod(np.arange(len(palette) ** 2), len(palette))
    steps = np.linspace(0, 1, _SWATCH, dtype=np.float32)[None, :, None]
    mixed = palette[first][:, None] * (1 - steps) + palette[second][:, None] * steps
    return np.ascontiguousarray(mixed, np.float32)


def normals_of(body: Body) -> Array:
    corner = body.vertices[body.faces]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.stack(
        [
            np.bincount(body.faces.ravel(), np.repeat(face[:, i], 3), minlength=len(body.vertices))
            for i in range(3)
        ],
        axis=1,
    )
    return np.asarray(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12), np.float32)
