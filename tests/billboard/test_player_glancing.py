"""When a screen photographs itself, and how large."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run

MAKE = "const g0 = new m.Glancing({nowMs: 0, random: () => 0.5});"


def dues(page: Page, body: str) -> Any:
    return run(page, "glancing", f"{MAKE} {body}")


def test_first_picture_comes_soon_then_every_minute_and_every_ten_seconds_while_watched(
    page: Page,
) -> None:
    body = """
        const times = [];
        for (let ms = 0; ms < 240_000; ms += 500) {
            if (ms === 130_000) g0.watch(true, ms);
            if (ms === 170_000) g0.watch(false, ms);
            if (g0.due(ms, false)) { g0.took('glance', [], ms); times.push(ms / 1000); }
        }
        return times;
    """
    assert dues(page, body) == [5.5, 65.5, 125.5, 130, 140, 150, 160, 170, 230]


def test_picture_waits_for_rest_but_not_for_ever(page: Page) -> None:
    body = """
        g0.watch(true, 0);
        const due = (ms, isRestless) => g0.due(ms, isRestless);
        return [due(0, true), due(500, true), due(1000, false), due(1500, true),
            due(3999, true), due(4000, true)];
    """
    assert dues(page, body) == [None, None, "glance", None, None, "glance"]


def test_after_a_removal_there_is_a_new_one_soon_and_screens_part(page: Page) -> None:
    body = """
        const due = (isWatched, random) => {
            const one = new m.Glancing({nowMs: 0, random: () => random});
            one.watch(isWatched, 0);
            one.took('glance', [], 0);
            one.soon(1000);
            let ms = 1000;
            while (!one.due(ms, false)) ms += 500;
            return ms - 1000;
        };
        return [due(true, 0), due(true, 1), due(false, 0), due(false, 0.5), due(false, 1)];
    """
    assert dues(page, body) == [1500, 3000, 1500, 6000, 10_000]


def test_first_showing_that_the_server_has_not_is_pictured_again(page: Page) -> None:
    body = """
        const took = (ms) => [g0.due(ms, false), g0.took('first', ['A', 'B'], ms)];
        g0.took('glance', [], 0);
        g0.first('A', 0);
        g0.first('B', 0);
        const said = [took(1500)];
        g0.lost(['A', 'B'], 1500);
        said.push(took(6500));
        g0.told(['B']);
        // A is on no more, and comes again.
        said.push(g0.due(12_000, false));
        ['A', 'B'].forEach((one) => g0.again(one, 12_000));
        said.push(took(13_500));
        g0.told(['A']);
        ['A', 'B'].forEach((one) => g0.again(one, 20_000));
        return [...said, g0.due(30_000, false)];
    """
    both = ["first", ["A", "B"]]
    assert dues(page, body) == [both, both, None, ["first", ["A"]], None]


def test_one_large_picture_serves_all_who_are_new(page: Page) -> None:
    body = """
        g0.took('glance', [], 0);
        ['A', 'B', 'C', 'D'].forEach((one, i) => g0.first(one, i * 400));
        g0.forget('B');
        const said = [g0.due(1000, false), g0.due(1500, false), g0.due(2400, false)];
        said.push(g0.took('first', ['A', 'C', 'D', 'X'], 2400));
        said.push(g0.due(3000, false), g0.due(7399, false), g0.due(7400, false));
        said.push(g0.took('first', ['C'], 7400), g0.due(20_000, false));
        return said;
    """
    first = [None, "first", "first", ["A", "C"], None, None, "first"]
    assert dues(page, body) == [*first, [], None]


def test_slow_device_takes_fewer(page: Page) -> None:
    body = """
        g0.watch(true, 0);
        g0.took('glance', [], 0, 600);
        g0.first('A', 0);
        const said = [g0.due(29_999, false), g0.due(30_000, false)];
        said.push(g0.took('first', ['A'], 30_000, 600));
        g0.first('B', 30_000);
        return [...said, g0.due(59_999, false), g0.due(60_000, false)];
    """
    assert dues(page, body) == ["first", "first", ["A"], "glance", "first"]


def test_one_that_is_asked_for_comes_before_all_others(page: Page) -> None:
    body = """
        g0.first('A', 0);
        g0.ask();
        const said = [g0.due(9000, false)];
        g0.took('asked', ['A'], 9000);
        return [...said, g0.due(9500, false)];
    """
    assert dues(page, body) == ["asked", "glance"]


def test_page_that_nobody_sees_says_so_when_it_is_asked_and_takes_none_later(page: Page) -> None:
    body = """
        const sent = [];
        globalThis.fetch = async (...request) => sent.push(request);
        const see = (value) =>
            Object.defineProperty(document, 'visibilityState', {value, configurable: true});
        see('hidden');
        const glances = new m.Glances('/captures/');
        const why = await glances.ask();
        see('visible');
        await new Promise((resolve) => setTimeout(resolve, 1200));
        delete document.visibilityState;
        return [why, sent.length];
    """
    page.reload()
    assert run(page, "../screen/glances", body) == ["the page is not in sight", 0]
    page.reload()


def test_file_that_never_comes_does_not_keep_the_camera(page: Page) -> None:
    body = """
        const sheets = [{href: 'http://player.test/never.css'}];
        Object.defineProperty(document, 'styleSheets', {value: sheets, configurable: true});
        AbortSignal.timeout = () => AbortSignal.abort(new Error('late'));
        globalThis.fetch = (_, {signal} = {}) =>
            new Promise((_, give_up) => signal?.aborted && give_up(signal.reason));
        const take = new m.Camera().take({widthPx: 100}).catch(({message}) => message);
        return Promise.race([take, new Promise((end) => setTimeout(end, 2000, 'hangs'))]);
    """
    page.reload()
    assert run(page, "../screen/capture", body) == "late"
    page.reload()


@pytest.mark.parametrize(
    ("kind", "size", "ratio", "width"),
    [
        ("glance", (1920, 1080), 1, 480),
        ("glance", (1080, 1920), 1, 270),
        ("glance", (2368, 10048), 1, 175),
        ("glance", (3840, 1080), 1, 679),
        ("first", (1920, 1080), 1, 960),
        ("asked", (800, 450), 2, 960),
        ("asked", (800, 450), 1, 800),
    ],
)
def test_pictures_of_all_shapes_weigh_alike(
    page: Page, kind: str, size: tuple[int, int], ratio: int, width: int
) -> None:
    body = "return m.widthOf(g[0], {width: g[1], height: g[2]}, g[3]);"
    assert run(page, "glancing", body, kind, *size, ratio) == width
