"""What a bust carries besides its clay: glasses, a pipe, a badge."""

from __future__ import annotations

from dataclasses import dataclass

from figurine.engines.sculpt.geometry.meshes import Mesh
from figurine.types import Array


@dataclass(frozen=True)
class Piece:
    """A closed solid in the kit's units: joined to the print, shown on screens in its colour."""

    name: str
    mesh: Mesh
    colour: Array
    """(3,) linear RGB."""
    roughness: float = 0.3
    opacity: float = 1.0
    """Under 1 is glass, on screens."""
