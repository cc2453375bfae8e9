"""How a browser asks to become a screen: the page's side, against a server of the test's own."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.billboard.player import run

TOLD = {"user_code": "BCDF-GHJK", "qr_svg": "<svg/>", "expires_in": 600, "interval": 5}
PENDING = (400, {"code": "authorization_pending"})
PAIRED = (204, None)
AWAY = (0, None)
WORLD = """
    let now = 0;
    const waits = [], shown = [], asked = [];
    const answers = {ask: g[0], poll: g[1]};
    const fetch = async (address, {body}) => {
        asked.push([address, body]);
        const [status, said] = answers[address].length > 1
            ? answers[address].shift() : answers[address][0];
        if (status === 0) throw new TypeError('no network');
        return new Response(said === null ? null : JSON.stringify(said), {status});
    };
    const pairing = new m.Pairing({
        askUrl: 'ask', pollUrl: 'poll', size: () => ({width_px: 8, height_px: 9}), fetch,
        show: (letters, news) => shown.push([letters?.code ?? '', news]),
        wait: async (ms) => { waits.push(ms); now += ms; }, now: () => now,
    });
    await pairing.untilPaired();
    return {waits, shown: shown.filter((one, i) => String(one) !== String(shown[i - 1])), asked};
"""


def talk(page: Page, ask: list[Any], poll: list[Any]) -> dict[str, Any]:
    said: dict[str, Any] = run(page, "pairing", WORLD, ask, poll)
    return said


CODE = ["BCDF-GHJK", ""]


def test_letters_are_shown_until_somebody_confirms(page: Page) -> None:
    said = talk(page, [(200, TOLD)], [PENDING, PENDING, PAIRED])
    assert said["shown"] == [CODE]
    assert said["waits"] == [5000, 5000, 5000]
    assert said["asked"][0] == ["ask", '{"width_px":8,"height_px":9}']


def test_server_that_asks_for_slowness_gets_it(page: Page) -> None:
    slower = (400, {"code": "slow_down"})
    said = talk(page, [(200, TOLD)], [PENDING, slower, slower, PENDING, PAIRED])
    assert said["waits"] == [5000, 5000, 10_000, 15_000, 15_000]


def test_letters_that_are_over_are_replaced_at_once(page: Page) -> None:
    over = (400, {"code": "expired_token"})
    newer = TOLD | {"user_code": "LMNP-QRST"}
    said = talk(page, [(200, TOLD), (200, newer)], [over, PAIRED])
    assert said["shown"] == [CODE, ["LMNP-QRST", ""]]
    assert said["waits"] == [5000, 5000]


def test_browser_that_was_turned_away_rests_before_it_asks_again(page: Page) -> None:
    denied = (400, {"code": "access_denied"})
    said = talk(page, [(200, TOLD)], [denied, PAIRED])
    assert said["shown"] == [CODE, ["", "denied"], CODE]
    assert said["waits"] == [5000, 60_000, 5000]


@pytest.mark.parametrize("answer", [AWAY, (502, {}), (200, {"hotel": "page"}), (500, None)])
def test_page_without_a_server_says_so_and_goes_on_trying(page: Page, answer: Any) -> None:
    said = talk(page, [answer] * 8 + [(200, TOLD)], [PAIRED])
    assert said["shown"] == [["", "away"], CODE]
    assert 2500 <= said["waits"][0] <= 5000
    assert max(said["waits"]) <= 30_000


def test_full_server_is_left_alone_for_a_minute(page: Page) -> None:
    said = talk(page, [(429, {"code": "too_many"}), (200, TOLD)], [PAIRED])
    assert said["shown"] == [["", "busy"], CODE]
    assert said["waits"][0] == 60_000


def test_outage_while_it_waits_keeps_the_letters_that_may_still_hold(page: Page) -> None:
    said = talk(page, [(200, TOLD)], [AWAY, (502, {}), PENDING, PAIRED])
    assert said["shown"] == [CODE, ["BCDF-GHJK", "away"], CODE]
    assert min(said["waits"]) >= 5000


def test_outage_longer_than_the_letters_hold_takes_them_down(page: Page) -> None:
    said = talk(page, [(200, TOLD), AWAY, (200, TOLD)], [AWAY] * 60 + [PAIRED])
    assert said["shown"][:3] == [CODE, ["BCDF-GHJK", "away"], ["", "away"]]
    assert said["shown"][-1][0] == "BCDF-GHJK"
