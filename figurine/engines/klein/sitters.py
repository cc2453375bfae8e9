"""One order on its way through the engine: what is known of it, and what has gone wrong with it."""

from __future__ import annotations

import logging
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from figurine.engines.base import Order
from figurine.engines.klein import gate, matte
from figurine.engines.klein.gate import Trial
from figurine.engines.klein.order import Wish
from figurine.engines.klein.painter import Commission
from figurine.engines.klein.passes import Job, Person
from figurine.engines.klein.references import Sitting
from figurine.errors import BigSquad, EngineBroke, FigurineError
from figurine.types import Candidate, Floats, Pixels

if TYPE_CHECKING:
    from figurine.likeness import Recogniser

log = logging.getLogger(__name__)


class Sitter(Person):
    """A person of a pass. Nobody keeps one once their pictures are handed over: it holds a face."""

    wish: Wish
    sitting: Sitting
    prompt: str
    version: str
    """The painter's."""
    candidates: list[Candidate]

    def __init__(self, order: Order) -> None:
        super().__init__(order.progress)
        self.order = order
        self.wanted: list[Floats] = []
        """Each face of the selfie as the recogniser has it."""
        self.identity: Floats | None = None
        """The selfie's face as the painter's own recogniser has it; for painters that want one."""
        self.trials: dict[int, list[Trial]] = defaultdict(list)
        """By the order's seeds."""
        self.kept: list[tuple[int, Trial, Future[Pixels]]] = []
        """Each seed, its best picture, and the cutout of it."""
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def rest(self) -> None:
        """Count the time since the last lap for nobody: others were served."""
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Count the time since then as this stage's; a pass's is everyone's of it."""
        now = time.perf_counter()
        self.laps_ms[stage] = round(self.laps_ms.get(stage, 0.0) + (now - self._last) * 1000, 1)
        self._last = now

    def identify(self, recogniser: Recogniser) -> None:
        """Look at the selfie's face for a painter that draws by identity. Raises BigSquad: such a
        painter knows one face, and would give it to everyone."""
        (face, *others) = self.order.selfie.faces
        if others:
            raise BigSquad(f"{len(others) + 1} faces for a painter of one")
        self.identity = recogniser.embed(self.order.selfie.pixels, face)

    def cut_out(self, pool: Executor) -> None:
        """Choose the best of each seed and have it cut out, beside everyone else's."""
        for seed in self.order.seeds:
            best = gate.ranked(self.trials[seed])[0]
            self.kept.append(
                (seed, best, pool.submit(matte.cutout, best.still, self.sitting.rough))
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """What goes wrong in here is this person's outcome, and nobody else's."""
        try:
            yield
        except FigurineError as error:
            self.gone = error
        except Exception as error:
            # As text: a handler that prints frames' variables would print a face.
            log.error("an order broke\n%s", "".join(traceback.format_exception(error)))
            self.gone = EngineBroke(f"{type(error).__name__}: {error}")
            self.gone.__cause__ = error


def commission(sitter: Sitter, seed: int) -> Commission:
    sitting = sitter.sitting
    return Commission(
        prompt=sitter.prompt,
        pose=sitting.pose,
        selfie=sitting.selfie,
        faces=sitting.faces,
        seed=seed,
        references=sitter.wish.references,
        identity=sitter.identity,
    )


def jobs_of(
    sitters: Sequence[Sitter], *, only: int | None = None, again: bool = False
) -> list[tuple[Sitter, int, Job]]:
    """Every candidate of everyone who is still here, with the order's seed that it is of."""
    return [
        (sitter, seed, Job(sitter, commission(sitter, own)))
        for sitter in sitters
        if not sitter.gone
        for seed in sitter.order.seeds
        if only in (None, seed)
        for own in gate.seeds(seed, sitter.wish.candidates, again=again)
    ]
