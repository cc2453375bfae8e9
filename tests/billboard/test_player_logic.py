"""The player's pure modules, in the engine that runs them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, Route

from tests.browser import chromium

STATIC = settings.BASE_DIR / "static"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A blank page that may import everything under static/js."""

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix("http://player.test/")
        if path.endswith(".js"):
            route.fulfill(body=(STATIC / path).read_bytes(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", serve)
        page.goto("http://player.test/")
        yield page


def run(page: Page, module: str, body: str, *given: Any) -> Any:
    """Evaluate `body` with the exports of a module as `m` and the given values as `g`."""
    code = f"async (g) => {{ const m = await import('/js/lib/{module}.js'); {body} }}"
    return page.evaluate(code, list(given))


def item(name: str, seq: int) -> dict[str, Any]:
    return {
        "submission": name,
        "figurine": 1,
        "seq": seq,
        "number": seq,
        "plaque": name,
        "approved_at": f"2026-11-22T12:00:{seq:02}Z",
        "picture": f"/media/{name}",
        "clip": None,
    }


def moving(of: dict[str, Any]) -> dict[str, Any]:
    """The same showing of the same figurine, with a clip."""
    name = of["submission"]
    return {**of, "clip": {"mp4": f"/media/{name}.mp4", "webm": f"/media/{name}.webm"}}


# --- rotation ---------------------------------------------------------------------------------


def ranking(
    page: Page, items: list[dict[str, Any]], history: dict[str, list[int]], current: str | None
) -> list[str]:
    body = """
        const history = new Map(Object.entries(g[1])
            .map(([name, [times, lastMs]]) => [name, {times, lastMs}]));
        return m.ranking(g[0], history, g[2]).map((item) => item.submission);
    """
    ranked: list[str] = run(page, "rotation", body, items, history, current)
    return ranked


ABC = [item("A", 1), item("B", 2), item("C", 3)]


@pytest.mark.parametrize(
    ("history", "current", "expected"),
    [
        ({}, None, "CBA"),
        ({"C": [1, 100]}, "C", "BAC"),
        ({"A": [1, 300], "B": [1, 200], "C": [1, 100]}, "A", "CBA"),
        ({"A": [1, 100], "B": [9, 100], "C": [2, 200]}, "C", "ABC"),
        ({"A": [1, 100], "C": [1, 200]}, "C", "BAC"),
        ({"A": [5, 100], "B": [1, 300], "C": [1, 200]}, "B", "ACB"),
    ],
    ids=[
        "never shown, newest first",
        "not the same twice",
        "then who waited longest",
        "then who was shown least",
        "never shown before everyone",
        "a newcomer does not take every second turn",
    ],
)
def test_turn_goes_to(
    page: Page, history: dict[str, list[int]], current: str | None, expected: str
) -> None:
    assert "".join(ranking(page, ABC, history, current)) == expected


def test_one_alone_follows_itself_and_none_follows_nobody(page: Page) -> None:
    assert ranking(page, ABC[:1], {"A": [3, 100]}, "A") == ["A"]
    assert ranking(page, [], {}, None) == []


def test_round_shows_everyone_equally_and_no_one_twice_in_a_row(page: Page) -> None:
    body = """
        const history = new Map(), plays = [];
        let current = null;
        for (let turn = 0; turn < 40; turn += 1) {
            const here = turn < 20 ? g[0].slice(0, 4) : g[0];
            current = m.ranking(here, history, current)[0].submission;
            plays.push(current);
            const times = (history.get(current)?.times ?? 0) + 1;
            history.set(current, {times, lastMs: turn});
        }
        return plays;
    """
    plays: list[str] = run(
        page, "rotation", body, [item(name, n) for n, name in enumerate("ABCDE")]
    )
    assert all(one != other for one, other in itertools.pairwise(plays))
    assert {plays[:20].count(name) for name in "ABCD"} == {5}
    assert plays[20] == "E"
    assert {plays[20:].count(name) for name in "ABCDE"} == {4}


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, True),
        ({"isRepeat": False, "startedMs": 0}, False),
        ({"isRepeat": True, "startedMs": 0}, True),
        ({"isRepeat": True, "startedMs": 4500}, False),
    ],
    ids=["nobody on", "first showing", "repeat", "repeat still coming in"],
)
def test_newcomer_interrupts_repeats_only(page: Page, current: Any, expected: bool) -> None:
    assert run(page, "rotation", "return m.givesWay(g[0], 5000);", current) is expected


def test_shelf_holds_the_most_recent_but_the_hero(page: Page) -> None:
    body = "return m.mostRecent(g[0], g[1], 2).map((item) => item.submission);"
    assert run(page, "rotation", body, ABC, "C") == ["B", "A"]
    assert run(page, "rotation", body, ABC, None) == ["C", "B"]


# --- feed -------------------------------------------------------------------------------------


def snapshot(seq: int, *items: dict[str, Any], epoch: str = "e") -> dict[str, Any]:
    return {"type": "snapshot", "epoch": epoch, "seq": seq, "items": list(items)}


def changes(after: int, seq: int, *parts: Any, epoch: str = "e") -> dict[str, Any]:
    """Each part is an item to add, or (name, seq) to remove."""
    said = [
        {"seq": part["seq"], "submission": part["submission"], "item": part}
        if isinstance(part, dict)
        else {"seq": part[1], "submission": part[0], "item": None}
        for part in parts
    ]
    return {"type": "changes", "epoch": epoch, "after": after, "seq": seq, "changes": said}


def feed_after(page: Page, *frames: dict[str, Any]) -> dict[str, Any]:
    """What is held after these frames, and what the last of them said."""
    body = """
        const feed = new m.Feed();
        let news;
        for (const frame of g) {
            if (frame.type === 'beat') feed.isBehind(frame); else news = feed.apply(frame);
        }
        return {held: [...feed.items.keys()].join(''), seq: feed.place.seq, epoch: feed.place.epoch,
            removed: news.removed.join(''), added: news.added.map((i) => i.submission).join(''),
            moving: news.moving.map((i) => i.submission).join(''), isBehind: news.isBehind};
    """
    held: dict[str, Any] = run(page, "feed", body, *frames)
    return held


def test_changes_follow_a_snapshot(page: Page) -> None:
    assert feed_after(page, snapshot(2, ABC[0], ABC[1]), changes(2, 4, ABC[2], ("A", 4))) == {
        "held": "BC",
        "seq": 4,
        "epoch": "e",
        "removed": "A",
        "added": "C",
        "moving": "",
        "isBehind": False,
    }


def test_same_frame_again_changes_nothing(page: Page) -> None:
    twice = changes(1, 2, ABC[1])
    news = feed_after(page, snapshot(1, ABC[0]), twice, twice)
    assert (news["held"], news["added"], news["isBehind"]) == ("AB", "", False)


def test_gap_asks_for_a_pull_but_takes_down_at_once(page: Page) -> None:
    news = feed_after(page, snapshot(2, ABC[0], ABC[1]), changes(5, 7, item("D", 6), ("A", 7)))
    assert (news["held"], news["removed"], news["seq"], news["isBehind"]) == ("B", "A", 2, True)


@pytest.mark.parametrize(
    "late",
    [
        changes(0, 1, ABC[0]),
        changes(0, 6, ABC[0], ABC[1]),
        snapshot(6, ABC[0], ABC[1]),
        snapshot(1, ABC[0]),
    ],
    ids=["old addition", "old replay", "snapshot from before", "old snapshot"],
)
def test_recalled_item_never_comes_back_by_a_late_frame(page: Page, late: dict[str, Any]) -> None:
    start = snapshot(2, ABC[0], ABC[1])
    assert "A" not in feed_after(page, start, changes(5, 7, ("A", 7)), late)["held"]
    assert "A" not in feed_after(page, start, changes(2, 7, ("A", 7)), late)["held"]


def test_item_approved_again_after_its_recall_is_shown(page: Page) -> None:
    start = snapshot(1, ABC[0])
    news = feed_after(page, start, changes(3, 4, ("A", 4)), changes(1, 9, item("A", 9)))
    assert (news["held"], news["added"]) == ("A", "A")


@pytest.mark.parametrize(
    "frame",
    [
        changes(1, 3, {**item("A", 3), "figurine": 2}),
        snapshot(3, {**item("A", 3), "figurine": 2}),
        snapshot(3, {**item("A", 1), "figurine": 2}),
    ],
    ids=["changes", "snapshot", "snapshot of another figurine alone"],
)
def test_figurine_withdrawn_and_made_again_goes_before_the_new_one_comes(
    page: Page, frame: dict[str, Any]
) -> None:
    news = feed_after(page, snapshot(1, ABC[0]), frame)
    assert (news["removed"], news["added"], news["held"]) == ("A", "A", "A")


def test_figurine_made_again_beyond_a_gap_takes_the_old_one_down_for_good(page: Page) -> None:
    again = changes(5, 7, {**item("A", 7), "figurine": 2})
    news = feed_after(page, snapshot(1, ABC[0]), again)
    assert (news["removed"], news["held"], news["isBehind"]) == ("A", "", True)
    assert feed_after(page, snapshot(1, ABC[0]), again, snapshot(1, ABC[0]))["held"] == ""


def now_moving(seq: int, of: dict[str, Any]) -> dict[str, Any]:
    """A frame that says so at this place of the log."""
    frame = changes(seq - 1, seq, moving(of))
    frame["changes"][0]["seq"] = seq
    return frame


@pytest.mark.parametrize(
    "frame", [now_moving(3, ABC[0]), snapshot(3, moving(ABC[0]), ABC[1])], ids=["changes", "all"]
)
def test_figurine_that_moves_now_is_neither_taken_down_nor_put_up(
    page: Page, frame: dict[str, Any]
) -> None:
    news = feed_after(page, snapshot(2, ABC[0], ABC[1]), frame)
    told = [news[name] for name in ("removed", "added", "moving", "held", "seq", "isBehind")]
    assert told == ["", "", "A", "AB", 3, False]
    again = feed_after(page, snapshot(2, ABC[0], ABC[1]), frame, frame)
    assert again["moving"] == "", "it is told once"


def test_clip_of_a_figurine_that_was_missed_adds_it_with_the_clip(page: Page) -> None:
    news = feed_after(page, snapshot(0), {**now_moving(2, ABC[0]), "after": 0})
    assert (news["added"], news["moving"], news["held"]) == ("A", "", "A")


def test_recall_takes_down_what_moves_and_a_late_clip_brings_nothing_back(page: Page) -> None:
    start, late = snapshot(1, ABC[0]), now_moving(2, ABC[0])
    gone = feed_after(page, start, late, changes(2, 3, ("A", 3)))
    assert (gone["removed"], gone["held"]) == ("A", "")
    assert feed_after(page, start, changes(1, 3, ("A", 3)), late)["held"] == ""
    assert feed_after(page, start, changes(2, 3, ("A", 3)), late)["held"] == ""


def test_snapshot_of_a_new_epoch_replaces_everything(page: Page) -> None:
    news = feed_after(page, snapshot(9, *ABC), snapshot(1, item("D", 1), epoch="f"))
    assert (news["held"], news["removed"], news["seq"], news["epoch"]) == ("D", "ABC", 1, "f")


def test_frames_of_another_epoch_ask_for_a_pull(page: Page) -> None:
    news = feed_after(page, snapshot(1, ABC[0]), changes(1, 2, ABC[1], epoch="f"))
    assert (news["held"], news["isBehind"]) == ("A", True)


def test_frames_of_a_past_epoch_are_late_until_a_beat_says_otherwise(page: Page) -> None:
    old, new = snapshot(9, *ABC), snapshot(1, item("D", 1), epoch="f")
    assert feed_after(page, old, new, old)["held"] == "D"
    beat = {"type": "beat", "epoch": "e", "seq": 9}
    assert feed_after(page, old, new, beat, old)["held"] == "ABC"


def test_snapshot_renews_addresses_without_news(page: Page) -> None:
    fresh = {**ABC[0], "picture": "/media/fresh"}
    body = """
        const feed = new m.Feed();
        feed.apply(g[0]);
        const {added, removed} = feed.apply(g[1]);
        return [feed.items.get('A').picture, added.length, removed.length];
    """
    assert run(page, "feed", body, snapshot(1, ABC[0]), snapshot(1, fresh)) == [
        "/media/fresh",
        0,
        0,
    ]


# --- outbox, pictures -------------------------------------------------------------------------


def test_outbox_keeps_what_was_not_confirmed(page: Page) -> None:
    body = """
        const box = new m.Outbox();
        for (let i = 0; i < 60; i += 1) box.add({ack: 'cached', i});
        const [one, two] = [box.next(), box.next()];
        box.confirm(two.n);
        box.add({ack: 'cached', i: 60});
        box.takeBack();
        const again = [...box.next().acks, ...box.next().acks].map((ack) => ack.i);
        return {sizes: [one.acks.length, two.acks.length], again, rest: box.next()};
    """
    assert run(page, "outbox", body) == {
        "sizes": [50, 10],
        "again": [*range(50), 60],
        "rest": None,
    }


def test_outbox_sends_a_play_that_ended_meanwhile_once(page: Page) -> None:
    body = """
        const box = new m.Outbox();
        for (const duration_ms of [null, 8000]) box.add({ack: 'shown', play_id: 'x', duration_ms});
        const early = box.next().acks;
        box.add({ack: 'shown', play_id: 'y', duration_ms: null});
        box.next();
        box.add({ack: 'shown', play_id: 'y', duration_ms: 9000});
        return [early, box.next().acks].map((acks) => acks.map((ack) => ack.duration_ms));
    """
    assert run(page, "outbox", body) == [[8000], [9000]]


PICTURES = """
    let asked = 0;
    const fetch = async (address) => {
        asked += 1;
        return address.includes('gone') ? new Response('', {status: 404}) : new Response('bytes');
    };
    const measure = async () => ({aspect: 0.8, solid: {left: 0, top: 0, width: 1, height: 1}});
    const pictures = new m.Pictures({fetch, measure});
    const item = (submission, seq = 1) => ({submission, seq, picture: `/media/${submission}`});
"""


def test_picture_is_fetched_once_and_again_for_a_new_showing(page: Page) -> None:
    body = """
        const [one, two] = await Promise.all([pictures.get(item('a')), pictures.get(item('a'))]);
        await pictures.get(item('a', 2));
        return [one.url === two.url, asked];
    """
    assert run(page, "pictures", PICTURES + body) == [True, 2]


def test_dropped_picture_cannot_be_read_any_more(page: Page) -> None:
    body = """
        const {url} = await pictures.get(item('a'));
        const before = await (await globalThis.fetch(url)).text();
        pictures.drop('a');
        await null;
        return [before, await globalThis.fetch(url).then(() => 'still there', () => 'gone')];
    """
    assert run(page, "pictures", PICTURES + body) == ["bytes", "gone"]


def test_picture_dropped_on_its_way_never_arrives(page: Page) -> None:
    body = """
        const coming = pictures.get(item('a'));
        pictures.drop('a');
        return coming.then(() => 'came', (error) => error instanceof m.PictureGone);
    """
    assert run(page, "pictures", PICTURES + body) is True


def test_picture_that_is_gone_may_be_asked_for_again(page: Page) -> None:
    body = """
        const tries = [];
        for (let i = 0; i < 2; i += 1) {
            tries.push(await pictures.get(item('gone')).catch((e) => e instanceof m.PictureGone));
        }
        return [...tries, asked];
    """
    assert run(page, "pictures", PICTURES + body) == [True, True, 2]


def test_pictures_used_last_are_kept(page: Page) -> None:
    body = """
        const first = await pictures.get(item('first'));
        const second = await pictures.get(item('second'));
        for (let i = 0; i < 95; i += 1) {
            await pictures.get(item(`x${i}`));
            await pictures.get(item('first'));
        }
        await null;
        const isThere = ({url}) => globalThis.fetch(url).then(() => 1, () => 0);
        return Promise.all([first, second].map(isThere));
    """
    assert run(page, "pictures", PICTURES + body) == [1, 0]


def test_pictures_are_kept_up_to_so_many_bytes(page: Page) -> None:
    body = """
        const few = new m.Pictures({fetch: async () => new Response('12345'),
            measure: async () => ({}), most: Infinity, mostBytes: 15});
        const got = [];
        for (const name of ['a', 'b', 'c', 'd']) got.push(await few.get(item(name)));
        await null;
        const isThere = ({url}) => globalThis.fetch(url).then(() => 1, () => 0);
        return Promise.all(got.map(isThere));
    """
    assert run(page, "pictures", PICTURES + body) == [0, 1, 1, 1]


# --- player: real feed and pictures, a stage that only notes --------------------------------------


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
        prepare: async (item) => item.submission, show: (name) => shown.push(name),
        discard: () => {}, remove: (name) => shown.push(`-${name}`), lay: async () => () => {},
        animate: async (name, url) => shown.push(`${name} moves ${url.slice(0, 4)}`),
    };
    const clips = new Pictures({fetch, measure: async () => ({}), address: ({clip}) => clip.mp4});
    const feed = new Feed();
    const player = new m.Player({feed, pictures: new Pictures({fetch, measure}), clips, stage,
        slotMs: 60_000, now: Date.now, ack: (ack) => acks.push(ack), onMissing: () => missing++});
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
        stage.lay = async () => null;
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


# --- coming back to a page ------------------------------------------------------------------------


RENEWAL = """
    const kept = new Map();
    const storage = {getItem: (key) => kept.get(key) ?? null, setItem: (k, v) => kept.set(k, v)};
    let reloads = 0, tries = 0;
    const answers = [...g];
    const fetch = async () => {
        tries += 1;
        const [status, text] = answers.length > 1 ? answers.shift() : answers[0];
        if (status === 0) throw new TypeError('no network');
        return new Response(text, {status});
    };
    const renewal = new m.Renewal({fetch, reload: () => (reloads += 1), storage});
"""
OURS = (200, "<body data-acks-url=x>")
UNPAIRED = (200, "<body data-session-url=x>")


@pytest.mark.parametrize("answer", [(0, ""), (502, OURS[1]), (200, "a hotel's page")])
def test_new_look_is_not_loaded_from_a_server_that_is_away(
    page: Page, answer: tuple[int, str]
) -> None:
    body = "await renewal.forNewLook(); return reloads;"
    assert run(page, "../screen/renewal", RENEWAL + body, answer) == 0


def test_new_looks_are_loaded_once_in_five_minutes(page: Page) -> None:
    body = """
        await renewal.forNewLook();
        await renewal.forNewLook();
        const soon = reloads, [[key, until]] = kept;
        kept.set(key, String(Number(until) - 450_000));
        await renewal.forNewLook();
        return [soon, reloads, Number(until) - Date.now() > 290_000];
    """
    assert run(page, "../screen/renewal", RENEWAL + body, OURS) == [1, 2, True]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([(0, ""), UNPAIRED], [1, 2]), ([OURS], [0, 1])],
    ids=["after the server is back", "not when it is a screen again"],
)
def test_unpaired_screen_goes_to_the_page_that_says_so(
    page: Page, answers: list[tuple[int, str]], expected: list[int]
) -> None:
    body = "await renewal.forUnpaired(); return [reloads, tries];"
    assert run(page, "../screen/renewal", RENEWAL + body, *answers) == expected


# --- link: a socket and a server of this page's own -----------------------------------------------


LINK = """
    const {Outbox} = await import('/js/lib/outbox.js');
    const sent = [], asked = [], outbox = new Outbox();
    let socket, unpaired = 0, answer = () => new Response('', {status: 503});
    globalThis.WebSocket = class {
        static OPEN = 1;
        readyState = 0;
        constructor() { socket = this; }
        send(text) { sent.push(JSON.parse(text)); }
        close() { this.readyState = 3; }
        open() { this.readyState = 1; this.onopen(); }
        say(frame) { this.onmessage({data: JSON.stringify(frame)}); }
    };
    globalThis.fetch = async (address) => { asked.push(address); return answer(address); };
    const link = new m.Link({socketUrl: 'ws://x', feedUrl: '/feed', acksUrl: '/acks', outbox,
        here: () => ({epoch: 'e', seq: 7}), onFrame: () => {}, onState: () => {},
        onUnpaired: () => (unpaired += 1)});
    const turn = () => new Promise((resolve) => setTimeout(resolve, 50));
    link.connect();
"""


@pytest.fixture
def fresh_page(page: Page) -> Page:
    """Without what the test before put in the place of the page's own fetch and WebSocket."""
    page.reload()
    return page


def test_day_offline_is_told_over_many_beats(fresh_page: Page) -> None:
    body = """
        for (let i = 0; i < 2500; i += 1) outbox.add({ack: 'cached', i});
        socket.open();
        const told = () => sent.filter(({type}) => type === 'acks').length;
        const first = told();
        link.flush();
        const still = told();
        for (let i = 0; i < 3; i += 1) socket.say({type: 'beat'});
        return [first, still, told()];
    """
    assert run(fresh_page, "link", LINK + body) == [20, 20, 50]


def test_fresh_addresses_are_asked_for_by_whichever_way_there_is(fresh_page: Page) -> None:
    body = """
        link.pull({epoch: null, seq: 0});
        answer = () => Response.json({type: 'snapshot', epoch: 'e', seq: 7, items: []});
        const before = socket;
        socket.onclose({code: 1006});
        while (socket === before) await turn();
        socket.open();
        return [asked[0], sent.findLast(({type}) => type === 'pull')];
    """
    assert run(fresh_page, "link", LINK + body) == [
        "/feed?epoch=&seq=0",
        {"type": "pull", "epoch": "e", "seq": 7},
    ]


@pytest.mark.parametrize(
    ("said", "expected"), [('{"code": "unpaired"}', 1), ("<h1>Forbidden</h1>", 0)]
)
def test_refusal_of_a_proxy_does_not_unpair(fresh_page: Page, said: str, expected: int) -> None:
    body = """
        answer = (address) => new Response(address === '/acks' ? '' : g[0], {status: 403});
        socket.onclose({code: 1006});
        await turn();
        return unpaired;
    """
    assert run(fresh_page, "link", LINK + body, said) == expected


# --- layout ---------------------------------------------------------------------------------------


def test_figurine_stands_on_the_floor_in_the_middle(page: Page) -> None:
    body = """
        const data = new Uint8ClampedArray(10 * 20 * 4);
        for (let y = 5; y < 15; y += 1) {
            for (let x = 6; x < 9; x += 1) data[(y * 10 + x) * 4 + 3] = 255;
        }
        const solid = m.solidBox(data, 10, 20);
        return [solid, m.stand(solid, 0.5, {width: 100, height: 200})];
    """
    solid, place = run(page, "bounds", body)
    assert solid == pytest.approx({"left": 0.6, "top": 0.25, "width": 0.3, "height": 0.5})
    # As high as the area allows: the solid half of the height become 200.
    assert place == pytest.approx({"left": -100, "top": -100, "width": 200, "height": 400})


def test_empty_picture_is_taken_whole(page: Page) -> None:
    body = "return m.solidBox(new Uint8ClampedArray(16), 2, 2);"
    assert run(page, "bounds", body) == {"left": 0, "top": 0, "width": 1, "height": 1}


@pytest.mark.parametrize(
    ("widths", "width", "height", "lines", "size"),
    [
        ([3, 2, 3, 4], 8, 2, [[0, 1], [2, 3]], 1.0),
        ([3, 2, 3, 4], 15, 1, [[0, 1, 2, 3]], 1.0),
        ([3, 2, 3, 4], 4, 4, [[0], [1], [2], [3]], 1.0),
        ([1, 2, 1], 3, 6, [[0], [1], [2]], 1.5),
        ([5], 5, 9, [[0]], 1.0),
    ],
)
def test_headline_is_broken_so_that_it_is_largest(
    page: Page, widths: list[int], width: int, height: int, lines: list[list[int]], size: float
) -> None:
    body = "return m.arrange(g[0], {width: g[1], height: g[2], lineHeight: 1, space: 1});"
    found = run(page, "headline", body, widths, width, height)
    assert (found["lines"], found["size"]) == (lines, pytest.approx(size))
