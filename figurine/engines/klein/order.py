"""What a recipe may ask of this engine, read once and checked; light enough for any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from figurine.engines.klein.painter import References
from figurine.errors import UnknownKit
from figurine.types import Recipe

Frame = Literal["square", "portrait"]
Model = Literal["klein", "qwen", "sdxl"]

MOST_CANDIDATES: Final = 4
LIKENESS: Final = 0.25
"""The threshold where a recipe names none: a floor, not a goal. Two people score at most 0.30 on
the sample photos, two photos of one person 0.52 or more (tests/figurine/test_sculpt.py, by another
ArcFace), but a figurine's face is stylised, and nobody has published what klein's figurines reach.
"""


@dataclass(frozen=True)
class Wish:
    """A recipe's options, as this engine understands them."""

    model: Model
    """Which pipeline paints: klein, Qwen-Image-Edit for quality, SDXL with FaceID."""
    frame: Frame
    references: References
    candidates: int
    """How many are painted for each seed; the likest is kept."""
    likeness: float
    """Cosine below which there is a second try and then a mark; 0 is off."""


def read(recipe: Recipe) -> Wish:
    """A recipe's wish; other options are the kit's. Raises UnknownKit for what nobody can make."""
    options = recipe.options
    candidates = _number(options, "candidates", 1)
    likeness = _number(options, "likeness", LIKENESS)
    if candidates != int(candidates) or not 1 <= candidates <= MOST_CANDIDATES:
        raise UnknownKit(f"candidates must be 1 to {MOST_CANDIDATES}, not {candidates!r}")
    if not 0 <= likeness <= 1:
        raise UnknownKit(f"likeness must be 0 to 1, not {likeness!r}")
    return Wish(
        model=_one_of(options, "model", get_args(Model)),
        frame=_one_of(options, "frame", get_args(Frame)),
        references=_one_of(options, "references", get_args(References)),
        candidates=int(candidates),
        likeness=float(likeness),
    )


def _number(options: Mapping[str, object], name: str, otherwise: float) -> float:
    value = options.get(name, otherwise)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnknownKit(f"{name} must be a number, not {value!r}")
    return value


def _one_of(options: Mapping[str, object], name: str, known: tuple[str, ...]) -> Any:
    value = options.get(name, known[0])
    if value not in known:
        raise UnknownKit(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return value
