"""A kit's offline work: its body as a mesh, and the plates that every visitor shares."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from figurine import kits
from figurine.engines.sculpt import compose, scene, surface
from figurine.kits import Finish, Kit, body, casting
from figurine.types import Array

_PLATE_SPP = 24
_BACKDROP_PX = (432, 540)
_BACKDROP_SPP = 96
_TABLE = "#c6a47c"
_VIGNETTE = 0.22
"""How much darker the corners are."""
_SKIN_STEP = 0.5
"""The second plate's skin is this much darker; light is nearly linear in albedo."""

Say = Callable[[str], None]


def bake(name: str, *, say: Say, step: float | None = None, into: Path | None = None) -> None:
    """Rebuild everything in a kit's `baked` folder. The same clay gives the same bytes."""
    kit = kits.load(name)
    folder = into or kit.folder / "baked"
    folder.mkdir(parents=True, exist_ok=True)
    bake_body(kit, step=step or kit.step, folder=folder, say=say)
    bake_plates(kit, folder=folder, say=say)


def bake_body(kit: Kit, *, step: float, folder: Path, say: Say) -> None:
    """Body and template head, from the sculpt program."""
    program = importlib.import_module(f"figurine.kits.{kit.name}.sculpt")
    say(f"casting {kit.name} at {step}")
    cast = casting.cast(program.parts(), bounds=program.BOUNDS, materials=kit.materials, step=step)
    body.save(cast, folder / "body.xz")
    rays = surface.coarse_directions()
    head = casting.radial_map(
        program.head(), origin=kit.face.centre, directions=rays.reshape(-1, 3), reach=1.0
    )
    np.save(folder / "head.npy", head.reshape(rays.shape[:2]))
    say(f"{len(cast.vertices)} vertices")


def bake_plates(kit: Kit, *, folder: Path, say: Say) -> None:
    """A plate a finish, and the backdrop with the figure's shadow."""
    whole = body.load(folder / "body.xz")
    template = np.load(folder / "head.npy")
    alpha: Array | None = None
    for finish in kit.finishes.values():
        say(f"plate {finish.name}")
        picture = _picture(kit, finish, whole, template)
        alpha = picture[..., 3]
        light = compose.bled(picture[..., :3], alpha)
        figure = np.dstack([compose.encode(light), np.round(alpha * 255).astype(np.uint8)])
        _save(figure, folder / f"{finish.name}.webp")
        if finish.face == "paint":
            say(f"plate {finish.name}, skin")
            row = kit.materials.index("skin")
            darker = finish.palette.copy()
            darker[row] *= _SKIN_STEP
            other = _picture(kit, finish, whole, template, palette=darker)
            change = finish.palette[row] - darker[row]
            response = compose.bled(picture[..., :3] - other[..., :3], alpha) / change
            response[response.max(axis=2) < 0.02] = 0
            _save(compose.encode(response), folder / f"{finish.name}-skin.webp")
    assert alpha is not None
    say("backdrop")
    backdrop = _backdrop(kit, next(iter(kit.finishes.values())), whole, template, alpha)
    cv2.imwrite(
        str(folder / "backdrop.png"), np.round(backdrop[..., ::-1] * 65535).astype(np.uint16)
    )


def _picture(
    kit: Kit, finish: Finish, whole: body.Body, template: Array, *, palette: Array | None = None
) -> Array:
    shapes = _shapes(kit, finish, whole, template)
    if palette is not None:
        scene.recolour(shapes["body"], palette)
    return scene.trace(
        scene.stage(shapes, kit.camera, size_px=compose.PLATE_PX),
        passes=1,
        spp=_PLATE_SPP,
        seed=1,
        step=lambda done: None,
    )


def _shapes(kit: Kit, finish: Finish, whole: body.Body, template: Array) -> dict[str, Any]:
    grid = surface.Grid(step_deg=1.0)
    radius = surface.resized(template, grid)
    points = kit.face.centre + surface.directions(grid.degrees()) * radius[..., None]
    skin = np.broadcast_to(finish.palette[kit.materials.index("skin")], (4, 4, 3))
    return {
        "body": scene.body_shape(whole, finish),
        "head": scene.head_shape(
            points, skin, finish, gloss=np.full(skin.shape[:2], 0.5, np.float32)
        ),
    }


def _backdrop(kit: Kit, finish: Finish, whole: body.Body, template: Array, alpha: Array) -> Array:
    """The table with the figure's shadow, display sRGB; the figure itself is filled in."""
    picture = scene.trace(
        scene.stage(
            _shapes(kit, finish, whole, template),
            kit.camera,
            size_px=_BACKDROP_PX,
            table=kits.linear(_TABLE),
        ),
        passes=1,
        spp=_BACKDROP_SPP,
        seed=1,
        step=lambda done: None,
    )[..., :3]
    width, height = _BACKDROP_PX
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    falloff = 1 - _VIGNETTE * np.clip(x**2 * 0.7 + (y + 0.1) ** 2 * 0.7, 0, 1.2)
    shown = compose.develop(picture) * falloff[..., None].astype(np.float32)
    hidden = cv2.resize(alpha, _BACKDROP_PX, interpolation=cv2.INTER_AREA) > 0.01
    hidden = cv2.dilate(hidden.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return _filled(shown, hidden)


def _filled(image: Array, hidden: np.ndarray) -> Array:
    """The hidden part painted over smoothly from its surroundings."""
    result = image.copy()
    result[hidden] = 0
    for sigma in (96, 48, 24, 12, 6, 3, 1.5):
        seen = cv2.GaussianBlur((~hidden).astype(np.float32), (0, 0), sigma)
        spread = cv2.GaussianBlur(np.where(hidden[..., None], 0, image), (0, 0), sigma)
        trust = np.clip(seen * 4, 0, 1)[..., None]
        guess = spread / np.maximum(seen, 1e-4)[..., None]
        result = np.where(hidden[..., None], result * (1 - trust) + guess * trust, image)
    return np.asarray(result, np.float32)


def _save(image: np.ndarray, path: Path) -> None:
    Image.fromarray(image).save(path, lossless=True, quality=100, method=6, exact=True)
