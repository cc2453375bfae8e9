"""What every engine promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from figurine.errors import FigurineError
from figurine.types import Candidate, Clip, Recipe, Selfie

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of the whole work done, 0..1. May raise Cancelled."""


Format = Literal["glb", "stl"]
"""Of real geometry: a model for screens, a solid for printers. Only `sculpt` has any."""
FORMATS: Final[tuple[Format, ...]] = ("glb", "stl")


SCULPTORS: Final = frozenset({"sculpt"})
"""Engines with geometry by name, for whoever must know without loading one."""


ANIMATORS: Final = frozenset({"sculpt"})
"""Engines with clips, likewise."""


def silent(stage: str, done: float) -> None:
    """A Progress for callers who do not watch."""


class Engine(Protocol):
    """Selfie and recipe in, candidates out. Deterministic: same input and seed, same bytes."""

    name: str
    version: str

    def warm_up(self) -> None:
        """Load whatever is kept between visitors. Raises MissingModel."""

    def generate(
        self,
        selfie: Selfie,
        recipe: Recipe,
        *,
        seeds: Sequence[int],
        progress: Progress = silent,
    ) -> list[Candidate]:
        """Make one candidate a seed. Raises FigurineError."""


@dataclass(frozen=True)
class Order:
    """One person's figurine, as asked of an engine that makes several people's at once."""

    selfie: Selfie
    recipe: Recipe
    seeds: tuple[int, ...]
    """One candidate a seed."""
    progress: Progress = silent


@runtime_checkable
class Batching(Protocol):
    """An engine one pass of which serves several people."""

    def capacity(self) -> int:
        """Most orders that are worth claiming at once, by what memory has allowed so far."""

    def generate_many(self, orders: Sequence[Order]) -> list[list[Candidate] | FigurineError]:
        """For each order its candidates, the best first, or what went wrong with that one alone.

        Whoever's progress raises Cancelled gets it back as their outcome; the others go on.
        Raises FigurineError only for what concerns all of them.
        """


@runtime_checkable
class Limited(Protocol):
    """An engine that knows how long its work may take before it counts as hung."""

    def limit_s(self, recipe: Recipe, *, faces: int) -> float:
        """Seconds for one order of this recipe."""


@runtime_checkable
class Sculptor(Protocol):
    """An engine whose figurines are real geometry."""

    def geometry(
        self, selfie: Selfie, recipe: Recipe, *, format: Format, progress: Progress = silent
    ) -> bytes:
        """The figurine as a file of this format. Raises FigurineError."""


@runtime_checkable
class Animator(Protocol):
    """An engine whose figurines move."""

    def clip(
        self, selfie: Selfie, recipe: Recipe, *, seed: int, progress: Progress = silent
    ) -> Clip:
        """A seamless loop of the figurine. Raises FigurineError."""
