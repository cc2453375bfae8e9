"""What every engine promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from figurine.types import Candidate, Recipe, Selfie

Progress = Callable[[str, float], None]
"""Called with a stage's name and the share of the whole work done, 0..1. May raise Cancelled."""


Format = Literal["glb", "stl"]
"""Of real geometry: a model for screens, a solid for printers. Only `sculpt` has any."""
FORMATS: Final[tuple[Format, ...]] = ("glb", "stl")


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
