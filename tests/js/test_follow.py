"""Sockets and timers are the network and the clock: the only things made up here."""

from __future__ import annotations

from tests.js.conftest import Ask

# A clock that moves when told, sockets that do what the test says, and a poll that counts.
WORLD = """
const heard = [], timers = new Map(), sockets = [];
let now = 0, ids = 0, polls = 0, isPollLost = false, isHanging = false;
const polledAt = [];
const setTimer = (run, ms) => { ids += 1; timers.set(ids, {run, at: now + ms}); return ids; };
const clearTimer = (id) => timers.delete(id);
const pass = async (ms) => {
  const end = now + ms;
  for (;;) {
    const due = [...timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
    if (!due) break;
    timers.delete(due[0]);
    now = due[1].at;
    due[1].run();
    for (let n = 0; n < 9; n += 1) await null;
  }
  now = end;
};
const openSocket = () => {
  const socket = {
    sent: 0,
    closed: false,
    send() { this.sent += 1; },
    close() { this.closed = true; },
  };
  sockets.push(socket);
  return socket;
};
let said = () => `poll ${polls}`;
const hang = (signal) => new Promise((_, reject) => {
  signal.onabort = () => reject(signal.reason);
});
const poll = async (signal) => {
  polls += 1;
  polledAt.push(now);
  if (isPollLost) throw new Error("no network");
  if (isHanging) await hang(signal);
  return said();
};
const following = m.follow({
  openSocket, poll, onStatus: (s) => heard.push(s), setTimer, clearTimer, random: () => 0.5,
});
const say = (socket, what) => socket.onmessage({data: JSON.stringify(what)});
"""


def script(steps: str) -> str:
    return f"async (m) => {{ {WORLD} {steps} }}"


def test_open_socket_makes_polling_needless(ask: Ask) -> None:
    steps = """
        sockets[0].onopen();
        say(sockets[0], "first");
        await pass(10_000);
        return {heard, polls};
    """
    assert ask("follow", script(steps)) == {"heard": ["first"], "polls": 0}


def test_polls_while_the_socket_does_not_open(ask: Ask) -> None:
    assert ask("follow", script("await pass(7_600); return heard;")) == [
        "poll 1",
        "poll 2",
        "poll 3",
    ]


def test_lost_socket_is_polled_over_and_opened_again(ask: Ask) -> None:
    steps = """
        sockets[0].onopen();
        say(sockets[0], "one");
        sockets[0].onclose();
        await pass(1_000);
        sockets[1].onopen();
        say(sockets[1], "two");
        await pass(10_000);
        return {heard, sockets: sockets.length};
    """
    assert ask("follow", script(steps)) == {"heard": ["one", "poll 1", "two"], "sockets": 2}


def test_repeated_losses_wait_longer_and_longer(ask: Ask) -> None:
    steps = """
        const openedAt = [];
        for (let n = 0; n < 4; n += 1) {
            sockets[n].onclose();
            while (sockets.length === n + 1) await pass(50);
            openedAt.push(now);
        }
        return openedAt.map((at, n) => at - (openedAt[n - 1] ?? 0));
    """
    assert ask("follow", script(steps)) == [750, 1500, 3000, 6000]


def test_silent_socket_is_asked_then_given_up(ask: Ask) -> None:
    steps = """
        sockets[0].onopen();
        say(sockets[0], "first");
        await pass(25_000);
        const asked = sockets[0].sent;
        const before = polls;
        await pass(8_000);
        const wasClosed = sockets[0].closed;
        const atOnce = polls;
        await pass(1_000);
        return {asked, before, wasClosed, atOnce, sockets: sockets.length};
    """
    assert ask("follow", script(steps)) == {
        "asked": 1,
        "before": 0,
        "wasClosed": True,
        "atOnce": 1,
        "sockets": 2,
    }


def test_answering_socket_is_kept(ask: Ask) -> None:
    steps = """
        sockets[0].onopen();
        for (let n = 0; n < 5; n += 1) {
            say(sockets[0], n);
            await pass(25_000);
        }
        return {heard, sockets: sockets.length, closed: sockets[0].closed};
    """
    assert ask("follow", script(steps)) == {"heard": [0, 1, 2, 3, 4], "sockets": 1, "closed": False}


def test_lost_poll_is_tried_in_the_next_round(ask: Ask) -> None:
    steps = """
        isPollLost = true;
        await pass(2_600);
        isPollLost = false;
        await pass(5_000);
        return heard;
    """
    assert ask("follow", script(steps)) == ["poll 2"]


def test_lost_and_quiet_polls_come_further_apart_until_one_moves(ask: Ask) -> None:
    steps = """
        isPollLost = true;
        await pass(32_500);
        isPollLost = false;
        await pass(17_500);
        said = () => "same";
        await pass(10_000);
        return polledAt;
    """
    spans = [2_500, 5_000, 10_000, 15_000, 15_000, 2_500, 2_500, 2_500, 5_000]
    expected = [sum(spans[: n + 1]) for n in range(len(spans))]
    assert ask("follow", script(steps)) == expected


def test_poll_that_hangs_is_given_up_and_is_the_only_one(ask: Ask) -> None:
    steps = """
        isHanging = true;
        await pass(12_499);
        const meanwhile = polls;
        isHanging = false;
        await pass(5_001);
        return {meanwhile, heard};
    """
    assert ask("follow", script(steps)) == {"meanwhile": 1, "heard": ["poll 2"]}


def test_coming_back_takes_the_place_of_a_poll_that_hangs(ask: Ask) -> None:
    steps = """
        isHanging = true;
        await pass(3_000);
        isHanging = false;
        following.ask();
        await pass(0);
        const atOnce = [...heard];
        await pass(2_400);
        return {atOnce, polls};
    """
    assert ask("follow", script(steps)) == {"atOnce": ["poll 2"], "polls": 2}


def test_socket_that_opens_and_says_nothing_is_no_socket(ask: Ask) -> None:
    steps = """
        const openedAt = [];
        for (let n = 0; n < 3; n += 1) {
            sockets[n].onopen();
            sockets[n].onclose();
            while (sockets.length === n + 1) await pass(50);
            openedAt.push(now);
        }
        sockets[3].onopen();
        await pass(2_500);
        return {waits: openedAt.map((at, n) => at - (openedAt[n - 1] ?? 0)), polled: polls > 0};
    """
    assert ask("follow", script(steps)) == {"waits": [750, 1500, 3000], "polled": True}


def test_coming_back_asks_at_once(ask: Ask) -> None:
    steps = """
        sockets[0].onclose();
        await pass(0);
        following.ask();
        await pass(0);
        return {heard, sockets: sockets.length};
    """
    assert ask("follow", script(steps)) == {"heard": ["poll 1"], "sockets": 2}


def test_coming_back_polls_past_a_socket_that_is_open_on_this_side_only(ask: Ask) -> None:
    steps = """
        sockets[0].onopen();
        say(sockets[0], "first");
        following.ask();
        await pass(0);
        const atOnce = [...heard];
        await pass(9_000);
        return {atOnce, asked: sockets[0].sent, closed: sockets[0].closed, sockets: sockets.length};
    """
    assert ask("follow", script(steps)) == {
        "atOnce": ["first", "poll 1"],
        "asked": 1,
        "closed": True,
        "sockets": 2,
    }


def test_stopped_is_still(ask: Ask) -> None:
    steps = """
        following.stop();
        await pass(60_000);
        return {heard, polls, closed: sockets[0].closed};
    """
    assert ask("follow", script(steps)) == {"heard": [], "polls": 0, "closed": True}
