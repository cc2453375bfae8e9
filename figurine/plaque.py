"""The few words on a figurine's base: what may be engraved, and how it is written."""

from __future__ import annotations

import unicodedata
from typing import Final

from figurine.errors import BadPlaque

MAX_LETTERS: Final = 16
"""What is read as one letter counts once, with its accents."""
MAX_CODE_POINTS: Final = 32
MAX_ACCENTS: Final = 3
"""On one letter. Hebrew and Thai need up to three; more is a prank that grows over its lines."""

SIGNS: Final = frozenset(" +-&.,'!?#/\u2019\u00b7\u30fb")
"""What may stand beside letters, accents and digits. No emoji is spelt with these."""
JOINERS: Final = frozenset("\u200c\u200d")
"""Zero width. Persian and Indic names need them, inside a word."""
INVISIBLE: Final = frozenset(
    map(
        chr, (0x34F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10))
    )
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
"""Letters and accents by category that show nothing, or that turn what is before into an emoji.
Source: Unicode, DerivedCoreProperties, Default_Ignorable_Code_Point.
"""


def clean(text: str) -> str:
    """Return the text as engraved: NFC, single spaces, capitals where the script has them.

    Empty is allowed. Raises BadPlaque for more than 16 letters, emoji, symbols, control and
    direction characters.
    """
    words = unicodedata.normalize("NFC", " ".join(text.split()))
    words = unicodedata.normalize("NFC", words.upper())
    letters = accents = 0
    in_word = False
    for character in words:
        if character.isalpha() or character.isdecimal() or character in SIGNS:
            letters, accents, in_word = letters + 1, 0, character not in SIGNS
        elif in_word and unicodedata.category(character) in ("Mn", "Mc"):
            accents += 1
        elif not (in_word and character in JOINERS):
            raise BadPlaque(f"U+{ord(character):04X} after {letters} letters")
        if character in INVISIBLE or accents > MAX_ACCENTS:
            raise BadPlaque(f"U+{ord(character):04X}, accent {accents} of letter {letters}")
    if letters > MAX_LETTERS or len(words) > MAX_CODE_POINTS or words[-1:] in JOINERS:
        raise BadPlaque(f"{letters} letters, {len(words)} code points")
    return words
