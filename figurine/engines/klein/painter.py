"""What every diffusion pipeline of this engine promises, whatever model is behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from figurine.types import Box, Floats, Pixels

References = Literal["two", "composite", "inpaint"]
"""How a person's selfie and the kit's render are shown to the model."""


@dataclass(frozen=True)
class Commission:
    """One picture to paint. All arrays uint8 sRGB."""

    prompt: str
    pose: Pixels
    """(H, W, 3): the kit's own render of this person, which gives pose, light and framing. H, W are
    the painter's size.
    """
    selfie: Pixels
    """(512, 512, 3): head and shoulders out of the selfie."""
    faces: tuple[Box, ...]
    """Where each face is in `pose`, in its pixels, left to right."""
    seed: int
    references: References = "two"
    identity: Floats | None = None
    """(512,) float32, unit length: the selfie's face as a recogniser has it, for painters that
    want one (`wants_identity`). In memory only.
    """


Step = Callable[[int, int], None]
"""Called before each denoising step with its number, from 0, and how many there are. May raise
Cancelled, which ends the whole pass: the caller does so when nobody is left who waits for it.
"""


class Painter(Protocol):
    """One loaded pipeline. Raises torch's OutOfMemoryError as it comes; the engine halves."""

    name: str
    version: str
    """Model and revision: what, with seed and commission, decides every byte on one machine."""
    width_px: int
    height_px: int
    wants_identity: bool

    def warm_up(self, batch: int) -> None:
        """Run one pass of this size, so that nothing is compiled while a visitor waits."""

    def paint(self, commissions: Sequence[Commission], *, step: Step) -> list[Pixels]:
        """One (H, W, 3) uint8 a commission, in one pass; each as if it had been alone."""

    def refine(
        self, commissions: Sequence[Commission], drafts: Sequence[Pixels], *, step: Step
    ) -> list[Pixels]:
        """The same pictures with their face alone painted again, inside `face` (a small mask)."""
