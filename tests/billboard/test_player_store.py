"""What the player holds: acks until they are confirmed, pictures while they are of use."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run


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


def test_outbox_says_again_what_brought_no_word_for_three_beats(page: Page) -> None:
    body = """
        const box = new m.Outbox();
        box.add({ack: 'dark', i: 0});
        const first = box.next();
        box.beat();
        box.add({ack: 'dark', i: 1});
        const second = box.next();
        const left = [box.next()];
        for (let beats = 0; beats < 3; beats += 1) { box.beat(); left.push(box.next()); }
        box.confirm(second.n);
        return left.map((frame) => frame && frame.acks.map(({i}) => i));
    """
    assert run(page, "outbox", body) == [None, None, None, [0]]


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
        const status = {gone: 404, late: 403, ailing: 503}[address.split('/').at(-1)] ?? 200;
        return new Response(status === 200 ? 'bytes' : '', {status});
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


def test_picture_is_gone_where_the_server_says_so_and_not_where_it_ails(page: Page) -> None:
    body = """
        const is = (name) => pictures.get(item(name)).catch((e) => e instanceof m.PictureGone);
        return [await is('gone'), await is('late'), await is('ailing')];
    """
    assert run(page, "pictures", PICTURES + body) == [True, True, False]


@pytest.mark.parametrize(
    ("end", "expected"), [("whole", ["came", 0]), ("stalls", ["TimeoutError", 0])]
)
def test_picture_may_take_long_while_some_of_it_comes(
    page: Page, end: str, expected: list[Any]
) -> None:
    body = """
        const real = globalThis.setTimeout, realClear = globalThis.clearTimeout;
        const waits = new Map();
        let last = 0, line = null;
        globalThis.setTimeout = (then) => { waits.set(++last, then); return last; };
        globalThis.clearTimeout = (number) => waits.delete(number);
        const until = async (isSo) => {
            for (let turns = 0; !isSo(); turns += 1) {
                if (turns > 500) throw new Error('it does not begin anew');
                await new Promise((then) => real(then, 0));
            }
        };
        const slow = async (address, {signal}) => new Response(new ReadableStream({start(opened) {
            signal.addEventListener('abort', () => opened.error(signal.reason));
            line = opened;
        }}));
        const few = new m.Pictures({fetch: slow, measure});
        const coming = few.get(item('a')).then(() => 'came', ({name}) => name);
        await until(() => line);
        for (let chunks = 0; chunks < 3; chunks += 1) {
            const before = last;
            line.enqueue(new Uint8Array(5));
            await until(() => last > before);
        }
        if (g[0] === 'whole') line.close(); else waits.get(last)();
        const told = [await coming, waits.size];
        Object.assign(globalThis, {setTimeout: real, clearTimeout: realClear});
        return told;
    """
    assert run(page, "pictures", PICTURES + body, end) == expected


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
