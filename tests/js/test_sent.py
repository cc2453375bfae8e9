from __future__ import annotations

import pytest

from tests.js.conftest import Ask

# A browser's storage, and one that is shut in this way or that.
STORES = """
const made = () => {
  const kept = new Map();
  const getItem = (name) => kept.get(name) ?? null;
  return { getItem, setItem: (name, said) => kept.set(name, said) };
};
const refuse = () => { throw new DOMException("no", "QuotaExceededError"); };
const shut = {
  none: () => refuse(),
  full: () => ({ getItem: () => null, setItem: refuse }),
  odd: () => ({ getItem: () => "{", setItem: () => {} }),
};
"""


def script(steps: str) -> str:
    return f"(m, x) => {{ {STORES} {steps} }}"


def test_keys_are_there_after_the_page_was_left_newest_first(ask: Ask) -> None:
    steps = """
        const store = made();
        const keys = () => new m.SentKeys("demo", () => store);
        for (const key of ["a", "b", "b"]) keys().add(key);
        new m.SentKeys("pier", () => store).add("c");
        keys().forget(["a", "c"]);
        keys().add("d");
        return keys().list();
    """
    assert ask("sent", script(steps)) == ["d", "b"]


@pytest.mark.parametrize("how", ["none", "full", "odd"])
def test_keys_live_as_long_as_the_page_where_nothing_is_kept(ask: Ask, how: str) -> None:
    steps = """
        const keys = new m.SentKeys("demo", shut[x]);
        keys.add("a");
        keys.add("b");
        keys.forget(["a"]);
        return keys.list();
    """
    assert ask("sent", script(steps), how) == ["b"]


def test_oldest_keys_make_room(ask: Ask) -> None:
    steps = """
        const store = made();
        const keys = new m.SentKeys("demo", () => store);
        for (let n = 0; n <= m.MOST_KEYS; n += 1) keys.add(`key ${n}`);
        const list = keys.list();
        return [list.length, list.at(0), list.at(-1)];
    """
    assert ask("sent", script(steps)) == [12, "key 12", "key 1"]


def test_key_that_nobody_knows_after_a_day_is_lost(ask: Ask) -> None:
    steps = """
        const store = made();
        const keys = new m.SentKeys("demo", () => store);
        keys.add("old", 0);
        keys.add("heard", 0);
        keys.add("new", 1000);
        return keys.lost(["old", "new"], m.UNHEARD_MS + 1);
    """
    assert ask("sent", script(steps)) == ["old"]


def test_key_whose_answer_came_is_told_from_one_that_was_lost(ask: Ask) -> None:
    steps = """
        const store = made();
        const keys = () => new m.SentKeys("demo", () => store);
        keys().add("lost");
        keys().add("heard");
        keys().answered("heard");
        return [...keys().list().map((key) => keys().isAnswered(key)), keys().isAnswered("other")];
    """
    assert ask("sent", script(steps)) == [True, False, False]
