"""A player that looks after itself: when it is ill, and what it does then."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run


@pytest.fixture
def page(empty_page: Page) -> Page:
    return empty_page


WATCH = """
    const watch = new m.Watch({nowMs: 0, random: () => 0.5});
    const sample = {isVisible: true, isBlank: false, heap: null, wall: new Date(2026, 10, 26, 12)};
    const judge = (nowMs, more = {}) => watch.judge({nowMs, ...sample, ...more});
    const GB = 2 ** 30;
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return [judge(59_999), judge(60_000)]", [None, "stalled"]),
        ("watch.drew(30_000); return [judge(60_000), judge(90_000)]", [None, "stalled"]),
        ("judge(60_000, {isVisible: false}); return judge(119_000)", None),
        (
            """const dark = (at) => { watch.drew(at); return judge(at, {isBlank: true}); };
            const first = [dark(1000), dark(3999)];
            judge(4000); dark(4100);
            return [...first, dark(7000), dark(7100)]""",
            [None, None, None, "blank"],
        ),
        (
            """const dark = (at) => judge(at, {isBlank: true});
            const slow = [1000, 2500, 5500, 9000].map(dark);
            watch.drew(9500);
            const soon = [dark(9600), dark(11_400)];
            watch.drew(11_500);
            return [...slow, ...soon, dark(12_599), dark(12_600)]""",
            [*[None] * 7, "blank"],
        ),
        (
            """const heap = {usedJSHeapSize: GB, jsHeapSizeLimit: 4 * GB};
            return [judge(1, {heap}), judge(2, {heap}), judge(3), judge(4, {heap}),
                judge(5, {heap}), judge(6, {heap})]""",
            [None, None, None, None, None, "memory"],
        ),
        (
            """const heap = {usedJSHeapSize: 0.3 * GB, jsHeapSizeLimit: 0.35 * GB};
            return [1, 2, 3].map((at) => judge(at, {heap}))""",
            [None, None, "memory"],
        ),
        (
            """const hours = 3600_000, seen = (at) => { watch.drew(at); return at; };
            const at = (h, m) => ({wall: new Date(2026, 10, 26, h, m)});
            return [judge(seen(5 * hours), at(4, 20)), judge(seen(7 * hours), at(4, 14)),
                judge(seen(7 * hours), at(4, 15)), judge(seen(7 * hours), at(4, 44)),
                judge(seen(7 * hours), at(4, 45)), judge(seen(7 * hours), at(16, 20))]""",
            [None, None, "night", "night", None, None],
        ),
    ],
    ids=["stalled", "drew", "hidden", "blank", "slow", "memory", "small device", "night"],
)
def test_watch(page: Page, body: str, expected: Any) -> None:
    assert run(page, "watch", WATCH + body) == expected


RENEW = """
    const kept = new Map();
    const storage = {getItem: (key) => kept.get(key) ?? null, setItem: (k, v) => kept.set(k, v),
        removeItem: (key) => kept.delete(key)};
    let reloads = 0;
    const load = () => new m.Renewal({
        fetch: async () => g[0] ? new Response(g[0]) : Promise.reject(new TypeError('no network')),
        reload: () => (reloads += 1), isShellKept: async () => g[1],
        storage});
    const renewal = load();
    renewal.drew();
    console.warn = () => {};
"""


@pytest.mark.parametrize(
    ("answer", "is_kept", "reloads"),
    [
        ("<body data-acks-url=x>", False, 1),
        ("", True, 1),
        ("", False, 0),
        ("a hotel's page", False, 0),
    ],
    ids=["server", "no network, shell kept", "no network, nothing kept", "somebody else's server"],
)
def test_ill_page_is_loaded_anew_where_that_brings_the_player_and_then_rests(
    page: Page, answer: str, is_kept: bool, reloads: int
) -> None:
    body = """
        await renewal.forHealth('ill');
        await renewal.forHealth('ill');
        return reloads;
    """
    assert run(page, "../screen/renewal", RENEW + body, answer, is_kept) == reloads


def test_page_without_frames_is_loaded_anew_less_and_less_often_until_one_comes(page: Page) -> None:
    """As while a display is switched off for the night."""
    body = """
        let nowMs = 1e12;
        Date.now = () => nowMs;
        Math.random = () => 0;
        let loadedMs = nowMs;
        const minutes = [];
        const stalls = async (page) => {
            for (const before = reloads; reloads === before; nowMs += 60_000) {
                await page.forHealth('stalled');
            }
            minutes.push((nowMs - loadedMs) / 60_000 - 1);
            loadedMs = nowMs - 60_000;
        };
        for (let n = 0; n < 6; n += 1) await stalls(load());
        const morning = load();
        morning.drew();
        await stalls(morning);
        await stalls(load());
        return minutes;
    """
    rests = [0, 10, 20, 40, 60, 60]
    said = run(page, "../screen/renewal", RENEW + body, "<body data-acks-url=x>", False)
    assert said == [*rests, 1 + 5, 5], "drew a minute after its load"


def test_look_that_fails_once_does_not_keep_an_ill_page_from_the_next(page: Page) -> None:
    body = """
        await renewal.forHealth('ill').catch(() => {});
        await renewal.forHealth('ill');
        return reloads;
    """
    fails = RENEW.replace(
        "isShellKept: async () => g[1]",
        "isShellKept: () => g[1].pop() ? Promise.reject(new Error('a disk')) : true",
    )
    assert run(page, "../screen/renewal", fails + body, "", [True]) == 1


def test_shell_on_a_disk_that_gives_an_error_is_not_kept(page: Page) -> None:
    body = """
        Object.defineProperty(navigator, 'serviceWorker', {value: {controller: {}}});
        globalThis.caches = {match: () => Promise.reject(new Error('a broken disk'))};
        return m.isShellKept();
    """
    assert run(page, "shell", body) is False


PLACE = """
    document.body.innerHTML = `<div class="place" data-is="taken"><div class="card" data-state="on"
        style="width: 90px; height: 90px"></div></div>`;
    const card = document.querySelector('.card');
    const m = await import('/js/screen/watchdogs.js');
"""


@pytest.mark.parametrize(
    ("state", "is_blank"),
    [("on", False), ("leaving", False), ("waiting", True)],
)
def test_place_is_blank_without_a_card_that_is_seen(page: Page, state: str, is_blank: bool) -> None:
    """While one turns in, with its edge to the street, who leaves is still there."""
    body = "card.dataset.state = g; return m.isBlank();"
    assert page.evaluate(f"async (g) => {{ {PLACE} {body} }}", state) is is_blank


def test_card_unseen_at_the_same_moment_of_every_change_is_no_blank_page(page: Page) -> None:
    page.clock.install()
    body = """
        globalThis.said = [];
        m.watchOver({renew: (why) => said.push(why), isQuiet: () => true});
        globalThis.turning = setInterval(() => {
            card.style.opacity = 0;
            setTimeout(() => { card.style.opacity = 1; }, 400);
        }, 990);
    """
    page.evaluate(f"async () => {{ {PLACE} {body} }}")
    page.clock.run_for(20_000)
    assert page.evaluate("said") == []
    page.evaluate("() => { clearInterval(turning); document.querySelector('.card').remove(); }")
    page.clock.run_for(6_000)
    assert "blank" in page.evaluate("said")
