from __future__ import annotations

from tests.js.conftest import Ask


def test_waits_double_up_to_the_most(ask: Ask) -> None:
    waits = ask("backoff", "m => [0, 1, 2, 3, 4, 9].map((n) => m.backoffMs(n, {random: () => 1}))")
    assert waits == [1000, 2000, 4000, 8000, 15000, 15000]


def test_chance_spreads_over_the_upper_half(ask: Ask) -> None:
    waits = ask("backoff", "m => [0, 0.5, 1].map((r) => m.backoffMs(2, {random: () => r}))")
    assert waits == [2000, 3000, 4000]
