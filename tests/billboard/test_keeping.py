"""What a screen keeps on its device, in a real Chromium's own IndexedDB."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, item, run
from tests.stack import wait_until


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


SHELF = """
    const owed = new (await import('/js/lib/owed.js')).Owed(localStorage);
    const quota = {estimate: async () => ({quota: 1e12}), persist: async () => true};
    const open = async (owner = 'us', more = {}) => {
        const shelf = new m.Shelf({owner, owed, quota, ...more});
        await shelf.open();
        return shelf;
    };
    const place = {epoch: 'e', seq: 9};
    const keep = (shelf, item, bytes = 10, kind = 'picture') =>
        shelf.drawer(kind).keep(item, new Blob([new Uint8Array(bytes)]), {aspect: 0.8});
    const names = async (shelf, nowMs = 0) =>
        (await shelf.load(nowMs)).items.map(({submission}) => submission).sort();
    const kept = (shelf, items, kind = 'picture') => items
        .filter((item) => shelf.drawer(kind).has(item)).map(({submission}) => submission);
    // What lies on the disk, asked behind the shelf's back.
    const onDisk = async () => {
        const {openDatabase, answered} = await import('/js/lib/database.js');
        const database = await openDatabase('diorama-shelf', () => {});
        const reading = database.transaction(['items', 'files']);
        const [items, files] = await Promise.all(
            ['items', 'files'].map((name) => answered(reading.objectStore(name).getAllKeys())));
        database.close();
        return [items, files];
    };
"""


def shelf(page: Page, body: str, *given: Any) -> Any:
    return run(page, "shelf", SHELF + body, *given)


def test_shelf_gives_back_after_a_restart_what_it_was_given(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][0], 7);
        const other = await open();
        const {place: at, items} = await other.load(0);
        const {blob, measured} = await other.drawer('picture').read(g[0][0]);
        return [at, items.map((i) => i.plaque), blob.size, measured, kept(other, g[0])];
    """
    assert shelf(page, body, ABC) == [
        {"epoch": "e", "seq": 9},
        ["A", "B", "C"],
        7,
        {"aspect": 0.8},
        ["A"],
    ]


def test_forgotten_item_leaves_nothing_on_the_disk(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        for (const item of g[0]) await keep(one, item);
        await keep(one, g[0][0], 5, 'clip');
        await one.forget(['A', 'B']);
        return [await onDisk(), owed.all];
    """
    assert shelf(page, body, ABC) == [[["C"], ["C/picture"]], []]


def test_shelf_whose_place_is_lost_gives_and_keeps_nothing(page: Page) -> None:
    """Nobody could say what was recalled since."""
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][0]);
        const {openDatabase, committed} = await import('/js/lib/database.js');
        const database = await openDatabase('diorama-shelf', () => {});
        const writing = database.transaction(database.objectStoreNames, 'readwrite');
        for (const name of database.objectStoreNames) {
            if (!['items', 'files'].includes(name)) writing.objectStore(name).delete('place');
        }
        await committed(writing);
        database.close();
        const other = await open();
        return [await other.load(0), await onDisk()];
    """
    assert shelf(page, body, ABC) == [{"place": None, "items": []}, [[], []]]


def test_picture_that_comes_after_its_recall_is_not_kept(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await Promise.all([keep(one, g[0][0]), one.forget(['A']), keep(one, g[0][0])]);
        return (await onDisk())[1];
    """
    assert shelf(page, body, ABC) == []


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


def test_item_whose_day_is_over_is_deleted_at_the_start(page: Page) -> None:
    body = """
        const [a, b, c] = g[0];
        a.until = '2026-11-22T12:00:00+00:00';
        b.until = '2026-11-22T12:00:01+00:00';
        await (await open()).follow(place, [a, b, c]);
        const other = await open();
        const left = await names(other, Date.parse(a.until));
        return [left, (await onDisk())[0]];
    """
    assert shelf(page, body, ABC) == [["B", "C"], ["B", "C"]]


def test_what_another_screen_kept_is_deleted(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await keep(one, g[0][0]);
        const other = await open('them');
        return [await names(other), (await other.load(0)).place, await onDisk()];
    """
    assert shelf(page, body, ABC) == [[], None, [[], []]]


def test_screen_that_is_switched_on_again_keeps_what_comes_then(page: Page) -> None:
    body = """
        const one = await open();
        await one.follow(place, g[0]);
        await one.wipe();
        const wiped = await onDisk();
        await one.follow(place, g[0].slice(1));
        return [wiped, await names(await open())];
    """
    assert shelf(page, body, ABC) == [[[], []], ["B", "C"]]


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


def test_shelf_holds_the_last_three_hundred(page: Page) -> None:
    body = """
        const many = Array.from({length: 310}, (_, seq) => ({...g[0], submission: `s${seq}`, seq}));
        const one = await open();
        await one.follow(place, many.slice(0, 305));
        await keep(one, many[5]);
        await one.follow(place, many.slice(305));
        const [items, files] = await onDisk();
        return [items.length, items.includes('s9'), items.includes('s10'), files];
    """
    assert shelf(page, body, item("X", 0)) == [300, False, True, []]


def test_room_is_made_by_clips_then_by_who_was_shown_most_the_oldest_first(page: Page) -> None:
    body = """
        const one = await open('us', {quota: {estimate: async () => ({quota: 100 / 0.6})}});
        await one.follow(place, g[0]);
        const [a, b, c, d] = g[0];
        await keep(one, a, 30);
        await keep(one, b, 30);
        await keep(one, c, 20);
        await keep(one, a, 20, 'clip');
        const full = one.hasRoom;
        one.shown('B'); one.shown('B'); one.shown('C');
        await keep(one, d, 20);
        const first = [kept(one, g[0]), kept(one, g[0], 'clip')];
        await keep(one, d, 5, 'clip');
        return [full, first, kept(one, g[0])];
    """
    assert shelf(page, body, [*ABC, item("D", 4)]) == [
        False,
        [["A", "B", "C", "D"], []],
        ["A", "C", "D"],
    ]


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
