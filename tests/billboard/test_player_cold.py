"""The player at a start: what its device kept waits for the server, and for frames."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.billboard.player import ABC, blank, changes, play, snapshot

COLD = """
    stage.lay = async (cards) => () => shown.push(...cards.map(({item}) => item.submission));
    stage.layout.places = 1;
    feed.restore(g[0]);
    player.restore();
    Object.assign(globalThis, {player, stage, shown, take});
"""


@pytest.fixture
def young_page(page: Page) -> Iterator[Page]:
    """A page that has just begun, and whose time goes by when it is told to."""
    assert page.context.browser
    young = blank(page.context.browser)
    young.clock.install()
    young.reload()
    yield young
    young.context.close()


def test_failed_tries_do_not_show_who_may_have_been_recalled_while_it_was_off(
    young_page: Page,
) -> None:
    play(young_page, COLD, ABC)
    for _ in range(5):
        young_page.evaluate("() => { player.release(); stage.onLayout(stage.layout); }")
        young_page.clock.run_for(5_000)
    assert young_page.evaluate("[shown, player.hero]") == [[], None]
    young_page.evaluate("(frame) => { take(frame); }", snapshot(4, *ABC[:2]))
    young_page.wait_for_function("() => player.hero !== null")
    assert young_page.evaluate("player.hero") == "B"
    assert "C" not in young_page.evaluate("shown")


def test_start_without_any_network_plays_what_is_kept_after_half_a_minute(
    young_page: Page,
) -> None:
    play(young_page, COLD, ABC)
    young_page.evaluate("() => player.release()")
    young_page.clock.run_for(29_000)
    assert young_page.evaluate("player.hero") is None
    young_page.clock.run_for(2_000)
    young_page.wait_for_function("() => player.hero !== null")


def test_start_that_took_long_waits_its_half_minute_all_the_same(young_page: Page) -> None:
    """A slow disk or a late page takes nothing off the time in which the server may answer."""
    young_page.clock.run_for(31_000)
    play(young_page, COLD, ABC)
    young_page.evaluate("() => player.release()")
    young_page.clock.run_for(5_000)
    assert young_page.evaluate("[shown, player.hero]") == [[], None]


def test_without_frames_nobody_is_on_until_they_come_and_dark_is_told_all_the_same(
    young_page: Page,
) -> None:
    body = """
        globalThis.frames = requestAnimationFrame;
        globalThis.requestAnimationFrame = () => 0;
        Object.assign(globalThis, {player, take});
        globalThis.told = () => acks.filter(({ack}) => ack !== 'cached')
            .map(({ack, submission, duration_ms}) => [ack, submission, duration_ms ?? null]);
        take(g[0]);
        await until(() => player.hero === 'B');
    """
    play(young_page, body, snapshot(2, *ABC[:2]))
    young_page.clock.run_for(20_000)
    assert young_page.evaluate("[told(), player.plays]") == [[], []]
    young_page.evaluate("(frame) => { take(frame); }", changes(2, 3, ("B", 3)))
    young_page.clock.run_for(4_000)
    assert young_page.evaluate("told()") == [["dark", "B", None]]
    young_page.evaluate("() => { requestAnimationFrame = frames; }")
    young_page.clock.run_for(6_000)
    assert young_page.evaluate("told()[1]") == ["shown", "A", None]
    ((began, lasted),) = young_page.evaluate(
        "player.plays.map(({started_at, duration_ms}) => [started_at, duration_ms])"
    )
    assert began and lasted < 6_000
