"""engines/sculpt/geometry: files that a viewer shows rightly and a printer can print."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import ConvexHull, cKDTree

from figurine import kits
from figurine.decode import decode
from figurine.engines.base import Format
from figurine.engines.sculpt import SculptEngine, bust, surface
from figurine.engines.sculpt.geometry import bodies, glb, letters, meshes, patterns, walls
from figurine.errors import BadPlaque, NoFace, UnknownKit
from figurine.gate import admit
from figurine.types import Recipe, Selfie
from tests import exhaustive, photos

ROOT = Path(__file__).parents[2]
MOST_BYTES = 4_000_000
HEIGHT_MM = 54.0
EYES = (33, 133, 263, 362)
"""Corners of the eyes in the mesh."""


def recipe(finish: str = "painted", plaque: str = "MAE") -> Recipe:
    return Recipe("sculpt", "soldier", finish, plaque=plaque)


@pytest.fixture(scope="module")
def files(engine: SculptEngine, selfie: Selfie) -> dict[Format, bytes]:
    return {
        "glb": engine.geometry(selfie, recipe(), format="glb"),
        "stl": engine.geometry(selfie, recipe(), format="stl"),
    }


@pytest.fixture(scope="module")
def scene(files: dict[Format, bytes]) -> Any:
    return trimesh.load_scene(io.BytesIO(files["glb"]), file_type="glb")


@pytest.fixture(scope="module")
def printed(files: dict[Format, bytes]) -> Any:
    return trimesh.load_mesh(io.BytesIO(files["stl"]), file_type="stl")


def header(glb: bytes) -> dict[str, Any]:
    length = int.from_bytes(glb[12:16], "little")
    tree: dict[str, Any] = json.loads(glb[20 : 20 + length])
    return tree


def test_model_is_light_and_needs_no_extension(files: dict[Format, bytes]) -> None:
    tree = header(files["glb"])
    assert files["glb"][:4] == b"glTF"
    assert len(files["glb"]) < MOST_BYTES
    assert tree["asset"]["version"] == "2.0"
    assert tree.get("extensionsRequired", []) == []
    assert tree["images"][0]["mimeType"] == "image/jpeg"
    assert all(view.get("byteOffset", 0) % 4 == 0 for view in tree["bufferViews"])


def test_model_stands_on_the_floor_in_metres(scene: Any) -> None:
    low, high = scene.bounds
    assert high[1] - low[1] == pytest.approx(HEIGHT_MM / 1000, abs=2e-5)
    assert low[1] == pytest.approx(0, abs=1e-6)
    assert abs(low[0] + high[0]) < 0.002
    # The plaque is before the figure, and the pack behind.
    assert scene.geometry["name"].bounds[0, 2] > scene.geometry["helmet"].bounds[1, 2]


def test_model_has_a_mesh_a_material_with_normals_outwards(scene: Any) -> None:
    kit = kits.load("soldier")
    assert {"face", "head", "liner", "name", *kit.materials} == set(scene.geometry)
    for name, mesh in scene.geometry.items():
        normals = mesh.vertex_normals[mesh.faces].mean(axis=1)
        agree = np.einsum("ij,ij->i", normals, mesh.face_normals)
        assert (agree > 0).mean() > 0.9, name


def test_model_is_coloured_as_its_finish(files: dict[Format, bytes]) -> None:
    kit = kits.load("soldier")
    finish = kit.finish("painted")
    materials = {material["name"]: material for material in header(files["glb"])["materials"]}
    helmet = materials["helmet"]["pbrMetallicRoughness"]
    wanted = finish.palette[kit.materials.index("helmet")]
    assert helmet["baseColorFactor"] == pytest.approx([*wanted, 1], abs=1e-4)
    assert helmet["roughnessFactor"] == pytest.approx(finish.roughness**0.5, abs=1e-3)
    assert helmet["metallicFactor"] == 0
    ink = kits.linear(finish.plaque_ink)
    assert materials["name"]["pbrMetallicRoughness"]["baseColorFactor"] == pytest.approx(
        [*ink, 1], abs=1e-4
    )


def test_texture_is_upright_and_lies_where_the_face_is(scene: Any, selfie: Selfie) -> None:
    """Under each eye's corners the model's own texture is darker than under the cheeks, seen from
    the front, and the person's right eye is on the left: neither upside down nor mirrored."""
    mesh = scene.geometry["face"]
    texture = np.asarray(mesh.visual.material.baseColorTexture.convert("L"), float)
    kit = kits.load("soldier")
    made = bodies.make("soldier", kit.pose)
    head = bust.measure(selfie.faces[0], kit)

    def seen(points: tuple[int, ...]) -> list[float]:
        """The darkest texel near each mesh point, through the file's own coordinates."""
        found = []
        for degrees in head.points_deg[list(points)]:
            ray = surface.directions(degrees[None])[0]
            offsets = mesh.vertices * 1000 / made.scale_mm + [0, made.foot, 0] - kit.face.centre
            towards = offsets @ ray / np.linalg.norm(offsets, axis=1)
            u, v = mesh.visual.uv[towards.argmax()]
            row, column = (1 - v) * texture.shape[0], u * texture.shape[1]
            near = texture[int(row) - 6 : int(row) + 7, int(column) - 6 : int(column) + 7]
            found.append(float(near.min()))
        return found

    assert max(seen(EYES)) < 0.7 * min(seen((50, 280)))
    u = mesh.visual.uv[:, 0]
    assert np.corrcoef(u, mesh.vertices[:, 0])[0, 1] > 0.9
    assert np.corrcoef(mesh.visual.uv[:, 1], mesh.vertices[:, 1])[0, 1] > 0.9


def test_print_is_one_watertight_solid(printed: Any) -> None:
    assert printed.is_watertight
    assert printed.is_winding_consistent
    assert printed.body_count == 1
    assert printed.volume > 5000


def test_print_stands_54_mm_tall_on_a_flat_base(printed: Any) -> None:
    low, high = printed.bounds
    assert (low[2], high[2]) == (pytest.approx(0, abs=1e-3), pytest.approx(HEIGHT_MM, abs=0.02))
    sole = printed.vertices[printed.vertices[:, 2] < 1e-3][:, :2]
    flat = np.abs(printed.triangles[:, :, 2]).max(axis=1) < 1e-3
    assert printed.area_faces[flat].sum() > 500
    hull = ConvexHull(sole)
    margins = hull.equations @ [*printed.center_mass[:2], 1]
    assert margins.max() < -5  # millimetres inside the edge it would tip over
    # Facing -y, as printers' programs show it: the plaque is there.
    assert low[1] < -15 and high[1] < 14


POSES = [(kit, pose) for kit in kits.names() for pose in kits.load(kit).poses or [""]]


@pytest.mark.parametrize(
    ("kit", "pose"), exhaustive.few(POSES, ("soldier", "binoculars"), ("astronaut", ""))
)
def test_print_of_every_pose_has_no_wall_under_a_printers_least(
    engine: SculptEngine, selfie: Selfie, kit: str, pose: str
) -> None:
    """Without a name, whose letters are relief on a plate and not walls."""
    wanted = Recipe("sculpt", kit, "painted", options={"pose": pose} if pose else {})
    data = engine.geometry(selfie, wanted, format="stl")
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    assert (mesh.is_watertight, mesh.body_count) == (True, 1)
    made = meshes.solid(meshes.Mesh(mesh.vertices.astype(np.float32), mesh.faces))
    points, faces = trimesh.sample.sample_surface(mesh, 20_000, seed=1)
    at, facing = np.asarray(points), mesh.face_normals[faces]
    assert walls.is_thin(made, at, facing, least=bodies.WALL_MM).mean() < 0.001
    # By rays alone, which count the rims of thick plates as well.
    depth = walls.thickness(made, at, facing, most=2 * bodies.WALL_MM)
    assert (depth < 0.95 * bodies.WALL_MM).mean() < 0.005
    assert (depth < 0.5 * bodies.WALL_MM).mean() < 0.001


def test_name_stands_out_from_the_plaque(
    engine: SculptEngine, selfie: Selfie, printed: Any
) -> None:
    blank = engine.geometry(selfie, recipe(plaque=""), format="stl")
    plain = trimesh.load_mesh(io.BytesIO(blank), file_type="stl")
    assert plain.is_watertight
    assert 0.3 < printed.volume - plain.volume < 3
    scene = trimesh.load_scene(
        io.BytesIO(engine.geometry(selfie, recipe(plaque=""), format="glb")), file_type="glb"
    )
    assert "name" not in scene.geometry


@pytest.mark.parametrize("kit", exhaustive.few(kits.names(), "soldier"))
def test_model_with_the_longest_and_densest_name_is_light(
    engine: SculptEngine, selfie: Selfie, kit: str
) -> None:
    wanted = Recipe("sculpt", kit, "marble", plaque="鬱" * 16)
    data = engine.geometry(selfie, wanted, format="glb")
    assert len(data) < MOST_BYTES
    name = trimesh.load_scene(io.BytesIO(data), file_type="glb").geometry["name"]
    assert len(name.vertices) * 24 + len(name.faces) * 6 < 230_000


def test_outlines_are_thinned_to_a_budget_without_losing_a_letter() -> None:
    kit = kits.load("soldier")
    base = bodies.sturdy("soldier", kit.pose).solid()
    fine = letters.letters("鬱" * 4, kit, base)
    light = letters.letters("鬱" * 4, kit, base, most_points=500)
    assert fine is not None and light is not None
    assert light.num_tri() < 0.5 * fine.num_tri()
    # Level up to the edge, where the fine ones slope.
    assert fine.volume() < light.volume() < 1.35 * fine.volume()
    assert light.bounding_box() == pytest.approx(fine.bounding_box(), abs=0.01)


def test_name_is_not_mirrored() -> None:
    """L has its stem on the left and its foot at the bottom."""
    kit = kits.load("soldier")
    shape = meshes.from_solid(letters.letters("L", kit, bodies.sturdy("soldier", kit.pose).solid()))
    x, y = shape.vertices[:, 0], shape.vertices[:, 1]
    low_right = (x > x.mean()) & (x > x.max() - 0.1 * np.ptp(x))
    assert y[low_right].max() < y.mean()
    assert y[x < x.min() + 0.05 * np.ptp(x)].max() > y.mean()


@pytest.mark.parametrize("kit", exhaustive.few(kits.names(), "soldier", "explorer"))
def test_name_is_paint_that_stands_out_from_its_plaque(kit: str) -> None:
    """As in the picture, in every finish: on bronze it would mirror what the bronze mirrors."""
    wears = kits.load(kit)
    for finish in wears.finishes.values():
        (name,) = glb.name_of("MAE", wears, finish, bodies.sturdy(kit, wears.pose).solid())
        panel = finish.palette[wears.materials.index("base")]
        light = [
            float((colour + glow) @ (0.2126, 0.7152, 0.0722)) + 0.05
            for colour, glow in (
                (name.coat.colour, name.coat.glow),
                (panel * finish.room, patterns.glow(panel, finish)),
            )
        ]
        assert name.coat.metallic == 0
        assert name.coat.colour.max() <= 1
        assert max(light) / min(light) > 1.5, finish.name


@pytest.mark.parametrize("panel", [0.05, 0.49, 0.51, 0.95])
def test_name_without_ink_is_told_from_a_plaque_of_any_colour(panel: float) -> None:
    letters_on_it = glb.embossed(np.asarray([panel, 0.7 * panel, 0.5 * panel]))
    assert letters_on_it.min() >= 0 and letters_on_it.max() <= 1
    light = sorted((panel + 0.05, letters_on_it[0] + 0.05))
    assert light[1] / light[0] > 1.4


def test_letters_slope_at_their_edges_as_long_as_they_are_few() -> None:
    """What shines and lies in shade there makes an embossed name readable."""
    kit = kits.load("soldier")
    base = bodies.sturdy("soldier", kit.pose).solid()
    flat, sloping = (
        letters.letters("MAE", kit, base, most_points=points) for points in (80, 1_800)
    )
    assert flat is not None and sloping is not None

    top_left, top_right, low_right, _ = kit.plaque.astype(float)
    out = np.cross(top_right - top_left, top_right - low_right)
    out /= np.linalg.norm(out)

    def tilted(made: Any) -> float:
        shape = meshes.from_solid(made)
        mesh = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
        facing = mesh.face_normals @ out
        return float(mesh.area_faces[(facing > 0.5) & (facing < 0.85)].sum() / mesh.area)

    assert tilted(flat) == 0
    assert 0.1 < tilted(sloping) < 0.4
    assert sloping.bounding_box() == pytest.approx(flat.bounding_box(), abs=2e-3)
    assert 0.8 * flat.volume() < sloping.volume() < flat.volume()


@pytest.mark.parametrize("name", ["김철수", "علی", "W" * 16])
def test_name_in_any_script_prints(engine: SculptEngine, selfie: Selfie, name: str) -> None:
    data = engine.geometry(selfie, recipe(plaque=name), format="stl")
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    assert (mesh.is_watertight, mesh.body_count) == (True, 1)


def test_two_people_have_different_heads_and_one_body(
    engine: SculptEngine, scene: Any, printed: Any
) -> None:
    other = admit(decode(photos.portrait("ochoa").read_bytes()))
    theirs = trimesh.load_scene(
        io.BytesIO(engine.geometry(other, recipe(), format="glb")), file_type="glb"
    )
    tree = cKDTree(scene.geometry["face"].vertices)
    apart_m, _ = tree.query(theirs.geometry["face"].vertices)
    assert np.percentile(apart_m, 90) > 1e-4
    assert (theirs.geometry["cloth"].vertices == scene.geometry["cloth"].vertices).all()
    solid = trimesh.load_mesh(
        io.BytesIO(engine.geometry(other, recipe(), format="stl")), file_type="stl"
    )
    assert solid.is_watertight
    assert abs(solid.volume - printed.volume) > 1


@pytest.mark.parametrize("kit", exhaustive.few(kits.names(), "explorer"))
def test_every_kit_in_every_finish_has_geometry(
    engine: SculptEngine, selfie: Selfie, kit: str
) -> None:
    for finish in kits.load(kit).finishes:
        made = engine.geometry(selfie, Recipe("sculpt", kit, finish, plaque="MAE"), format="glb")
        assert len(made) < MOST_BYTES
    data = engine.geometry(selfie, Recipe("sculpt", kit, "painted", plaque="MAE"), format="stl")
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    assert (mesh.is_watertight, mesh.body_count) == (True, 1)
    # Where the top is thin, as the explorer's feather is, its thickened wall stands higher.
    assert np.ptp(mesh.bounds[:, 2]) == pytest.approx(HEIGHT_MM, abs=0.5)


def test_refusals_carry_their_code(engine: SculptEngine, selfie: Selfie) -> None:
    with pytest.raises(NoFace):
        engine.geometry(Selfie(selfie.pixels, ()), recipe(), format="glb")
    with pytest.raises(BadPlaque):
        engine.geometry(selfie, recipe(plaque="A" * 17), format="stl")
    with pytest.raises(UnknownKit):
        engine.geometry(selfie, Recipe("sculpt", "hussar", "painted"), format="stl")


@pytest.mark.parametrize("format", exhaustive.few(("glb", "stl"), "glb"))
def test_cli_writes_the_same_bytes_as_another_process(
    format: Format, files: dict[Format, bytes], tmp_path: Path
) -> None:
    out = tmp_path / f"out.{format}"
    done = subprocess.run(
        [sys.executable, "-m", "figurine", photos.portrait("obama"), "-o", out, "--plaque", "MAE"],
        cwd=ROOT,
        capture_output=True,
    )
    size = f"{len(files[format]) / 1e6:.1f}"
    assert (done.returncode, done.stdout.decode().split()[:3]) == (0, [str(out), size, "MB"])
    assert out.read_bytes() == files[format]


def test_texture_is_the_busts_own_paint(scene: Any, selfie: Selfie) -> None:
    kit = kits.load("soldier")
    made = bust.make(selfie, bust.measure(selfie.faces[0], kit), kit, kit.finish("painted"))
    texture: Image.Image = scene.geometry["face"].visual.material.baseColorTexture
    assert texture.size == made.albedo.shape[1::-1]
    linear = (np.asarray(texture.convert("RGB"), float) / 255) ** 2.2
    assert np.abs(linear[::-1] - made.albedo).mean() < 0.01
