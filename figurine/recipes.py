"""What a figurine may be made of: engines, kits, their finishes and poses."""

from __future__ import annotations

from typing import Final

from figurine import kits, lettering
from figurine.errors import UnknownKit
from figurine.types import Recipe

ENGINES: Final = ("sculpt",)


def finishes(kit: str) -> dict[str, str]:
    """Titles by name of the finishes a kit comes in, its first one first. Raises UnknownKit."""
    return {name: finish.title for name, finish in kits.load(kit).finishes.items()}


def poses(kit: str) -> dict[str, str]:
    """Titles by name of a kit's poses, its first one first; empty if it has only one.

    `options["pose"]` of a recipe chooses. Raises UnknownKit.
    """
    return {name: pose.title for name, pose in kits.load(kit).poses.items()}


def posed(recipe: Recipe) -> kits.Kit:
    """The recipe's kit in the recipe's pose. Raises UnknownKit."""
    return kits.load(recipe.kit).posed(str(recipe.options.get("pose", "")))


def check(recipe: Recipe) -> None:
    """Refuse a recipe that nobody can make. Raises UnknownKit, BadPlaque."""
    if recipe.engine not in ENGINES:
        raise UnknownKit(f"no engine named {recipe.engine!r}")
    posed(recipe).finish(recipe.finish)
    lettering.letters(recipe.plaque)
