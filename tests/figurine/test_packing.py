"""engines/sculpt/geometry/packing: surfaces in their coats, as one GLB."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import trimesh

from figurine import provenance
from figurine.engines.sculpt.geometry import meshes
from figurine.engines.sculpt.geometry.packing import Coat, Skin, Surface, packed
from figurine.types import Array, Pixels

RED, BLUE = np.asarray([1.0, 0, 0]), np.asarray([0, 0, 1.0])


def surface(name: str, coat: Coat, *, at: float = 0.0) -> Surface:
    box = trimesh.creation.box((1, 1, 1))
    points = (box.vertices + np.asarray([at, 0, 0])).astype(np.float32)
    mesh = meshes.Mesh(points, box.faces.astype(np.int64))
    return Surface(name, coat, mesh, meshes.normals(mesh), np.zeros((8, 2), np.float32))


def colours(surfaces: list[Surface]) -> dict[str, tuple[str, Any]]:
    """By node: its material's name and colour, read by the specification alone."""
    data = packed(surfaces, scale=1.0, foot=0.0)
    length = int.from_bytes(data[12:16], "little")
    tree: dict[str, Any] = json.loads(data[20 : 20 + length])
    found = {}
    for node in tree["nodes"]:
        if "mesh" in node:
            primitive = tree["meshes"][node["mesh"]]["primitives"][0]
            material = tree["materials"][primitive["material"]]
            found[node["name"]] = (
                material["name"],
                material["pbrMetallicRoughness"]["baseColorFactor"][:3],
            )
    return found


@pytest.mark.parametrize("name", ["head", "face", "liner", "name"])
def test_kit_s_material_named_as_a_figures_own_part_keeps_its_colour(name: str) -> None:
    own, kit_s = Coat(name, RED, 0.5), Coat(name, BLUE, 0.5)
    found = colours([surface(name, own), surface(name, kit_s, at=3)])
    assert found == {name: (name, [1, 0, 0]), f"{name} (2)": (f"{name} (2)", [0, 0, 1])}


def test_model_says_that_a_machine_made_it() -> None:
    data = packed([surface("box", Coat("box", RED, 0.5))], scale=1.0, foot=0.0)
    length = int.from_bytes(data[12:16], "little")
    extras = json.loads(data[20 : 20 + length])["asset"]["extras"]
    assert extras == {"digitalSourceType": provenance.COMPOSITE}


def test_coats_that_differ_in_one_number_or_texel_are_told_apart() -> None:
    def skin(level: int) -> Skin:
        texels: Pixels = np.full((4, 4, 3), level, np.uint8)
        return Skin(texels)

    glow: Array = np.full(3, 0.2)
    coats = [
        Coat("cloth", RED, 0.5),
        Coat("cloth", RED, 0.4),
        Coat("cloth", RED, 0.5, glow=glow),
        Coat("cloth", RED, 0.5, skin=skin(9)),
        Coat("cloth", RED, 0.5, skin=skin(8)),
    ]
    found = colours([surface(str(n), coat, at=3.0 * n) for n, coat in enumerate(coats)])
    assert len({material for material, _ in found.values()}) == len(coats)


def test_coats_alike_are_one_material() -> None:
    texels: Pixels = np.full((4, 4, 3), 9, np.uint8)
    pair = [Coat("cloth", RED.copy(), 0.5, skin=Skin(texels.copy())) for _ in range(2)]
    found = colours([surface("a", pair[0]), surface("b", pair[1], at=3)])
    assert [material for material, _ in found.values()] == ["cloth", "cloth"]
