"""What a recipe may ask of this engine, read once and checked; light enough for any process."""

from __future__ import annotations

from figurine.engines.hosted import endpoints
from figurine.engines.klein import order
from figurine.engines.klein.order import Wish
from figurine.errors import UnknownKit
from figurine.types import Recipe


def read(recipe: Recipe) -> Wish:
    """klein's options; its `model` is none of this engine's, and "inpaint" needs one at hand.

    Raises UnknownKit.
    """
    wish = order.read(recipe)
    if wish.references == "inpaint":
        raise UnknownKit("no endpoint paints a face into the kit's render")
    if wish.references == "two" and endpoints.of(recipe).most_images < 2:
        raise UnknownKit("the endpoint takes one reference only")
    return wish
