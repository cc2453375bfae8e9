"""The words people agree to. A campaign may bring its own; the hash tells which were read.

The lines stand beside the box, the texts below it, and the hash is of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CONSENT_VERSION: Final = "2026-11"

CONSENT_TEXT: Final = (
    "This is my own face and I am 18 or older, or my parent or guardian is here and agrees. "
    "Diorama may measure the shape of my face in this photo to make one computer-generated "
    "figurine of me, and may show that figurine and the name I type on the campaign's screens "
    "after a person has checked it. "
    "My photo and the measurements are deleted within a day. "
    "I can delete everything at any time with the button on my page."
)

OWN_LINES: Final = (
    "It is my face, and I am 18 or my guardian agrees.",
    "Measure it for a figurine, and show that with my name.",
)
SQUAD_LINES: Final = (
    "The faces are ours, all of us agree, and each is 18 or has a guardian who does.",
    "Measure them for figurines, and show those with our name.",
)

KEPT_LINE: Final = "Delete the photo within a day, and what is made of it after {kept_for}."
KEPT_TEXT: Final = "My figurine and the name I type are deleted after {kept_for}."

SQUAD_TEXT: Final = (
    "For a photo of several people: everyone in it is beside me and agrees to all of this too, and "
    "one figurine is made of each of us."
)
"""What is added where a campaign makes squads: one person ticks the box for all."""

HOSTED_LINE: Final = "It may be painted by fal, a company that gets the face from the photo."
HOSTED_TEXT: Final = (
    "My figurine may be painted by fal, a company that the campaign hired for it: the part of my "
    "photo with my face goes there for that, and fal is asked to keep neither it nor the figurine."
)
"""What is added where a campaign may use the hosted engine (docs/hosted.md)."""


@dataclass(frozen=True)
class Part:
    """One thing that people agree to: in short, and every word of it."""

    lines: tuple[str, ...]
    text: str


def parts(text: str, *, is_squad: bool, is_hosted: bool, days: int) -> tuple[Part, ...]:
    """All that a campaign asks for, its own text first. It keeps figurines for so many days."""
    kept_for = "1 day" if days == 1 else f"{days} days"
    told = [
        Part(SQUAD_LINES if is_squad else OWN_LINES, text),
        Part((KEPT_LINE.format(kept_for=kept_for),), KEPT_TEXT.format(kept_for=kept_for)),
    ]
    if is_squad:
        told.append(Part((), SQUAD_TEXT))
    if is_hosted:
        told.append(Part((HOSTED_LINE,), HOSTED_TEXT))
    return tuple(told)


def lines(told: Iterable[Part]) -> tuple[str, ...]:
    """What stands beside the box."""
    return tuple(line for part in told for line in part.lines)


def small_print(told: Iterable[Part]) -> str:
    """Every word of it, a paragraph a part."""
    return "\n\n".join(part.text for part in told)


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
