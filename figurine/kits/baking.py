"""A kit's offline work: its body as a mesh, and the plates that every visitor shares."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from figurine import kits
from figurine.engines.sculpt import backdrop, compose, meshes, scene, surface
from figurine.kits import Finish, Kit, body, casting
from figurine.types import Array

_PLATE_SPP = 24
_BACKDROP_PX = (432, 540)
_BACKDROP_SPP = 96
_LOSSY = 94
"""WebP quality of one-coloured plates."""
_SKIN_STEP = 0.5
"""The second plate's skin is this much darker; light is nearly linear in albedo."""

Say = Callable[[str], None]


def stances(name: str, poses: Sequence[str] | None = None) -> list[Kit]:
    """A kit in these of its poses, or in each. Raises UnknownKit."""
    kit = kits.load(name)
    return [kit.posed(pose) for pose in poses or tuple(kit.poses) or ("",)]


def bake(
    kit: Kit,
    *,
    say: Say,
    step: float | None = None,
    into: Path | None = None,
    plates_only: bool = False,
) -> None:
    """Rebuild what a kit needs in the pose it stands in. The same clay gives the same bytes."""
    folder = into or kit.baked_folder
    folder.mkdir(parents=True, exist_ok=True)
    if not plates_only:
        bake_body(kit, step=step or kit.step, folder=folder, say=say)
    bake_plates(kit, folder=folder, say=say)


def bake_body(kit: Kit, *, step: float, folder: Path, say: Say) -> None:
    """Body and template head, from the sculpt program: `BOUNDS`, `head()`, and `parts()`, which
    takes the pose's name where there are several."""
    program = importlib.import_module(f"figurine.kits.{kit.name}.sculpt")
    say(f"casting {kit.name} {kit.pose} at {step}")
    parts = program.parts(kit.pose) if kit.pose else program.parts()
    cast = casting.cast(parts, bounds=program.BOUNDS, materials=kit.materials, step=step)
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
    for name, finish in _plates(kit).items():
        say(f"plate {name}")
        picture = _picture(kit, finish, whole, template)
        alpha = picture[..., 3]
        _save(_encoded(picture), folder / f"{name}.webp", lossless=finish.face == "paint")
        if finish.face == "paint":
            say(f"plate {name}, skin")
            row = kit.materials.index("skin")
            darker = finish.palette.copy()
            darker[row] *= _SKIN_STEP
            other = _picture(kit, replace(finish, palette=darker), whole, template)
            change = finish.palette[row] - darker[row]
            response = compose.bled(picture[..., :3] - other[..., :3], alpha) / change
            response[response.max(axis=2) < 0.02] = 0
            _save(compose.encode(response), folder / f"{name}-skin.webp", lossless=True)
    assert alpha is not None
    say("backdrop")
    table = backdrop.lit(
        _shapes(kit, next(iter(kit.finishes.values())), whole, template),
        kit.camera,
        size_px=_BACKDROP_PX,
        spp=_BACKDROP_SPP,
        alpha=alpha,
    )
    cv2.imwrite(
        str(folder / "backdrop.png"), np.round(table[..., ::-1] * 4095).astype(np.uint16) * 16
    )


def _plates(kit: Kit) -> dict[str, Finish]:
    """What to trace, by the name of its file: plastics are traced in a few greys."""
    plates = {f.plates: f for f in kit.finishes.values() if f.plates != kits.MIXED}
    plain = next((f for f in kit.finishes.values() if f.plates == kits.MIXED), None)
    if plain is not None:
        day = replace(plain, inner=np.zeros(3), room=np.ones(3))
        for number, grey in enumerate(compose.GREYS):
            palette = np.full_like(plain.palette, grey)
            plates[f"{kits.MIXED}-{number}"] = replace(day, palette=palette)
    return plates


def _encoded(picture: Array) -> np.ndarray:
    alpha = picture[..., 3]
    light = compose.encode(compose.bled(picture[..., :3], alpha))
    return np.dstack([light, np.round(alpha * 255).astype(np.uint8)])


def _picture(kit: Kit, finish: Finish, whole: body.Body, template: Array) -> Array:
    return scene.trace(
        scene.stage(_shapes(kit, finish, whole, template), kit.camera, size_px=compose.PLATE_PX),
        spp=_PLATE_SPP,
        seed=1,
        step=lambda done: None,
        finish=finish,
    )


def _shapes(kit: Kit, finish: Finish, whole: body.Body, template: Array) -> dict[str, Any]:
    return {
        "body": meshes.body_shape(whole, finish),
        "head": backdrop.plain_head(kit, finish, template),
    }


def _save(image: np.ndarray, path: Path, *, lossless: bool) -> None:
    """Alpha is always kept as it is; of one-coloured light nobody sees what is lost."""
    quality = 100 if lossless else _LOSSY
    Image.fromarray(image).save(
        path, lossless=lossless, quality=quality, alpha_quality=100, method=6, exact=True
    )
