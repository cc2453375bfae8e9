"""What may be asked of the provider, what it takes, and what that costs (endpoints.toml)."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from figurine.errors import UnknownKit
from figurine.types import Recipe

_FILE: Final = Path(__file__).with_name("endpoints.toml")
MEGAPIXEL: Final = 1024 * 1024
"""As the provider counts: its pages call 1024 x 1024 one."""


@dataclass(frozen=True)
class Endpoint:
    """One model at the provider."""

    path: str
    title: str
    licence: str
    """SPDX expression of the weights behind it."""
    most_images: int
    """As many references as it takes."""
    wait_s: float
    """Longest that a request may take there, its queue included, before a try is given up."""
    usd_per_megapixel: float
    counts_references: bool
    """Whether each reference is charged as a megapixel."""
    price_source: str
    price_date: str
    """ISO 8601."""
    arguments: Mapping[str, Any]
    """As they are sent, beside prompt, images, size and seed."""

    def cost_usd(self, *, width_px: int, height_px: int, images: int) -> float:
        """What one picture is expected to cost: megapixels are rounded up, as an invoice does."""
        megapixels = math.ceil(width_px * height_px / MEGAPIXEL)
        if self.counts_references:
            megapixels += images
        return round(self.usd_per_megapixel * megapixels, 4)


@cache
def shelf() -> Mapping[str, Endpoint]:
    """Every endpoint by its path, the default first."""
    told = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({path: _read(path, entry) for path, entry in told.items()})


def of(recipe: Recipe) -> Endpoint:
    """The recipe's endpoint at the recipe's price. Raises UnknownKit."""
    path = recipe.options.get("endpoint", next(iter(shelf())))
    if path not in shelf():
        raise UnknownKit(f"no endpoint named {path!r}")
    endpoint = shelf()[str(path)]
    price = recipe.options.get("usd_per_megapixel", endpoint.usd_per_megapixel)
    if isinstance(price, (bool, str)) or not (math.isfinite(price) and price >= 0):
        raise UnknownKit(f"no price: {price!r}")
    return Endpoint(**{**vars(endpoint), "usd_per_megapixel": float(price)})


def _read(path: str, entry: Mapping[str, Any]) -> Endpoint:
    fields = {**entry, "price_date": entry["price_date"].isoformat()}
    return Endpoint(path=path, **{**fields, "arguments": MappingProxyType(entry["arguments"])})
