"""The likeness gate: which of a seed's pictures is kept, whether to try again, what is marked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from figurine import marks
from figurine.errors import NoFaceInFigurine
from figurine.types import Floats, Pixels

if TYPE_CHECKING:
    from figurine.likeness import Recogniser

Second = Literal["none", "refine", "reseed"]


@dataclass(frozen=True)
class Trial:
    """One picture, and how like it is."""

    painted: Pixels
    """(H, W, 3) of the frame."""
    still: Pixels
    """(1350, 1080, 3)."""
    likeness: float | None
    """None where no face was found, or nobody looks."""


def measured(
    recogniser: Recogniser | None, wanted: Sequence[Floats], still: Pixels
) -> float | None:
    """The still's likeness; None where it has no face, or there is no recogniser."""
    if recogniser is None:
        return None
    from figurine import likeness  # noqa: PLC0415 - its library is heavy

    try:
        return float(likeness.score(recogniser, wanted, still))
    except NoFaceInFigurine:
        return None


class _Measured(Protocol):
    @property
    def likeness(self) -> float | None: ...


_M = TypeVar("_M", bound=_Measured)


def ranked(pictures: Sequence[_M]) -> list[_M]:
    """The likest first, those without a face last; of equals the one that was painted first."""

    def likeness(picture: _M) -> float:
        return -2.0 if picture.likeness is None else picture.likeness

    return sorted(pictures, key=likeness, reverse=True)


def second(trials: Sequence[Trial], threshold: float, *, is_measured: bool) -> Second:
    """What to try once more: nothing where the best is like enough, or nobody asked how like it is
    (a threshold of 0); the best one's face, painted again; or other seeds, where no picture has a
    face to paint again."""
    best = ranked(trials)[0]
    if not is_measured:
        return "none"
    if best.likeness is None:
        return "reseed"
    return "refine" if _is_unlike(best.likeness, threshold) else "none"


def marked(trial: Trial, threshold: float, *, is_measured: bool) -> tuple[str, ...]:
    """What the moderator is told of the picture that was kept. Without a threshold nobody asked how
    like it is, but a face it must have."""
    if not is_measured:
        return (marks.NOT_MEASURED,) if threshold else ()
    if trial.likeness is None:
        return (marks.NO_FACE_IN_FIGURINE,)
    return (marks.UNLIKE,) if _is_unlike(trial.likeness, threshold) else ()


def _is_unlike(likeness: float, threshold: float) -> bool:
    """A cosine may be below 0, which is the threshold that asks for nothing."""
    return threshold > 0 and likeness < threshold


def seeds(seed: int, count: int, *, again: bool = False) -> list[int]:
    """A seed's own, one a candidate, the first of which is itself; `again` gives others."""
    first = count if again else 0
    return [_derived(seed, number) for number in range(first, first + count)]


def _derived(seed: int, number: int) -> int:
    if number == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")
