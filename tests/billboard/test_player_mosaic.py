"""The player with several places: who comes where, and in whose place."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.billboard.player import ABC, PLAYER, changes, item, run, snapshot

MOSAIC = """
    stage.layout = {name: 'mosaic4', kind: 'mosaic', places: 4,
        small: {columns: 0, rows: 0}, steps: false};
    const at = [], times = [];
    stage.prepare = async (item, _, place) => ({name: item.submission, place});
    stage.show = ({name, place}) => {
        at[place] = name;
        shown.push(name);
        times.push(performance.now());
    };
    stage.remove = (name) => at.splice(at.indexOf(name), 1, null);
    const mosaic = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips, stage,
        slotMs: 2000, now: Date.now, ack: (ack) => acks.push(ack), onMissing: () => {}});
    const put = (frame) => mosaic.take(feed.apply(frame));
"""


def test_mosaic_fills_and_changes_one_place_after_another(page: Page) -> None:
    body = """
        put(g[0]);
        await until(() => shown.length === 6);
        const apart = times.slice(1).map((ms, i) => ms - times[i]);
        const first = acks.filter(({ack, duration_ms}) => ack === 'shown' && duration_ms);
        return [shown, at, Math.min(...apart) > 100, apart[4] > 450,
            first.map(({submission, layout, duration_ms}) =>
                [submission, layout, duration_ms >= 1999])];
    """
    six = snapshot(6, *[item(name, n) for n, name in enumerate("ABCDEF", 1)])
    shown, at, is_apart, is_even, ended = run(page, "../screen/player", PLAYER + MOSAIC + body, six)
    assert shown == list("FEDCBA")
    assert at == ["B", "A", "D", "C"]
    assert (is_apart, is_even) == (True, True)
    assert ended == [["F", "mosaic4", True], ["E", "mosaic4", True]]


def test_mosaic_of_fewer_people_than_places_shows_nobody_twice(page: Page) -> None:
    body = """
        put(g[0]);
        const renewed = () => acks.filter(({ack, duration_ms}) => ack === 'shown' && duration_ms);
        await until(() => renewed().length === 2);
        return [shown, at, renewed().map(({submission}) => submission)];
    """
    two = snapshot(2, *ABC[:2])
    assert run(page, "../screen/player", PLAYER + MOSAIC + body, two) == [
        ["B", "A"],
        ["B", "A"],
        ["B", "A"],
    ]


def test_mosaic_follows_the_plan_of_each_place(page: Page) -> None:
    """By itself it would put up the newest first."""
    body = """
        const order = ['A', 'C', 'E', 'B'];
        const begin = Date.now();
        const slot = (submission, place, from, to) => ({submission, place,
            at_ms: begin + from, duration_ms: to - from});
        mosaic.follow({places: 4, slots: [
            ...order.map((name, place) => slot(name, place, 0, place === 2 ? 2500 : 60_000)),
            slot('D', 2, 2500, 60_000)]});
        put(g[0]);
        await until(() => shown.length === 5);
        return [shown, at];
    """
    five = snapshot(5, *[item(name, n) for n, name in enumerate("ABCDE", 1)])
    assert run(page, "../screen/player", PLAYER + MOSAIC + body, five) == [
        ["A", "C", "E", "B", "D"],
        ["A", "C", "D", "B"],
    ]


def test_recalled_cell_is_filled_and_the_others_stay(page: Page) -> None:
    body = """
        put(g[0]);
        await until(() => shown.length === 4);
        put(g[1]);
        const empty = [...at];
        await until(() => shown.length === 5);
        return [empty, at, acks.filter(({ack, duration_ms}) => ack === 'shown' && duration_ms)
            .map(({submission}) => submission)];
    """
    frames = [
        snapshot(5, *[item(name, n) for n, name in enumerate("ABCDE", 1)]),
        changes(5, 6, ("D", 6)),
    ]
    assert run(page, "../screen/player", PLAYER + MOSAIC + body, *frames) == [
        ["E", None, "C", "B"],
        ["E", "A", "C", "B"],
        ["D"],
    ]
