from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from campaign import theme

TOKENS = Path(__file__).resolve().parents[2] / "static/css/tokens.css"


def test_contrast_of_black_and_white_is_21() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)


def test_as_css_is_one_rule() -> None:
    assert theme.as_css({"--signal": "#aa2200", "--radius": "4px"}) == (
        ":root{--radius:4px;--signal:#aa2200;}"
    )


@pytest.mark.parametrize(
    "words",
    [
        {"--signal": "red"},
        {"--signal": "#ff5416;} body{display:none"},
        {"--font-text": "url(x)"},
        {"--evil": "#ffffff"},
        {"--paper": "#14170f"},
        {"--on-signal": "#ff5416"},
        ["--ink"],
    ],
)
def test_validate_theme_refuses(words: object) -> None:
    with pytest.raises(ValidationError):
        theme.validate_theme(words)


def test_every_property_of_a_theme_is_a_token_with_the_stated_default() -> None:
    tokens = dict(re.findall(r"(--[a-z0-9-]+):\s*([^;]+);", TOKENS.read_text()))
    assert sorted(theme.PROPERTIES - tokens.keys()) == []
    assert {name: tokens[name] for name in theme.DEFAULTS} == theme.DEFAULTS
