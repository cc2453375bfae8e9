"""What a figurine may be made of: engines, kits and their finishes."""

from __future__ import annotations

from typing import Final

from figurine import kits, lettering
from figurine.errors import UnknownKit
from figurine.types import Recipe

ENGINES: Final = ("sculpt",)


def finishes(kit: str) -> dict[str, str]:
    """Titles by name of the finishes a kit comes in, its first one first. Raises UnknownKit."""
    return {name: finish.title for name, finish in kits.load(kit).finishes.items()}


def check(recipe: Recipe) -> None:
    """Refuse a recipe that nobody can make. Raises UnknownKit, BadPlaque."""
    if recipe.engine not in ENGINES:
        raise UnknownKit(f"no engine named {recipe.engine!r}")
    kits.load(recipe.kit).finish(recipe.finish)
    lettering.letters(recipe.plaque)
