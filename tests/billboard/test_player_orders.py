"""What the crew asks of a player: what lasts, and what is carried out exactly once."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.billboard.player import ABC, PLAYER, changes, run, snapshot

ORDERS = """
    const kept = new Map();
    const storage = {getItem: (key) => kept.get(key) ?? null,
                     setItem: (key, value) => kept.set(key, value),
                     removeItem: (key) => kept.delete(key)};
    let nowMs = Date.parse('2026-11-27T12:00:00Z');
    const applied = [], told = [], did = [];
    const deeds = {identify: ({value}) => did.push(value), reload: () => did.push('reload'),
                   capture: () => { throw new m.Refused('no canvas'); }};
    const start = () => {
        const orders = new m.Orders({now: () => nowMs, storage, deeds, painted: async () => {},
            apply: (state) => applied.push(state), tell: ({at, ack, ...how}) => told.push(how)});
        orders.restore();
        return orders;
    };
    const at = (s) => new Date(nowMs + s * 1000).toISOString();
    const usual = {is_paused: false, is_blanked: false, brightness: null, layout: 'auto'};
    const frame = (state, ...commands) => ({type: 'orders', at: at(0), state: {...usual, ...state},
        commands: commands.map(([id, kind, value = '']) => ({id, kind, value, until: at(30)}))});
    const orders = start();
"""


def orders(page: Page, body: str, *given: Any) -> Any:
    return run(page, "orders", ORDERS + body, *given)


def test_command_told_by_every_way_is_carried_out_once(page: Page) -> None:
    body = """
        const twice = frame({}, ['1', 'identify', 'Broadway 1'], ['2', 'dance']);
        await Promise.all([orders.take(twice), orders.take(twice)]);
        await start().take(twice);
        return [did, told];
    """
    did, told = orders(page, body)
    assert did == ["Broadway 1"]
    refusal = "this player does not know it"
    assert sorted(told, key=lambda how: str(how["id"])) == [
        {"id": "1", "outcome": "done", "why": ""},
        {"id": "2", "outcome": "refused", "why": refusal},
    ]


def test_answer_to_a_command_does_not_wait_behind_a_days_plays(page: Page) -> None:
    body = """
        const outbox = new m.Outbox();
        for (let i = 0; i < 500; i += 1) outbox.add({ack: 'cached', i});
        outbox.add({ack: 'command', id: '1'});
        return outbox.next().acks.slice(0, 2);
    """
    first = [{"ack": "command", "id": "1"}, {"ack": "cached", "i": 0}]
    assert run(page, "outbox", body) == first


def test_refusal_says_why(page: Page) -> None:
    body = "await orders.take(frame({}, ['1', 'capture'])); return told;"
    assert orders(page, body) == [{"id": "1", "outcome": "refused", "why": "no canvas"}]


def test_command_after_its_time_is_not_carried_out_and_not_told(page: Page) -> None:
    body = """
        const late = frame({}, ['1', 'identify']);
        nowMs += 31_000;
        await orders.take(late);
        return [did, told];
    """
    assert orders(page, body) == [[], []]


def test_reload_is_done_when_the_next_page_is_there_and_only_once(page: Page) -> None:
    body = """
        const asked = frame({is_paused: true}, ['1', 'reload'], ['2', 'identify', 'B']);
        await orders.take(asked);
        const before = [...told];
        const next = start();
        next.resume();
        await next.take(asked);
        start().resume();
        return [before, did, told.map(({id}) => id), applied.at(-1).isPaused];
    """
    assert orders(page, body) == [[], ["reload", "B"], ["1", "2"], True]


def test_reload_that_could_not_be_remembered_is_refused(page: Page) -> None:
    body = """
        storage.setItem = () => { throw new Error('full'); };
        await orders.take(frame({}, ['1', 'reload']));
        return [did, told[0].outcome];
    """
    assert orders(page, body) == [[], "refused"]


def test_what_lasts_is_as_before_after_a_start_without_a_server(page: Page) -> None:
    body = """
        await orders.take(frame({is_blanked: true, brightness: 35, layout: 'mosaic9'}));
        start();
        const again = applied.at(-1), isBlack = kept.has('diorama.black');
        orders.forget();
        start();
        return [again, isBlack, applied.at(-1).isBlanked, kept.size];
    """
    again = {"isPaused": False, "isBlanked": True, "brightness": 35, "layout": "mosaic9"}
    assert orders(page, body) == [again, True, False, 0]


def test_word_of_a_server_whose_clock_is_behind_holds_too(page: Page) -> None:
    body = """
        await orders.take(frame({is_blanked: false}));
        await orders.take({...frame({is_blanked: true}), at: at(-3)});
        return applied.at(-1).isBlanked;
    """
    assert orders(page, body) is True


def test_one_that_takes_long_keeps_no_other_waiting(page: Page) -> None:
    body = """
        let end;
        deeds.capture = () => new Promise((resolve) => (end = resolve));
        const taken = orders.take(frame({}, ['1', 'capture'], ['2', 'identify', 'B']));
        await new Promise((resolve) => setTimeout(resolve));
        const early = told.map(({id}) => id);
        end();
        await taken;
        return [early, told.map(({id}) => id)];
    """
    assert orders(page, body) == [["2"], ["2", "1"]]


def test_reload_that_fails_loses_none_of_the_others(page: Page) -> None:
    body = """
        deeds.reload = async () => { throw new m.Refused('no server'); };
        await orders.take(frame({}, ['1', 'reload'], ['2', 'identify', 'B']));
        return told.map(({id, outcome}) => [id, outcome]);
    """
    assert orders(page, body) == [["1", "refused"], ["2", "done"]]


def test_whatever_is_told_or_kept_is_a_state(page: Page) -> None:
    body = """
        kept.set('diorama.orders', g[0]);
        start();
        return applied.at(-1);
    """
    usual = {"isPaused": False, "isBlanked": False, "brightness": None, "layout": None}
    for text in ("", "null", "7", "[", '{"state": {"brightness": "x", "isPaused": 1}, "begun": 3}'):
        assert orders(page, body, text) == usual


# --- the player under them ------------------------------------------------------------------------


def still(page: Page, body: str, *given: Any, slot_ms: int = 60_000) -> Any:
    begin = """
        const turn = () => new Promise((resolve) => setTimeout(resolve, 60));
        const usual = {isPaused: false, isBlanked: false};
        const paused = {...usual, isPaused: true}, black = {...usual, isBlanked: true};
    """
    code = PLAYER.replace("slotMs: 60_000", f"slotMs: {slot_ms}") + begin
    return run(page, "../screen/player", code + body, *given)


def test_paused_player_keeps_who_is_on_and_a_recall_leaves_the_empty_box(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => player.hero === 'B');
        player.obey(paused);
        for (let i = 0; i < 5; i += 1) await turn();
        take(g[1]); // C is new, and B's slot is over.
        await turn();
        const held = player.hero;
        take(g[2]); // B is recalled.
        await turn();
        const gone = player.hero;
        player.obey(usual);
        await until(() => player.hero);
        return [held, gone, player.hero, shown, acks.filter(({ack}) => ack === 'dark').length];
    """
    frames = [snapshot(2, *ABC[:2]), changes(2, 3, ABC[2]), changes(3, 4, ("B", 4))]
    told = still(page, body, *frames, slot_ms=150)
    assert told == ["B", None, "C", ["B", "-B", "C"], 1]


def test_paused_player_is_divided_when_it_goes_on(page: Page) -> None:
    body = """
        const divided = [];
        stage.divide = (places) => divided.push(places);
        take(g[0]);
        await until(() => player.hero);
        player.obey(paused);
        player.follow({type: 'plan', rev: 1, at: new Date().toISOString(), places: 4, slots: []});
        const held = [...divided];
        player.obey(usual);
        return [held, divided];
    """
    assert still(page, body, snapshot(3, *ABC)) == [[], [4]]


def test_player_that_starts_paused_shows_one_and_stays(page: Page) -> None:
    body = """
        player.obey(paused);
        take(g[0]);
        await until(() => player.hero === 'C');
        take(g[1]);
        await turn();
        return [player.hero, shown, player.isQuiet];
    """
    frames = [snapshot(3, *ABC), changes(3, 4, ("A", 4))]
    assert still(page, body, *frames) == ["C", ["C", "-A"], False]


def test_black_player_reports_no_play_takes_down_and_loads_on(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => acks.some(({ack}) => ack === 'shown'));
        player.obey(black);
        const ended = acks.filter(({ack, duration_ms}) => ack === 'shown' && duration_ms !== null);
        const plays = acks.filter(({ack}) => ack === 'shown').length;
        take(g[1]); // C comes, B is recalled.
        await until(() => acks.some(({ack}) => ack === 'dark'));
        await until(() => acks.some(({ack, submission}) => ack === 'cached' && submission === 'C'));
        await turn();
        const quiet = acks.filter(({ack}) => ack === 'shown').length - plays;
        const removed = shown.includes('-B');
        player.obey(usual);
        await until(() => player.hero);
        return [ended.map(({submission}) => submission), quiet, removed, player.hero];
    """
    frames = [snapshot(2, *ABC[:2]), changes(2, 4, ABC[2], ("B", 4))]
    assert still(page, body, *frames) == [["B"], 0, True, "C"]


MOSAIC = """
    const layout = (name, places) => ({name, kind: places > 1 ? 'mosaic' : 'hero', places,
        small: {columns: 0, rows: 0}, steps: false});
    const here = new Map();
    stage.prepare = async (item, _, place) => ({item, place});
    stage.show = ({item, place}) => here.set(place, item.submission);
    stage.remove = (name) =>
        [...here].forEach(([place, who]) => who === name && here.delete(place));
    const places = () => Object.fromEntries([...here].sort());
    const on = () => player.plays.map(({submission}) => submission).sort();
"""


def test_who_is_on_under_black_is_on_anew_when_the_screen_shows_again(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => player.plays.length === 1);
        const first = player.plays[0].play_id;
        player.obey({isPaused: true, isBlanked: true});
        const under = [player.hero, player.plays.length, player.isQuiet];
        player.obey(paused);
        await until(() => player.plays.length === 1);
        return [under, player.hero, shown, player.plays[0].play_id === first];
    """
    under = [None, 0, False]
    assert still(page, body, snapshot(3, *ABC)) == [under, "C", ["C"], False]


def test_nobody_follows_who_was_recalled_under_black_while_it_is_paused(page: Page) -> None:
    body = """
        take(g[0]);
        await until(() => player.hero === 'C');
        player.obey({isPaused: true, isBlanked: true});
        take(g[1]);
        await turn();
        player.obey(paused);
        await turn();
        const held = player.hero;
        player.obey(usual);
        await until(() => player.hero);
        return [held, player.hero];
    """
    assert still(page, body, snapshot(3, *ABC), changes(3, 4, ("C", 4))) == [None, "B"]


def test_nobody_is_on_twice_after_black(page: Page) -> None:
    body = (
        MOSAIC
        + """
        player = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips,
            stage: Object.assign(stage, {layout: layout('mosaic4', 4)}), slotMs: 60_000,
            now: () => Date.now(), ack: (ack) => acks.push(ack), onMissing: () => {}});
        take(g[0]);
        await until(() => on().length === 3);
        player.obey(black);
        take(g[1]);
        player.obey(usual);
        await until(() => on().length === 2);
        await turn();
        return [Object.values(places()).sort(), on()];
    """
    )
    frames = [snapshot(3, *ABC), changes(3, 4, ("B", 4))]
    assert still(page, body, *frames) == [["A", "C"], ["A", "C"]]


def test_nobody_follows_who_was_recalled_when_a_paused_screen_changes_its_layout(
    page: Page,
) -> None:
    body = (
        MOSAIC
        + """
        take(g[0]);
        await until(() => player.hero === 'C');
        player.obey(paused);
        take(g[1]);
        await turn();
        stage.onLayout(layout('mosaic4', 4));
        await new Promise((resolve) => setTimeout(resolve, 450)); // As between two fillings.
        player.release();
        await turn();
        return on();
    """
    )
    assert still(page, body, snapshot(3, *ABC), changes(3, 4, ("C", 4))) == []


def test_clock_that_is_set_back_a_little_makes_no_second_play_of_a_slot(page: Page) -> None:
    body = """
        const real = Date.now, beganMs = real();
        const slots = ['B', 'C', 'B'].map((submission, n) =>
            ({at_ms: beganMs + 1500 * n, duration_ms: 1500, submission, place: 0}));
        take(g[0]);
        player.follow({type: 'plan', rev: 1, at: '', places: 1, slots});
        await until(() => player.hero === 'B');
        Date.now = () => real() - 300;
        await until(() => player.hero === 'C');
        const lateMs = Date.now() - beganMs - 1500;
        Date.now = real;
        const told = acks.filter(({ack, duration_ms}) => ack === 'shown' && duration_ms !== null);
        return [told.map(({submission}) => submission), lateMs > -120];
    """
    told, is_in_time = still(page, body, snapshot(3, *ABC))
    assert told in (["B"], ["C", "B"])  # C, newest, may be up before the plan is heard
    assert is_in_time


# --- what it says of itself -----------------------------------------------------------------------
