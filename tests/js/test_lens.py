from __future__ import annotations

import pytest

from tests.js.conftest import Ask


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NotAllowedError", "denied"),
        ("SecurityError", "denied"),
        ("NotReadableError", "busy"),
        ("AbortError", "busy"),
        ("NotFoundError", "missing"),
        ("OverconstrainedError", "missing"),
    ],
)
def test_reason_of_a_shut_camera(ask: Ask, name: str, reason: str) -> None:
    assert ask("lens", "(m, name) => m.shutBecause(name)", name) == reason


def test_flipping_twice_is_the_same_side(ask: Ask) -> None:
    assert ask("lens", "m => [m.otherSide('user'), m.otherSide(m.otherSide('user'))]") == [
        "environment",
        "user",
    ]


def test_wish_names_the_side_and_no_sound(ask: Ask) -> None:
    wish = ask("lens", "m => m.wish('environment')")
    assert (wish["audio"], wish["video"]["facingMode"]) == (False, "environment")
