"""engines/klein: passes that fit into memory, people who leave, and the likeness gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from figurine import marks
from figurine.engines.klein import gate
from figurine.engines.klein.gate import Trial
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.klein.passes import Job, Passes, Person
from figurine.errors import Cancelled, FigurineError, OutOfMemory
from figurine.types import Pixels

SPAN = (0.25, 0.75)
STEPS = 4


class Canvas:
    """A painter whose pictures are one pixel of the commission's seed, on a card that has room for
    so many at once."""

    name, version = "canvas", "1"
    width_px = height_px = 1
    wants_identity = False

    def __init__(self, room: int = 99, *, is_compiled: bool = False) -> None:
        self.room, self.is_compiled = room, is_compiled
        self.passes: list[int] = []
        """How many each had, those that failed included."""

    def warm_up(self, batch: int) -> None:
        self.paint([commission(0)] * batch, step=lambda number, steps: None)

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        self.passes.append(len(commissions))
        for number in range(STEPS):
            step(number, STEPS)
            if len(commissions) > self.room:
                raise torch.OutOfMemoryError("full")
        return [np.full((1, 1, 3), each.seed, np.uint8) for each in commissions]

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        return [draft + 100 for draft in drafts]


class Streaming(Canvas):
    """One whose pictures come later, and need memory until they do."""

    flying = 0

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Callable[[], list[Pixels]]:
        here = len(commissions)
        if self.flying + here > self.room:
            self.passes.append(here)
            raise torch.OutOfMemoryError("full")
        painted = self.paint(commissions, step=step)
        self.flying += here

        def collect() -> list[Pixels]:
            self.flying -= here
            return painted

        return collect


class Spilling(Canvas):
    """One whose pictures do not fit when they come."""

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Callable[[], list[Pixels]]:
        self.passes.append(len(commissions))

        def collect() -> list[Pixels]:
            if len(commissions) > self.room:
                raise torch.OutOfMemoryError("full")
            return [np.full((1, 1, 3), each.seed, np.uint8) for each in commissions]

        return collect


def commission(seed: int) -> Commission:
    grey = np.zeros((1, 1, 3), np.uint8)
    return Commission(prompt="", pose=grey, selfie=grey, faces=((0, 0, 1, 1),), seed=seed)


def jobs(count: int, people: Sequence[Person] = ()) -> list[Job]:
    waiting = people or [Person(lambda stage, done: None) for _ in range(count)]
    return [Job(waiting[seed % len(waiting)], commission(seed)) for seed in range(count)]


def seeds(pictures: Sequence[Pixels | None]) -> list[int | None]:
    return [None if picture is None else int(picture[0, 0, 0]) for picture in pictures]


def test_passes_are_as_large_as_allowed() -> None:
    canvas = Canvas()
    assert seeds(Passes(4).paint(canvas, jobs(10), span=SPAN)) == list(range(10))
    assert canvas.passes == [4, 4, 2]


@pytest.mark.parametrize("kind", [Canvas, Streaming, Spilling])
@pytest.mark.parametrize("room", [1, 2, 3, 5])
def test_out_of_memory_halves_and_loses_nobody(kind: type[Canvas], room: int) -> None:
    passes = Passes(8)
    assert seeds(passes.paint(kind(room), jobs(11), span=SPAN)) == list(range(11))
    assert passes.size <= room


def test_what_memory_allowed_is_remembered() -> None:
    passes, canvas = Passes(8), Canvas(room=2)
    passes.paint(canvas, jobs(4), span=SPAN)
    assert canvas.passes == [4, 2, 2]
    passes.paint(canvas, jobs(4), span=SPAN)
    assert canvas.passes == [4, 2, 2, 2, 2]


@pytest.mark.parametrize("kind", [Canvas, Streaming, Spilling])
def test_no_memory_for_a_single_picture_is_everyones_outcome(kind: type[Canvas]) -> None:
    asked = jobs(3)
    assert seeds(Passes(2).paint(kind(room=0), asked, span=SPAN)) == [None, None, None]
    assert [type(job.person.gone) for job in asked] == [OutOfMemory] * 3


def test_passes_grow_back_slowly() -> None:
    passes, canvas = Passes(4), Canvas(room=1)
    passes.paint(canvas, jobs(2), span=SPAN)
    canvas.room = 99
    grown = []
    for _ in range(80):
        grown.append(passes.size)
        passes.paint(canvas, jobs(passes.size), span=SPAN)
    assert [grown.count(size) for size in (1, 2, 4)] == [30, 32, 18]


def test_compiled_passes_are_of_fixed_sizes() -> None:
    canvas = Canvas(is_compiled=True)
    assert seeds(Passes(8).paint(canvas, jobs(11), span=SPAN)) == list(range(11))
    assert canvas.passes == [8, 4]


def test_faces_are_painted_again_on_their_drafts() -> None:
    asked = [
        Job(job.person, job.commission, np.full((1, 1, 3), number, np.uint8))
        for number, job in enumerate(jobs(3))
    ]
    assert seeds(Passes(2).paint(Canvas(), asked, span=SPAN)) == [100, 101, 102]


def test_progress_runs_through_its_span_and_never_back() -> None:
    told: list[float] = []
    people = [Person(lambda stage, done: told.append(done))]
    Passes(8).paint(Canvas(room=2), jobs(4, people), span=SPAN)
    assert told == sorted(told)
    assert told[0] == 0.25
    assert told[-1] == pytest.approx(0.25 + 0.5 * (2 + 2 * 3 / 4) / 4)


def leaving(at: int) -> Person:
    """Someone who leaves when told for the so-manieth time."""
    calls = iter(range(999))

    def progress(stage: str, done: float) -> None:
        if next(calls) == at:
            raise Cancelled

    return Person(progress)


def test_who_leaves_does_not_stop_the_others() -> None:
    people = [leaving(2), leaving(99)]
    canvas = Canvas()
    assert seeds(Passes(4).paint(canvas, jobs(2, people), span=SPAN)) == [None, 1]
    assert canvas.passes == [2]
    assert isinstance(people[0].gone, Cancelled)


def test_pass_stops_when_everyone_has_left() -> None:
    told: list[int] = []

    class Watched(Canvas):
        def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
            def watched(number: int, steps: int) -> None:
                told.append(number)
                step(number, steps)

            return super().paint(commissions, step=watched)

    people = [leaving(1), leaving(2)]
    assert seeds(Passes(4).paint(Watched(), jobs(2, people), span=SPAN)) == [None, None]
    assert told == [0, 1, 2]


def test_who_has_left_is_not_painted() -> None:
    people = [leaving(0), leaving(99), leaving(0), leaving(99)]
    canvas = Canvas()
    assert seeds(Passes(1).paint(canvas, jobs(4, people), span=SPAN)) == [None, 1, None, 3]
    assert canvas.passes == [1, 1, 1]


def test_who_breaks_otherwise_breaks_the_pass() -> None:
    class Broken(Canvas):
        def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
            raise RuntimeError("illegal memory access")

    with pytest.raises(RuntimeError, match="illegal"):
        Passes(4).paint(Broken(), jobs(2), span=SPAN)


@pytest.mark.parametrize(
    "words", ["CUDA out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"]
)
def test_library_that_says_in_words_that_memory_is_short_halves_too(words: str) -> None:
    class Wordy(Canvas):
        def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
            if len(commissions) > 2:
                raise RuntimeError(words)
            return super().paint(commissions, step=step)

    canvas = Wordy()
    assert seeds(Passes(8).paint(canvas, jobs(5), span=SPAN)) == list(range(5))
    assert max(canvas.passes) == 2


@pytest.mark.parametrize(("most", "passes"), [(6, [4, 4, 4]), (16, [8, 4])])
def test_compiled_passes_are_never_of_a_size_that_was_not_warmed(
    most: int, passes: list[int]
) -> None:
    canvas, sized = Canvas(is_compiled=True), Passes(most)
    sized.warm_up(canvas)
    warmed, canvas.passes = set(canvas.passes), []
    sized.paint(canvas, jobs(11), span=SPAN)
    assert canvas.passes == passes
    assert set(canvas.passes) <= warmed


def test_faces_painted_one_by_one_are_not_padded() -> None:
    class Counting(Canvas):
        def refine(
            self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
        ) -> list[Pixels]:
            self.passes.append(len(drafts))
            return list(drafts)

    canvas = Counting(is_compiled=True)
    drafts = [Job(job.person, job.commission, np.zeros((1, 1, 3), np.uint8)) for job in jobs(5)]
    Passes(8).paint(canvas, drafts, span=SPAN)
    assert canvas.passes == [5]


def test_progress_that_cannot_be_told_ends_nobodys_pass() -> None:
    def busy(stage: str, done: float) -> None:
        raise OSError("database is locked")

    people = [Person(busy), Person(lambda stage, done: None)]
    assert seeds(Passes(4).paint(Canvas(), jobs(2, people), span=SPAN)) == [0, 1]
    assert [person.gone for person in people] == [None, None]


def test_person_is_told_until_gone() -> None:
    told: list[tuple[str, float]] = []

    def progress(stage: str, done: float) -> None:
        told.append((stage, done))
        if done >= 0.5:
            raise FigurineError("enough")

    person = Person(progress)
    for done in (0.3, 0.1, 0.6, 0.9):
        person.tell("painting", done)
    assert told == [("painting", 0.3), ("painting", 0.3), ("painting", 0.6)]
    assert str(person.gone) == "enough"


def trial(likeness: float | None) -> Trial:
    nothing = np.zeros((1, 1, 3), np.uint8)
    return Trial(nothing, nothing, likeness)


def test_likest_comes_first_and_faceless_last() -> None:
    trials = [trial(None), trial(0.2), trial(-0.9), trial(0.4), trial(0.2)]
    order = [3, 1, 4, 2, 0]
    assert [id(each) for each in gate.ranked(trials)] == [id(trials[n]) for n in order]


@pytest.mark.parametrize(
    ("likenesses", "threshold", "way", "told"),
    [
        ([0.1, 0.6], 0.5, "none", ()),
        ([0.5], 0.5, "none", ()),
        ([0.1, 0.4], 0.5, "refine", (marks.UNLIKE,)),
        ([None, 0.4], 0.5, "refine", (marks.UNLIKE,)),
        ([None, None], 0.5, "reseed", (marks.NO_FACE_IN_FIGURINE,)),
        ([None, 0.1], 0.0, "none", ()),
        ([-0.04], 0.0, "none", ()),
        ([None, None], 0.0, "reseed", (marks.NO_FACE_IN_FIGURINE,)),
    ],
)
def test_gate_tries_again_and_marks(
    likenesses: list[float | None], threshold: float, way: str, told: tuple[str, ...]
) -> None:
    trials = [trial(likeness) for likeness in likenesses]
    assert gate.second(trials, threshold, is_measured=True) == way
    assert gate.marked(gate.ranked(trials)[0], threshold, is_measured=True) == told


def test_gate_without_a_recogniser_says_so() -> None:
    assert gate.measured(None, [], np.zeros((1, 1, 3), np.uint8)) is None
    assert gate.second([trial(None)], 0.5, is_measured=False) == "none"
    assert gate.marked(trial(None), 0.5, is_measured=False) == (marks.NOT_MEASURED,)
    assert gate.marked(trial(None), 0.0, is_measured=False) == ()


def test_seeds_of_candidates_are_distinct_and_the_same_each_time() -> None:
    first, again = gate.seeds(7, 4), gate.seeds(7, 4, again=True)
    assert first[0] == 7
    assert len({*first, *again, *gate.seeds(8, 4)}) == 12
    assert first[:2] == gate.seeds(7, 2)
    assert (first, again) == (gate.seeds(7, 4), gate.seeds(7, 4, again=True))
