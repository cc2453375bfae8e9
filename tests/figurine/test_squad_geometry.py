"""engines/sculpt/geometry of a squad: everyone on one base, as a model and as one print."""

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
from scipy.spatial import ConvexHull

from figurine import kits
from figurine.engines.base import Format
from figurine.engines.sculpt import SculptEngine, bust
from figurine.engines.sculpt.geometry import bodies, meshes, walls
from figurine.errors import Cancelled
from figurine.gate import admit
from figurine.types import Array, Recipe, Selfie
from tests import exhaustive
from tests.squads import group_photo

MOST_BYTES = 4_000_000
TONES = (1.1, 0.45)
ALONE_MM = 54.0
MOST_MB = 1100
"""A worker has 1200, and 70 of them are gone before it casts anything."""


@pytest.fixture(scope="module")
def pair() -> Selfie:
    """One bright, one dark."""
    return admit(group_photo(2, tones=TONES), most_faces=2)


def cast(engine: SculptEngine, selfie: Selfie, *, format: Format, plaque: str = "") -> bytes:
    return engine.geometry(
        selfie, Recipe("sculpt", "soldier", "painted", plaque=plaque), format=format
    )


@pytest.fixture(scope="module")
def model(engine: SculptEngine, pair: Selfie) -> bytes:
    return cast(engine, pair, format="glb", plaque="NOVA")


@pytest.fixture(scope="module")
def scene(model: bytes) -> Any:
    return trimesh.load_scene(io.BytesIO(model), file_type="glb")


@pytest.fixture(scope="module")
def printed(engine: SculptEngine, pair: Selfie) -> Any:
    """Without a name, whose letters are relief and not walls."""
    return trimesh.load_mesh(io.BytesIO(cast(engine, pair, format="stl")), file_type="stl")


def placed(scene: Any, name: str) -> Array:
    """A node's vertices where they stand, in millimetres."""
    matrix, geometry = scene.graph[name]
    points = trimesh.transform_points(scene.geometry[geometry].vertices, matrix)
    return np.asarray(points) * 1000


def test_model_of_a_squad_is_light_and_has_one_texture(model: bytes) -> None:
    length = int.from_bytes(model[12:16], "little")
    tree = json.loads(model[20 : 20 + length])
    assert len(model) < MOST_BYTES
    assert tree.get("extensionsRequired", []) == []
    assert len(tree["images"]) == 1
    assert [image["mimeType"] for image in tree["images"]] == ["image/jpeg"]


def test_model_of_a_squad_has_each_face_in_its_place(scene: Any, pair: Selfie) -> None:
    """The bright one on the left with the bright half of the texture, the dark one on the right."""
    texture = np.asarray(scene.geometry["face 1"].visual.material.baseColorTexture.convert("L"))
    rows, columns = bust.PAINT.shape
    assert texture.shape == (rows, 2 * columns)
    lumas = []
    for number in (1, 2):
        u, v = scene.geometry[f"face {number}"].visual.uv.T
        assert (number - 1) / 2 <= u.min() and u.max() <= number / 2
        x = np.clip(u * 2 * columns, 0, 2 * columns - 1).astype(int)
        y = np.clip((1 - v) * rows, 0, rows - 1).astype(int)
        lumas.append(float(texture[y, x].mean()))
    assert lumas[0] > 1.15 * lumas[1]
    left, right = (placed(scene, f"face {number}")[:, 0].mean() for number in (1, 2))
    assert left < -8 and right > 8


def test_model_of_a_squad_stands_on_the_floor_as_large_as_alone(scene: Any) -> None:
    low, high = scene.bounds * 1000
    assert low[1] == pytest.approx(0, abs=0.02)
    assert high[1] == pytest.approx(ALONE_MM, abs=1)
    assert abs(low[0] + high[0]) < 1
    helmets = [placed(scene, f"helmet {number}") for number in (1, 2)]
    assert helmets[0][:, 1].max() == pytest.approx(helmets[1][:, 1].max(), abs=1)
    name = placed(scene, "name")
    assert name[:, 2].min() > placed(scene, "face 1")[:, 2].max()
    assert abs(name[:, 0].mean()) < 1


def test_model_of_a_squad_has_a_skin_for_each(scene: Any) -> None:
    bright, dark = (
        scene.geometry[f"skin {number}"].visual.material.baseColorFactor[:3] for number in (1, 2)
    )
    assert np.mean(bright) > 1.2 * np.mean(dark)
    cloth = [scene.geometry[f"cloth {number}"].visual.material.name for number in (1, 2)]
    assert cloth == ["cloth", "cloth"]


def test_model_of_a_squad_again_is_the_same_to_the_byte(
    engine: SculptEngine, pair: Selfie, model: bytes
) -> None:
    assert cast(engine, pair, format="glb", plaque="NOVA") == model


@pytest.mark.parametrize(("format", "steps"), [("glb", 5), ("stl", 7)])
def test_progress_of_a_squad_is_heard_throughout_the_cast(
    engine: SculptEngine, pair: Selfie, format: Format, steps: int
) -> None:
    """For each figure or solid, so that a job whose selfie is recalled ends at the next."""
    heard: list[float] = []

    def hear(stage: str, done: float) -> None:
        if stage == "casting":
            heard.append(done)

    wanted = Recipe("sculpt", "soldier", "painted")
    engine.geometry(pair, wanted, format=format, progress=hear)
    assert len(heard) >= steps
    assert heard == sorted(heard)
    assert heard[0] == pytest.approx(0.3)
    assert heard[-1] == 1

    def recall(stage: str, done: float) -> None:
        if 0.5 < done < 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.geometry(pair, wanted, format=format, progress=recall)


def test_print_of_a_squad_is_one_watertight_solid(printed: Any) -> None:
    assert printed.is_watertight
    assert printed.is_winding_consistent
    assert printed.body_count == 1


def test_print_of_a_squad_stands_on_its_wide_base(printed: Any) -> None:
    low, high = printed.bounds
    assert (low[2], high[2]) == (pytest.approx(0, abs=1e-3), pytest.approx(ALONE_MM, abs=1))
    assert high[0] - low[0] > 1.5 * (high[1] - low[1])
    flat = np.abs(printed.triangles[:, :, 2]).max(axis=1) < 1e-3
    assert printed.area_faces[flat].sum() > 1000
    hull = ConvexHull(printed.vertices[printed.vertices[:, 2] < 1e-3][:, :2])
    assert (hull.equations @ [*printed.center_mass[:2], 1]).max() < -5  # millimetres from tipping


def test_print_of_a_squad_has_no_wall_under_a_printers_least(printed: Any) -> None:
    made = meshes.solid(meshes.Mesh(printed.vertices.astype(np.float32), printed.faces))
    points, faces = trimesh.sample.sample_surface(printed, 20_000, seed=1)
    facing = printed.face_normals[faces]
    assert walls.is_thin(made, np.asarray(points), facing, least=bodies.WALL_MM).mean() < 0.001


def test_print_of_a_squad_again_is_the_same_to_the_byte(engine: SculptEngine, pair: Selfie) -> None:
    """What was kept since the first makes the same file as what was new then."""
    first, second = (cast(engine, pair, format="stl") for _ in range(2))
    assert first == second


@exhaustive.only
def test_print_of_six_is_one_solid_and_keeps_within_a_worker_s_memory() -> None:
    """In a process of its own, as the peak of this one is another test's."""
    wanted = ["--kit", "soldier", "--finish", "painted", "--count", "6", "--format", "stl"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.solids", "--here", *wanted],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=True,
    )
    made = json.loads(done.stdout)
    assert made["is_one_solid"]
    assert made["bytes"] < 50_000_000
    assert made["peak_mb"] <= made["together_mb"] + 50 and made["together_mb"] < MOST_MB


@exhaustive.only
def test_print_of_a_pair_among_ferns_is_one_solid(engine: SculptEngine, pair: Selfie) -> None:
    """Stalks are what thinning tears off first, and whole fronds then hang in the air."""
    data = engine.geometry(pair, Recipe("sculpt", "explorer", "painted"), format="stl")
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    assert (mesh.is_watertight, mesh.body_count) == (True, 1)


def test_print_of_three_has_a_hill_and_is_one_solid(engine: SculptEngine) -> None:
    three = admit(group_photo(3), most_faces=3)
    recipe = Recipe("sculpt", "astronaut", "painted", plaque="MAE")
    data = engine.geometry(three, recipe, format="stl")
    mesh = trimesh.load_mesh(io.BytesIO(data), file_type="stl")
    assert (mesh.is_watertight, mesh.body_count) == (True, 1)
    kit = kits.load("astronaut")
    unit_mm = bodies.make(kit.name, kit.pose).scale_mm
    assert mesh.bounds[1, 2] > ALONE_MM + 0.4 * unit_mm
    assert kit.unit_mm == pytest.approx(unit_mm, rel=0.1)
