"""engines/sculpt/geometry/patterns.py: patina, veins and glow reach a standard viewer."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from figurine import kits
from figurine.engines.sculpt import SculptEngine, coating
from figurine.engines.sculpt.geometry import bodies, patterns
from figurine.gate import admit
from figurine.kits import body
from figurine.types import Array, Recipe, Selfie
from tests.squads import group_photo

FINISHES = ("bronze", "marble", "glow")
MOST_BYTES = 4_000_000


class Model:
    """A GLB's materials and pictures, read by its specification alone."""

    def __init__(self, data: bytes) -> None:
        length = int.from_bytes(data[12:16], "little")
        self.size = len(data)
        self.tree: dict[str, Any] = json.loads(data[20 : 20 + length])
        self._buffer = data[28 + length :]
        self.materials = {each["name"]: each for each in self.tree["materials"]}

    def picture(self, texture: dict[str, int]) -> Array:
        image = self.tree["images"][self.tree["textures"][texture["index"]]["source"]]
        view = self.tree["bufferViews"][image["bufferView"]]
        start = view.get("byteOffset", 0)
        with Image.open(io.BytesIO(self._buffer[start : start + view["byteLength"]])) as opened:
            return np.asarray(opened.convert("RGB"), float)

    def uv(self, node: str) -> Array:
        return self._vectors(node, "TEXCOORD_0", 2)

    def points(self, node: str) -> Array:
        return self._vectors(node, "POSITION", 3)

    def _vectors(self, node: str, attribute: str, size: int) -> Array:
        mesh = next(each for each in self.tree["meshes"] if each["name"] == node)
        accessor = self.tree["accessors"][mesh["primitives"][0]["attributes"][attribute]]
        view = self.tree["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        count = accessor["count"]
        return np.frombuffer(self._buffer, "<f4", size * count, start).reshape(-1, size)


@pytest.fixture(scope="module")
def models(engine: SculptEngine, selfie: Selfie) -> dict[str, Model]:
    return {
        finish: Model(
            engine.geometry(selfie, Recipe("sculpt", "soldier", finish, "MAE"), format="glb")
        )
        for finish in FINISHES
    }


@pytest.mark.parametrize("finish", FINISHES)
def test_patterned_model_is_light_and_needs_no_extension(
    models: dict[str, Model], finish: str
) -> None:
    assert models[finish].size < MOST_BYTES
    assert models[finish].tree.get("extensionsRequired", []) == []
    assert set(models[finish].tree["extensionsUsed"]) == {"KHR_materials_specular"}


def test_bronze_is_metal_that_turns_to_patina_in_creases(models: dict[str, Model]) -> None:
    cloth = models["bronze"].materials["cloth"]["pbrMetallicRoughness"]
    assert (cloth["metallicFactor"], cloth["roughnessFactor"]) == (1.0, 1.0)
    metal = models["bronze"].picture(cloth["metallicRoughnessTexture"])[0, :, 2]
    colour = models["bronze"].picture(cloth["baseColorTexture"])[0]
    assert metal[0] > 250 and metal[-1] < 50
    assert colour[0, 0] > colour[0, 1] and colour[-1, 1] > colour[-1, 0]
    cover = models["bronze"].uv("cloth")[:, 0]
    assert np.percentile(cover, 10) < 0.2 and np.percentile(cover, 95) > 0.7


def test_bronze_plaque_is_bare_but_for_its_rim(models: dict[str, Model]) -> None:
    """As in the picture: its level has vertices of its own, or the rim's patina would run over it,
    and the name could not be read."""
    kit = kits.load("soldier")
    top_left, _, low_right, _ = kit.plaque
    points, cover = models["bronze"].points("base"), models["bronze"].uv("base")[:, 0]
    middle, half = (top_left + low_right) / 2, np.abs(low_right - top_left) / 2
    made = bodies.make("soldier", kit.pose)
    away = np.abs(points * 1000 / made.scale_mm + [0, made.foot, 0] - middle)
    inside = (away[:, 0] < 0.8 * half[0]) & (away[:, 1] < 0.6 * half[1]) & (away[:, 2] < 0.03)
    assert inside.sum() > 20
    assert np.percentile(cover[inside], 75) < 0.25
    assert cover.max() > 0.7


def test_bronze_face_has_patina_too_and_is_waxed_as_in_the_picture(
    models: dict[str, Model],
) -> None:
    face, cloth = (
        models["bronze"].picture(
            models["bronze"].materials[name]["pbrMetallicRoughness"]["metallicRoughnessTexture"]
        )
        for name in ("face", "cloth")
    )
    assert face[..., 2].max() > 250 and face[..., 2].min() < 220
    bronze = kits.load("soldier").finish("bronze")
    bare_face = face[..., 1][face[..., 2] > 250]
    assert bare_face.mean() / 255 == pytest.approx(bronze.face_roughness**0.5, abs=0.02)
    assert cloth[0, 0, 1] / 255 == pytest.approx(bronze.roughness**0.5, abs=0.02)


def test_marble_has_veins_as_fine_as_the_picture_s(models: dict[str, Model]) -> None:
    """A vein is dark, a share of the way to the next one, and where it is strong only."""
    helmet = models["marble"].materials["helmet"]["pbrMetallicRoughness"]
    luma = models["marble"].picture(helmet["baseColorTexture"]).mean(axis=2)
    strong, weak = luma[0], luma[-1]
    assert strong.min() < 0.75 * strong.max()
    assert (strong < 0.9 * strong.max()).mean() < 0.1
    assert np.ptp(weak) < 12
    assert luma[:, 0] == pytest.approx(luma[:, -1], abs=3)
    lines = models["marble"].uv("helmet")[:, 0]
    assert np.ptp(lines) > 2


def test_glow_shines_of_itself_and_less_in_hollows(models: dict[str, Model]) -> None:
    cloth = models["glow"].materials["cloth"]
    assert cloth["emissiveFactor"] == [1, 1, 1]
    light = models["glow"].picture(cloth["emissiveTexture"]).mean(axis=(1, 2))
    assert light[-1] > 2 * light[0]
    day = models["glow"].picture(cloth["pbrMetallicRoughness"]["baseColorTexture"])
    assert day.mean() < 0.6 * 255
    assert "emissiveTexture" in models["glow"].materials["face"]


def test_name_shines_with_the_glow_around_it(models: dict[str, Model]) -> None:
    kit = kits.load("soldier")
    finish = kit.finish("glow")
    light = models["glow"].materials["name"]["emissiveFactor"]
    assert max(light) > 0
    assert light == pytest.approx(patterns.glow(kits.linear(finish.plaque_ink), finish), abs=1e-4)
    assert "emissiveFactor" not in models["bronze"].materials["name"]


@pytest.mark.parametrize("finish", ["bronze", "glow"])
def test_grass_of_a_squad_has_the_finishs_pattern_too(engine: SculptEngine, finish: str) -> None:
    """Darker or greener where its blades part, not one flat colour."""
    pair = admit(group_photo(2), most_faces=2)
    model = Model(engine.geometry(pair, Recipe("sculpt", "soldier", finish), format="glb"))
    blades = [each["name"] for each in model.tree["meshes"] if each["name"].startswith("grass")]
    assert blades
    column = 0 if finish == "bronze" else 1
    for name in blades:
        assert np.ptp(model.uv(name)[:, column]) > 0.3, name


def test_plain_finish_has_no_patterns() -> None:
    kit = kits.load("soldier")
    assert [name for name in kit.finishes if patterns.is_patterned(kit.finish(name))] == [
        "bronze",
        "marble",
        "glow",
    ]


def test_veins_of_texture_and_coordinates_lie_where_the_picture_has_them() -> None:
    kit = kits.load("soldier")
    layer = kit.finish("marble").layer
    assert layer is not None
    points = body.load(kit.baked("body.xz")).vertices[::400]
    uv = patterns.along_veins(points, layer)
    along, spacing, share = coating.BEDS[0]
    away = np.abs(uv[:, 0] - np.round(uv[:, 0])) * spacing * layer.size
    only = replace(layer, amount=1.0)
    drawn = share * coating.vein(away) * np.clip((uv[:, 1] * 64 - 0.5) / 63, 0, 1)
    whole = coating.veins(points, only)
    assert along.shape == (3,)
    assert (drawn <= whole + 1e-3).all()
    assert np.corrcoef(drawn, whole)[0, 1] > 0.8
