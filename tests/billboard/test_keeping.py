"""What a screen keeps on its device, in a real Chromium's own IndexedDB."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, item
from tests.billboard.shelf import shelf


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


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
