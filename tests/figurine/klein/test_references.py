"""engines/klein: what a model is shown of a person, the frames it paints in, and the cutout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from figurine.engines.base import Engine, Progress, silent
from figurine.engines.klein import frame, matte, references
from figurine.engines.sculpt import SculptEngine
from figurine.errors import Cancelled
from figurine.faces import find_faces
from figurine.types import Candidate, Face, Pixels, Recipe, Selfie

RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE", options={"candidates": 2})
WIDTH_PX = 270


@pytest.fixture(scope="module")
def render(engine: SculptEngine, selfie: Selfie) -> Candidate:
    options = {"width_px": WIDTH_PX, "spp": 4}
    recipe = replace(RECIPE, engine="sculpt", options=options)
    return engine.generate(selfie, recipe, seeds=[1])[0]


def sit(engine: Engine, selfie: Selfie, **changed: object) -> references.Sitting:
    asked = {"way": "two", "width_px": 256, "height_px": 256, "progress": lambda *_: None}
    return references.sit(engine, selfie, RECIPE, seed=1, **{**asked, **changed})  # type: ignore[arg-type]


def overlap(one: Pixels, other: Pixels) -> float:
    """Intersection over union of two alphas."""
    a, b = one > 127, other > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("name", frame.FRAMES)
def test_still_comes_back_out_of_its_frame(render: Candidate, name: str) -> None:
    width_px, height_px = frame.FRAMES[name]
    still = frame.resized(render.still, *frame.STILL_PX)
    framed = frame.extended(still, width_px=width_px, height_px=height_px)
    assert framed.shape == (height_px, width_px, 3)
    assert width_px % 16 == height_px % 16 == 0
    back = frame.cut(framed)
    assert back.shape == (1350, 1080, 3)
    assert np.abs(back.astype(int) - still).mean() < 1.0


@pytest.mark.parametrize("name", frame.FRAMES)
def test_frame_carries_the_backdrop_on_without_a_seam(render: Candidate, name: str) -> None:
    framed = frame.extended(
        render.still, width_px=frame.FRAMES[name][0], height_px=frame.FRAMES[name][1]
    ).astype(int)
    left, top, wide, high = frame.inner(*frame.FRAMES[name])
    if left:
        seams = [
            (framed[:, left - 1], framed[:, left]),
            (framed[:, left + wide - 1], framed[:, left + wide]),
        ]
    else:
        seams = [(framed[top - 1], framed[top]), (framed[top + high - 1], framed[top + high])]
    assert [np.abs(one - other).mean() < 4 for one, other in seams] == [True, True]
    assert (framed.std(axis=(0, 1)) > 20).all()


def test_box_is_placed_in_the_frame() -> None:
    assert frame.placed((0, 0, 270, 338), of_px=(270, 338), width_px=1024, height_px=1024) == (
        102, 0, 819, 1024,
    )  # fmt: skip


def test_sitting_has_everything_in_the_frames_size(engine: SculptEngine, selfie: Selfie) -> None:
    sitting = sit(engine, selfie, width_px=192, height_px=256)
    assert sitting.pose.shape == (256, 192, 3)
    assert sitting.selfie.shape == (512, 512, 3)
    ((x, y, wide, high),) = sitting.faces
    assert 0.15 < wide / 192 < 0.40
    assert 0.10 < high / 256 < 0.35
    assert 0.45 < (x + wide / 2) / 192 < 0.55
    assert 0.15 < (y + high / 2) / 256 < 0.35
    assert sitting.sculpt_version.startswith(f"{engine.version}+soldier.")


def test_sitting_is_the_same_each_time(engine: SculptEngine, selfie: Selfie) -> None:
    one, other = sit(engine, selfie), sit(engine, selfie)
    assert one.pose.tobytes() == other.pose.tobytes()
    assert one.selfie.tobytes() == other.selfie.tobytes()


def test_sitting_stops_when_nobody_waits(engine: SculptEngine, selfie: Selfie) -> None:
    def leave(stage: str, done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        sit(engine, selfie, progress=leave)


def test_selfie_crop_has_the_whole_face_level_in_its_middle(selfie: Selfie) -> None:
    tilt = cv2.getRotationMatrix2D((455.0, 568.0), 25.0, 1.0)
    photo = cv2.warpAffine(selfie.pixels, tilt, selfie.pixels.shape[1::-1])
    (face,) = find_faces(np.asarray(photo, np.uint8))
    (found,) = find_faces(references.crop(np.asarray(photo, np.uint8), face))
    middle = found.mesh[:, :2].mean(0) / references.SELFIE_PX
    assert abs(found.roll_deg) < 4 < abs(face.roll_deg)
    assert np.abs(middle - 0.5).max() < 0.1
    assert 0.35 < found.width_px / references.SELFIE_PX < 0.55


def test_selfie_crop_reaches_past_the_photos_edge(selfie: Selfie) -> None:
    (face,) = selfie.faces
    x, y, wide, high = (round(value) for value in face.box)
    tight = selfie.pixels[y : y + high, x : x + wide]
    moved: Face = replace(face, mesh=face.mesh - np.asarray([x, y, 0], np.float32))
    assert references.crop(tight, moved).shape == (512, 512, 3)


class Ready:
    """A sculptor whose render is there already."""

    name, version = "sculpt", "0"

    def __init__(self, render: Candidate) -> None:
        self.render = render
        self.asked: list[Recipe] = []

    def warm_up(self) -> None: ...

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        self.asked.append(recipe)
        return [self.render]


def test_sitting_of_a_squad_shows_all_of_them(render: Candidate, selfie: Selfie) -> None:
    (face,) = selfie.faces
    across = np.asarray([selfie.pixels.shape[1], 0, 0], np.float32)
    squad = Selfie(
        np.hstack([selfie.pixels, 255 - selfie.pixels]),
        (face, replace(face, mesh=face.mesh + across)),
    )
    sitting = sit(Ready(render), squad)
    crops = [references.crop(squad.pixels, each) for each in squad.faces]
    assert sitting.selfie.tobytes() == references.together(crops).tobytes()


def test_squads_faces_have_a_box_each_left_to_right(render: Candidate) -> None:
    ((x, y, wide, high),) = references.face_boxes(render.still, RECIPE, 1)
    both = np.hstack([render.still, render.still])
    left, right = references.face_boxes(both, RECIPE, 2)
    assert left == pytest.approx((x, y, wide, high), abs=3)
    assert right == pytest.approx((x + WIDTH_PX, y, wide, high), abs=3)


def test_squad_of_which_a_face_is_not_found_is_taken_as_the_kit_has_it(render: Candidate) -> None:
    height, width = render.still.shape[:2]
    assert references.face_boxes(render.still, RECIPE, 2) == [(0, 0, width, height * 2 // 3)]


def test_render_that_only_poses_is_a_sketch(render: Candidate, selfie: Selfie) -> None:
    sculptor = Ready(render)
    for way in ("two", "composite", "inpaint"):
        sit(sculptor, selfie, way=way, width_px=1024, height_px=1024)
    assert [recipe.options for recipe in sculptor.asked] == [
        {"width_px": 540, "spp": 4},
        {"width_px": 540, "spp": 4},
        {"width_px": 819},
    ]
    assert {(recipe.engine, recipe.plaque) for recipe in sculptor.asked} == {("sculpt", "MAE")}


@pytest.mark.parametrize("count", range(2, 7))
def test_squads_selfies_stand_left_to_right_in_one_picture(count: int) -> None:
    crops = [np.full((512, 512, 3), 40 * number, np.uint8) for number in range(count)]
    whole = references.together(crops)
    assert whole.shape == (512, 512, 3)
    places = [np.argwhere(whole[..., 0] == 40 * number).mean(0) for number in range(count)]
    columns = 2 if count <= 4 else 3
    assert places == sorted(places, key=lambda at: (round(at[0]), at[1]))
    assert sum(round(at[0]) == round(places[0][0]) for at in places) == min(columns, count)


def test_composite_shows_pose_and_person_side_by_side(render: Candidate) -> None:
    selfie = np.full((512, 512, 3), 7, np.uint8)
    pose = frame.extended(render.still, width_px=832, height_px=1216)
    whole = references.composite(pose, selfie)
    assert whole.shape == (512, 352 + 512, 3)
    assert (whole[:, 352:] == 7).all()


def test_face_of_a_picture_without_one_is_where_the_kit_has_it() -> None:
    grey = np.full((338, 270, 3), 128, np.uint8)
    assert references.face_boxes(grey, RECIPE, 1) == [(98, 59, 74, 83)]
    assert references.face_boxes(grey, RECIPE, 3) == [(0, 0, 270, 225)]


def test_cutout_of_a_still_is_its_own(render: Candidate) -> None:
    """The render moved by some pixels is what a model's pose may be off by."""
    alpha = render.cutout[..., 3]
    moved = np.roll(alpha, (2, 3), (0, 1))
    assert overlap(moved, alpha) < 0.95
    for rough in (alpha, moved):
        made = matte.cutout(render.still, rough)
        assert made.shape == render.cutout.shape
        assert overlap(made[..., 3], alpha) > 0.97


def test_cutout_has_a_soft_edge_and_none_of_the_backdrop(render: Candidate) -> None:
    still = frame.resized(render.still, *frame.STILL_PX)
    true = frame.resized(render.cutout, *frame.STILL_PX).astype(int)
    made = matte.cutout(still, render.cutout[..., 3])
    alpha = made[..., 3].astype(np.float32) / 255
    soft = (alpha > 0.02) & (alpha < 0.98)
    outline = np.abs(np.diff(alpha > 0.5, axis=1)).sum()
    assert 2 < soft.sum() / outline < 8
    assert (made[alpha == 0] == 0).all()
    assert (made[alpha == 1, :3] == still[alpha == 1]).all()
    edge = soft & (true[..., 3] > 127)
    kept = np.abs(made[edge, :3].astype(int) - true[edge, :3]).mean()
    plain = np.abs(still[edge].astype(int) - true[edge, :3]).mean()
    assert kept < plain


def test_cutout_is_the_same_each_time(render: Candidate) -> None:
    one, other = (matte.cutout(render.still, render.cutout[..., 3]) for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_cutout_of_nothing_is_empty(render: Candidate) -> None:
    nothing = np.zeros_like(render.cutout[..., 3])
    assert not matte.cutout(render.still, nothing).any()
