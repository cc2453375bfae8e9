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
from figurine.kits import Camera, Finish
from figurine.kits.body import Body
from figurine.types import Array, Box

SPP: Final = 4
"""Of each of the two looks. Together they tell coverage to an eighth of a pixel."""
_ON_BODY, _ON_HEAD = "body.vertex_shown", "head.emitter.radiance.data"


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


def of(body: Body, made: Bust, finish: Finish, *, cover: Array | None) -> Guide:
    """The guide to a bust on a body in a finish's palette; `cover` (V,) is its layer's on the body,
    where it has one."""
    matt = {"type": "diffuse"}
    # 1. The body, a colour a corner.
    share = body.share[:, None] / np.float32(255)
    own, other = finish.palette[body.material], finish.palette[body.other_material]
    colours = other + share * (own - other)
    bent = meshes.normals_of(body)
    if finish.layer is not None and cover is not None:
        colours = colours + cover[:, None] * (finish.layer.colour - colours)
    name = _ON_BODY.partition(".")[2]
    shape = meshes.mesh(
        "body",
        body.vertices,
        body.faces,
        bent,
        np.zeros((len(body.vertices), 2)),
        matt,
        glow={"type": "mesh_attribute", "name": name},
        attributes={name: colours},
    )

    # 2. The head, a colour a texel.
    rows, columns = made.albedo.shape[:2]
    around = meshes.grid_normals(made.clay)
    albedo = made.albedo
    if finish.layer is not None:
        over = coating.on_head(made.clay, around, finish.layer, texels=(rows, columns))[..., None]
        albedo = albedo + over * (finish.layer.colour - albedo)
    fine = cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR)
    head = meshes.grid(made.clay, matt, texels=(rows, columns), glow=meshes.bitmap(albedo))
    return Guide(
        scene=mitsuba().load_dict({"type": "scene", "body": shape, "head": head}),
        colours=_shown(colours, albedo),
        normals=_shown(bent / 2 + 0.5, fine / 2 + 0.5),
    )


def _shown(body: Array, head: Array) -> dict[str, Array]:
    return {
        _ON_BODY: np.ascontiguousarray(body, np.float32).ravel(),
        _ON_HEAD: np.ascontiguousarray(head, np.float32),
    }
