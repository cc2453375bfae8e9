"""engines/klein: from selfies to figurines, several people at once, on tiny random weights."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from figurine import engines, kits, marks
from figurine.engines import klein as klein_engine
from figurine.engines.base import Batching, Engine, Limited, Order, Progress, silent
from figurine.engines.klein import KleinEngine, easel, engine_version, frame, gate, prompts
from figurine.engines.klein.flux import KleinPainter
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.engines.klein.sdxl import SdxlPainter
from figurine.engines.klein.sitters import Sitter
from figurine.engines.sculpt import SculptEngine
from figurine.engines.workshop import Workshop
from figurine.errors import (
    Cancelled,
    DeviceLost,
    FigurineError,
    LicenceMissing,
    MissingModel,
    NoFace,
    OutOfMemory,
    UnknownKit,
)
from figurine.gate import admit
from figurine.types import Candidate, Pixels, Recipe, Selfie
from tests.figurine import tiny

SIDE_PX = 256
RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE")
STAGES = ["posing", "painting", "comparing", "finishing"]
Made = list[Candidate] | FigurineError


class Crowded(KleinPainter):
    """On a card with room for so many pictures at once."""

    room = 99

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Callable[[], list[Pixels]]:
        self.passes.append([commission.seed for commission in commissions])
        if len(commissions) > self.room:
            raise torch.OutOfMemoryError("full")
        return super().begin(commissions, step=step)

    passes: list[list[int]]


@pytest.fixture(scope="module")
def pipeline() -> PeoplePipeline:
    return PeoplePipeline(**tiny.components(encoder=False))


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> prompts.Embeddings:
    return prompts.Embeddings(
        tmp_path_factory.mktemp("prompts"),
        revision="tiny",
        encode=lambda texts: torch.cat([tiny.embeds(len(text)) for text in texts]),
    )


@pytest.fixture
def painter(pipeline: PeoplePipeline, embeddings: prompts.Embeddings) -> Crowded:
    made = Crowded(
        pipeline, embeddings=embeddings, version="tiny@1", width_px=SIDE_PX, height_px=SIDE_PX
    )
    made.passes = []
    return made


@pytest.fixture
def klein(painter: Crowded, sculptor: SculptEngine) -> KleinEngine:
    engine = KleinEngine(Workshop(batch=4), painter)
    engine._sculptor = sculptor  # its moulds are kept from test to test
    return engine


@pytest.fixture(scope="module")
def other(selfie: Selfie) -> Selfie:
    """Another person: none that anybody would take for the first, in colour and side."""
    return admit(np.ascontiguousarray(selfie.pixels[:, ::-1, ::-1]))


def order(selfie: Selfie, *, seed: int = 1, progress: Progress = silent, **options: Any) -> Order:
    return Order(selfie, replace(RECIPE, options=options), (seed,), progress)


def only(made: Made) -> Candidate:
    assert isinstance(made, list), made
    (candidate,) = made
    return candidate


def apart(one: Candidate, another: Candidate) -> float:
    """Mean difference of two stills' figures, in levels of 255."""
    return float(np.abs(one.still.astype(int) - another.still).mean())


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


def test_engine_is_found_by_its_name(tmp_path: Path) -> None:
    assert engines.load("klein", Workshop(weights=tmp_path)).name == "klein"


class Eyes:
    """A recogniser that finds in each picture what it was told to, one after the other."""

    def __init__(self, *likenesses: float | None) -> None:
        self.likenesses = list(likenesses)

    def embed(self, pixels: Pixels, face: Any) -> Any:
        return np.zeros(512, np.float32)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, klein: KleinEngine) -> Callable[..., Eyes]:
    """Have the engine's pictures be this like, in the order in which they are compared."""

    def tell(*likenesses: float | None) -> Eyes:
        eyes = Eyes(*likenesses)
        monkeypatch.setattr(klein, "_recogniser", eyes)
        monkeypatch.setattr(gate, "measured", lambda *_: eyes.likenesses.pop(0))
        return eyes

    return tell


def test_likest_candidate_is_kept(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(0.3, 0.5, 0.4, 0.2, None, 0.6)
    recipe = replace(RECIPE, options={"candidates": 3, "likeness": 0.5})
    made = klein.generate(selfie, recipe, seeds=[1, 2])
    assert [(each.seed, each.likeness, each.marks) for each in made] == [(2, 0.6, ()), (1, 0.5, ())]
    # Of the first seed, the second of its candidates.
    seen(0.9)
    plain = replace(RECIPE, options={"likeness": 0.5})
    (alone,) = klein.generate(selfie, plain, seeds=gate.seeds(1, 3)[1:2])
    assert apart(made[1], alone) < 0.01


def test_face_below_the_threshold_is_painted_again_once(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    eyes = seen(0.1, 0.3, 0.6)
    recipe = replace(RECIPE, options={"candidates": 2, "likeness": 0.5})
    (made,) = klein.generate(selfie, recipe, seeds=[1])
    assert (made.likeness, made.marks, eyes.likenesses) == (0.6, (), [])
    assert [len(each) for each in painter.passes] == [2]  # refining is none of those


def test_who_stays_unlike_is_marked_and_the_best_is_kept(
    klein: KleinEngine, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    eyes = seen(0.3, 0.2)
    (made,) = klein.generate(selfie, replace(RECIPE, options={"likeness": 0.5}), seeds=[1])
    assert (made.likeness, made.marks, eyes.likenesses) == (0.3, (marks.UNLIKE,), [])


def test_pictures_without_a_face_get_other_seeds(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(None, None, None, 0.7)
    recipe = replace(RECIPE, options={"candidates": 2, "likeness": 0.5})
    (made,) = klein.generate(selfie, recipe, seeds=[1])
    assert (made.likeness, made.marks) == (0.7, ())
    assert painter.passes == [gate.seeds(1, 2), gate.seeds(1, 2, again=True)]


def test_figurine_that_never_has_a_face_is_marked(
    klein: KleinEngine, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(None, None)
    (made,) = klein.generate(selfie, RECIPE, seeds=[1])
    assert (made.likeness, made.marks) == (None, (marks.NO_FACE_IN_FIGURINE,))


def test_second_try_is_only_for_whom_it_is_needed(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes]
) -> None:
    seen(0.9, None, 0.8)
    first, second = klein.generate_many([order(selfie, seed=1), order(selfie, seed=2)])
    assert (only(first).likeness, only(second).likeness) == (0.9, 0.8)
    assert painter.passes == [[1, 2], gate.seeds(2, 1, again=True)]


def test_second_try_that_does_not_fit_leaves_the_first(
    klein: KleinEngine, painter: Crowded, selfie: Selfie, seen: Callable[..., Eyes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(*_: Any, **__: Any) -> list[Pixels]:
        raise torch.OutOfMemoryError("full")

    seen(0.1)
    monkeypatch.setattr(painter, "refine", full)
    (made,) = klein.generate(selfie, replace(RECIPE, options={"likeness": 0.5}), seeds=[1])
    assert (made.likeness, made.marks) == (0.1, (marks.UNLIKE,))


def test_model_that_is_not_there_is_its_orders_outcome_and_stays_so(
    selfie: Selfie, sculptor: Engine, painter: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Nowhere:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            asked.append("qwen")
            raise MissingModel("run manage.py weights fetch qwen")

    class Here:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            asked.append("klein")
            return painter

    engine = KleinEngine(Workshop(batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    monkeypatch.setattr(frame, "FRAMES", {"square": (SIDE_PX, SIDE_PX)})
    there = {"klein": Here, "qwen": Nowhere}
    monkeypatch.setattr(easel, "_painters_of", lambda model: there[model])
    loading = engine.limit_s(RECIPE, faces=1)
    for _ in range(2):
        made = engine.generate_many([order(selfie, model="qwen"), order(selfie)])
        assert isinstance(made[0], MissingModel)
        assert only(made[1]).seed == 1
    assert asked == ["qwen", "klein"]
    assert engine.limit_s(RECIPE, faces=1) < loading


def test_model_that_is_not_there_does_not_turn_out_the_one_that_is(
    selfie: Selfie, sculptor: Engine, painter: Crowded, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    loaded: list[int] = []

    class Here:
        needs = ()
        wants_identity = False

        @staticmethod
        def load(workshop: Workshop, *, width_px: int, height_px: int) -> KleinPainter:
            loaded.append(1)
            return painter

    engine = KleinEngine(Workshop(weights=tmp_path, batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    monkeypatch.setattr(frame, "FRAMES", {"square": (SIDE_PX, SIDE_PX)})
    painters = {"klein": Here, "sdxl": SdxlPainter}
    monkeypatch.setattr(easel, "_painters_of", lambda model: painters[model])
    for _ in range(2):
        made = engine.generate_many([order(selfie), order(selfie, model="sdxl")])
        assert only(made[0]).seed == 1
        assert isinstance(made[1], LicenceMissing)
    assert loaded == [1]


def test_engine_keeps_nobody_whom_it_could_not_serve(
    selfie: Selfie, sculptor: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = KleinEngine(Workshop(weights=tmp_path, batch=2, device="cpu"))
    monkeypatch.setattr(engine, "_sculptor", sculptor)
    monkeypatch.setattr(engine, "_look", lambda: None)
    known: list[weakref.ref[Sitter]] = []

    class Known(Sitter):
        def __init__(self, asked: Order) -> None:
            super().__init__(asked)
            known.append(weakref.ref(self))

    monkeypatch.setattr(klein_engine, "Sitter", Known)
    for _ in range(2):
        (made,) = engine.generate_many([order(selfie)])
        assert isinstance(made, MissingModel)
    del made
    gc.collect()
    assert [one() for one in known] == [None, None]


def test_card_that_answers_no_more_is_told_from_a_pass_that_broke(
    sculptor: SculptEngine, painter: Crowded, selfie: Selfie, monkeypatch: pytest.MonkeyPatch
) -> None:
    klein = KleinEngine(Workshop(device="cuda:1"), painter)
    klein._sculptor = sculptor

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("an illegal memory access was encountered")

    def second_is_broken(device: str | None = None) -> None:
        if device == "cuda:1":
            broken()

    monkeypatch.setattr(painter, "begin", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        klein.generate_many([order(selfie)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", second_is_broken)
    with pytest.raises(DeviceLost) as lost:
        klein.generate_many([order(selfie)])
    assert (lost.value.code, lost.value.permanent) == ("device_lost", False)
