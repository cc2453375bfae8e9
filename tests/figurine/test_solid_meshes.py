"""engines/sculpt/geometry/meshes: closed, divided, parted and creased."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from figurine.engines.sculpt.geometry import meshes
from figurine.errors import NotSolid


def cube() -> meshes.Mesh:
    box = trimesh.creation.box((1, 1, 1))
    return meshes.Mesh(box.vertices.astype(np.float32), box.faces.astype(np.int64))


def test_corners_in_one_place_are_parted_or_refused() -> None:
    """Two cubes that touch in a corner part; two in the very same place move together for ever."""
    other = meshes.Mesh(cube().vertices + np.float32(1), cube().faces)
    apart = meshes.parted(meshes.joined([cube(), other]), by=0.01)
    assert len(np.unique(apart.vertices, axis=0)) == 16
    with pytest.raises(NotSolid):
        meshes.parted(meshes.joined([cube(), cube()]), by=0.01)


def test_creased_mesh_splits_at_sharp_edges_only() -> None:
    box = meshes.creased(cube(), angle_deg=40)
    assert (len(box.vertices), len(box.faces)) == (24, 12)
    assert (np.abs(meshes.normals(box)).max(axis=1) > 0.999).all()
    ball = trimesh.creation.icosphere(subdivisions=2)
    smooth = meshes.Mesh(ball.vertices.astype(np.float32), ball.faces.astype(np.int64))
    assert len(meshes.creased(smooth, angle_deg=40).vertices) == len(ball.vertices)


def test_open_mesh_is_closed_or_refused() -> None:
    box = cube()
    upper = box.vertices[box.faces][..., 2].max(axis=1) > 0
    torn = box.only(np.asarray(upper))
    with pytest.raises(NotSolid):
        meshes.solid(torn)
    assert meshes.solid(meshes.closed(torn)).volume() == pytest.approx(1)
    assert meshes.closed(box) is box


def test_lumps_come_largest_first_without_crumbs() -> None:
    large, small, crumb = (
        meshes.Mesh((cube().vertices * size + at).astype(np.float32), cube().faces)
        for size, at in ((1.0, 0.0), (0.5, 3.0), (0.01, 5.0))
    )
    kept = meshes.lumps(meshes.joined([small, crumb, large]), least_volume=1e-3)
    assert [float(np.ptp(lump.vertices[:, 0])) for lump in kept] == [1.0, 0.5]


@pytest.mark.parametrize("labels", [2, 3])
def test_divided_mesh_covers_the_whole_without_a_gap(labels: int) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    mesh = meshes.Mesh(ball.vertices.astype(np.float32), ball.faces.astype(np.int64))
    turns = np.arange(labels) * 2 * np.pi / labels + 0.3
    poles = np.stack([np.cos(turns), np.sin(turns), np.full(labels, 0.2)], axis=1)
    parts = meshes.divided(mesh, (mesh.vertices @ poles.T).astype(np.float32))
    whole = meshes.joined(parts)
    again = trimesh.Trimesh(whole.vertices, whole.faces)  # merges what lies in one place
    assert again.is_watertight
    assert again.volume == pytest.approx(ball.volume, rel=0.01)


def test_solid_put_away_is_the_same_again() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4)
    whole = meshes.solid(meshes.Mesh(ball.vertices.astype(np.float32), ball.faces))
    made = whole.rotate((10, 20, 30)) - whole.translate((0.5, 0.1, 0.2))
    away = meshes.stored(made)
    one, other = (away.solid().to_mesh64() for _ in range(2))
    assert np.array_equal(one.vert_properties, made.to_mesh64().vert_properties)
    assert np.array_equal(one.vert_properties, other.vert_properties)
    assert np.array_equal(one.tri_verts, other.tri_verts)
    assert (away.solid().volume(), away.solid().num_tri()) == (made.volume(), made.num_tri())
    with pytest.raises(NotSolid):
        meshes.Stored(away.vertices, away.faces[1:]).solid()


def test_spread_mesh_has_vertices_in_the_middle_of_its_levels() -> None:
    wide = meshes.spread(cube(), longest=0.3)
    a, b = (wide.vertices[np.roll(wide.faces, k, axis=1)] for k in (0, 1))
    assert np.linalg.norm(a - b, axis=2).max() < 0.5
    assert meshes.solid(wide).volume() == pytest.approx(1)
    assert (np.abs(wide.vertices).min(axis=1) < 0.2).any()
