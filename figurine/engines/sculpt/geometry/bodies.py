"""A kit's body, light enough to send, and again thick enough to print. Kept between visitors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from figurine.engines.sculpt.geometry import heads, walls
from figurine.engines.sculpt.geometry.meshes import (
    Mesh,
    Stored,
    closed,
    divided,
    from_solid,
    joined,
    lumps,
    normals,
    solid,
    spread,
    stored,
    thinned,
)
from figurine.errors import NotSolid
from figurine.kits import Kit, body, load
from figurine.types import Array

HEIGHT_MM = 54.0
"""From the table to the top of the helmet."""
WALL_MM = 0.8
KEPT = 4
"""Kits and poses kept in memory, up to 20 MB each."""
_PRINT_FACES, _SCREEN_FACES = 160_000, 76_000
_LONGEST = 0.05
"""Units: on screens longer edges are split, 6 000 to 10 000 triangles more."""
CRUMB = 1e-6
"""Volume in cubic units under which a lump is marching cubes' dust: a cube of 0.3 mm."""
SAWN = 0.004
"""Units (0.1 mm) sawn off the base, so that it stands on a plane and not on its grain."""
_BORDER = 0.03
"""Units beyond which a vertex does not ask how far another material is."""


_NEAREST = 6
"""Vertices of a material whose mean distance counts: one alone would draw the cells of the sculpt
along the border."""
_NORMALS = 8
"""Of the fine sculpt, averaged for a vertex: the nearest alone flips between a crease's sides."""


@dataclass(frozen=True)
class Body:
    """In the kit's units, y up."""

    kit: Kit
    print: Mesh
    """Closed, its foot flat, with all its lumps."""
    liner: heads.Liner
    scale_mm: float
    foot: float
    """Height of the table."""


@dataclass(frozen=True)
class Coloured:
    """One material's share of the body, with normals of the fine sculpt."""

    material: int
    mesh: Mesh
    normals: Array
    name: str = ""
    """Empty is its material's."""


@lru_cache(maxsize=KEPT)
def make(name: str, pose: str) -> Body:
    """The body of a kit in a pose. Raises UnknownKit, MissingModel, NotSolid."""
    kit = load(name).posed(pose)
    baked = body.load(kit.baked("body.xz"))
    lowest, highest = (
        float(end) for end in (baked.vertices[:, 1].min(), baked.vertices[:, 1].max())
    )
    foot = max(0.0, lowest) + SAWN
    light = thinned(closed(Mesh(baked.vertices, baked.faces)), faces=_PRINT_FACES)
    standing = from_solid(solid(light).trim_by_plane((0, 1, 0), foot))
    kept = lumps(standing, least_volume=CRUMB)
    if not kept:
        raise NotSolid(f"kit {name!r} has an empty body")
    return Body(
        kit=kit,
        print=joined(kept),
        liner=heads.liner(baked, kit),
        scale_mm=HEIGHT_MM / (highest - foot),
        foot=foot,
    )


@lru_cache(maxsize=KEPT)
def sturdy(name: str, pose: str) -> Stored:
    """The body with no wall under WALL_MM."""
    made = make(name, pose)
    least = WALL_MM / made.scale_mm
    parts = [solid(lump) for lump in lumps(made.print, least_volume=CRUMB)]
    whole = sum(parts[1:], parts[0])
    return stored(walls.reinforced(whole, least=least).trim_by_plane((0, 1, 0), made.foot))


@lru_cache(maxsize=KEPT)
def coloured(name: str, pose: str) -> tuple[Coloured, ...]:
    """The body for screens, a mesh a material."""
    made = make(name, pose)
    baked = body.load(made.kit.baked("body.xz"))
    light = spread(thinned(made.print, faces=_SCREEN_FACES), longest=_LONGEST)
    return painted(light, baked, made.kit)


def painted(light: Mesh, baked: body.Body, kit: Kit) -> tuple[Coloured, ...]:
    """A thinned mesh of a baked body, a mesh a material, with normals of the fine sculpt."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    apart = np.full((len(light.vertices), len(kit.materials)), _BORDER, np.float32)
    for material in range(len(kit.materials)):
        own = baked.vertices[baked.material == material]
        if len(own) >= _NEAREST:
            away, _ = cKDTree(own).query(light.vertices, k=_NEAREST, distance_upper_bound=_BORDER)
            apart[:, material] = np.minimum(away, _BORDER).mean(axis=1)
    pieces = divided(light, -apart)
    fine = normals(Mesh(baked.vertices, baked.faces))
    return tuple(
        Coloured(material, piece, facing(piece.vertices, baked.vertices, fine))
        for material, piece in enumerate(pieces)
        if len(piece.faces)
    )


def facing(vertices: Array, points: Array, fine: Array) -> Array:
    """(V, 3) normals of thinned vertices: those of the fine sculpt's points (N, 3) near them."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - heavy, and only in a worker

    _, near = cKDTree(points).query(vertices, k=_NORMALS)
    total = fine[near].sum(axis=1)
    return np.asarray(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12), np.float32)
