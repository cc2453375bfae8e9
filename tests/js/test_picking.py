from __future__ import annotations

import pytest

from tests.js.conftest import Ask

ROW = [{"left": 0, "width": 100}, {"left": 120, "width": 100}, {"left": 240, "width": 100}]


@pytest.mark.parametrize(("point", "place"), [(0, 0), (105, 0), (115, 1), (170, 1), (900, 2)])
def test_nearest_to_the_middle(ask: Ask, point: int, place: int) -> None:
    assert ask("picking", "(m, [row, x]) => m.nearest(row, x)", [ROW, point]) == place


def test_nearest_of_none(ask: Ask) -> None:
    assert ask("picking", "m => m.nearest([], 0)") == -1


@pytest.mark.parametrize(
    ("available", "wanted", "kept"),
    [(["a", "b"], "b", "b"), (["a", "b"], "c", "a"), ([], "a", "")],
)
def test_wanted_is_kept_where_it_is_to_be_had(
    ask: Ask, available: list[str], wanted: str, kept: str
) -> None:
    assert ask("picking", "(m, [all, one]) => m.kept(all, one)", [available, wanted]) == kept
