from __future__ import annotations

from typing import Any

import pytest

from tests.js.conftest import Ask

STATUS: dict[str, Any] = {
    "state": "generating",
    "percent": 43,
    "eta_s": 8,
    "cutout_url": "",
    "screens": [],
    "was_shown": False,
    "rerolls_left": 2,
    "is_on_desk": False,
    "keepsakes": {
        "clip": None,
        "glb": {"stand": "offered", "percent": 0},
        "stl": {"stand": "", "percent": 0},
    },
}


def is_same_scene(ask: Ask, **change: Any) -> bool:
    same: bool = ask(
        "status", "(m, [a, b]) => m.scene(a) === m.scene(b)", [STATUS, {**STATUS, **change}]
    )
    return same


def test_progress_keeps_the_scene(ask: Ask) -> None:
    assert is_same_scene(ask, percent=90, eta_s=1)
    assert is_same_scene(ask, state="queued")
    making = {**STATUS["keepsakes"], "glb": {"stand": "making", "percent": 40}}
    assert is_same_scene(ask, keepsakes=making)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "review"},
        {"cutout_url": "/media/a"},
        {"screens": ["Broadway 1"]},
        {"was_shown": True},
        {"rerolls_left": 1},
        {"is_on_desk": True},
        {"keepsakes": {**STATUS["keepsakes"], "clip": {"mp4": "/media/c"}}},
        {"keepsakes": {**STATUS["keepsakes"], "glb": {"stand": "gone"}}},
    ],
)
def test_what_is_seen_changes_the_scene(ask: Ask, change: dict[str, Any]) -> None:
    assert not is_same_scene(ask, **change)


@pytest.mark.parametrize(
    ("seconds", "span"),
    [(4, ("s", 4)), (23, ("s", 25)), (90, ("s", 90)), (100, ("min", 2)), (600, ("min", 10))],
)
def test_span_gets_coarser(ask: Ask, seconds: int, span: tuple[str, int]) -> None:
    answer = ask("status", "(m, s) => m.span(s)", seconds)
    assert (answer["unit"], answer["n"]) == span


def test_blanks_are_filled(ask: Ask) -> None:
    script = "m => m.filled('{ahead} ahead, {percent} %, {what}', {ahead: 3, percent: 0})"
    assert ask("status", script) == "3 ahead, 0 %, {what}"
