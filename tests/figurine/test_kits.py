"""kits/: what is on the shelf, and that baking it is repeatable."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from figurine import kits
from figurine.decode import decode
from figurine.engines.sculpt import bust, compose, surface
from figurine.errors import MissingModel, UnknownKit
from figurine.gate import admit
from figurine.kits import baking, body, casting, finish, solids
from figurine.kits.__main__ import main as bake
from figurine.types import Array
from tests import photos

COARSE_STEP = 0.04
MAX_POSE_BYTES = 4_500_000
Spot = tuple[int, int]

FACE_DEG: tuple[Spot, ...] = (
    (0, 33), (-22, 27), (22, 27), (-22, 12), (22, 12), (-34, 6), (34, 6), (0, 0), (-34, -20),
    (34, -20), (0, -30), (-24, -30), (24, -30), (0, -52),
)  # fmt: skip
"""Forehead, brows, eyes, cheeks, nose, mouth and chin, in degrees right and up of the centre."""
SCALP_DEG: tuple[Spot, ...] = ((0, 52), (-30, 48), (30, 48))


def test_kit_names_are_the_folders_with_a_description() -> None:
    assert set(kits.names()) >= {"astronaut", "explorer", "soldier"}


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


STANCES = [kit for name in kits.names() for kit in baking.stances(name)]


@pytest.mark.parametrize("kit", STANCES, ids=lambda kit: f"{kit.name} {kit.pose}")
def test_kit_is_baked_in_every_pose_and_finish(kit: kits.Kit) -> None:
    wanted = {"body.xz", "head.npy", "backdrop.png"}
    greys = {f"{kits.MIXED}-{number}.webp" for number in range(len(compose.GREYS))}
    for known in kit.finishes.values():
        wanted |= greys if known.plates == kits.MIXED else {f"{known.plates}.webp"}
        wanted |= {f"{known.name}-skin.webp"} if known.face == "paint" else set()
    assert {path.name for path in kit.baked_folder.iterdir()} == wanted


@pytest.mark.parametrize("kit", STANCES, ids=lambda kit: f"{kit.name} {kit.pose}")
def test_kit_is_small(kit: kits.Kit) -> None:
    files = kit.baked_folder.iterdir()
    assert sum(path.stat().st_size for path in files if path.is_file()) < MAX_POSE_BYTES


@pytest.mark.parametrize(
    "changed",
    ["soldier/baked/head.npy", "soldier/baked/salute/body.xz", "soldier/kit.toml", "finishes.toml"],
)
def test_digest_tells_kits_apart_and_a_kit_from_its_former_self(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    root = kits.load("soldier").folder.parent
    shutil.copytree(root / "soldier", tmp_path / "soldier")
    shutil.copy(root / "finishes.toml", tmp_path)
    digests = {kits.load(name).digest() for name in kits.names()}
    assert len(digests) == len(kits.names())
    monkeypatch.setattr(kits, "_ROOT", tmp_path)
    kit = replace(kits.load("explorer"), folder=tmp_path / "soldier")
    assert kit.digest() in digests, "it is the files, wherever they lie"
    kits._digest.cache_clear()
    with (tmp_path / changed).open("ab") as file:
        file.write(b"#")
    assert kit.digest() not in digests


def test_bake_of_a_pose_that_is_not_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bake(["bake", "soldier", "--pose", "handstand"]) == 1
    assert "unknown_kit" in capsys.readouterr().err


@pytest.mark.parametrize("kit", STANCES, ids=lambda kit: f"{kit.name} {kit.pose}")
def test_kit_uses_only_materials_it_lists(kit: kits.Kit) -> None:
    baked = body.load(kit.baked("body.xz"))
    assert set(np.unique(baked.material)) <= set(range(len(kit.materials)))


@pytest.mark.parametrize("name", kits.names())
def test_kit_uses_every_material_it_lists(name: str) -> None:
    used = set[int]()
    for kit in baking.stances(name):
        used |= set(np.unique(body.load(kit.baked("body.xz")).material).tolist())
    assert used == set(range(len(kits.load(name).materials)))


def test_pose_is_the_first_unless_another_is_asked_for() -> None:
    kit = kits.load("soldier")
    assert kit.posed("") is kit
    assert list(kit.poses) == ["binoculars", "salute"]
    assert kit.posed("salute").baked("body.xz") != kit.baked("body.xz")
    assert kit.posed("salute").posed("").pose == "binoculars"


@pytest.mark.parametrize("pose", ["kneeling", "../binoculars", "Salute"])
def test_pose_unknown_is_refused(pose: str) -> None:
    with pytest.raises(UnknownKit):
        kits.load("soldier").posed(pose)


def test_poses_have_bodies_of_their_own() -> None:
    one, other = (np.load(kit.baked("head.npy")) for kit in baking.stances("soldier"))
    assert (one == other).all()  # the same head, on
    bodies = [body.load(kit.baked("body.xz")) for kit in baking.stances("soldier")]
    assert bodies[0].vertices.shape != bodies[1].vertices.shape


def test_plates_mixed_alike_are_of_one_plastic() -> None:
    """What is mixed from the same greys cannot differ in gloss, layer or colours a material."""
    for name in kits.names():
        mixed = [f for f in kits.load(name).finishes.values() if f.plates == kits.MIXED]
        assert len({(f.roughness, *f.specular.tolist(), f.surface) for f in mixed}) == 1
        assert all(f.layer is None and (f.palette == f.palette[0]).all() for f in mixed)
        assert all(f.face == "plastic" for f in mixed)


def test_finish_of_a_kit_overrides_single_fields() -> None:
    shared = {"gilt": {"title": "Gilt", "face": "plastic", "roughness": 0.2, "specular": 1.0}}
    palette = {"*": "#ffffff", "hat": "#000000"}
    own = {"gilt": {"palette": palette, "gloss": {"hat": 0.5}}, "tin": False}
    read = finish.read_all({**shared, "tin": shared["gilt"]}, own, ("coat", "hat"))
    assert list(read) == ["gilt"]
    assert read["gilt"].specular.tolist() == [1.0, 0.5]
    assert read["gilt"].palette.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert (read["gilt"].title, read["gilt"].plates, read["gilt"].layer) == ("Gilt", "gilt", None)


def test_face_is_as_rough_as_the_rest_unless_the_finish_says_otherwise() -> None:
    shared = {"title": "Gilt", "face": "plastic", "roughness": 0.2, "specular": 1.0}
    shared["palette"] = {"*": "#ffffff"}
    tables = {"gilt": shared, "waxed": {**shared, "face_roughness": 0.6}}
    read = finish.read_all(tables, {}, ("coat",))
    assert [each.on_face().roughness for each in read.values()] == [0.2, 0.6]
    assert [each.roughness for each in read.values()] == [0.2, 0.2]


def test_linear_light_is_written_as_the_colour_it_was_read_from() -> None:
    greys = [f"#{level:02x}{level:02x}{level:02x}" for level in range(256)]
    levels = kits.srgb(np.stack([kits.linear(grey) for grey in greys]))
    assert levels.tolist() == [[level] * 3 for level in range(256)]
    assert kits.srgb(np.asarray([-1.0, 0.0031308, 7.0])).tolist() == [0, 10, 255]


def test_colour_is_read_as_linear_light() -> None:
    assert kits.linear("#ff0080").tolist() == pytest.approx([1.0, 0.0, 0.2159], abs=1e-4)


@pytest.mark.parametrize("name", kits.names())
def test_kit_bares_the_face_and_covers_the_scalp(name: str) -> None:
    kit = kits.load(name)
    hidden = _hidden(kit, FACE_DEG + SCALP_DEG)
    assert [spot for spot in FACE_DEG if spot in hidden] == []
    assert [spot for spot in SCALP_DEG if spot not in hidden] == []


def test_kit_without_a_strap_leaves_the_jaw_bare() -> None:
    selfie = admit(decode(photos.portrait("obama").read_bytes()))
    strapped = kits.load("soldier")
    bare = replace(strapped, face=replace(strapped.face, strap=""))
    painted = bare.finish("painted")
    head = bust.measure(selfie.faces[0], bare)
    plain, worn = (bust.make(selfie, head, kit, painted) for kit in (bare, strapped))
    raised = np.linalg.norm(worn.clay - plain.clay, axis=2) > 0.005
    assert 0.005 < raised.mean() < 0.1
    assert (plain.albedo != worn.albedo).any()


@pytest.mark.parametrize("kit", STANCES, ids=lambda kit: f"{kit.name} {kit.pose}")
def test_bake_of_a_body_twice_gives_the_same_bytes(kit: kits.Kit, tmp_path: Path) -> None:
    for turn in ("one", "two"):
        (tmp_path / turn).mkdir()
        baking.bake_body(kit, step=COARSE_STEP, folder=tmp_path / turn, say=lambda line: None)
    for file in ("body.xz", "head.npy"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_bake_of_everything_twice_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a size that takes seconds."""
    monkeypatch.setattr(compose, "PLATE_PX", (108, 135))
    monkeypatch.setattr(baking, "_BACKDROP_PX", (54, 68))
    monkeypatch.setattr(baking, "_BACKDROP_SPP", 4)
    monkeypatch.setattr(baking, "_PLATE_SPP", 2)
    kit = kits.load("soldier").posed("salute")
    for turn in ("one", "two"):
        baking.bake(kit, say=lambda line: None, step=COARSE_STEP, into=tmp_path / turn)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in kit.baked_folder.iterdir())
    for file in files:
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


def test_body_made_coarser_below_is_unchanged_above_and_closed() -> None:
    ball = _ball()
    low = ball.vertices[ball.faces][..., 1].mean(axis=1) < 0
    coarse = ball.coarser(low, cell=0.1)
    above = ball.vertices[ball.faces[~low]]
    made = set(map(tuple, coarse.vertices[coarse.faces].reshape(-1, 9)))
    assert len(coarse.faces) - len(above) < low.sum() / 4
    assert set(map(tuple, above.reshape(-1, 9))) <= made
    # Every edge is walked as often one way as the other: there is no gap where the two meet.
    edges = np.concatenate(
        [coarse.faces[:, [0, 1]], coarse.faces[:, [1, 2]], coarse.faces[:, [2, 0]]]
    )
    assert sorted(map(tuple, edges)) == sorted(map(tuple, edges[:, ::-1]))


def test_radial_map_of_a_ball_off_centre() -> None:
    rays = np.asarray([[1, 0, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    ball = solids.ellipsoid((0.1, 0, 0), (0.5, 0.5, 0.5))
    reach = casting.radial_map(ball, origin=np.zeros(3), directions=rays, reach=2.0)
    assert reach.tolist() == pytest.approx([0.6, 0.4, 0.24**0.5], abs=1e-3)


def _hidden(kit: kits.Kit, spots_deg: Sequence[Spot]) -> set[Spot]:
    """Which spots of the kit's own head the body hides from the camera."""
    shown = body.load(kit.baked("body.xz")).above(float(kit.face.origin[1]) - 0.5).vertices
    degrees = np.asarray(spots_deg, np.float32)
    column, row = surface.Grid(3.0).pixels(degrees).round().astype(int).T
    radius = np.load(kit.baked("head.npy"))[row, column]
    spots = kit.face.centre + surface.directions(degrees) * radius[:, None]
    size_px = (540, 675)
    body_px = kit.camera.project(shown, size_px)
    ahead = kit.camera.target - kit.camera.eye
    ahead = ahead / np.linalg.norm(ahead)
    hidden = set()
    for name, spot, at_px in zip(spots_deg, spots, kit.camera.project(spots, size_px), strict=True):
        over = np.abs(body_px - at_px).max(axis=1) < 3
        if ((spot - shown[over]) @ ahead > 0.005).any():
            hidden.add(name)
    return hidden


def _ball() -> body.Body:
    """A ball of two overlapping halves, the lower of one material and the upper of another."""

    def half(sign: float) -> solids.Solid:
        ball = solids.ellipsoid((0, 0, 0), (0.5, 0.5, 0.5))
        upright: Array = np.asarray([0, -sign, 0], np.float32)
        return solids.common(ball, lambda p: p @ upright - 0.06)

    parts = [solids.Part("low", "clay", half(-1.0)), solids.Part("high", "tin", half(1.0))]
    bounds = ((-0.6, -0.6, -0.6), (0.6, 0.6, 0.6))
    return casting.cast(parts, bounds=bounds, materials=["clay", "tin"], step=0.05)
