"""engines/klein: two claims at once, of which one paints while the other does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock
from typing import Any

import numpy as np
import pytest

from figurine.engines.base import Order, Progress, silent
from figurine.engines.klein import KleinEngine, gate
from figurine.engines.klein.painter import Commission, Step
from figurine.engines.sculpt import SculptEngine
from figurine.engines.workshop import Workshop
from figurine.errors import FigurineError
from figurine.types import Candidate, Pixels, Recipe, Selfie

RECIPE = Recipe("klein", "soldier", "painted", plaque="MAE")
PATIENCE_S = 60.0
Made = list[list[Candidate] | FigurineError]
Serve = Callable[..., "Future[Made]"]


class Sketcher:
    """A painter whose pictures are the poses, tinted by the seed."""

    name, version = "sketcher", "1"
    width_px = height_px = 256
    wants_identity = False

    def __init__(self) -> None:
        self.log: list[str] = []
        """Of each pass, by its first seed, when it began and ended."""
        self.meanwhile: dict[int, Callable[[], object]] = {}
        """By seed, what happens while it is painted."""

    def warm_up(self, batch: int) -> None: ...

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        seed = commissions[0].seed
        self.log.append(f"{seed} begins")
        step(0, 1)
        self.meanwhile.get(seed, lambda: None)()
        self.log.append(f"{seed} ends")
        return [np.asarray(each.pose // 2 + each.seed % 100, np.uint8) for each in commissions]

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        return list(drafts)


@pytest.fixture
def painter() -> Sketcher:
    return Sketcher()


@pytest.fixture
def klein(painter: Sketcher, sculptor: SculptEngine) -> KleinEngine:
    engine = KleinEngine(Workshop(batch=4), painter)
    engine._sculptor = sculptor
    return engine


@pytest.fixture
def serve(klein: KleinEngine, selfie: Selfie) -> Iterator[Serve]:
    """Have a claim of one person served in a thread of its own, as a worker's pool does."""
    with ThreadPoolExecutor(2) as pool:

        def serve(seed: int, progress: Progress = silent, **options: Any) -> Future[Made]:
            order = Order(selfie, replace(RECIPE, options=options), (seed,), progress)
            return pool.submit(klein.generate_many, [order])

        yield serve


def still(made: Future[Made]) -> bytes:
    (one,) = made.result(PATIENCE_S)
    assert isinstance(one, list), one
    return one[0].still.tobytes()


def come(event: Event) -> None:
    assert event.wait(PATIENCE_S)


class Turn:
    """A lock that tells when somebody comes to it who has to wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.awaited = Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.awaited.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_claim_is_posed_while_another_is_painted(
    serve: Serve, painter: Sketcher, klein: KleinEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [still(serve(seed)) for seed in (1, 2)]
    turn, painted = Turn(), Event()

    def second_is_posed() -> None:
        painted.set()
        come(turn.awaited)

    monkeypatch.setattr(klein._easel, "_turn", turn)
    painter.log, painter.meanwhile = [], {1: second_is_posed}
    first = serve(1)
    come(painted)
    second = serve(2)
    assert [still(first), still(second)] == alone
    assert painter.log == ["1 begins", "1 ends", "2 begins", "2 ends"]


def test_claim_is_compared_while_another_is_painted(
    serve: Serve, painter: Sketcher, klein: KleinEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Eyes:
        def embed(self, pixels: Pixels, face: Any) -> Any:
            return np.zeros(512, np.float32)

    compared, painted = Event(), Event()

    def measured(*_: Any) -> float:
        if not compared.is_set():
            compared.set()
            come(painted)
        return 0.9

    monkeypatch.setattr(klein, "_recogniser", Eyes())
    monkeypatch.setattr(gate, "measured", measured)
    painter.meanwhile = {2: painted.set}
    first = serve(1)
    come(compared)
    second = serve(2)
    assert still(first) != still(second)


def test_second_try_waits_for_its_turn(
    serve: Serve, painter: Sketcher, klein: KleinEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is let go between the two, and never had by both."""
    again = gate.seeds(1, 1, again=True)[0]
    compared, tried = Event(), Event()

    class Eyes:
        def embed(self, pixels: Pixels, face: Any) -> Any:
            return np.zeros(512, np.float32)

    def measured(*_: Any) -> float | None:
        if compared.is_set():
            return 0.9
        compared.set()
        come(tried)
        return None  # no face: other seeds

    monkeypatch.setattr(klein, "_recogniser", Eyes())
    monkeypatch.setattr(gate, "measured", measured)
    painter.meanwhile = {2: tried.set}
    first = serve(1)
    come(compared)
    still(serve(2))
    still(first)
    assert painter.log == [
        f"{seed} {what}" for seed in (1, 2, again) for what in ("begins", "ends")
    ]


def test_claims_are_posed_one_after_the_other(
    serve: Serve, klein: KleinEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    turn, posing = Turn(), Event()
    sculpt = klein._sculpt().generate

    def generate(*args: Any, **words: Any) -> list[Candidate]:
        (seed,) = words["seeds"]
        log.append(f"{seed} begins")
        posing.set()
        come(turn.awaited)
        made = sculpt(*args, **words)
        log.append(f"{seed} ends")
        return made

    monkeypatch.setattr(klein._sculpt(), "generate", generate)
    monkeypatch.setattr(klein, "_posing", turn)
    first = serve(1)
    come(posing)
    second = serve(2)
    assert still(first) != still(second)
    assert log == ["1 begins", "1 ends", "2 begins", "2 ends"]
