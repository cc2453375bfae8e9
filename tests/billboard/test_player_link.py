"""The way to the server, and back to a page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run

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
    renewal.drew();
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
    const sent = [], asked = [], heard = [], outbox = new Outbox();
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
        here: () => ({epoch: 'e', seq: 7}), onFrame: (frame) => heard.push(frame),
        onState: () => {}, onUnpaired: () => (unpaired += 1)});
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


def test_server_that_answers_polls_is_there(fresh_page: Page) -> None:
    body = """
        const found = [link.isHeard];
        socket.open();
        found.push(link.isHeard);
        for (const text of ['{"type": "changes", "changes": []}', '<h1>Welcome</h1>']) {
            answer = () => new Response(text);
            const before = socket;
            socket.onclose({code: 1006});
            await turn();
            found.push(link.isHeard);
            while (socket === before) await turn();
        }
        return found;
    """
    assert run(fresh_page, "link", LINK + body) == [False, True, True, False]


@pytest.mark.parametrize("is_open", [True, False])
def test_after_a_sleep_the_server_is_asked_at_once(fresh_page: Page, is_open: bool) -> None:
    body = """
        answer = () => Response.json({type: 'changes', changes: []});
        if (g[0]) socket.open();
        else {
            socket.onclose({code: 1006});
            while (asked.length < 2) await turn();
        }
        const before = asked.length, first = socket;
        link.askAnew();
        return [asked.slice(before), first.readyState === WebSocket.OPEN];
    """
    assert run(fresh_page, "link", LINK + body, is_open) == [["/feed?epoch=e&seq=7"], False]


@pytest.mark.parametrize("data", ["<h1>Bad gateway</h1>", "", "7", "null", '{"type": "be'])
def test_frame_that_is_none_ends_the_socket(fresh_page: Page, data: str) -> None:
    body = """
        socket.open();
        const before = asked.length;
        socket.onmessage({data: g[0]});
        await turn();
        return [socket.readyState, asked.slice(before)[0]];
    """
    assert run(fresh_page, "link", LINK + body, data) == [3, "/feed?epoch=e&seq=7"]


def test_ack_on_which_the_server_hangs_up_is_found_by_post_and_the_others_are_told(
    fresh_page: Page,
) -> None:
    body = """
        const told = [], lost = [];
        console.error = (_, {i}) => lost.push(i);
        globalThis.fetch = async (address, {body} = {}) => {
            if (address !== '/acks') return Response.json({type: 'changes', changes: []});
            const {type, n, acks = []} = JSON.parse(body);
            if (acks.some(({i}) => i === 3)) {
                return Response.json({code: 'bad_frame'}, {status: 400});
            }
            told.push(...acks.map(({i}) => i));
            return Response.json({type: 'acked', n});
        };
        for (let i = 0; i < 8; i += 1) outbox.add({ack: 'cached', i});
        socket.open();
        const first = socket;
        socket.onclose({code: 4400});
        while (socket === first) await turn();
        socket.open();
        const frames = sent.filter(({type}) => type === 'acks').length;
        for (let beat = 0; beat < 8; beat += 1) { socket.say({type: 'beat'}); await turn(); }
        const quiet = sent.filter(({type}) => type === 'acks').length - frames;
        outbox.add({ack: 'cached', i: 8});
        link.flush();
        return [told, lost, quiet, sent.at(-1).acks];
    """
    told, lost, quiet, last = run(fresh_page, "link", LINK + body)
    assert (told, lost, quiet) == ([0, 1, 2, 4, 5, 6, 7], [3], 0)
    assert last == [{"ack": "cached", "i": 8}]


@pytest.mark.parametrize(("is_open", "expected"), [(False, ["poll"]), (True, ["socket"])])
def test_orders_of_a_poll_that_a_socket_overtook_are_none(
    fresh_page: Page, is_open: bool, expected: list[str]
) -> None:
    body = """
        const orders = (way) => ({type: 'orders', way, at: new Date().toISOString()});
        let answered;
        globalThis.fetch = async (address) => {
            if (address !== '/acks') return new Response('', {status: 503});
            return new Promise((resolve) => {
                answered = () => resolve(Response.json(orders('poll')));
            });
        };
        const first = socket;
        socket.onclose({code: 1006});
        while (!answered || socket === first) await turn();
        if (g[0]) {
            socket.open();
            socket.say(orders('socket'));
        }
        answered();
        await turn();
        return heard.map(({way}) => way);
    """
    assert run(fresh_page, "link", LINK + body, is_open) == expected


def test_sockets_that_are_lost_while_a_poll_is_under_way_begin_no_other(fresh_page: Page) -> None:
    body = """
        let answered;
        globalThis.fetch = (address) => {
            asked.push(address);
            return new Promise((resolve) => {
                answered = () => resolve(Response.json({type: 'changes', changes: []}));
            });
        };
        for (let lost = 0; lost < 2; lost += 1) {
            const before = socket;
            socket.onclose({code: 1006});
            while (socket === before) await turn();
        }
        const meanwhile = asked.length;
        answered();
        await turn();
        answered();
        await turn();
        return [meanwhile, asked.slice(0, 2)];
    """
    assert run(fresh_page, "link", LINK + body) == [1, ["/feed?epoch=e&seq=7", "/acks"]]


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (200, '{"type": "acked", "n": N}', [0, 0]),
        (200, '{"type": "acked", "n": 99}', [1, 0]),
        (200, "<h1>Welcome to our network</h1>", [1, 0]),
        (400, '{"code": "bad_frame"}', [0, 1]),
        (400, "<h1>Bad request</h1>", [1, 0]),
    ],
    ids=["server", "of another frame", "a hotel's page", "refused", "a proxy"],
)
def test_only_the_servers_own_words_take_an_ack_off_the_list(
    fresh_page: Page, status: int, said: str, expected: list[int]
) -> None:
    body = """
        let lost = 0;
        console.error = () => (lost += 1);
        const [status, said] = g;
        globalThis.fetch = async (address, {body} = {}) => {
            asked.push(address);
            if (address !== '/acks') return Response.json({type: 'changes', changes: []});
            const {type, n} = JSON.parse(body);
            if (type === 'here') return Response.json({});
            return new Response(said.replace('N', n), {status});
        };
        outbox.add({ack: 'cached', i: 1});
        socket.onclose({code: 1006});
        while (asked.filter((address) => address === '/acks').length < 2) await turn();
        await turn();
        return [outbox.length, lost];
    """
    assert run(fresh_page, "link", LINK + body, status, said) == expected


# --- a snapshot that comes part by part -----------------------------------------------------------
PARTS = LINK.replace("here:", "rest: () => next, here:").replace(
    "heard.push(frame)", "{ heard.push(frame); if ('more' in frame) next = frame.more; }"
)
PARTS = (
    """
    let next = null;
    const rests = () => sent.filter(({type}) => type === 'rest').map(({after}) => after);
    const part = (after, more) => ({type: 'rest', after, more, items: []});
    const first = {type: 'snapshot', epoch: 'e', seq: 7, items: [], up: [], more: 90};
"""
    + PARTS
)


def test_each_part_is_asked_for_once_when_the_one_before_is_here(fresh_page: Page) -> None:
    body = """
        socket.open();
        const after = [rests()];
        for (const frame of [first, {type: 'plan'}, {type: 'beat'}, part(90, 60), part(60, null)]) {
            socket.say(frame);
            after.push(rests());
        }
        return after;
    """
    once, twice = [90], [90, 60]
    assert run(fresh_page, "link", PARTS + body) == [[], once, once, once, twice, twice]


def test_parts_leave_the_server_time_between_beats(fresh_page: Page) -> None:
    body = """
        socket.open();
        socket.say(first);
        for (let after = 90; after > 0; after -= 1) socket.say(part(after, after - 1));
        const before = rests().length;
        socket.say({type: 'beat'});
        return [before, rests().length];
    """
    assert run(fresh_page, "link", PARTS + body) == [20, 21]


def test_socket_that_comes_back_goes_on_where_the_snapshot_was(fresh_page: Page) -> None:
    body = """
        socket.open();
        socket.say(first);
        socket.say(part(90, 60));
        const before = socket;
        socket.onclose({code: 1006});
        while (socket === before) await turn();
        socket.open();
        return [rests(), sent.findLast(({type}) => type === 'pull')];
    """
    pull = {"type": "pull", "epoch": "e", "seq": 7}
    assert run(fresh_page, "link", PARTS + body) == [[90, 60, 60], pull]


def test_poll_brings_all_parts_and_asks_none_in_vain(fresh_page: Page) -> None:
    body = """
        const more = {90: 60, 60: 30};
        answer = (address) => {
            if (address === '/acks') return new Response('', {status: 503});
            const after = new URLSearchParams(address.slice(6)).get('rest');
            if (after === '30') return new Response('', {status: 503});
            return Response.json(after ? part(Number(after), more[after]) : first);
        };
        socket.onclose({code: 1006});
        while (!asked.includes('/acks')) await turn();
        return asked;
    """
    rests = [f"/feed?rest={after}" for after in (90, 60, 30)]
    assert run(fresh_page, "link", PARTS + body) == ["/feed?epoch=e&seq=7", *rests, "/acks"]
