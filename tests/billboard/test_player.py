"""The player with a real feed and real pictures, and a stage that only notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, blank, changes, item, moving, now_moving, run, snapshot

PLAYER = """
    const {Feed} = await import('/js/lib/feed.js');
    const {Pictures} = await import('/js/lib/pictures.js');
    const asked = [], acks = [], shown = [];
    let missing = 0;
    const answers = {hangs: (_, {signal}) => new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)))};
    const fetch = async (address, how) => {
        asked.push(address.replace('/media/', ''));
        const answer = answers[address.replace('/media/', '')];
        if (answer === 'gone') return new Response('', {status: 404});
        return answer ? answers[answer](address, how) : new Response('bytes');
    };
    const measure = async () => ({aspect: 1, solid: {left: 0, top: 0, width: 1, height: 1}});
    const stage = {
        layout: {name: 'hero', kind: 'hero', places: 1, small: {columns: 3, rows: 1}, steps: false},
        tally: () => {}, divide: () => {}, prepare: async (item) => item.submission,
        show: (name) => shown.push(name),
        discard: () => {}, remove: (name) => shown.push(`-${name}`), lay: async () => () => {},
        animate: async (name, url) => shown.push(`${name} moves ${url.slice(0, 4)}`),
    };
    const clips = new Pictures({fetch, measure: async () => ({}), address: ({clip}) => clip.mp4});
    const feed = new Feed();
    let player = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips, stage,
        slotMs: 60_000, now: () => Date.now(), ack: (ack) => acks.push(ack),
        onMissing: () => missing++});
    const take = (frame) => player.take(feed.apply(frame));
    const until = async (isTrue) => {
        while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20));
    };
"""


def play(page: Page, body: str, *given: Any) -> Any:
    return run(page, "../screen/player", PLAYER + body, *given)


def test_recalled_hero_gives_way_at_once_while_a_download_hangs(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => player.hero === 'B' && asked.includes('A'));
        answers.C = 'hangs';
        take(g[1]);
        const atMs = performance.now();
        take(g[2]);
        await until(() => player.hero === 'A');
        return [shown, performance.now() - atMs < 500];
    """
    frames = [
        snapshot(2, ABC[0], ABC[1]),
        changes(2, 3, ABC[2]),
        changes(3, 4, ("B", 4)),
    ]
    assert play(page, body, *frames) == [["B", "-B", "A"], True]


def test_big_campaign_starts_with_its_first_and_loads_few_ahead(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => acks.filter(({ack}) => ack === 'cached').length === 8);
        return [asked[0], shown, new Set(asked).size <= 10];
    """
    many = snapshot(60, *[item(f"P{n:02}", n) for n in range(60)])
    assert play(page, body, many) == ["P59", ["P59"], True]


def test_addresses_that_ran_out_are_asked_for_once_and_tried_when_fresh(page: Page) -> None:
    body = """
        for (const {submission} of g[0].items) answers[submission] = 'gone';
        take(g[0]);
        await until(() => missing > 0);
        const before = missing;
        take(g[1]);
        await until(() => player.hero);
        return [before, player.hero];
    """
    fresh = [{**one, "picture": f"{one['picture']}-fresh"} for one in ABC]
    assert play(page, body, snapshot(3, *ABC), snapshot(3, *fresh)) == [1, "C"]


@pytest.mark.parametrize("gone", ["A", "B"])
def test_clip_addresses_that_ran_out_are_asked_for_and_tried_when_fresh(
    page: Page, gone: str
) -> None:
    """B is on and A is next: its clip is missed when it is loaded ahead."""
    body = """
        const [ran, fresh, ...removals] = g;
        answers[`${removals.pop()}.mp4`] = 'gone';
        take(ran);
        await until(() => missing > 0);
        const before = missing;
        take(fresh);
        for (const frame of removals) take(frame);
        await until(() => shown.at(-1) === 'A moves blob');
        return [before, missing];
    """
    ran = [moving(ABC[0]), moving(ABC[1])]
    fresh = [{**one, "clip": {"mp4": f"{one['clip']['mp4']}-fresh", "webm": ""}} for one in ran]
    frames = [snapshot(2, *ran), snapshot(2, *fresh), changes(2, 3, ("B", 3))]
    assert play(page, body, *frames, gone) == [1, 1]


def test_hero_stands_first_and_moves_when_its_clip_comes_later(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => player.hero === 'A');
        take(g[1]);
        await until(() => shown.length === 2);
        return [shown, asked.filter((name) => name === 'A').length];
    """
    assert play(page, body, snapshot(1, ABC[0]), now_moving(2, ABC[0])) == [
        ["A", "A moves blob"],
        1,
    ]


def test_clip_that_cannot_be_had_leaves_the_picture_on(page: Page) -> None:
    body = """
        answers['A.mp4'] = 'gone';
        take(g[0]);
        await until(() => asked.includes('A.mp4') && player.hero === 'A');
        await until(() => acks.some(({ack}) => ack === 'shown'));
        return [shown, player.hero];
    """
    assert play(page, body, snapshot(1, moving(ABC[0]))) == [["A"], "A"]


def test_clip_on_its_way_is_dropped_with_the_recall(page: Page) -> None:
    body = """
        let isAborted = false;
        answers['A.mp4'] = 'waits';
        answers.waits = (_, {signal}) => new Promise((_, reject) =>
            signal.addEventListener('abort', () => { isAborted = true; reject(signal.reason); }));
        take(g[0]);
        await until(() => asked.includes('A.mp4'));
        take(g[1]);
        await until(() => isAborted);
        return [shown, player.hero];
    """
    frames = [snapshot(1, moving(ABC[0])), changes(1, 2, ("A", 2))]
    assert play(page, body, *frames) == [["A", "-A"], None]


def test_next_ones_clip_is_there_before_its_turn(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => asked.includes('A.mp4') && asked.includes('B.mp4'));
        return shown[0];
    """
    assert play(page, body, snapshot(2, moving(ABC[0]), moving(ABC[1]))) == "B"


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


def test_same_one_in_two_slots_of_the_plan_has_two_plays(page: Page) -> None:
    body = """
        take(g[0]);
        const at = Date.now();
        player.follow({slots: [0, 1, 2, 3].map((n) =>
            ({at_ms: at + 400 * n, duration_ms: 400, submission: 'A', place: 0}))});
        const ended = () => acks.filter((ack) => ack.ack === 'shown' && ack.duration_ms !== null);
        await until(() => ended().length >= 2);
        return [new Set(ended().map(({play_id}) => play_id)).size >= 2, player.isQuiet];
    """
    assert play(page, body, snapshot(1, ABC[0])) == [True, True]


HASTY = """
    const hasty = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips, stage,
        slotMs: 300, now: Date.now, ack: (ack) => acks.push(ack), onMissing: () => {}});
    const put = (frame) => hasty.take(feed.apply(frame));
"""


def test_recalled_one_does_not_go_on_when_whoever_was_waited_for_is_recalled_too(
    page: Page,
) -> None:
    body = """
        put(g[0]);
        await until(() => hasty.hero === 'A');
        answers.B = 'hangs';
        put(g[1]);
        await new Promise((resolve) => setTimeout(resolve, 400));  // its slot is over
        put(g[2]);
        await until(() => acks.filter(({ack}) => ack === 'dark').length === 2);
        return hasty.hero;
    """
    frames = [
        snapshot(1, ABC[0]),
        changes(1, 2, ABC[1]),
        changes(2, 4, ("A", 3), ("B", 4)),
    ]
    assert run(page, "../screen/player", PLAYER + HASTY + body, *frames) is None


def test_card_that_a_watchdog_cleared_away_does_not_stop_the_others(page: Page) -> None:
    body = """
        let drawn = 0;
        stage.prepare = async (item) => ({name: item.submission, isConnected: (drawn += 1) > 1});
        stage.show = ({name, isConnected}) => {
            if (!isConnected) throw new Error('not on the page any more');
            shown.push(name);
        };
        take(g[0]);
        await until(() => player.hero !== null);
        return shown;
    """
    assert play(page, body, snapshot(1, ABC[0])) == ["A"]


def test_late_picture_is_left_out_for_a_while(page: Page) -> None:
    """B is waited for once; A, who goes up instead, is not kept on by another wait for B."""
    body = """
        answers.B = 'hangs';
        put(g[0]);
        await until(() => hasty.hero === 'C');
        put(g[1]);
        const ended = () => acks.find(({submission, duration_ms}) =>
            submission === 'A' && duration_ms > 0);
        await until(ended);
        return ended().duration_ms < 2000;
    """
    frames = [snapshot(3, ABC[2]), changes(3, 5, ABC[0] | {"seq": 4}, ABC[1] | {"seq": 5})]
    assert run(page, "../screen/player", PLAYER + HASTY + body, *frames) is True


def test_shelf_waits_for_no_late_picture(page: Page) -> None:
    """A, who was there before, stands in for C until theirs comes."""
    body = """
        const laid = [];
        const names = (cards) => cards.map(({item}) => item.submission).join('');
        stage.lay = async (cards) => () => laid.push(names(cards));
        const late = Promise.withResolvers();
        answers.C = 'waits';
        answers.waits = () => late.promise.then(() => new Response('bytes'));
        take(g[0]);
        await until(() => laid.at(-1) === 'A');
        take(g[1]);
        await until(() => laid.at(-1) === 'EDA');
        late.resolve();
        await until(() => laid.at(-1) === 'EDC');
        return player.hero;
    """
    burst = [item(name, n) for n, name in enumerate("CDE", 3)]
    assert play(page, body, snapshot(2, *ABC[:2]), changes(2, 5, *burst)) == "B"


# --- a start --------------------------------------------------------------------------------------
COLD = """
    stage.lay = async (cards) => () => shown.push(...cards.map(({item}) => item.submission));
    stage.layout.places = 1;
    feed.restore(g[0]);
    player.restore();
    Object.assign(globalThis, {player, stage, shown, take});
"""


@pytest.fixture
def young_page(page: Page) -> Iterator[Page]:
    """A page that has just begun, and whose time goes by when it is told to."""
    assert page.context.browser
    young = blank(page.context.browser)
    young.clock.install()
    young.reload()
    yield young
    young.context.close()


def test_failed_tries_do_not_show_who_may_have_been_recalled_while_it_was_off(
    young_page: Page,
) -> None:
    play(young_page, COLD, ABC)
    for _ in range(5):
        young_page.evaluate("() => { player.release(); stage.onLayout(stage.layout); }")
        young_page.clock.run_for(5_000)
    assert young_page.evaluate("[shown, player.hero]") == [[], None]
    young_page.evaluate("(frame) => { take(frame); }", snapshot(4, *ABC[:2]))
    young_page.wait_for_function("() => player.hero !== null")
    assert young_page.evaluate("player.hero") == "B"
    assert "C" not in young_page.evaluate("shown")


def test_start_without_any_network_plays_what_is_kept_after_half_a_minute(
    young_page: Page,
) -> None:
    play(young_page, COLD, ABC)
    young_page.evaluate("() => player.release()")
    young_page.clock.run_for(29_000)
    assert young_page.evaluate("player.hero") is None
    young_page.clock.run_for(2_000)
    young_page.wait_for_function("() => player.hero !== null")


def test_start_that_took_long_waits_its_half_minute_all_the_same(young_page: Page) -> None:
    """A slow disk or a late page takes nothing off the time in which the server may answer."""
    young_page.clock.run_for(31_000)
    play(young_page, COLD, ABC)
    young_page.evaluate("() => player.release()")
    young_page.clock.run_for(5_000)
    assert young_page.evaluate("[shown, player.hero]") == [[], None]


def test_without_frames_nobody_is_on_until_they_come_and_dark_is_told_all_the_same(
    young_page: Page,
) -> None:
    body = """
        globalThis.frames = requestAnimationFrame;
        globalThis.requestAnimationFrame = () => 0;
        Object.assign(globalThis, {player, take});
        globalThis.told = () => acks.filter(({ack}) => ack !== 'cached')
            .map(({ack, submission, duration_ms}) => [ack, submission, duration_ms ?? null]);
        take(g[0]);
        await until(() => player.hero === 'B');
    """
    play(young_page, body, snapshot(2, *ABC[:2]))
    young_page.clock.run_for(20_000)
    assert young_page.evaluate("[told(), player.plays]") == [[], []]
    young_page.evaluate("(frame) => { take(frame); }", changes(2, 3, ("B", 3)))
    young_page.clock.run_for(4_000)
    assert young_page.evaluate("told()") == [["dark", "B", None]]
    young_page.evaluate("() => { requestAnimationFrame = frames; }")
    young_page.clock.run_for(6_000)
    assert young_page.evaluate("told()[1]") == ["shown", "A", None]
    ((began, lasted),) = young_page.evaluate(
        "player.plays.map(({started_at, duration_ms}) => [started_at, duration_ms])"
    )
    assert began and lasted < 6_000
