"""A shelf of the player, in a real Chromium's own IndexedDB."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.billboard.player import run

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
