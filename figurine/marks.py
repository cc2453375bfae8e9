"""Codes that a figurine carries to the moderator."""

from __future__ import annotations

from typing import Final

UNLIKE: Final = "unlike"
"""The best of all candidates is below the campaign's likeness."""
NO_FACE_IN_FIGURINE: Final = "no_face_in_figurine"
"""No face was found in it, so nobody can say how like it is."""
NOT_MEASURED: Final = "not_measured"
"""There is no recogniser here."""
