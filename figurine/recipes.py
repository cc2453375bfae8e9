"""What a figurine may be made of: engines, kits, their finishes and poses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from figurine import kits, lettering
from figurine.errors import UnknownKit
from figurine.types import Array, Recipe

ENGINES: Final = ("sculpt", "klein", "hosted")
SWATCH_COLOURS: Final = 4
"""As many as can be told apart on a button of 44 px."""


@dataclass(frozen=True)
class Finish:
    """One way to paint or cast a kit, as a person chooses it."""

    name: str
    title: str
    swatch: tuple[str, ...]
    """#rrggbb, up to SWATCH_COLOURS, the one that covers most first."""


@dataclass(frozen=True)
class Kit:
    """One thing to wear, as a person chooses it."""

    name: str
    title: str
    finishes: tuple[Finish, ...]


def shelf() -> tuple[Kit, ...]:
    """Everything the library has, by name; the finishes in their kit's own order."""
    loaded = (kits.load(name) for name in kits.names())
    return tuple(
        Kit(
            kit.name,
            kit.title,
            tuple(
                Finish(
                    finish.name,
                    finish.title,
                    # As the eye has it: what glows is not the pale plastic it is made of.
                    _swatch(finish.palette * (finish.room + finish.inner)),
                )
                for finish in kit.finishes.values()
            ),
        )
        for kit in loaded
    )


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


def variant(recipe: Recipe, seed: int) -> Recipe:
    """The recipe as this seed makes it: a kit's poses take turns, from its first with seed 1.

    Raises UnknownKit.
    """
    turns = tuple(poses(recipe.kit))
    if len(turns) < 2:
        return recipe
    pose = turns[(seed - 1) % len(turns)]
    return replace(recipe, options={**recipe.options, "pose": pose})


def check(recipe: Recipe) -> None:
    """Refuse a recipe that nobody can make. Raises UnknownKit, BadPlaque."""
    if recipe.engine not in ENGINES:
        raise UnknownKit(f"no engine named {recipe.engine!r}")
    posed(recipe).finish(recipe.finish)
    lettering.letters(recipe.plaque)
    if recipe.engine == "klein":
        from figurine.engines.klein import order  # noqa: PLC0415 - that room asks this one

        order.read(recipe)
    if recipe.engine == "hosted":
        from figurine.engines.hosted import wish  # noqa: PLC0415 - likewise

        wish.read(recipe)


def _swatch(palette: Array) -> tuple[str, ...]:
    """The first few colours of a palette, (M, 3) linear RGB: a kit names its cloth first."""
    colours = dict.fromkeys("#{:02x}{:02x}{:02x}".format(*row) for row in kits.srgb(palette))
    return tuple(colours)[:SWATCH_COLOURS]
