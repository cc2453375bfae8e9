from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from billboard import page, setting
from billboard.models import Screen
from campaign.models import Campaign


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("0", "0", "0", "0")),
        ("3%", ("3%", "3%", "3%", "3%")),
        ("40px 3%", ("40px", "3%", "40px", "3%")),
        ("1px 2px 3px", ("1px", "2px", "3px", "2px")),
        (" 1px  2% 0 4px ", ("1px", "2%", "0", "4px")),
    ],
)
def test_safe_area_reads_as_a_margin_does(text: str, expected: tuple[str, ...]) -> None:
    assert setting.sides(text) == expected


@pytest.mark.parametrize(
    "text", ["3", "3em", "-3px", "31%", "2001px", "1px 1px 1px 1px 1px", "٣px", "3px;", "3 px"]
)
def test_safe_area_refuses(text: str) -> None:
    with pytest.raises(ValidationError):
        setting.sides(text)


def test_brightness_goes_over_midnight_and_the_later_range_holds() -> None:
    hours = setting.brightness("22-2: 40%, 0 - 1 : 20 %,12-13:70%")
    said = {22: 40, 23: 40, 0: 20, 1: 40, 12: 70}
    assert hours == tuple(said.get(hour, 100) for hour in range(24))
    assert setting.brightness(" ") == (100,) * 24
    assert setting.brightness("0-24: 50%") == (50,) * 24


@pytest.mark.parametrize(
    "text", ["22-6", "22-6: 9%", "22-6: 101%", "6-6: 50%", "25-3: 50%", "night: 50%", "22-6: 40"]
)
def test_brightness_refuses(text: str) -> None:
    with pytest.raises(ValidationError):
        setting.brightness(text)


KOREAN = {"lang": "ko", "headline": "상자 속으로."}


@pytest.mark.parametrize(
    "words",
    [
        {},
        "ko",
        [None],
        [{"lang": "ko"}],
        [{"headline": "상자"}],
        [KOREAN | {"colour": "red"}],
        [KOREAN | {"headline": "x" * 61}],
        [KOREAN | {"headline": " "}],
        [KOREAN | {"headline": "a\nb"}],
        [KOREAN | {"headline": 7}],
        [KOREAN | {"lang": 'ko" onload="'}],
        [KOREAN | {"lang": "zh-yue"}],
        [KOREAN | {"lang": "pt-bra"}],
        [KOREAN | {"lang": "ko-KR-KR"}],
        [KOREAN] * 7,
    ],
)
def test_words_refuse(words: Any) -> None:
    with pytest.raises(ValidationError):
        setting.validate_words(words)


@pytest.mark.parametrize("lang", ["yue", "zh-Hant-TW", "es-419", "de-1996", "sl-rozaj"])
def test_words_take_the_codes_that_browsers_do(lang: str) -> None:
    setting.validate_words([KOREAN | {"lang": lang}])


def test_words_of_another_language_say_what_they_say_and_the_campaign_the_rest(
    campaign: Campaign, screen: Screen
) -> None:
    campaign.strapline = "One selfie."
    screen.words = [KOREAN, {"lang": "ar-EG", "headline": "ادخل", "enlisted": "{} جندي"}]
    setting.validate_words(screen.words)
    english, korean, arabic = page.of(screen).words
    assert (english.headline, english.dir, english.enlisted) == (
        "Get in the box.",
        "ltr",
        "{} enlisted",
    )
    assert (korean.headline, korean.strapline, korean.dir) == (
        "상자 속으로.",
        english.strapline,
        "ltr",
    )
    assert (arabic.dir, arabic.enlisted, arabic.scan) == ("rtl", "{} جندي", english.scan)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotation", 90),
        ("safe_area", "3%"),
        ("panels_across", 3),
        ("bezel_px", 24),
        ("brightness", "22-6: 40%"),
        ("drift_px", 0),
        ("words", [KOREAN]),
    ],
)
def test_new_setting_makes_another_page(screen: Screen, field: str, value: Any) -> None:
    before = page.of(screen).fingerprint
    setattr(screen, field, value)
    screen.full_clean()
    assert page.of(screen).fingerprint != before
