"""A campaign's colours and type: CSS custom properties, checked before they reach a page."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

PROPERTIES: Final = frozenset(
    {
        "--ink",
        "--army-900",
        "--army-800",
        "--army-600",
        "--army-400",
        "--cardboard",
        "--kraft",
        "--paper",
        "--signal",
        "--on-signal",
        "--ok",
        "--bad",
        "--radius",
        "--font-display",
        "--font-stencil",
        "--font-text",
    }
)
"""What static/css/tokens.css defines and a theme may replace."""

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
LENGTH = re.compile(r"\d{1,3}px")
FONTS = re.compile(r"""[A-Za-z0-9 ,'"-]{1,120}""")

CONTRAST_MIN: Final = 4.5
"""WCAG 2.2, success criterion 1.4.3, text of normal size."""

CONTRAST_PAIRS: Final = (
    ("--paper", "--ink"),
    ("--cardboard", "--ink"),
    ("--army-900", "--paper"),
)
DEFAULTS: Final = {
    "--ink": "#14170f",
    "--paper": "#faf6ea",
    "--cardboard": "#eadfc6",
    "--army-900": "#1d2415",
    "--signal": "#ff5416",
    "--on-signal": "#fff8ef",
}
LARGE_CONTRAST_MIN: Final = 3.0
"""The same, text of 24 px or more: what the signal button's label is."""


def _luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2, definition of relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours, 1..21. Source: WCAG 2.2, contrast ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def validate_theme(theme: object) -> None:
    """Refuse anything but known properties with harmless, readable values."""
    if not isinstance(theme, dict):
        raise ValidationError(_("A theme is an object of CSS custom properties."))
    for name, value in theme.items():
        if name not in PROPERTIES:
            raise ValidationError(
                _("%(name)s is not a property of the theme."), params={"name": name}
            )
        pattern = FONTS if name.startswith("--font") else LENGTH if name == "--radius" else COLOUR
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValidationError(_("%(name)s has a value we cannot use."), params={"name": name})
    colours = DEFAULTS | theme
    pairs = [(pair, CONTRAST_MIN) for pair in CONTRAST_PAIRS]
    for (ground, text), least in [*pairs, (("--signal", "--on-signal"), LARGE_CONTRAST_MIN)]:
        if contrast(colours[ground], colours[text]) < least:
            raise ValidationError(
                _("%(text)s cannot be read on %(ground)s."), params={"text": text, "ground": ground}
            )


def as_css(theme: dict[str, str]) -> str:
    """The theme as one rule of a style sheet."""
    validate_theme(theme)
    return ":root{" + "".join(f"{name}:{value};" for name, value in sorted(theme.items())) + "}"
