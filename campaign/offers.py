"""What a campaign lets a visitor choose from: its producer's pick of what the library has.

The library may lose a kit or finish that a campaign names. Whatever is left goes on being offered;
the system check campaign.W002 tells the crew, and campaign.W003 where nothing is left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Any, Final

from django.contrib.staticfiles import finders
from django.templatetags.static import static

from campaign.models import Campaign
from figurine import recipes
from figurine.errors import MissingModel, UnknownKit
from figurine.types import Recipe

ENGINES: Final = recipes.ENGINES
OPTIONS: Final = {
    "klein": frozenset({"model", "frame", "references"}),
    "hosted": frozenset({"endpoint", "usd_per_megapixel", "frame", "references"}),
}
"""What a campaign's `engine_options` may say to each engine; the gate's two have own columns."""
PICTURE: Final = "img/kits/{kit}-{finish}.webp"
"""Made by `python -m tests.kit_pictures`."""
LEAD: Final = 0.4
"""How much of a swatch its first colour takes when there are more."""


@dataclass(frozen=True)
class Finish:
    name: str
    title: str
    swatch: tuple[str, ...]
    picture: str
    """Address of the kit in this finish; empty where nobody has made that picture."""

    @property
    def bands(self) -> tuple[tuple[str, float, float], ...]:
        """The swatch as stripes: colour, left edge and width, of a whole of 1."""
        others = len(self.swatch) - 1
        first = LEAD if others else 1.0
        widths = (first, *[(1 - first) / others] * others) if others else (1.0,)
        lefts = accumulate(widths[:-1], initial=0.0)
        return tuple(
            (colour, round(left, 3), round(width, 3))
            for colour, left, width in zip(self.swatch, lefts, widths, strict=True)
        )


@dataclass(frozen=True)
class Kit:
    name: str
    title: str
    finishes: tuple[Finish, ...]

    @property
    def finish_names(self) -> str:
        """For the page's script, by which it knows which finishes to show."""
        return json.dumps([finish.name for finish in self.finishes])

    @property
    def pictures(self) -> str:
        """Address by finish, for the script that changes the picture with the finish."""
        return json.dumps({one.name: one.picture for one in self.finishes if one.picture})


@dataclass(frozen=True)
class Offer:
    """Never empty. The campaign's own kit and finish come first, where the library has them."""

    kits: tuple[Kit, ...]

    @property
    def kit(self) -> Kit:
        return self.kits[0]

    @property
    def finish(self) -> Finish:
        return self.kit.finishes[0]

    @property
    def finishes(self) -> tuple[Finish, ...]:
        """Each finish once, in the order in which the kits bring them."""
        return tuple(
            {one.name: one for kit in reversed(self.kits) for one in kit.finishes}.values()
        )

    @property
    def is_choice(self) -> bool:
        return len(self.kits) > 1 or len(self.kit.finishes) > 1

    def starting_with(self, kit: str, finish: str) -> Offer:
        """The same offer in this order: that kit first, and that finish first of each kit."""
        kits = (
            replace(one, finishes=tuple(sorted(one.finishes, key=lambda f: f.name != finish)))
            for one in self.kits
        )
        return Offer(tuple(sorted(kits, key=lambda one: one.name != kit)))

    def pick(self, kit: str, finish: str) -> tuple[str, str]:
        """Names of what was chosen; for an empty word, what comes first. Raises UnknownKit."""
        worn = next((one for one in self.kits if one.name == kit), None) if kit else self.kit
        if worn is None:
            raise UnknownKit(f"kit {kit!r} is not on offer")
        if finish and finish not in {one.name for one in worn.finishes}:
            raise UnknownKit(f"kit {worn.name!r} is not on offer in {finish!r}")
        return worn.name, finish or worn.finishes[0].name


def whole() -> Offer:
    """All that the library has."""
    return Offer(tuple(_kit(kit, kit.finishes) for kit in recipes.shelf()))


def of(campaign: Campaign) -> Offer:
    """What is on offer today. Raises MissingModel where the library has nothing of it any more."""
    kits = [
        _kit(kit, chosen)
        for kit in recipes.shelf()
        if not campaign.kits or kit.name in campaign.kits
        if (
            chosen := tuple(
                one
                for one in kit.finishes
                if not campaign.finishes or one.name in campaign.finishes
            )
        )
    ]
    if not kits:
        raise MissingModel(f"nothing of what {campaign.slug} offers is in the library")
    return Offer(tuple(kits)).starting_with(campaign.kit, campaign.finish)


def _kit(kit: recipes.Kit, finishes: tuple[recipes.Finish, ...]) -> Kit:
    dressed = (
        Finish(one.name, one.title, one.swatch, picture(kit.name, one.name)) for one in finishes
    )
    return Kit(kit.name, kit.title, tuple(dressed))


def picture(kit: str, finish: str) -> str:
    """Address of the picture of a kit in a finish, or nothing."""
    file = PICTURE.format(kit=kit, finish=finish)
    return static(file) if _is_there(file) else ""


@cache
def _is_there(file: str) -> bool:
    return finders.find(file) is not None


def gone(campaign: Campaign) -> tuple[str, ...]:
    """Names that the campaign offers and the library does not have."""
    shelf = recipes.shelf()
    known = {kit.name for kit in shelf} | {one.name for kit in shelf for one in kit.finishes}
    named = (*campaign.kits, *campaign.finishes, campaign.kit, campaign.finish)
    return tuple(name for name in dict.fromkeys(named) if name not in known)


def check(campaign: Campaign) -> None:
    """Refuse what a producer must not save: figurines that one of its engines cannot make, a first
    choice not offered.

    Raises UnknownKit, MissingModel.
    """
    plain = Recipe(campaign.engine, campaign.kit, campaign.finish)
    for engine in dict.fromkeys((campaign.engine, *campaign.engines)):
        recipes.check(made_by(engine, plain, campaign=campaign))
    of(campaign).pick(campaign.kit, campaign.finish)


def recipe(campaign: Campaign, *, kit: str, finish: str, plaque: str, seed: int) -> Recipe:
    """What a visitor chose, as this seed makes it. Raises UnknownKit, BadPlaque, MissingModel."""
    worn, look = of(campaign).pick(kit, finish)
    made = recipes.variant(Recipe(campaign.engine, worn, look, plaque), seed)
    recipes.check(made)
    return made


def made_by(engine: str, recipe: Recipe, *, campaign: Campaign) -> Recipe:
    """The same figurine as this engine is to make it, with what the campaign asks of it."""
    of_engines = frozenset({"candidates", "likeness"}).union(*OPTIONS.values())
    of_kit = {name: value for name, value in recipe.options.items() if name not in of_engines}
    if engine not in OPTIONS:
        return replace(recipe, engine=engine, options=of_kit)
    asked = {
        name: value for name, value in campaign.engine_options.items() if name in OPTIONS[engine]
    }
    gate = {"candidates": campaign.candidates, "likeness": campaign.likeness}
    return replace(recipe, engine=engine, options={**of_kit, **asked, **gate})


def can_vary(campaign: Campaign) -> bool:
    """Whether another figurine of the same selfie would look different."""
    offer = of(campaign)
    if campaign.engines[0] in OPTIONS:  # they paint every seed otherwise
        return True
    recipe = Recipe(campaign.engine, offer.kit.name, offer.finish.name)
    return offer.is_choice or recipes.variant(recipe, 1) != recipes.variant(recipe, 2)


def another(
    campaign: Campaign, *, kit: str, finish: str, plaque: str, seed: int, there: Mapping[str, Any]
) -> tuple[Recipe, int]:
    """As `recipe`, with this seed, or with the next where the figurine that is there has this kit
    and pose already: the one between failed, and its turn went by.

    there: that figurine's stored recipe. Raises UnknownKit, BadPlaque, MissingModel.
    """
    made = recipe(campaign, kit=kit, finish=finish, plaque=plaque, seed=seed)
    if there.get("kit") != made.kit or stance(there) != stance(made.as_json()):
        return made, seed
    return recipe(campaign, kit=kit, finish=finish, plaque=plaque, seed=seed + 1), seed + 1


def stance(recipe: Mapping[str, Any]) -> tuple[str, str]:
    """A stored recipe's kit and pose: where it names none, the kit's first. Raises UnknownKit."""
    own = recipe.get("options", {}).get("pose", "")
    return recipe["kit"], own or next(iter(recipes.poses(recipe["kit"])), "")
