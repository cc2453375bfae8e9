"""engines/sculpt/geometry/walls and isosurface: what is too thin to print, found and filled out."""

from __future__ import annotations

from typing import Any

import manifold3d
import numpy as np
import pytest
import trimesh

from figurine.engines.sculpt.geometry import isosurface as slabs
from figurine.engines.sculpt.geometry import meshes, walls
from figurine.engines.sculpt.geometry.isosurface import isosurface


def block(*size: float) -> Any:
    box = trimesh.creation.box(size).subdivide_to_size(0.3)
    return meshes.solid(meshes.Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int64)))


def test_thin_plate_is_filled_out_and_hardly_wider() -> None:
    grown = meshes.from_solid(walls.reinforced(block(6, 6, 0.4), least=0.8))
    wide, deep, thick = np.ptp(grown.vertices, axis=0)
    assert 0.78 < thick < 0.9
    assert 6 <= wide < 6.7 and 6 <= deep < 6.7


def test_cord_is_filled_out() -> None:
    grown = meshes.from_solid(walls.reinforced(block(0.3, 0.3, 6), least=0.8))
    wide, deep, long = np.ptp(grown.vertices, axis=0)
    assert 0.78 < wide < 1 and 0.78 < deep < 1
    assert long < 6.7


def test_long_triangles_of_a_taper_are_filled_out_where_it_is_thin() -> None:
    """10 long, from 2.5 to 0.2 thick, in 12 triangles: no middle of one lies where it is thin."""
    outline = [[0, -1.25], [10, -0.1], [10, 0.1], [0, 1.25]]
    taper = manifold3d.CrossSection([outline], manifold3d.FillRule.NonZero).extrude(5)
    assert taper.num_tri() == 12
    grown = walls.reinforced(taper, least=0.8)
    for x, least in ((9.9, 0.78), (8.5, 0.78), (4.0, 1.57)):
        ray = grown.ray_cast((x, -3, 2.5), (x, 3, 2.5))
        assert least <= (ray[-1].distance - ray[0].distance) * 6 < least + 0.2


@pytest.mark.parametrize("size", [(6, 6, 3), (6, 0.9, 6)])
def test_block_is_left_alone(size: tuple[float, float, float]) -> None:
    made = block(*size)
    assert walls.reinforced(made, least=0.8) is made


def test_thin_means_a_wall_and_neither_an_edge_nor_a_low_relief() -> None:
    """Three edges of 60 degrees, with a bar 0.25 high and 0.3 wide, and a plate of 0.5."""
    outline = [[0, 0], [4, 0], [2, 3.46]]
    wedge = manifold3d.CrossSection([outline], manifold3d.FillRule.NonZero).extrude(6)
    bar = manifold3d.Manifold.cube((0.3, 0.5, 4)).translate((1.85, -0.25, 1))
    made = (wedge + bar).refine_to_length(0.3)
    plate = block(6, 6, 0.5)

    def share(solid: Any) -> float:
        shape = meshes.from_solid(solid)
        mesh = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
        points, faces = trimesh.sample.sample_surface(mesh, 4000, seed=1)
        facing = mesh.face_normals[faces]
        return float(walls.is_thin(solid, np.asarray(points), facing, least=0.8).mean())

    assert share(made) < 0.02
    assert share(plate) > 0.8


def test_surface_near_a_point_is_sampled_however_large_its_triangles_are() -> None:
    box = trimesh.creation.box((40, 40, 40))
    large = meshes.Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int64))
    corner = np.asarray([[20.0, 19.0, 18.0]])
    points, facing = walls.sampled(large, spacing=0.2, around=(corner, 3.0))
    assert {tuple(side) for side in facing.round().astype(int)} == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    assert np.linalg.norm(points - corner, axis=1).max() <= 3
    assert np.linalg.norm(points - corner, axis=1).min() < 0.2
    nothing, none = walls.sampled(large, spacing=0.2, around=(corner * 9, 3.0))
    assert (nothing.shape, none.shape) == ((0, 3), (0, 3))


def test_sliver_is_sampled_along_its_length_alone() -> None:
    corners = np.asarray([[0, 0, 0], [50, 0, 0], [50, 0.01, 0]], np.float32)
    points, _ = walls.sampled(meshes.Mesh(corners, np.asarray([[0, 1, 2]])), spacing=0.1)
    assert 400 < len(points) <= 500


def test_isosurface_in_slabs_is_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = np.random.default_rng(1).normal(size=(200, 3)) * [0.5, 0.5, 2]
    few = isosurface(cloud, radius=0.3, cell=0.1)
    monkeypatch.setattr(slabs, "_LAYERS", 10_000)
    once = isosurface(cloud, radius=0.3, cell=0.1)
    assert len(once.faces) > 10_000
    assert np.array_equal(few.vertices, once.vertices)
    assert np.array_equal(few.faces, once.faces)


def test_isosurface_of_points_is_a_closed_skin_around_them() -> None:
    row = np.stack([np.linspace(0, 2, 40), np.zeros(40), np.zeros(40)], axis=1)
    skin = meshes.solid(isosurface(row, radius=0.5, cell=0.1))
    assert skin.volume() == pytest.approx(np.pi * 0.25 * 2 + 4 / 3 * np.pi * 0.125, rel=0.02)
    assert skin.genus() == 0
