"""Real geometry of a sculpted figurine: a GLB to look at from all sides, an STL to print."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from figurine.engines.base import Format
from figurine.engines.sculpt.bust import Bust
from figurine.engines.sculpt.geometry import glb, stl
from figurine.kits import Finish, Kit

__all__ = ["write", "write_squad"]


def write(bust: Bust, kit: Kit, finish: Finish, *, name: str, format: Format) -> bytes:
    """The figurine as a file, the same bytes for the same input.

    Raises BadPlaque, MissingModel, NotSolid.
    """
    if format == "glb":
        return glb.write(bust, kit, finish, name=name)
    return stl.write(bust, kit, name=name)


def write_squad(
    busts: Sequence[Bust],
    kit: Kit,
    finish: Finish,
    *,
    name: str,
    format: Format,
    step: Callable[[float], None],
) -> bytes:
    """Several on one wide base, left to right, as a file; the kit stands as the first of them.

    Each bust is made for the stance that `lineup.lined_up` gives it. step: told the share done,
    figure by figure and solid by solid. Raises BadPlaque, MissingModel, NotSolid, and what `step`
    raises.
    """
    if format == "glb":
        return glb.write_squad(busts, kit, finish, name=name, step=step)
    return stl.write_squad(busts, kit, name=name, step=step)
