"""plaque.py: names in every script go on the base, and nothing else does."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figurine.errors import BadPlaque
from figurine.plaque import MAX_CODE_POINTS, clean


@pytest.mark.parametrize(
    ("typed", "engraved"),
    [
        ("", ""),
        ("   ", ""),
        ("Mae", "MAE"),
        ("  mae \t c.\n jemison ", "MAE C. JEMISON"),
        ("o'neil-smith", "O'NEIL-SMITH"),
        ("O\u2019Neil", "O\u2019NEIL"),
        ("straße", "STRASSE"),
        ("zoe\u0308", "ZOË"),
        ("Ðorđe", "ÐORĐE"),
        ("Ольга", "ОЛЬГА"),
        ("Ελένη", "ΕΛΈΝΗ"),
        ("山田 太郎", "山田 太郎"),
        ("ナンシー・ドリュー", "ナンシー・ドリュー"),
        ("김철수", "김철수"),
        ("עִבְרִית", "עִבְרִית"),
        ("علی\u200cرضا", "علی\u200cرضا"),  # noqa: RUF001
        ("क्\u200dषमा", "क्\u200dषमा"),
        ("สมชาย", "สมชาย"),
        ("agent 007!", "AGENT 007!"),
        ("a" * 16, "A" * 16),
    ],
)
def test_clean_engraves_names(typed: str, engraved: str) -> None:
    assert clean(typed) == unicodedata.normalize("NFC", engraved)


@pytest.mark.parametrize(
    "typed",
    [
        "a" * 17,
        "ßßßßßßßßß",
        "ME \U0001f600",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1fa\U0001f1f8",
        "1\ufe0f\u20e3",
        "A\ufe0f",
        "\u2764",
        "\u00a9 mae",
        "mae\u202eeam",
        "mae\u200f",
        "ma\u200be",
        "ma\x00e",
        "mae\x07",
        "\u200dmae",
        "mae\u200c",
        "\u0301mae",
        "a" + "\u0329" * 4,
        "\u3164",
        "a\u034f",
        "\ud800",
        "\ue000",
        "<b>mae</b>",
        "mae_x",
        "e\u0329\u0329\u0329" * 16,
    ],
)
def test_clean_refuses_what_is_no_name(typed: str) -> None:
    with pytest.raises(BadPlaque):
        clean(typed)


@given(st.text(max_size=24))
def test_clean_of_anything_is_refused_or_settled(typed: str) -> None:
    try:
        engraved = clean(typed)
    except BadPlaque:
        return
    assert clean(engraved) == engraved
    assert len(engraved) <= MAX_CODE_POINTS
    assert not {unicodedata.category(c) for c in engraved} & {"Cc", "Cs", "Co", "Cn", "So"}
