"""What a picture shows but for its light: outline, colours and normals of a figurine, of any view.

mitsuba's own integrator for them waits on a lock at every sample where there is no LLVM. Here the
surface shines, first in its colours, then in its normals, and a ray brings back what it meets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from figurine.engines.sculpt import coating, meshes, scene
from figurine.engines.sculpt.backend import mitsuba
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.subjects import Solid, Subject
from figurine.kits import Camera, Finish
from figurine.types import Array, Box

SPP: Final = 4
"""Of each of the two looks. Together they tell coverage to an eighth of a pixel."""
_SHOWN = "vertex_shown"


@dataclass(frozen=True)
class Guide:
    """Made once for a figurine: its triangles are sorted, and wait for views."""

    scene: Any
    colours: dict[str, Array]
    normals: dict[str, Array]
    """0.5 is nought."""

    def seen(
        self, camera: Camera, *, size_px: tuple[int, int], crop_px: Box, seed: int
    ) -> tuple[Array, Array]:
        """Albedo and normals (h, w, 6), as `scene.trace` takes them, and coverage (h, w) 0..1."""
        mi = mitsuba()
        view = mi.load_dict(
            scene.sensor(camera, size_px=size_px, crop_px=crop_px, sampler="multijitter")
        )
        integrator = mi.load_dict({"type": "path", "max_depth": 1})
        looks = []
        for number, values in enumerate((self.colours, self.normals)):
            shown = mi.traverse(self.scene)
            for key, value in values.items():
                shown[key] = mi.TensorXf(value) if value.ndim > 1 else value
            shown.update()
            look = mi.render(
                self.scene,
                sensor=view,
                integrator=integrator,
                spp=SPP,
                seed=(2 * seed + number) % 2**32,
            )
            looks.append(np.asarray(look, np.float32))
        colours, normals = looks
        straight = 2 * normals[..., :3] - normals[..., 3:]
        alpha = (colours[..., 3] + normals[..., 3]) / 2
        return np.concatenate([colours[..., :3], straight], axis=2), alpha


def of(subject: Subject) -> Guide:
    """The guide to what is filmed."""
    matt = {"type": "diffuse"}
    shapes: dict[str, Any] = {}
    colours: dict[str, Array] = {}
    normals: dict[str, Array] = {}

    # 1. Bodies, a colour a corner.
    for number, solid in enumerate(subject.solids):
        own_colours, bent = _body(solid)
        shapes[f"body{number}"] = meshes.mesh(
            "body",
            solid.body.vertices,
            solid.body.faces,
            bent,
            np.zeros((len(solid.body.vertices), 2)),
            matt,
            glow={"type": "mesh_attribute", "name": _SHOWN},
            attributes={_SHOWN: own_colours},
        )
        key = f"body{number}.{_SHOWN}"
        colours[key] = np.ascontiguousarray(own_colours, np.float32).ravel()
        normals[key] = np.ascontiguousarray(bent / 2 + 0.5, np.float32).ravel()

    # 2. Heads, a colour a texel.
    for number, made in enumerate(subject.busts):
        albedo, fine = _head(made, subject.finish)
        shapes[f"head{number}"] = meshes.grid(
            made.clay, matt, texels=albedo.shape[:2], glow=meshes.bitmap(albedo)
        )
        key = f"head{number}.emitter.radiance.data"
        colours[key] = np.ascontiguousarray(albedo, np.float32)
        normals[key] = np.ascontiguousarray(fine / 2 + 0.5, np.float32)
    return Guide(mitsuba().load_dict({"type": "scene", **shapes}), colours, normals)


def _body(solid: Solid) -> tuple[Array, Array]:
    """Colours and normals (V, 3) of a body's corners."""
    body, palette, layer = solid.body, solid.finish.palette, solid.finish.layer
    share = body.share[:, None] / np.float32(255)
    own, other = palette[body.material], palette[body.other_material]
    colours = other + share * (own - other)
    if layer is not None and solid.cover is not None:
        colours = colours + solid.cover[:, None] * (layer.colour - colours)
    return colours, meshes.normals_of(body)


def _head(made: Bust, finish: Finish) -> tuple[Array, Array]:
    """Colours and normals (h, w, 3) of a head's texels."""
    rows, columns = made.albedo.shape[:2]
    around = meshes.grid_normals(made.clay)
    albedo = made.albedo
    if finish.layer is not None:
        over = coating.on_head(made.clay, around, finish.layer, texels=(rows, columns))[..., None]
        albedo = albedo + over * (finish.layer.colour - albedo)
    return albedo, cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR)
