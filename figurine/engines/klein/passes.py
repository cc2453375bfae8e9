"""Pictures painted in passes as large as memory allows, and people who may leave meanwhile."""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from figurine.engines.base import Progress
from figurine.engines.klein.painter import Commission, Painter, Step
from figurine.errors import Cancelled, FigurineError, OutOfMemory
from figurine.types import Pixels

SIZES: Final = (1, 2, 4, 8)
"""Of passes through a compiled graph: any other would be compiled while visitors wait."""
_GROW_AFTER: Final = 16
"""Full passes in a row that went well before a larger one is tried; twice as many after each that
did not."""
_GROW_AFTER_MOST: Final = 1024


_FULL_IN_WORDS: Final = ("out of memory", "ALLOC_FAILED")
"""Of CUDA's allocator for pinned memory, and of cuBLAS and cuDNN."""

log = logging.getLogger(__name__)


class Person:
    """Someone who waits for pictures, until their progress says that they do not."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0.0
        self.gone: FigurineError | None = None
        """Why nothing more is made for them."""

    def tell(self, stage: str, done: float) -> None:
        """Pass on how far the work is, never backwards. Whoever's progress raises is gone."""
        if self.gone:
            return
        self._done = max(self._done, done)
        try:
            self._progress(stage, self._done)
        except FigurineError as error:
            self.gone = error
        except Exception as error:
            # Such as a database that is busy for a second: no reason to end everybody's pass.
            log.warning("progress not told this time: %s", type(error).__name__)


@dataclass(frozen=True)
class Job:
    """One picture to paint, and for whom."""

    person: Person
    commission: Commission
    draft: Pixels | None = None
    """Whose face is to be painted again; without one the picture is painted."""


Collect = Callable[[], list[Pixels]]


class _Starts(Protocol):
    """A painter that can be at the next pass while the pictures of the last come."""

    def begin(self, commissions: Sequence[Commission], *, step: Step) -> Collect: ...


@dataclass(frozen=True)
class _Pass:
    numbers: tuple[int, ...]
    collect: Collect


class Passes:
    """Remembers between calls how many pictures a pass may have."""

    def __init__(self, most: int) -> None:
        self.most = self.size = max(1, most)
        self._in_a_row = 0
        self._grow_after = _GROW_AFTER

    def warm_up(self, painter: Painter) -> None:
        """Run a pass of every size there will be, and find out how many fit. Raises OutOfMemory
        where not even one does."""
        if getattr(painter, "is_compiled", False):
            self.most = self.size = _step(self.most)
        size = self.size
        while not _fits(painter, size):
            if size == 1:
                raise OutOfMemory("no memory for a single picture")
            forget()
            size = _step(size // 2)
        self.size = size
        if getattr(painter, "is_compiled", False):
            for smaller in SIZES:
                if smaller < size:
                    painter.warm_up(smaller)

    def paint(
        self, painter: Painter, jobs: Sequence[Job], *, span: tuple[float, float]
    ) -> list[Pixels | None]:
        """A picture a job, in their order; None for those whose person is gone.

        span: of the whole work's shares, the one that this is. All jobs have the same way of
        references and all or none a draft. Out of memory halves the pass and tries again; whoever
        cannot be painted alone is gone with OutOfMemory. Raises what else the painter raises.
        """
        pictures: list[Pixels | None] = [None] * len(jobs)
        waiting = deque(range(len(jobs)))
        flying: _Pass | None = None
        beside = True  # until memory is short: two passes at once need more of it
        while waiting or flying:
            numbers = self._next(waiting, jobs)
            started, was_full = self._begin(painter, jobs, numbers, len(waiting), span)
            if was_full:
                self._halve(numbers, jobs, waiting, may_fail=not (beside and flying))
            landing = [flying] if beside else [flying, started]
            beside = beside and not was_full
            for one in filter(None, landing):
                beside = self._land(one, jobs, waiting, pictures, alone=not beside) and beside
            flying = None if started in landing else started
        return [
            None if job.person.gone else picture
            for job, picture in zip(jobs, pictures, strict=True)
        ]

    def _land(
        self,
        one: _Pass,
        jobs: Sequence[Job],
        waiting: deque[int],
        pictures: list[Pixels | None],
        *,
        alone: bool,
    ) -> bool:
        """Take a pass's pictures in; False where they did not fit into memory."""
        landed = _landed(one)
        if landed is None:
            self._halve(one.numbers, jobs, waiting, may_fail=alone)
            return False
        for number, picture in zip(one.numbers, landed, strict=False):  # without the padding
            pictures[number] = picture
        self._went_well(len(one.numbers))
        return True

    def _next(self, waiting: deque[int], jobs: Sequence[Job]) -> tuple[int, ...]:
        """Take the next pass's jobs off the queue, without those whose person is gone."""
        numbers: list[int] = []
        while waiting and len(numbers) < self.size:
            number = waiting.popleft()
            if not jobs[number].person.gone:
                numbers.append(number)
        return tuple(numbers)

    def _begin(
        self,
        painter: Painter,
        jobs: Sequence[Job],
        numbers: tuple[int, ...],
        waiting: int,
        span: tuple[float, float],
    ) -> tuple[_Pass | None, bool]:
        """Start a pass. None where there is nothing to do or nobody left; True: out of memory."""
        if not numbers:
            return None, False
        chosen = [jobs[number] for number in numbers]
        before = len(jobs) - waiting - len(numbers)

        def step(number: int, steps: int) -> None:
            share = (before + len(numbers) * number / steps) / len(jobs)
            for job in jobs:
                job.person.tell("painting", span[0] + (span[1] - span[0]) * share)
            if all(job.person.gone for job in chosen):
                raise Cancelled("nobody of this pass waits any more")

        try:
            return _Pass(numbers, _started(painter, _padded(painter, chosen), step)), False
        except Cancelled:
            return None, False
        except RuntimeError as error:
            # What follows is outside: the traceback holds on to the pass's tensors.
            if not is_full(error):
                raise
            return None, True

    def _halve(
        self,
        numbers: tuple[int, ...],
        jobs: Sequence[Job],
        waiting: deque[int],
        *,
        may_fail: bool,
    ) -> None:
        """Put a pass's jobs back in front of the queue, and make passes smaller."""
        forget()
        self._in_a_row = 0
        self._grow_after = min(2 * self._grow_after, _GROW_AFTER_MOST)
        if len(numbers) == 1 and may_fail:
            jobs[numbers[0]].person.gone = OutOfMemory("no memory for a single picture")
            return
        self.size = _step(min(self.size, len(numbers)) // 2)
        waiting.extendleft(reversed(numbers))

    def _went_well(self, size: int) -> None:
        self._in_a_row = self._in_a_row + 1 if size == self.size else 0
        if self._in_a_row >= self._grow_after and self.size < self.most:
            self.size = min(2 * self.size, self.most)
            self._in_a_row = 0


def _step(size: int) -> int:
    """The largest of SIZES that is not more than this."""
    return max(step for step in SIZES if step <= max(1, size))


def _fits(painter: Painter, size: int) -> bool:
    try:
        painter.warm_up(size)
    except RuntimeError as error:
        if not is_full(error):
            raise
        return False
    return True


def is_full(error: RuntimeError) -> bool:
    """Whether memory is short: torch's own error, or that of a library which says so in words."""
    import torch  # noqa: PLC0415 - as above

    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in _FULL_IN_WORDS
    )


def forget() -> None:
    """Give memory that nothing holds back to the device."""
    import torch  # noqa: PLC0415 - as above

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _landed(flying: _Pass) -> list[Pixels] | None:
    """A pass's pictures; None where they did not fit into memory."""
    try:
        return flying.collect()
    except RuntimeError as error:
        if not is_full(error):
            raise
        return None


def _padded(painter: Painter, chosen: Sequence[Job]) -> list[Job]:
    """The jobs, the last one repeated up to a size that is compiled; its copies are dropped. Faces
    are painted one by one, whose size is always the same."""
    is_of_faces = chosen[0].draft is not None or chosen[0].commission.references == "inpaint"
    if is_of_faces or not getattr(painter, "is_compiled", False):
        return list(chosen)
    size = next((size for size in SIZES if size >= len(chosen)), len(chosen))
    return [*chosen, *[chosen[-1]] * (size - len(chosen))]


def _started(painter: Painter, jobs: Sequence[Job], step: Step) -> Collect:
    commissions = [job.commission for job in jobs]
    drafts = [job.draft for job in jobs if job.draft is not None]
    if drafts:
        painted = painter.refine(commissions, drafts, step=step)
        return lambda: painted
    begin = getattr(painter, "begin", None)
    if begin is not None:
        starts: _Starts = painter  # type: ignore[assignment]
        return starts.begin(commissions, step=step)
    painted = painter.paint(commissions, step=step)
    return lambda: painted
