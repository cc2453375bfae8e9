"""engines/sculpt: a figurine of the right person, the same each time, with nothing spilled."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from figurine.decode import decode
from figurine.engines import sculpt
from figurine.engines.sculpt import (
    SculptEngine,
    coating,
    compose,
    engraving,
    gaze,
    meshes,
    paint,
    relief,
    surface,
)
from figurine.errors import BadPlaque, Cancelled, NoFace, UnknownKit
from figurine.faces import find_faces
from figurine.gate import admit
from figurine.kits import casting, load, names, solids
from figurine.types import Candidate, Recipe, Selfie
from tests import exhaustive, photos
from tests.bench.embedders import ARCFACE_WEIGHTS, embedders

SMALL = {"width_px": 270, "spp": 4}
PEOPLE = ("obama_1", "ochoa_1", "hopper_1")
MAIN_FINISHES = ("painted", "army-green")
SAME_PERSON = 0.30
"""Two people score at most this on the sample photos, two photos of one person 0.52 or more."""
STAGES = ["measuring", "sculpting", "casting", "painting", "finishing"]


def recipe(
    finish: str = "painted", plaque: str = "MAE", kit: str = "soldier", **options: int | str
) -> Recipe:
    return Recipe("sculpt", kit, finish, plaque=plaque, options={**SMALL, **options})


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, float]]:
    """What the first figurine's progress said."""
    return []


@pytest.fixture(scope="module")
def made(engine: SculptEngine, selfie: Selfie, heard: list[tuple[str, float]]) -> Candidate:
    (candidate,) = engine.generate(
        selfie, recipe(), seeds=[1], progress=lambda stage, done: heard.append((stage, done))
    )
    return candidate


def test_figurine_has_a_still_and_a_cutout(made: Candidate) -> None:
    assert made.still.shape == (338, 270, 3)
    assert made.cutout.shape == (338, 270, 4)
    assert made.still.dtype == made.cutout.dtype == np.uint8
    assert set(made.timings_ms) >= set(STAGES)


def test_figurine_again_is_the_same_to_the_byte(
    engine: SculptEngine, selfie: Selfie, made: Candidate
) -> None:
    engine.generate(selfie, recipe("army-green"), seeds=[9])  # leaves nothing behind
    (again,) = engine.generate(selfie, recipe(), seeds=[1])
    assert again.still.tobytes() == made.still.tobytes()
    assert again.cutout.tobytes() == made.cutout.tobytes()


def test_figurine_of_another_engine_object_is_the_same(selfie: Selfie, made: Candidate) -> None:
    (again,) = SculptEngine().generate(selfie, recipe(), seeds=[1])
    assert again.still.tobytes() == made.still.tobytes()


def test_seeds_give_a_candidate_each_in_order(engine: SculptEngine, selfie: Selfie) -> None:
    candidates = engine.generate(selfie, recipe("army-green", spp=1), seeds=[4, 5])
    assert [candidate.seed for candidate in candidates] == [4, 5]
    assert candidates[0].still.tobytes() != candidates[1].still.tobytes()


@pytest.mark.usefixtures("made")
def test_progress_climbs_through_the_stages_to_one(heard: list[tuple[str, float]]) -> None:
    shares = [done for _, done in heard]
    assert list(dict.fromkeys(stage for stage, _ in heard)) == STAGES
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert sum(stage == "painting" for stage, _ in heard) >= 3


def test_cancel_while_painting_stops_the_work(engine: SculptEngine, selfie: Selfie) -> None:
    heard: list[str] = []

    def leave(stage: str, done: float) -> None:
        heard.append(stage)
        if stage == "painting":
            raise Cancelled("the participant left")

    with pytest.raises(Cancelled):
        engine.generate(selfie, recipe(), seeds=[1], progress=leave)
    assert heard[-1] == "painting"


def test_cutout_is_the_figure_and_nothing_else(made: Candidate) -> None:
    alpha = made.cutout[..., 3]
    height, width = alpha.shape
    assert not alpha[:, : width // 8].any()
    assert not alpha[: height // 20].any()
    assert (alpha[height // 2, 2 * width // 5 : 3 * width // 5] == 255).all()
    assert not made.cutout[alpha == 0].any()
    count, _ = cv2.connectedComponents((alpha > 127).astype(np.uint8))
    assert count == 2  # nothing, and one figure


def test_cutout_edge_carries_no_backdrop(made: Candidate) -> None:
    """Straight alpha: along the helmet the colour is the helmet's, not the card's behind it."""
    helmet = made.cutout[: made.cutout.shape[0] // 5]
    edge = helmet[(helmet[..., 3] > 20) & (helmet[..., 3] < 120)].astype(int)
    card = made.still[5, 135].astype(int)
    assert len(edge) > 20
    assert np.median(edge[:, 0] - edge[:, 2]) < (card[0] - card[2]) / 2


def test_still_is_the_cutout_over_the_backdrop(made: Candidate) -> None:
    solid = made.cutout[..., 3] == 255
    assert (made.still[solid] == made.cutout[solid][:, :3]).all()


def test_plaque_changes_the_plaque_alone(
    engine: SculptEngine, selfie: Selfie, made: Candidate
) -> None:
    (blank,) = engine.generate(selfie, recipe(plaque=""), seeds=[1])
    changed = (blank.still != made.still).any(axis=2)
    kit = load("soldier")
    corners = kit.camera.project(kit.plaque, (270, 338))
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 100
    assert corners[:, 0].min() < columns.min() and columns.max() < corners[:, 0].max()
    assert corners[:, 1].min() < rows.min() and rows.max() < corners[:, 1].max()


@pytest.mark.parametrize(
    "name",
    [
        "JOSÉ ÅKERSTRÖM",
        "ŁUKASZ",
        "O'NEIL 007!",
        "ОЛЬГА",
        "김철수",
        "山田 太郎",
        "ナンシー",
        "علی",
        "नेहा",
        "WWWWWWWWWWWWWWWW",
        "鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱鬱",
    ],
)
def test_plaque_letters_fit_and_differ(name: str) -> None:
    kit = load("soldier")
    blank = compose.Figure(
        light=np.full((338, 270, 3), 0.2, np.float32), alpha=np.ones((338, 270), np.float32)
    )
    figure = engraving.engrave(blank, name, kit, kit.finish("painted"))
    other = engraving.engrave(blank, name[:-1], kit, kit.finish("painted"))
    assert (figure.light != other.light).any()
    rows, columns = np.nonzero((figure.light != blank.light).any(axis=2))
    left, top = kit.camera.project(kit.plaque, (270, 338)).min(axis=0)
    right, bottom = kit.camera.project(kit.plaque, (270, 338)).max(axis=0)
    assert left < columns.min() and columns.max() < right
    assert top < rows.min() and rows.max() < bottom


def test_plaque_too_long_is_refused_before_any_work(engine: SculptEngine, selfie: Selfie) -> None:
    heard: list[str] = []
    with pytest.raises(BadPlaque):
        engine.generate(
            selfie, recipe(plaque="A" * 17), seeds=[1], progress=lambda s, d: heard.append(s)
        )
    assert heard == []


def test_unknown_kit_is_refused(engine: SculptEngine, selfie: Selfie) -> None:
    with pytest.raises(UnknownKit):
        engine.generate(selfie, Recipe("sculpt", "hussar", "painted"), seeds=[1])


@pytest.mark.parametrize("pose", ["binoculars", "salute"])
@pytest.mark.parametrize("finish", load("soldier").finishes)
def test_figurine_has_a_face_in_every_finish_and_pose(
    engine: SculptEngine, selfie: Selfie, finish: str, pose: str
) -> None:
    wanted = recipe(finish, pose=pose, width_px=540)
    (made,) = engine.generate(selfie, wanted, seeds=[1])
    (face,) = find_faces(np.ascontiguousarray(made.still[40:330, 120:420]))
    assert face.score > 0.6


def test_figurine_in_another_pose_stands_differently(
    engine: SculptEngine, selfie: Selfie, made: Candidate
) -> None:
    (other,) = engine.generate(selfie, recipe(pose="salute"), seeds=[1])
    first, second = made.cutout[..., 3] > 127, other.cutout[..., 3] > 127
    assert (first ^ second).sum() > 0.05 * first.sum()


def test_unknown_pose_is_refused(engine: SculptEngine, selfie: Selfie) -> None:
    with pytest.raises(UnknownKit):
        engine.generate(selfie, recipe(pose="kneeling"), seeds=[1])


def test_mould_that_went_makes_the_same_when_it_is_made_anew(
    engine: SculptEngine, selfie: Selfie, made: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sculpt, "_KEPT_BYTES", 0)
    engine.generate(selfie, recipe("bronze", spp=1), seeds=[1])
    assert [key[2] for key in engine._moulds] == ["bronze"]
    (again,) = engine.generate(selfie, recipe(), seeds=[1])
    assert again.still.tobytes() == made.still.tobytes()


def test_moulds_of_every_look_are_kept_as_sketches(engine: SculptEngine) -> None:
    """Those of a kit in a pose are alike in size, but where skin is bare it has a plate too."""
    soldier = load("soldier")
    held = {
        finish.face: engine._mould(soldier, finish, 540).bytes
        for finish in (soldier.finish("painted"), soldier.finish("army-green"))
    }
    looks = [
        finish.face
        for kit in map(load, names())
        for _ in range(max(1, len(kit.poses)))
        for finish in kit.finishes.values()
    ]
    assert len(looks) == 24
    whole = sum(held[face] for face in looks)
    assert 0.8 * sculpt._KEPT_BYTES < whole <= sculpt._KEPT_BYTES


def test_moulds_beyond_what_memory_is_for_them_go_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, soldier = SculptEngine(), load("soldier")
    first, *others = (soldier.finish(name) for name in ("marble", "bronze", "glow"))
    size = engine._mould(soldier, first, 270).bytes
    monkeypatch.setattr(sculpt, "_KEPT_BYTES", round(2.5 * size))
    for finish in (others[0], first, others[1]):
        engine._mould(soldier, finish, 270)
    assert [key[2] for key in engine._moulds] == ["marble", "glow"]


def test_glowing_figurine_lights_a_dim_room(engine: SculptEngine, selfie: Selfie) -> None:
    glow = engine.generate(selfie, recipe("glow"), seeds=[1])[0]
    day = engine.generate(selfie, recipe("army-green"), seeds=[1])[0]
    corner, beside = np.s_[:20, :20], np.s_[200:220, 60:70]
    assert glow.still[corner].mean() < 0.6 * day.still[corner].mean()
    assert glow.still[beside][..., 1].mean() > 1.2 * glow.still[corner][..., 1].mean()


def test_plastic_of_any_colour_is_mixed_from_greys() -> None:
    """Light that bounces at most twice: exact for the greys themselves, and between them."""
    x = {level: level / (1 - 0.596 * level) for level in (*compose.GREYS, 0.5)}
    light = {level: 0.04 + 0.7 * t + 0.2 * t * t for level, t in x.items()}
    greys = [np.full((2, 2, 3), light[level], np.float32) for level in compose.GREYS]
    colour = np.asarray([0.25, 0.5, 0.75], np.float32)
    mixed = compose.mixed(greys, colour)
    wanted = [light[level] for level in (0.25, 0.5, 0.75)]
    assert mixed[0, 0].tolist() == pytest.approx(wanted, rel=1e-4)


def test_wash_takes_the_finish_colour_where_a_face_is_dark() -> None:
    marble = load("soldier").finish("marble")
    base = marble.palette[0]
    drawn = np.stack([base * 0.0, base * 0.5, base])[None]
    dark, grey, plain = coating.toned(drawn, base, marble)[0]
    assert dark.tolist() == pytest.approx(marble.wash.tolist(), abs=1e-4)
    assert plain.tolist() == pytest.approx(base.tolist(), abs=1e-4)
    assert (dark < grey).all() and (grey < plain).all()


def test_patina_lies_in_hollows_and_not_on_edges() -> None:
    """A ball with a groove around it: covered in the groove, bare on the ball."""
    ball = solids.ellipsoid((0, 0, 0), (0.5, 0.5, 0.5))
    groove = solids.slab((0, 0, 0), (0, 1, 0), 0.05)
    notched = solids.cut(ball, solids.common(groove, solids.inverse(solids.grown(ball, -0.08))))
    parts = [solids.Part("ball", "tin", notched)]
    bounds = ((-0.6, -0.6, -0.6), (0.6, 0.6, 0.6))
    whole = casting.cast(parts, bounds=bounds, materials=["tin", "clay"], step=0.025)
    layer = load("soldier").finish("bronze").layer
    assert layer is not None
    wide = replace(layer, size=0.1)
    cover = coating.on_body(whole, meshes.normals_of(whole), wide)
    height, out = np.abs(whole.vertices[:, 1]), np.linalg.norm(whole.vertices, axis=1)
    corner = (height > 0.03) & (height < 0.06) & (out < 0.45)
    edge = (height > 0.04) & (height < 0.07) & (out > 0.48)
    assert cover[corner].mean() > 0.7 * layer.amount
    assert cover[edge].mean() < 0.1


def test_selfie_without_a_face_is_refused(engine: SculptEngine) -> None:
    nobody = Selfie(np.zeros((64, 64, 3), np.uint8), ())
    with pytest.raises(NoFace):
        engine.generate(nobody, recipe(), seeds=[1])


def test_frontal_mesh_undoes_a_turned_head(selfie: Selfie) -> None:
    mesh = selfie.faces[0].mesh
    turn = cv2.Rodrigues(np.radians([8.0, -17.0, 11.0]))[0].astype(np.float32)
    assert np.abs(surface.frontal(mesh @ turn.T) - surface.frontal(mesh)).max() < 1e-3


def test_head_passes_through_the_face_and_leaves_the_rim_alone(selfie: Selfie) -> None:
    kit = load("soldier")
    template = np.load(kit.baked("head.npy"))
    head = surface.sculpt(selfie.faces[0], template, kit.face)
    points = surface.frontal(selfie.faces[0].mesh) * kit.face.width
    points += kit.face.origin - kit.face.centre
    at = surface.Grid(1.0)
    radius, _ = head.sampled(at)
    pixel = at.pixels(head.points_deg)
    there = cv2.remap(radius, pixel[:, :1], pixel[:, 1:], cv2.INTER_LINEAR)[:, 0]
    assert np.abs(there - np.linalg.norm(points, axis=1)).mean() < 0.004
    level = template.shape[0] * 78 // 140
    assert np.abs(head.radius[level, [0, -1]] - template[level, [0, -1]]).max() < 0.01


def test_dark_irises_are_not_painted_blue() -> None:
    """CIELAB b* of the eyes' darker half: +4 in the photo, and it was -7 in paint once."""
    portrait = _portrait(admit(decode(photos.portrait("jemison").read_bytes())))
    painted = cv2.cvtColor(paint.paint(portrait, gaze.draw(portrait)).albedo, cv2.COLOR_LRGB2LAB)
    eyes = sum(portrait.outline(eye, soft_deg=0.2) for eye in relief.EYES) > 0.9
    dark = eyes & (portrait.lab[..., 0] < np.median(portrait.lab[..., 0][eyes]))
    assert painted[dark][:, 2].mean() > 0


def test_largest_seed_is_a_seed(engine: SculptEngine, selfie: Selfie) -> None:
    assert engine.generate(selfie, recipe(spp=1), seeds=[2**31 - 1])[0].seed == 2**31 - 1


def test_gaze_lies_within_the_lids_and_its_pupil_within_the_iris(selfie: Selfie) -> None:
    drawn = gaze.draw(_portrait(selfie))
    assert drawn.opening.sum() > drawn.iris.sum() > drawn.pupil.sum() > drawn.glint.sum() > 0
    assert (drawn.iris <= drawn.opening + 1e-6).all()
    assert (drawn.pupil <= drawn.iris + 1e-6).all()


def test_eyes_are_matt_where_they_are_dark(selfie: Selfie) -> None:
    """Once the lamps bleached dark irises to grey, and half the likeness of plastic with them."""
    portrait = _portrait(selfie)
    drawn = gaze.draw(portrait)
    base = np.asarray([0.11, 0.19, 0.04], np.float32)
    for coat in (paint.paint(portrait, drawn), paint.wash(portrait, drawn, base)):
        assert coat.gloss[drawn.iris > 0.9].max() < 0.15 < 0.6 < np.median(coat.gloss)


@pytest.mark.skipif(not ARCFACE_WEIGHTS.exists(), reason="no test weights beside the repository")
@pytest.mark.parametrize(
    ("kit", "finish"),
    exhaustive.few(
        [
            *(("soldier", finish) for finish in load("soldier").finishes),
            *((kit, finish) for kit in names() for finish in MAIN_FINISHES if kit != "soldier"),
        ],
        ("soldier", "army-green"),
        ("soldier", "marble"),
        ("astronaut", "painted"),
        ("explorer", "painted"),
    ),
)
def test_figurine_is_of_the_right_person(engine: SculptEngine, kit: str, finish: str) -> None:
    people = {name: admit(decode(photos.portrait(name).read_bytes())) for name in PEOPLE}
    embedder = embedders()[0]
    own = {name: embedder.embed(s.pixels, s.faces[0]) for name, s in people.items()}
    for name, person in people.items():
        (made,) = engine.generate(person, recipe(finish, kit=kit, width_px=540, spp=8), seeds=[1])
        head = np.ascontiguousarray(made.still[40:330, 120:420])
        (face,) = find_faces(head)
        figurine = embedder.embed(head, face)
        scores = {other: float(figurine @ own[other]) for other in PEOPLE}
        assert max(scores, key=lambda other: scores[other]) == name
        assert scores[name] > SAME_PERSON


def _portrait(selfie: Selfie) -> relief.Portrait:
    kit = load("soldier")
    head = surface.sculpt(selfie.faces[0], np.load(kit.baked("head.npy")), kit.face)
    return relief.flatten(selfie, head, grid=surface.Grid(1.0))
