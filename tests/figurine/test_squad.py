"""engines/sculpt/squad.py: everyone of a selfie on one base, in the order they stood."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from figurine import kits
from figurine.decode import decode
from figurine.engines.sculpt import SculptEngine, lineup, squad, terrain
from figurine.errors import BigSquad, Cancelled
from figurine.faces import find_faces
from figurine.gate import admit
from figurine.kits import body
from figurine.types import Array, Candidate, Clip, Recipe, Selfie
from tests import exhaustive
from tests.figurine.test_motion import apart, played
from tests.photos import ASTRONAUT
from tests.squads import group_photo

TONES = (1.1, 0.45)
SIZES = range(2, lineup.MOST + 1)
LUMA = np.asarray([0.299, 0.587, 0.114])


def recipe(finish: str = "painted", *, plaque: str = "", **options: int | str) -> Recipe:
    return Recipe(
        "sculpt", "soldier", finish, plaque, options={"width_px": 270, "spp": 2, **options}
    )


@pytest.fixture(scope="module")
def pair() -> Selfie:
    """One bright, one dark."""
    return admit(group_photo(2, tones=TONES), most_faces=2)


@pytest.fixture(scope="module")
def made(engine: SculptEngine, pair: Selfie) -> Candidate:
    return engine.generate(pair, recipe(), seeds=[1])[0]


def faces_luma(picture: Array) -> list[float]:
    """Of every face in a picture, left to right."""
    found = []
    for face in find_faces(picture, closely=True):
        x, y = face.mesh[[50, 280], :2].astype(int).T
        found.append(float((picture[y, x] @ LUMA).mean()))
    return found


def test_squad_stands_as_in_the_selfie(pair: Selfie, made: Candidate) -> None:
    assert made.still.shape == (338, 270, 3)
    assert made.cutout.shape == (338, 270, 4)
    bright, dark = faces_luma(made.still)
    assert bright > 1.3 * dark
    assert pair.faces[0].luma > 1.5 * pair.faces[1].luma


def test_squad_the_other_way_round_stands_the_other_way_round(engine: SculptEngine) -> None:
    turned = admit(group_photo(2, tones=TONES[::-1]), most_faces=2)
    dark, bright = faces_luma(engine.generate(turned, recipe(), seeds=[1])[0].still)
    assert bright > 1.3 * dark


def test_squad_again_is_the_same_to_the_byte(
    engine: SculptEngine, pair: Selfie, made: Candidate
) -> None:
    again, other = engine.generate(pair, recipe(), seeds=[1, 2])
    assert again.still.tobytes() == made.still.tobytes()
    assert again.cutout.tobytes() == made.cutout.tobytes()
    assert other.still.tobytes() != made.still.tobytes()
    assert SculptEngine().generate(pair, recipe(), seeds=[1])[0].still.tobytes() == (
        made.still.tobytes()
    )


def test_squad_then_one_alone_is_as_if_alone(engine: SculptEngine, made: Candidate) -> None:
    alone = admit(decode(ASTRONAUT.read_bytes()))
    first = engine.generate(alone, recipe(), seeds=[1])[0]
    assert first.still.tobytes() == (
        SculptEngine().generate(alone, recipe(), seeds=[1])[0].still.tobytes()
    )


def test_squad_of_six_shows_every_face(engine: SculptEngine) -> None:
    six = admit(group_photo(6), most_faces=6)
    still = engine.generate(six, recipe(width_px=432), seeds=[1])[0].still
    assert len(find_faces(still, closely=True)) == 6


def test_squad_has_its_name_on_the_wide_base(
    engine: SculptEngine, pair: Selfie, made: Candidate
) -> None:
    named = engine.generate(pair, recipe(plaque="NOVA"), seeds=[1])[0]
    changed = np.abs(named.cutout.astype(int) - made.cutout).max(axis=2) > 12
    rows, columns = np.nonzero(changed)
    height, width = changed.shape
    assert changed.sum() > 100
    assert rows.min() > 0.7 * height
    assert abs(columns.mean() - width / 2) < 0.04 * width
    assert columns.max() - columns.min() < 0.4 * width


def test_squad_cutout_is_the_squad_and_nothing_else(made: Candidate) -> None:
    alpha = made.cutout[..., 3]
    assert not alpha[:8].any()
    assert not alpha[:, :4].any()
    assert not alpha[:, -4:].any()
    assert 0.2 < (alpha > 127).mean() < 0.7


def test_squad_progress_climbs_to_one_and_can_be_stopped(
    engine: SculptEngine, pair: Selfie
) -> None:
    heard: list[tuple[str, float]] = []
    engine.generate(
        pair, recipe(), seeds=[1], progress=lambda stage, done: heard.append((stage, done))
    )
    shares = [done for _, done in heard]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)

    def stop(stage: str, done: float) -> None:
        if stage == "painting":
            raise Cancelled("left")

    with pytest.raises(Cancelled):
        engine.generate(pair, recipe(), seeds=[1], progress=stop)


def test_squad_too_big_for_a_base_is_refused(engine: SculptEngine, pair: Selfie) -> None:
    crowd = Selfie(pair.pixels, pair.faces * 4)
    with pytest.raises(BigSquad):
        engine.generate(crowd, recipe(), seeds=[1])


@pytest.fixture(scope="module")
def clip(engine: SculptEngine, pair: Selfie) -> Clip:
    return engine.clip(pair, recipe(fps=1), seed=1)


@pytest.fixture(scope="module")
def shown(clip: Clip) -> Array:
    """Its frames, (4, H, W, 3): from the middle, to one side, through it, to the other."""
    return played(clip.mp4)[1]


def test_squad_clip_starts_as_the_still(made: Candidate, shown: Array) -> None:
    middle, one_side, again, other_side = shown
    assert 1.5 * apart(made.still, middle) < apart(made.still, one_side)
    assert apart(middle, again) < 1
    assert apart(one_side, other_side) > apart(middle, one_side)


def test_squad_clip_has_everyone_in_their_place_in_every_frame(shown: Array) -> None:
    for frame in shown:
        left, right = faces_luma(frame)
        assert left > 1.2 * right


@exhaustive.only
def test_squad_clip_again_is_the_same_to_the_byte(pair: Selfie, clip: Clip) -> None:
    assert SculptEngine().clip(pair, recipe(fps=1), seed=1) == clip


def test_squad_clip_can_be_stopped_while_it_lines_up(engine: SculptEngine, pair: Selfie) -> None:
    heard: list[tuple[str, float]] = []

    def stop(stage: str, done: float) -> None:
        heard.append((stage, done))
        if len(heard) > 3:
            raise Cancelled("left")

    with pytest.raises(Cancelled):
        engine.clip(pair, recipe(fps=1), seed=1, progress=stop)
    assert {stage for stage, _ in heard} == {"measuring", "sculpting"}


@pytest.mark.parametrize("count", exhaustive.few(SIZES, 2, 6))
@pytest.mark.parametrize("name", exhaustive.few(kits.names(), "soldier", "explorer"))
def test_squad_stays_clear_of_the_edge_however_far_it_turns(name: str, count: int) -> None:
    formation, solids = lineup.form(kits.load(name), count, width_px=1080)
    some = np.concatenate([solid.vertices[::50] for solid in solids])
    for deg in np.linspace(-lineup.SWAY_DEG, lineup.SWAY_DEG, 5):
        seen = formation.turned(float(deg)).project(some, formation.size_px)
        assert (seen > 0.015 * 1080).all()
        assert (seen < np.asarray(formation.size_px) - 0.015 * 1080).all()


@pytest.mark.parametrize("count", [2, 3])
def test_backdrop_shows_nothing_of_the_squad_that_turns_before_it(count: int) -> None:
    kit = kits.load("soldier")
    troop = squad.muster(kit, kit.finish("army-green"), count, width_px=270)
    red, green, _ = np.moveaxis(troop.backdrop, -1, 0)
    assert (red > green).all(), "card is tan, a plinth would be green"


@pytest.mark.parametrize("count", SIZES)
def test_plan_keeps_the_order_and_the_distance(count: int) -> None:
    places = lineup.plan_of(count, spacing=1.0).places
    across = [place.x for place in places]
    assert across == sorted(across)
    assert across == pytest.approx([-x for x in across[::-1]])
    for z in {place.z for place in places}:
        row = [place.x for place in places if place.z == z]
        assert all(right - left > 0.99 for left, right in pairwise(row))
    assert all(right - left > 0.3 for left, right in pairwise(across))


@pytest.mark.parametrize("count", SIZES)
def test_camera_has_everyone_in_the_picture(count: int) -> None:
    kit = kits.load("soldier")
    plan = lineup.plan_of(count, spacing=1.0)
    figure = box(-0.6, 2.0, 0.4)
    camera = lineup.framed(kit.camera, np.concatenate([place.put(figure) for place in plan.places]))
    seen = np.concatenate(
        [camera.project(place.put(figure), (1080, 1350)) for place in plan.places]
    )
    assert (seen.min(axis=0) > 20).all()
    assert (seen.max(axis=0) < (1060, 1330)).all()
    # As large as may be: some side is full.
    spans = (seen.max(axis=0) - seen.min(axis=0)) / (1080, 1350)
    assert spans.max() > 0.88


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", kits.names())
def test_base_is_under_everyone_and_at_the_height_of_their_soles(name: str, count: int) -> None:
    kit = kits.load(name)
    whole = body.load(kit.baked("body.xz"))
    plan = lineup.plan_of(count, spacing=1.0)
    base = terrain.base(plan, [kit] * count, [whole] * count)
    soil = base.vertices[base.material == kit.materials.index("ground")]
    for place in plan.places:
        near = np.hypot(soil[:, 0] - place.x, soil[:, 2] - place.z) < 0.15
        level = float(np.median(soil[near, 1])) - place.y
        assert level == pytest.approx(0.15, abs=0.02)
    low, high = base.vertices.min(axis=0), base.vertices.max(axis=0)
    assert low[1] == pytest.approx(0.0, abs=0.02)
    assert high[0] == pytest.approx(plan.half_width + 0.6, abs=0.01)


@pytest.mark.parametrize("name", kits.names())
def test_parted_figure_has_neither_plinth_nor_ground(name: str) -> None:
    kit = kits.load(name)
    whole = body.load(kit.baked("body.xz"))
    pieces = terrain.parted(kit, whole)
    own = [kit.materials.index("ground"), kit.materials.index("base")]
    assert np.isin(pieces.figure.material, own).mean() < 0.02
    assert pieces.figure.vertices[:, 1].max() == pytest.approx(whole.vertices[:, 1].max())
    assert pieces.accessories


def test_accessories_go_where_there_is_room() -> None:
    kit = kits.load("astronaut")
    pieces = terrain.parted(kit, body.load(kit.baked("body.xz")))
    plan = lineup.plan_of(2, spacing=0.9)
    first, second = (terrain.standing(plan, number, pieces) for number in range(2))
    # The flag stands at the left end, and not in the left one's way at the right.
    assert len(first.vertices) > len(second.vertices)


def box(low: float, high: float, half: float) -> Array:
    ends = np.asarray(np.meshgrid([low, -low], [0, high], [-half, half])).reshape(3, -1).T
    return np.asarray(ends, np.float32)
