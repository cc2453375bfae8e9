"""Real geometry of a sculpted figurine: a GLB to look at from all sides, an STL to print."""

from __future__ import annotations

from collections.abc import Iterable

from figurine.engines.base import Format
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import glb, stl
from figurine.engines.sculpt.geometry.pieces import Piece
from figurine.kits import Finish, Kit

__all__ = ["Piece", "write"]


def write(
    bust: Bust,
    kit: Kit,
    finish: Finish,
    *,
    name: str,
    format: Format,
    pieces: Iterable[Piece] = (),
) -> bytes:
    """The figurine as a file, the same bytes for the same input.

    `pieces` are further solids, such as glasses. Raises BadPlaque, MissingModel, NotSolid.
    """
    if format == "glb":
        return glb.write(bust, kit, finish, name=name, pieces=pieces)
    return stl.write(bust, kit, name=name, pieces=pieces)
