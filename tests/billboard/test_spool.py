"""What a screen has to tell, kept in a real Chromium's own IndexedDB until it is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page

from billboard.models import Screen
from billboard.page import of as around
from campaign.models import Campaign
from tests.billboard.player import run
from tests.stack import wait_until


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


SPOOL = """
    const {Outbox} = await import('/js/lib/outbox.js');
    const start = async (owner = 'us', world = {}) => {
        const spool = new m.Spool({owner});
        await spool.open();
        const {entries, lastId, endings} = await spool.load();
        const box = new Outbox({store: spool, ...world});
        box.restore(entries, lastId);
        endings.forEach((ending) => box.add(ending));
        return {spool, box};
    };
    const shown = (play_id, duration_ms) => ({ack: 'shown', play_id, duration_ms});
    const all = (box) => {
        const acks = [];
        for (let frame; (frame = box.next()); box.confirm(frame.n)) acks.push(...frame.acks);
        return acks.map(({play_id, duration_ms, i}) => i ?? [play_id, duration_ms]);
    };
    // The same where only the head of the line is in memory.
    const allInTurn = async (box) => {
        const told = [];
        while (box.length > 0) {
            told.push(...all(box));
            await new Promise((resolve) => setTimeout(resolve));
        }
        return told;
    };
    // Writing is not waited for by anybody: a reading after it comes after it.
    const settled = ({spool}) => spool.load();
"""


def spool(page: Page, body: str, *given: Any) -> Any:
    return run(page, "spool", SPOOL + body, *given)


def test_plays_survive_the_browser_in_their_order_and_are_told_once(page: Page) -> None:
    body = """
        const one = await start();
        for (let i = 0; i < 120; i += 1) one.box.add({ack: 'cached', i});
        one.box.confirm(one.box.next().n);
        one.box.next(); // On its way when the browser is killed.
        await settled(one);
        const two = await start();
        two.box.add({ack: 'cached', i: 120});
        const told = all(two.box);
        await settled(two);
        return [told, all((await start()).box)];
    """
    assert spool(page, body) == [list(range(50, 121)), []]


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ([["x", None]], [["x", 4000]]),
        ([["x", 3000], ["y", None]], [["x", 3000], ["y", 4000]]),
        ([["x", 5000]], [["x", 5000]]),
    ],
    ids=["was on", "was on after another", "had ended"],
)
def test_play_that_was_on_ends_when_it_was_last_seen(
    page: Page, begun: list[list[Any]], expected: list[list[Any]]
) -> None:
    body = """
        const one = await start();
        for (const [name, ms] of g[0]) one.box.add(shown(name, ms));
        one.spool.note([shown(g[0].at(-1)[0], 2000)]);
        one.spool.note([shown(g[0].at(-1)[0], 4000)]);
        await settled(one);
        return all((await start()).box);
    """
    assert spool(page, body, begun) == expected


def test_plays_of_another_screen_are_not_told_in_this_ones_name(page: Page) -> None:
    body = """
        const said = [];
        console.error = (word) => said.push(word);
        const one = await start();
        one.box.add(shown('x', 1));
        one.spool.note([shown('y', 1)]);
        await settled(one);
        return [all((await start('them')).box), said];
    """
    assert spool(page, body) == [[], ["plays of another screen are dropped"]]


def test_plays_of_a_screen_that_was_moved_to_another_campaign_are_told(
    page: Page, campaign: Campaign, other_campaign: Campaign, screen: Screen
) -> None:
    """By the owner that its page names: the server knows which campaigns it showed."""
    owners = []
    for shows in (campaign, other_campaign):
        screen.campaign = shows
        html = render_to_string("billboard/screen.html", {"page": around(screen), "screen": screen})
        owners += re.findall(r'data-screen="([^"]+)"', html)
    body = """
        const [before, now] = g[0];
        const one = await start(before);
        one.box.add(shown('x', 1));
        one.spool.note([shown('y', 1)]);
        await settled(one);
        return [before === now, all((await start(now)).box)];
    """
    assert spool(page, body, owners) == [False, [["x", 1], ["y", 1]]]


def test_plays_of_another_screen_that_cannot_be_dropped_are_told_by_nobody(page: Page) -> None:
    body = """
        console.error = () => {};
        const one = await start();
        one.box.add(shown('x', 1));
        await settled(one);
        m.Spool.prototype.remove = async () => false;
        const other = await start('them');
        other.box.add(shown('y', 1));
        return all(other.box);
    """
    assert spool(page, body) == [["y", 1]]


def test_spool_that_overflows_loses_the_oldest_of_the_least_worth_aloud(page: Page) -> None:
    body = """
        const said = [];
        console.error = (_, {play_id, i}) => said.push(play_id ?? i);
        const box = new Outbox({most: 3});
        box.add(shown('a', 1));
        box.add({ack: 'cached', i: 0});
        for (const name of 'bcd') box.add(shown(name, 1));
        return [said, all(box)];
    """
    assert spool(page, body) == [[0, "a"], [["b", 1], ["c", 1], ["d", 1]]]


@pytest.mark.parametrize("ack", ["command", "dark"])
def test_what_somebody_waits_for_is_never_the_one_that_is_lost(page: Page, ack: str) -> None:
    body = """
        const said = [];
        console.error = (_, {play_id}) => said.push(play_id);
        const box = new Outbox({most: 2});
        box.add({ack: g[0], i: 'done'});
        for (const name of 'abc') box.add(shown(name, 1));
        return [said, all(box)];
    """
    assert spool(page, body, ack) == [["a", "b"], ["done", ["c", 1]]]


def test_what_somebody_waits_for_is_not_written_over_after_a_restart(page: Page) -> None:
    body = """
        const kept = [];
        const store = {add: async (id) => kept.push(id), remove: () => {}, read: async () => []};
        const box = new Outbox({store});
        box.restore([{id: -1, ack: {ack: 'command', i: 'before'}}], 0);
        box.add({ack: 'command', i: 'after'});
        return [kept, all(box)];
    """
    assert spool(page, body) == [[-2], ["after", "before"]]


def test_dark_waits_behind_its_own_play_and_not_behind_a_day_of_others(page: Page) -> None:
    body = """
        const one = await start('us', {head: 100});
        const dark = {ack: 'dark', i: 'dark'};
        one.box.add(shown('x', 4000));
        one.box.add(dark);
        const told = all(one.box);
        for (let i = 0; i < 300; i += 1) one.box.add({ack: 'cached', i});
        one.box.add(dark);
        await settled(one);
        const two = await start('us', {head: 100});
        return [told, one.box.next().acks[0], two.box.next().acks[0]].flat();
    """
    dark = {"ack": "dark", "i": "dark"}
    assert spool(page, body) == [["x", 4000], "dark", dark, dark]


def test_day_of_plays_lies_on_the_disk_and_is_told_in_order_once(page: Page) -> None:
    body = """
        const one = await start('us', {head: 100});
        let most = 0;
        const read = one.spool.read;
        one.spool.read = async (...which) => {
            const batch = await read.apply(one.spool, which);
            most = Math.max(most, batch.length);
            return batch;
        };
        for (let i = 0; i < 700; i += 1) one.box.add({ack: 'cached', i});
        one.box.add({ack: 'command', i: 'done'});
        const told = all(one.box);
        const first = told.length <= 101 && told[0] === 'done';
        told.push(...await allInTurn(one.box));
        for (let i = 0; i < 2300; i += 1) one.box.add({ack: 'cached', i});
        one.box.add({ack: 'command', i: 'done'});
        await settled(one);
        const two = await start();
        const again = await allInTurn(two.box);
        await settled(two);
        return [first, most, told, again, all((await start()).box)];
    """
    is_first, most, told, again, rest = spool(page, body)
    assert (is_first, most) == (True, 100)
    assert told == ["done", *range(700)]
    assert again == ["done", *range(2300)]
    assert rest == []


@pytest.mark.parametrize("is_being_read", [False, True])
def test_play_that_ends_while_its_beginning_is_on_the_disk_is_told_once(
    page: Page, is_being_read: bool
) -> None:
    body = """
        const one = await start('us', {head: 4});
        for (let i = 0; i < 4; i += 1) one.box.add({ack: 'cached', i});
        one.box.add(shown('x', null));
        await settled(one);
        const told = g[0] ? all(one.box) : [];
        one.box.add(shown('x', 4000));
        told.push(...await allInTurn(one.box));
        await settled(one);
        return [told, all((await start()).box)];
    """
    assert spool(page, body, is_being_read) == [[0, 1, 2, 3, ["x", 4000]], []]


@pytest.mark.parametrize("broken", ["open", "put"])
def test_plays_that_the_disk_does_not_take_stay_in_memory(page: Page, broken: str) -> None:
    body = """
        console.error = () => {};
        const fail = () => { throw new Error('a broken disk'); };
        if (g[0] === 'open') IDBFactory.prototype.open = fail;
        const one = await start('us', {head: 2});
        if (g[0] === 'put') IDBObjectStore.prototype.put = fail;
        for (let i = 0; i < 9; i += 1) one.box.add({ack: 'cached', i});
        await null;
        return allInTurn(one.box);
    """
    assert spool(page, body, broken) == list(range(9))


def test_spool_that_the_browser_let_go_of_is_opened_anew(page: Page) -> None:
    page.clock.install()
    begin = """
        globalThis.one = await start();
        one.box.add(shown('x', 1));
        await settled(one);
        await new Promise((done) => { indexedDB.deleteDatabase(m.NAME).onsuccess = done; });
        return one.spool.read(0, 9, 9);
    """
    assert spool(page, begin) is None
    page.clock.run_for(30_000)
    wait_until(
        lambda: spool(page, "return one.spool.read(0, 9, 9);") == [],
        within_s=10,
        what="it is there again",
    )
    body = """
        one.box.add(shown('y', 2));
        await settled(one);
        const two = await start();
        return [all(one.box), all(two.box)];
    """
    assert spool(page, body) == [[["x", 1], ["y", 2]], [["y", 2]]]


def test_spool_that_was_let_go_of_before_it_was_read_is_not_written_over(page: Page) -> None:
    page.clock.install()
    begin = """
        const yesterday = await start();
        yesterday.box.add(shown('x', 1));
        await settled(yesterday);
        const open = IDBFactory.prototype.open;
        IDBFactory.prototype.open = function (...words) {
            const request = open.apply(this, words);
            request.addEventListener('success', () => { globalThis.database = request.result; });
            return request;
        };
        globalThis.one = new m.Spool({owner: 'us'});
        await one.open();
        database.close();
        database.onclose();
        return (await one.load()).lastId;
    """
    assert spool(page, begin) == 0
    page.clock.run_for(30_000)
    rest = """
        const two = await start();  // opened after whatever was to be opened
        return [await one.add(1, shown('y', 2)), all(two.box)];
    """
    assert spool(page, rest) == [False, [["x", 1]]]


def test_line_that_the_server_refuses_does_not_keep_the_others(page: Page) -> None:
    body = """
        const said = [], told = [];
        console.error = (_, {i}) => said.push(i);
        const box = new Outbox();
        for (let i = 0; i < 60; i += 1) box.add({ack: 'cached', i});
        let tries = 0;
        for (let frame; (frame = box.next()); tries += 1) {
            const isBad = frame.acks.some(({i}) => i === 33);
            if (isBad) box.refuse(frame.n);
            else { box.confirm(frame.n); told.push(...frame.acks.map(({i}) => i)); }
            box.takeBack();
        }
        return [said, told, tries < 40];
    """
    told = [n for n in range(60) if n != 33]
    assert spool(page, body) == [[33], told, True]
