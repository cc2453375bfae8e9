"""kits/: what is on the shelf, and that baking it is repeatable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from figurine import kits
from figurine.errors import MissingModel, UnknownKit
from figurine.kits import baking, body, casting, solids
from figurine.types import Array

COARSE_STEP = 0.03
MAX_KIT_BYTES = 10_000_000


def test_kit_names_are_the_folders_with_a_description() -> None:
    assert "soldier" in kits.names()


def test_kit_unknown_is_refused() -> None:
    with pytest.raises(UnknownKit):
        kits.load("hussar")


def test_kit_name_with_a_path_is_refused() -> None:
    with pytest.raises(UnknownKit):
        kits.load("../kits/soldier")


def test_finish_unknown_is_refused() -> None:
    with pytest.raises(UnknownKit):
        kits.load("soldier").finish("chrome")


def test_baked_file_missing_names_the_command() -> None:
    with pytest.raises(MissingModel, match=r"python -m figurine\.kits bake soldier"):
        kits.load("soldier").baked("no-such-file")


@pytest.mark.parametrize("name", kits.names())
def test_kit_is_baked_in_every_finish_and_small(name: str) -> None:
    kit = kits.load(name)
    wanted = {"body.xz", "head.npy", "backdrop.png"}
    for finish in kit.finishes.values():
        wanted |= {f"{finish.name}.webp"}
        wanted |= {f"{finish.name}-skin.webp"} if finish.face == "paint" else set()
    folder = kit.folder / "baked"
    assert {path.name for path in folder.iterdir()} == wanted
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_KIT_BYTES


@pytest.mark.parametrize("name", kits.names())
def test_kit_uses_every_material_it_lists(name: str) -> None:
    kit = kits.load(name)
    baked = body.load(kit.baked("body.xz"))
    assert set(np.unique(baked.material)) == set(range(len(kit.materials)))


def test_colour_is_read_as_linear_light() -> None:
    assert kits.linear("#ff0080").tolist() == pytest.approx([1.0, 0.0, 0.2159], abs=1e-4)


def test_bake_of_a_body_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    kit = kits.load("soldier")
    for turn in ("one", "two"):
        (tmp_path / turn).mkdir()
        baking.bake_body(kit, step=COARSE_STEP, folder=tmp_path / turn, say=lambda line: None)
    for file in ("body.xz", "head.npy"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_body_file_keeps_the_mesh_to_a_sixty_thousandth(tmp_path: Path) -> None:
    ball = _ball()
    body.save(ball, tmp_path / "ball.xz")
    back = body.load(tmp_path / "ball.xz")
    assert np.abs(back.vertices - ball.vertices).max() < 2 / 65535
    for field in ("faces", "material", "other_material", "share"):
        assert (getattr(back, field) == getattr(ball, field)).all()


def test_cast_ball_is_round_and_faces_outwards() -> None:
    ball = _ball()
    corner = ball.vertices[ball.faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert np.abs(np.linalg.norm(ball.vertices, axis=1) - 0.5).max() < 0.01
    assert (np.einsum("ij,ij->i", normal, corner.mean(axis=1)) > 0).all()


def test_cast_material_is_that_of_the_nearest_part() -> None:
    ball = _ball()
    assert (ball.material == (ball.vertices[:, 1] > 0)).mean() > 0.95


def test_body_above_keeps_only_what_lies_higher() -> None:
    ball = _ball()
    upper = ball.above(0.1)
    assert 0 < len(upper.faces) < len(ball.faces)
    assert upper.vertices[:, 1].min() > 0.1


def test_radial_map_of_a_ball_off_centre() -> None:
    rays = np.asarray([[1, 0, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    ball = solids.ellipsoid((0.1, 0, 0), (0.5, 0.5, 0.5))
    reach = casting.radial_map(ball, origin=np.zeros(3), directions=rays, reach=2.0)
    assert reach.tolist() == pytest.approx([0.6, 0.4, 0.24**0.5], abs=1e-3)


def _ball() -> body.Body:
    """A ball of two overlapping halves, the lower of one material and the upper of another."""

    def half(sign: float) -> solids.Solid:
        ball = solids.ellipsoid((0, 0, 0), (0.5, 0.5, 0.5))
        upright: Array = np.asarray([0, -sign, 0], np.float32)
        return solids.common(ball, lambda p: p @ upright - 0.06)

    parts = [solids.Part("low", "clay", half(-1.0)), solids.Part("high", "tin", half(1.0))]
    bounds = ((-0.6, -0.6, -0.6), (0.6, 0.6, 0.6))
    return casting.cast(parts, bounds=bounds, materials=["clay", "tin"], step=0.05)
