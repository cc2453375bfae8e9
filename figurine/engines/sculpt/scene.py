"""The studio: body, head, lights and camera in mitsuba; noise-free pictures out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from figurine.engines.sculpt import coating
from figurine.engines.sculpt.backend import mitsuba
from figurine.kits import Camera, Finish, Layer, turned
from figurine.kits.body import Body
from figurine.types import Array

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""

PATH_DEPTH = 4
"""Camera, skin, one bounce (helmet onto brow, collar onto chin), light."""


_GUIDE_SPP = 2
_MARGIN, _AWAY, _COARSE_CELL = 0.012, -0.3, 0.022
"""Around a crop, of the picture's width; cosine of the angle to the camera past which a surface is
not seen, nor bends the shading of what is; and the grid of unseen triangles, in units."""
_OVERLAP_PX = 64
"""Of strips denoised one by one."""
_SWATCH = 16
_LAYER_GLOSS = 0.6
_PALETTE_KEYS = tuple(
    f"bsdf.{nested}{kind}_reflectance.data"
    for kind in ("diffuse", "specular")
    for nested in ("", "bsdf_0.")
)
"""Where a body's palette lies: plastic has both kinds, and its is the first."""


@dataclass(frozen=True)
class Lamp:
    at: tuple[float, float, float]
    towards: tuple[float, float, float]
    half_size: float
    radiance: tuple[float, float, float]

    def turned(self, turn_deg: float) -> Lamp:
        """The lamp carried around the figure, as a camera is turned."""
        at, towards = (
            turned(np.asarray(end), turn_deg).tolist() for end in (self.at, self.towards)
        )
        return replace(self, at=tuple(at), towards=tuple(towards))

    def scaled(self, scale: float) -> Lamp:
        """So many times as large and as far from the middle of the base: it lights the same."""
        at, towards = ((scale * np.asarray(end)).tolist() for end in (self.at, self.towards))
        return replace(self, at=tuple(at), towards=tuple(towards), half_size=scale * self.half_size)


STUDIO = (
    Lamp((-2.1, 2.45, 5.0), (0, 1.35, 0), 0.80, (15.5, 14.6, 13.2)),  # key: in under the brim
    Lamp((3.0, 1.25, 4.2), (0, 1.30, 0), 1.25, (2.3, 2.5, 2.9)),  # fill
    Lamp((2.3, 3.0, -3.0), (0, 1.30, 0), 0.80, (13.0, 12.6, 12.0)),  # rim, right
    Lamp((-3.2, 2.1, -2.2), (0, 1.20, 0), 0.80, (5.5, 5.8, 6.4)),  # rim, left
)
_BOUNCE = Lamp((0.0, -0.02, 3.0), (0, 1.40, 0), 0.90, (1.1, 0.85, 0.55))
"""The table's light on the figure, where there is no table."""
_SKY = (0.42, 0.42, 0.44)


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
    coat = _coat(finish, texture, shine)
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


def stage(
    shapes: dict[str, Any],
    camera: Camera,
    *,
    size_px: tuple[int, int],
    crop_px: Box | None = None,
    table: Array | None = None,
    sampler: str = "independent",
    turn_deg: float = 0.0,
    scale: float = 1.0,
) -> Any:
    """A scene ready to be traced: `size_px` is width and height, `crop_px` what is traced of it.

    Without a `table` the figure floats in the lamps' light before nothing: alpha is its outline.
    sampler: mitsuba's; "multijitter" spreads a few samples better.
    turn_deg: how far camera, lamps and table have gone around the figure; what one sees is the
    figure turning the other way in a studio that stands still.
    scale: of the whole studio, for what is wider than a figure: lamps twice as large and as far
    light it the same.
    """
    mi = mitsuba()
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": PATH_DEPTH, "hide_emitters": True},
        "sensor": sensor(
            camera.turned(turn_deg), size_px=size_px, crop_px=crop_px, sampler=sampler
        ),
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": list(_SKY)}},
        **shapes,
    }
    lamps = STUDIO if table is not None else (*STUDIO, _BOUNCE)
    for number, lamp in enumerate(lamps):
        placed = lamp.turned(turn_deg) if turn_deg else lamp
        scene[f"lamp{number}"] = _lamp(placed if scale == 1 else placed.scaled(scale))
    if table is not None:
        scene.update(_table(table, turn_deg=turn_deg, scale=scale))
    return mi.load_dict(scene)


def sensor(
    camera: Camera, *, size_px: tuple[int, int], crop_px: Box | None, sampler: str
) -> dict[str, Any]:
    """A camera with its film, for `load_dict`."""
    film: dict[str, Any] = {
        "type": "hdrfilm",
        "width": size_px[0],
        "height": size_px[1],
        "rfilter": {"type": "box"},
        "pixel_format": "rgba",
    }
    if crop_px is not None:
        keys = ("crop_offset_x", "crop_offset_y", "crop_width", "crop_height")
        film.update(zip(keys, crop_px, strict=True))
    at = mitsuba().ScalarTransform4f
    return {
        "type": "perspective",
        "fov": camera.fov_y_deg,
        "fov_axis": "y",
        "to_world": at().look_at(camera.eye.tolist(), camera.target.tolist(), [0, 1, 0]),
        "film": film,
        "sampler": {"type": sampler},
    }


@lru_cache(maxsize=2 * len(STUDIO))
def _lamp(lamp: Lamp) -> Any:
    """Made beforehand: those that `load_dict` makes come out in the order of their addresses, and
    with them the samples drawn from each."""
    mi = mitsuba()
    at = mi.ScalarTransform4f
    return mi.load_dict(
        {
            "type": "rectangle",
            "to_world": at().look_at(list(lamp.at), list(lamp.towards), [0, 1, 0.001])
            @ at().scale(lamp.half_size),
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": list(lamp.radiance)}},
        }
    )


def _table(colour: Array, *, turn_deg: float, scale: float) -> dict[str, Any]:
    """A sheet of card, curving up behind the figure."""
    run = np.linspace(0, 1, 240)
    bend = np.clip((run - 0.45) / 0.25, 0, 1) * np.pi / 2
    z = np.where(run < 0.45, 9 - run / 0.45 * 9.6, -0.6 - 3.0 * np.sin(bend))
    y = 3.0 * (1 - np.cos(bend)) + np.clip(run - 0.70, 0, 1) * 30
    x = np.asarray([-14.0, 14.0])
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None], z[:, None]), axis=-1)
    return {
        "table": grid(
            scale * (turned(points, turn_deg) if turn_deg else points),
            {"type": "diffuse", "reflectance": {"type": "rgb", "value": colour.tolist()}},
        )
    }


def trace(
    scene: Any,
    *,
    spp: int,
    seed: int,
    step: Callable[[float], None],
    finish: Finish | None = None,
    guide: Array | None = None,
    quality: str = "high",
    most_px: int = 0,
) -> Array:
    """Trace and denoise: (H, W, 4) float32 linear RGB, premultiplied, and alpha.

    With a `finish`, in its room and with its light from inside. guide: albedo and normals
    (H, W, 6), where they are known. `quality` and `most_px` are the denoiser's.

    `step` hears the share done, and may raise to stop.
    """
    # 1. Light.
    mi = mitsuba()
    total = np.asarray(mi.render(scene, spp=spp, seed=seed % 2**32), np.float32)
    step(0.8)

    # 2. Albedo and normals, apart: nested in one integrator they cost three times as much.
    if guide is None:
        guide = _guide(scene, seed=seed)
    colour = denoised(
        total[..., :3], guide[..., :3], guide[..., 3:6], quality=quality, most_px=most_px
    )
    alpha = np.clip(total[..., 3:4], 0, 1)
    if finish is not None:
        straight = colour / np.maximum(alpha, 0.01)
        colour = coating.lit_within(straight, coating.own_colour(guide), finish) * alpha
    step(1.0)
    return np.concatenate([colour, alpha], axis=2)


def _guide(scene: Any, *, seed: int) -> Array:
    """Albedo and normals (H, W, 6) that tell the denoiser what is edge and what is grain."""
    import drjit  # noqa: PLC0415 - heavy, and only in a worker

    mi = mitsuba()
    threads = drjit.thread_count()
    if mi.variant().startswith("scalar"):
        # Its samples wait on one lock: two threads take four times as long as one.
        # Source: mitsuba issue 1917; measured on 3.9.1.
        drjit.set_thread_count(1)
    try:
        integrator = mi.load_dict({"type": "aov", "aovs": "albedo:albedo,normal:sh_normal"})
        guide = mi.render(scene, spp=_GUIDE_SPP, seed=seed % 2**32, integrator=integrator)
        return np.asarray(guide, np.float32)
    finally:
        drjit.set_thread_count(threads)


def denoised(
    colour: Array, albedo: Array, normal: Array, *, quality: str = "high", most_px: int = 0
) -> Array:
    """Colour without grain; `quality` is OIDN's. Where no denoiser is built (Linux arm64), colour
    as it is.

    most_px: about how much is denoised at a time, for less memory; 0 is all.
    """
    try:
        import pyoidn  # noqa: PLC0415 - no wheel for every platform
    except ImportError:
        return colour
    rows = len(colour)
    count = -(-colour.shape[0] * colour.shape[1] // most_px) if most_px else 1
    images = colour, np.clip(albedo, 0, 1), np.clip(normal, -1, 1)
    result = np.zeros(colour.shape, np.float32)
    for start in range(0, rows, -(-rows // count)):
        # A strip begins within the one above, and takes over by and by.
        first = max(0, start - _OVERLAP_PX)
        here = np.s_[first : start + -(-rows // count)]
        light, own, bent = (np.ascontiguousarray(image[here], np.float32) for image in images)
        clean = pyoidn.denoise(light, albedo=own, normal=bent, hdr=True, quality=quality)
        share = np.ones((len(clean), 1, 1), np.float32)
        share[: start - first, 0, 0] = np.linspace(0, 1, start - first)
        result[here] += share * (clean - result[here])
    return result
