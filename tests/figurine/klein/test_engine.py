"""engines/klein: from selfies to figurines, several people at once, on tiny random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from figurine import kits, marks
from figurine.engines.base import Batching, Engine, Limited, Progress
from figurine.engines.klein import KleinEngine, engine_version, frame, prompts
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.engines.workshop import Workshop
from figurine.errors import Cancelled, FigurineError, NoFace, OutOfMemory, UnknownKit
from figurine.types import Selfie
from tests.figurine.klein.crowded import RECIPE, SIDE_PX, Crowded, apart, only, order

STAGES = ["posing", "painting", "comparing", "finishing"]


def test_figurine_has_a_still_a_cutout_and_its_history(klein: KleinEngine, selfie: Selfie) -> None:
    told: list[tuple[str, float]] = []
    (made,) = klein.generate(selfie, RECIPE, seeds=[5], progress=lambda *at: told.append(at))
    assert made.still.shape == (1350, 1080, 3)
    assert made.cutout.shape == (1350, 1080, 4)
    assert (made.recipe, made.seed) == (RECIPE, 5)
    assert made.engine_version.startswith("tiny@1+")
    assert len(made.engine_version) <= 80
    assert set(made.timings_ms) == set(STAGES)
    assert (made.likeness, made.marks) == (None, (marks.NOT_MEASURED,))
    assert list(dict.fromkeys(stage for stage, _ in told)) == STAGES
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert sum(stage == "painting" for stage, _ in told) == 4  # the steps


def test_figurine_again_is_the_same_to_the_byte(klein: KleinEngine, selfie: Selfie) -> None:
    one, again = (only(klein.generate(selfie, RECIPE, seeds=[5])) for _ in range(2))
    assert one.still.tobytes() == again.still.tobytes()
    assert one.cutout.tobytes() == again.cutout.tobytes()
    assert apart(one, only(klein.generate(selfie, RECIPE, seeds=[6]))) > 1


def test_people_of_one_pass_get_the_figurines_they_would_get_alone(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, other: Selfie
) -> None:
    together = klein.generate_many([order(selfie), order(other, kit="")])
    assert painter.passes == [[1, 1]]
    for made, who, stranger in zip(together, (selfie, other), (other, selfie), strict=True):
        alone = only(klein.generate_many([order(who)])[0])
        swapped = only(klein.generate_many([order(stranger)])[0])
        assert apart(only(made), alone) < apart(only(made), swapped) / 20


def test_one_bad_order_of_several_is_its_own(
    klein: KleinEngine, painter: Crowded, selfie: Selfie
) -> None:
    bad = [
        order(replace(selfie, faces=())),
        replace(order(selfie), recipe=replace(RECIPE, finish="gingham")),
        order(selfie, candidates=9),
        replace(order(selfie), selfie=Selfie(selfie.pixels[:0], selfie.faces)),
    ]
    made = klein.generate_many([bad[0], order(selfie), *bad[1:]])
    assert [each.code if isinstance(each, FigurineError) else "" for each in made] == [
        NoFace.code, "", UnknownKit.code, UnknownKit.code, "engine_broke",
    ]  # fmt: skip
    assert painter.passes == [[1]]


def test_bad_selfie_alone_raises(klein: KleinEngine, selfie: Selfie) -> None:
    with pytest.raises(NoFace):
        klein.generate(replace(selfie, faces=()), RECIPE, seeds=[1])


def test_orders_that_cannot_share_a_pass_do_not(
    klein: KleinEngine, painter: Crowded, selfie: Selfie
) -> None:
    ways = ("two", "composite", "two", "inpaint")
    made = klein.generate_many(
        [order(selfie, seed=seed, references=way) for seed, way in enumerate(ways)]
    )
    assert painter.passes == [[0, 2], [1], [3]]
    assert [only(each).seed for each in made] == [0, 1, 2, 3]
    assert len({only(each).still.tobytes() for each in made}) == 4
    assert len({only(each).engine_version for each in made}) == 3


def test_inpainted_figurine_is_the_render_but_for_its_face(
    klein: KleinEngine, sculptor: Engine, selfie: Selfie
) -> None:
    made = only(klein.generate_many([order(selfie, references="inpaint")])[0])
    posing = replace(RECIPE, engine="sculpt", options={"width_px": 205})
    (render,) = sculptor.generate(selfie, posing, seeds=[1])
    shown = frame.cut(frame.extended(render.still, width_px=SIDE_PX, height_px=SIDE_PX))
    assert (made.still[700:] == shown[700:]).all()
    assert (made.still[200:500, 400:700] != shown[200:500, 400:700]).mean() > 0.5


def test_candidates_of_a_seed_share_passes_and_one_is_kept(
    klein: KleinEngine, painter: Crowded, selfie: Selfie
) -> None:
    recipe = replace(RECIPE, options={"candidates": 3, "likeness": 0})
    made = klein.generate(selfie, recipe, seeds=[1, 2])
    assert [len(each) for each in painter.passes] == [4, 2]
    assert painter.passes[0][0] == 1
    assert painter.passes[0][3] == 2
    assert [each.seed for each in made] == [1, 2]
    assert [each.marks for each in made] == [(), ()]


def test_out_of_memory_halves_the_pass_and_loses_nobody(
    klein: KleinEngine, painter: Crowded, selfie: Selfie
) -> None:
    painter.room = 2
    assert klein.capacity() == 4
    made = klein.generate(selfie, RECIPE, seeds=[1, 2, 3, 4, 5])
    assert [each.seed for each in made] == [1, 2, 3, 4, 5]
    assert [len(each) for each in painter.passes] == [4, 2, 2, 1]
    assert klein.capacity() == 2


def test_out_of_memory_for_one_is_a_reason_to_try_later(
    klein: KleinEngine, painter: Crowded, selfie: Selfie
) -> None:
    painter.room = 0
    (made,) = klein.generate_many([order(selfie)])
    assert isinstance(made, OutOfMemory)
    assert not made.permanent


def leaving(stage: str) -> Progress:
    def progress(at: str, done: float) -> None:
        if at == stage:
            raise Cancelled("left")

    return progress


@pytest.mark.parametrize("stage", STAGES)
def test_who_leaves_is_cancelled_and_the_others_go_on(
    klein: KleinEngine, selfie: Selfie, stage: str
) -> None:
    stays, leaves = klein.generate_many([order(selfie), order(selfie, progress=leaving(stage))])
    assert isinstance(leaves, Cancelled)
    assert only(stays).seed == 1


def test_pass_stops_between_steps_when_everyone_has_left(
    klein: KleinEngine, pipeline: PeoplePipeline, selfie: Selfie
) -> None:
    steps: list[int] = []
    hook = pipeline.transformer.register_forward_hook(lambda *_: steps.append(1))

    def progress(stage: str, done: float) -> None:
        if stage == "painting" and len(steps) == 2:
            raise Cancelled

    try:
        with pytest.raises(Cancelled):
            klein.generate(selfie, RECIPE, seeds=[1], progress=progress)
    finally:
        hook.remove()
    assert len(steps) == 2


def test_engine_keeps_its_promises(klein: KleinEngine) -> None:
    assert isinstance(klein, Batching)
    assert isinstance(klein, Limited)
    one, two = (klein.limit_s(RECIPE, faces=count) for count in (1, 2))
    slow = replace(RECIPE, options={"model": "qwen", "candidates": 4})
    assert 10 < one < two < klein.limit_s(slow, faces=2)


def test_version_fits_its_column() -> None:
    assert engine_version("a@1", "words", "5+soldier.12345678.llvm") == (
        f"a@1+1.{prompts.digest('words')}+sculpt.5+soldier.12345678.llvm"
    )
    long = [engine_version("a" * 60, "words", f"5+soldier.{end}") for end in ("1" * 20, "2" * 20)]
    assert [len(version) for version in long] == [80, 80]
    assert long[0] != long[1]


def test_warm_up_finds_how_many_fit(klein: KleinEngine, painter: Crowded) -> None:
    painter.room = 1
    klein.warm_up()
    assert klein.capacity() == 1
    assert [len(each) for each in painter.passes] == [4, 2, 1]
    painter.room = 0
    with pytest.raises(OutOfMemory):
        klein.warm_up()


def test_warm_up_has_poses_ready_before_memory_is_measured(painter: Crowded) -> None:
    klein = KleinEngine(Workshop(batch=4), painter)
    painter.room = 0
    with pytest.raises(OutOfMemory):
        klein.warm_up()
    ready = klein._sculpt()._moulds
    assert {(kit, finish, width_px) for kit, _, finish, width_px in ready} == {
        (kit, "painted", 540) for kit in kits.names()
    }


def test_warm_up_of_compiled_passes_runs_each_size(klein: KleinEngine, painter: Crowded) -> None:
    painter.is_compiled = True
    klein.warm_up()
    assert [len(each) for each in painter.passes] == [4, 1, 2] * 2  # of both frames
