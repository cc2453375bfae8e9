"""The studio: meshes, lights and camera in mitsuba; noise-free pictures out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from figurine.engines.sculpt import coating, meshes
from figurine.engines.sculpt.backend import mitsuba
from figurine.kits import Camera, Finish, Turn
from figurine.types import Array, Box

PATH_DEPTH = 4
"""Camera, skin, one bounce (helmet onto brow, collar onto chin), light."""
_GUIDE_SPP = 2
_OVERLAP_PX = 64
"""Of strips denoised one by one."""


@dataclass(frozen=True)
class Lamp:
    at: tuple[float, float, float]
    towards: tuple[float, float, float]
    half_size: float
    radiance: tuple[float, float, float]

    def turned(self, turn: Turn) -> Lamp:
        """The lamp carried around the figure, as a camera is turned."""
        at, towards = (turn.of(np.asarray(end)).tolist() for end in (self.at, self.towards))
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
_STILL = Turn()


def stage(
    shapes: dict[str, Any],
    camera: Camera,
    *,
    size_px: tuple[int, int],
    crop_px: Box | None = None,
    table: Array | None = None,
    sampler: str = "independent",
    turn: Turn = _STILL,
    scale: float = 1.0,
) -> Any:
    """A scene ready to be traced: `size_px` is width and height, `crop_px` what is traced of it.

    Without a `table` the figure floats in the lamps' light before nothing: alpha is its outline.
    sampler: mitsuba's; "multijitter" spreads a few samples better.
    turn: how far camera, lamps and table have gone around the figure; what one sees is the figure
    turning the other way in a studio that stands still.
    scale: of the whole studio, for what is wider than a figure: lamps twice as large and as far
    light it the same.
    """
    mi = mitsuba()
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": PATH_DEPTH, "hide_emitters": True},
        "sensor": sensor(camera.turned(turn), size_px=size_px, crop_px=crop_px, sampler=sampler),
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": list(_SKY)}},
        **shapes,
    }
    lamps = STUDIO if table is not None else (*STUDIO, _BOUNCE)
    for number, lamp in enumerate(lamps):
        placed = lamp if scale == 1 else lamp.scaled(scale)
        scene[f"lamp{number}"] = _lamp(placed.turned(turn) if turn.deg else placed)
    if table is not None:
        scene.update(_table(table, turn=turn, scale=scale))
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


def _table(colour: Array, *, turn: Turn, scale: float) -> dict[str, Any]:
    """A sheet of card, curving up behind the figure."""
    run = np.linspace(0, 1, 240)
    bend = np.clip((run - 0.45) / 0.25, 0, 1) * np.pi / 2
    z = np.where(run < 0.45, 9 - run / 0.45 * 9.6, -0.6 - 3.0 * np.sin(bend))
    y = 3.0 * (1 - np.cos(bend)) + np.clip(run - 0.70, 0, 1) * 30
    x = np.asarray([-14.0, 14.0])
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None], z[:, None]), axis=-1)
    return {
        "table": meshes.grid(
            turn.of(scale * points) if turn.deg else scale * points,
            {"type": "diffuse", "reflectance": {"type": "rgb", "value": colour.tolist()}},
        )
    }


@dataclass(frozen=True)
class Exposure:
    """What a stage has shown, before it is denoised; the stage itself may go."""

    light: Array
    """(H, W, 4) linear RGB, premultiplied, and alpha, with grain."""
    guide: Array
    """(H, W, 6) albedo and normals, for the denoiser."""


def trace(
    scene: Any,
    *,
    spp: int,
    seed: int,
    step: Callable[[float], None],
    finish: Finish | None = None,
) -> Array:
    """Trace and denoise: (H, W, 4) float32 linear RGB, premultiplied, and alpha.

    With a `finish`, in its room and with its light from inside.

    `step` hears the share done, and may raise to stop.
    """
    seen = exposed(scene, spp=spp, seed=seed)
    step(0.8)
    clean = cleaned(seen, finish=finish)
    step(1.0)
    return clean


def exposed(scene: Any, *, spp: int, seed: int, guide: Array | None = None) -> Exposure:
    """Trace. guide: albedo and normals (H, W, 6), where they are known."""
    mi = mitsuba()
    light = np.asarray(mi.render(scene, spp=spp, seed=seed % 2**32), np.float32)
    # Albedo and normals apart: nested in one integrator they cost three times as much.
    return Exposure(light, _guide(scene, seed=seed) if guide is None else guide)


def cleaned(
    seen: Exposure, *, finish: Finish | None = None, quality: str = "high", most_px: int = 0
) -> Array:
    """Denoise, as `trace` returns it; `quality` and `most_px` are the denoiser's."""
    guide = seen.guide
    colour = denoised(
        seen.light[..., :3], guide[..., :3], guide[..., 3:6], quality=quality, most_px=most_px
    )
    alpha = np.clip(seen.light[..., 3:4], 0, 1)
    if finish is not None:
        straight = colour / np.maximum(alpha, 0.01)
        colour = coating.lit_within(straight, coating.own_colour(guide), finish) * alpha
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

    most_px: about how much is denoised at a time, for less memory, none of which is kept; 0 is all.
    """
    try:
        import pyoidn  # noqa: PLC0415 - no wheel for every platform
    except ImportError:
        return colour
    images = colour, np.clip(albedo, 0, 1), np.clip(normal, -1, 1)
    if not most_px:
        light, own, bent = (np.ascontiguousarray(image, np.float32) for image in images)
        clean = pyoidn.denoise(light, albedo=own, normal=bent, hdr=True, quality=quality)
        return np.asarray(clean, np.float32)
    rows = len(colour)
    height = -(-rows // -(-colour.shape[0] * colour.shape[1] // most_px))
    result = np.zeros(colour.shape, np.float32)
    # `pyoidn.denoise` would keep what it worked in, 0.6 KB a pixel, and the last pictures.
    with pyoidn.Device() as device:
        device.commit()
        for start in range(0, rows, height):
            # A strip begins within the one above, and takes over by and by.
            first = max(0, start - _OVERLAP_PX)
            here = np.s_[first : start + height]
            strip = (np.ascontiguousarray(image[here], np.float32) for image in images)
            clean = _clean(device, *strip, quality=quality)
            share = np.ones((len(clean), 1, 1), np.float32)
            share[: start - first, 0, 0] = np.linspace(0, 1, start - first)
            result[here] += share * (clean - result[here])
    return result


def _clean(device: Any, colour: Array, albedo: Array, normal: Array, *, quality: str) -> Array:
    """One pass of OIDN over contiguous float32 pictures (H, W, 3). Raises RuntimeError."""
    import pyoidn  # noqa: PLC0415 - no wheel for every platform

    clean = np.empty_like(colour)
    pictures = {"color": colour, "albedo": albedo, "normal": normal, "output": clean}
    with pyoidn.Filter(device, pyoidn.OIDN_FILTER_TYPE_RT) as oidn:
        for name, picture in pictures.items():
            oidn.set_image(name, picture, pyoidn.OIDN_FORMAT_FLOAT3)
        oidn.set_bool("hdr", True)
        oidn.set_quality(getattr(pyoidn, f"OIDN_QUALITY_{quality.upper()}"))
        oidn.commit()
        oidn.execute()
    error = device.get_error()
    if error is not None:
        raise RuntimeError(f"OIDN: {error}")
    return clean
