"""The words people agree to. A campaign may bring its own; the hash tells which were read."""

from __future__ import annotations

import hashlib
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

SQUAD_TEXT: Final = (
    "For a photo of several people: everyone in it is beside me and agrees to all of this too, and "
    "one figurine is made of each of us."
)
"""What is added where a campaign makes squads: one person ticks the box for all."""

HOSTED_TEXT: Final = (
    "My figurine may be painted by fal, a company that the campaign hired for it: the part of my "
    "photo with my face goes there for that, and fal is asked to keep neither it nor the figurine."
)
"""What is added where a campaign may use the hosted engine (docs/hosted.md)."""


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
