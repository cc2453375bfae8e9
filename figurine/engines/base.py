"""What every engine promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

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
