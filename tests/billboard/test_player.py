"""The player with a real feed and real pictures, and a stage that only notes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.billboard.player import (
    ABC,
    PLAYER,
    changes,
    item,
    moving,
    now_moving,
    play,
    run,
    snapshot,
)


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
