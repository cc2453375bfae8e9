"""A screen's disk that is full, slow, broken or taken away, in a real Chromium's own IndexedDB."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, item
from tests.billboard.shelf import shelf
from tests.stack import wait_until


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


def test_deletion_that_fails_is_owed_and_carried_out_before_the_next_start_gives_anything(
    page: Page,
) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][0]);
        const transaction = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = () => { throw new Error('a broken disk'); };
        const said = [];
        console.error = (...words) => said.push(words[0]);
        await one.forget(['A']);
        const before = owed.all;
        IDBDatabase.prototype.transaction = transaction;
        const still = (await onDisk())[0];
        const other = await open();
        return [before, said, still, await onDisk(), await names(other), owed.all];
    """
    said = "not deleted, tried again at the next start"
    assert shelf(page, body, ABC) == [
        ["A"],
        [said],
        ["A", "B", "C"],
        [["B", "C"], []],
        ["B", "C"],
        [],
    ]


def test_deletion_that_is_owed_is_not_forgotten_over_the_next(page: Page) -> None:
    body = """
        for (const one of 'AB') owed.note([one]);
        const both = owed.all;
        owed.crossOut(['B']);
        return [both, owed.all];
    """
    assert shelf(page, body) == [["A", "B"], ["A"]]


def test_database_that_cannot_be_read_is_thrown_away_whole(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][0]);
        const getAll = IDBObjectStore.prototype.getAll;
        IDBObjectStore.prototype.getAll = () => { throw new Error('a broken file'); };
        console.error = () => {};
        const other = await open();
        IDBObjectStore.prototype.getAll = getAll;
        const found = [await names(other), other.hasRoom];
        await other.forget(['A']);
        return [...found, (await indexedDB.databases()).map(({name}) => name), owed.all];
    """
    assert shelf(page, body, ABC) == [[], False, [], []]


@pytest.mark.parametrize("how", ["deleted beside it", "closed by the browser"])
def test_shelf_that_the_browser_let_go_of_is_opened_anew(page: Page, how: str) -> None:
    page.clock.install()
    begin = """
        globalThis.one = await open();
        await one.follow(place, g[0].slice(0, 2));
        await keep(one, g[0][0]);
    """
    shelf(page, begin, ABC)
    if how.startswith("deleted"):
        page.evaluate(
            """() => new Promise((done) => {
                indexedDB.deleteDatabase('diorama-shelf').onsuccess = done;
            })"""
        )
    else:
        page.context.new_cdp_session(page).send(
            "Storage.clearDataForOrigin",
            {"origin": "http://player.test", "storageTypes": "indexeddb"},
        )
    state = "() => [one.hasRoom, one.held.items]"
    wait_until(lambda: page.evaluate(state) == [False, 0], within_s=10, what="it is let go")
    shelf(page, "await one.follow(place, g[0].slice(2)); await one.forget(['B']);", ABC)
    page.clock.run_for(30_000)
    wait_until(lambda: page.evaluate(state) == [True, 0], within_s=10, what="it is there again")
    rest = "await keep(one, g[0][0]); return [await names(await open()), (await onDisk())[1]];"
    assert shelf(page, rest, ABC) == [["A", "C"], ["A/picture"]]


def test_who_is_taken_down_while_the_shelf_is_opened_anew_is_not_kept(page: Page) -> None:
    page.clock.install()
    begin = """
        const ask = IDBFactory.prototype.open;
        IDBFactory.prototype.open = function (...words) {
            const request = ask.apply(this, words);
            request.addEventListener('success', () => { globalThis.database = request.result; });
            return request;
        };
        globalThis.one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][1]);
        database.close();
        database.onclose();
        const getAll = IDBObjectStore.prototype.getAll;
        IDBObjectStore.prototype.getAll = function (...words) {
            IDBObjectStore.prototype.getAll = getAll;
            globalThis.forgotten = one.forget(['B']);
            return getAll.apply(this, words);
        };
    """
    shelf(page, begin, ABC)
    page.clock.run_for(30_000)
    wait_until(
        lambda: page.evaluate("() => Boolean(globalThis.forgotten) && one.hasRoom"),
        within_s=10,
        what="it is there again",
    )
    rest = "await forgotten; return [one.held.items, await names(await open()), await onDisk()];"
    assert shelf(page, rest, ABC) == [0, ["A", "C"], [["A", "C"], []]]


def test_shelf_that_is_being_opened_takes_no_file(page: Page) -> None:
    """What lay there before may be about to be cleared."""
    body = """
        let answer;
        const asked = new Promise((resolve) => { answer = resolve; });
        let isAsked;
        const asks = new Promise((resolve) => { isAsked = resolve; });
        const estimate = () => { isAsked(); return asked; };
        const one = new m.Shelf({owner: 'us', owed, quota: {estimate}});
        const opened = one.open();
        await asks;
        await one.follow(place, g[0]);
        await keep(one, g[0][0]);
        const before = [one.hasRoom, one.held.items];
        answer({quota: 1e12});
        await opened;
        await keep(one, g[0][0]);
        return [before, one.hasRoom, one.held.items];
    """
    assert shelf(page, body, ABC) == [[False, 0], True, 1]


def test_file_of_whom_no_row_tells_is_deleted_at_the_start(page: Page) -> None:
    """Nobody would know when their day is over."""
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        for (const item of g[0]) await keep(one, item);
        const {openDatabase, committed} = await import('/js/lib/database.js');
        const database = await openDatabase('diorama-shelf', () => {});
        const writing = database.transaction('items', 'readwrite');
        writing.objectStore('items').delete('A');
        await committed(writing);
        database.close();
        const other = await open();
        return [await onDisk(), other.held.items];
    """
    assert shelf(page, body, ABC) == [[["B", "C"], ["B/picture", "C/picture"]], 2]


def test_file_that_a_disk_takes_which_took_no_row_before_has_its_row(page: Page) -> None:
    body = """
        const one = await open();
        const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...given) {
            if (this.name === 'items') throw new DOMException('full', 'QuotaExceededError');
            return put.apply(this, given);
        };
        console.warn = () => {};
        await one.follow(place, g[0]);
        IDBObjectStore.prototype.put = put;
        const before = await onDisk();
        await keep(one, g[0][0]);
        return [before, await onDisk()];
    """
    assert shelf(page, body, ABC) == [[[], []], [["A"], ["A/picture"]]]


def test_full_disk_costs_pictures_ahead_and_nothing_else(page: Page) -> None:
    """The browser's own quota, below what it said."""
    client = page.context.new_cdp_session(page)
    client.send(
        "Storage.overrideQuotaForOrigin", {"origin": "http://player.test", "quotaSize": 400_000}
    )
    body = """
        const warned = [];
        console.warn = (word) => warned.push(word);
        const one = await open();
        await one.follow(place, g[0]);
        const noise = () => new Blob(Array.from({length: 3}, () =>
            crypto.getRandomValues(new Uint8Array(50_000))));
        for (const item of g[0]) await one.drawer('picture').keep(item, noise(), {});
        const left = kept(one, g[0]);
        await one.forget(['C']);
        return [left.length < g[0].length, left.length > 0, new Set(warned).size, one.hasRoom,
            (await onDisk())[0].includes('C')];
    """
    many = [item(name, n) for n, name in enumerate("ABCDEF")]
    assert shelf(page, body, many) == [True, True, 1, False, False]


def test_disk_that_takes_nothing_costs_a_quarter_once(page: Page) -> None:
    page.clock.install()
    begin = """
        console.warn = () => {};
        globalThis.one = await open();
        await one.follow(place, g[0]);
        for (const item of g[0].slice(0, 8)) await keep(one, item);
        globalThis.tries = 0;
        globalThis.put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...given) {
            if (this.name !== 'files') return put.apply(this, given);
            tries += 1;
            throw new DOMException('full', 'QuotaExceededError');
        };
        await Promise.all(g[0].slice(8).map((item) => keep(one, item)));
    """
    again = "await keep(one, g[0][8]);"
    mended = "IDBObjectStore.prototype.put = put;"
    people = [item(name, n) for n, name in enumerate("ABCDEFGHIJ")]
    said = []
    for body in (begin, again, "", again, mended, again):
        state = "return [kept(one, g[0]).length, tries, (await onDisk())[1].length];"
        said.append(shelf(page, body + state, people))
        if body in ("", mended):
            page.clock.run_for(300_000)
    assert said == [[6, 3, 6], [6, 3, 6], [6, 3, 6], [6, 4, 6], [6, 4, 6], [6, 4, 6]]
    assert shelf(page, "return kept(one, g[0].slice(8));", people) == ["I"]


def test_disk_that_takes_its_time_after_a_power_cut_keeps_what_it_holds(page: Page) -> None:
    page.clock.install()
    body = """
        await (await open()).follow(place, g[0]);
        const opened = IDBFactory.prototype.open;
        const released = new Promise((resolve) => { globalThis.release = resolve; });
        IDBFactory.prototype.open = function (...given) {
            const late = {};
            released.then(() => {
                const real = opened.apply(this, given);
                real.onsuccess = () => { late.result = real.result; late.onsuccess(); };
            });
            return late;
        };
        globalThis.found = open().then(names);
    """
    shelf(page, body, ABC)
    page.clock.run_for(15_000)
    assert page.evaluate("() => { release(); return found; }") == ["A", "B", "C"]


@pytest.mark.parametrize("said", ["hangs", "fails"])
def test_browser_that_does_not_say_its_quota_costs_nothing_that_is_kept(
    page: Page, said: str
) -> None:
    page.clock.install()
    body = """
        await (await open()).follow(place, g[0]);
        await new Promise((asked) => {
            const estimate = () => {
                asked();
                return g[1] === 'hangs' ? new Promise(() => {}) : Promise.reject(new Error('none'));
            };
            globalThis.found = open('us', {quota: {estimate}}).then(names);
        });
    """
    shelf(page, body, ABC, said)
    page.clock.run_for(5000)
    assert page.evaluate("() => found") == ["A", "B", "C"]
