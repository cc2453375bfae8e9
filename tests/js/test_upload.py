from __future__ import annotations

import json
from typing import Any

import pytest

from campaign import errors
from tests.js.conftest import Ask

LOST = {"kind": "lost", "sentence": "", "advice": "", "waitMs": 0}
TOO_DARK = {"code": "too_dark", "sentence": "Too dark.", "advice": "Turn."}
REFUSED = json.dumps(TOO_DARK)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, '{"status_url": "/s/a/"}', {"kind": "accepted", "statusUrl": "/s/a/"}),
        (200, '{"status_url": "/s/a/"}', {"kind": "accepted", "statusUrl": "/s/a/"}),
        (200, "<html>a hotel's sign-in page", LOST),
        (
            422,
            REFUSED,
            {**TOO_DARK, "kind": "refused"},
        ),
        (403, "<html>", {"kind": "refused", "code": "", "sentence": "", "advice": ""}),
        (503, REFUSED, {**LOST, "sentence": "Too dark.", "advice": "Turn."}),
        (429, REFUSED, {**TOO_DARK, "kind": "refused"}),
        (429, "<html>", LOST),
        (425, "", LOST),
        (408, "{}", LOST),
        (502, "<html>", LOST),
        (0, "", LOST),
    ],
)
def test_outcome_of_an_answer(ask: Ask, status: int, body: str, outcome: dict[str, Any]) -> None:
    assert (
        ask("upload", "(m, [status, body]) => m.outcome(status, body)", [status, body]) == outcome
    )


def test_delivery_goes_on_until_somebody_answers(ask: Ask) -> None:
    script = """async (m) => {
        const lately = {kind: "lost", waitMs: 0};
        const answers = [lately, lately, {kind: "accepted", statusUrl: "/s/a/"}];
        const waits = [], lost = [];
        const answer = await m.deliver({
            send: async () => answers.shift(),
            pause: async (ms) => waits.push(ms),
            onLost: (attempt) => lost.push(attempt),
            random: () => 1,
        });
        return {answer, waits, lost};
    }"""
    assert ask("upload", script) == {
        "answer": {"kind": "accepted", "statusUrl": "/s/a/"},
        "waits": [1000, 2000],
        "lost": [0, 1],
    }


@pytest.mark.parametrize(
    ("told", "wait_ms"),
    [("30", 30_000), ("0", 0), ("86400", 120_000), ("-1", 0), ("soon", 0), (None, 0)],
)
def test_answer_says_how_long_to_wait(ask: Ask, told: str | None, wait_ms: int) -> None:
    script = "(m, told) => m.outcome(503, '', told).waitMs"
    assert ask("upload", script, told) == wait_ms


def test_answer_says_until_when_to_wait(ask: Ask) -> None:
    script = """(m) => {
        const later = (ms) => new Date(Date.now() + ms).toUTCString();
        const wait = m.outcome(429, "", later(60_000)).waitMs;
        return [wait > 30_000 && wait <= 60_000, m.outcome(429, "", later(-60_000)).waitMs];
    }"""
    assert ask("upload", script) == [True, 0]


@pytest.mark.parametrize(("random", "waits"), [(0, [20_000, 1_000]), (1, [25_000, 2_000])])
def test_delivery_waits_as_long_as_it_is_told_or_a_little_longer(
    ask: Ask, random: int, waits: list[int]
) -> None:
    script = """async (m, random) => {
        const answers = [20_000, 500].map((waitMs) => ({kind: "lost", waitMs}));
        const waits = [];
        await m.deliver({
            send: async () => answers.shift() ?? {kind: "accepted", statusUrl: "/s/a/"},
            pause: async (ms) => waits.push(ms),
            onLost: () => {},
            random: () => random,
        });
        return waits;
    }"""
    assert ask("upload", script, random) == waits


def test_header_of_an_answer_is_heeded(ask: Ask) -> None:
    steps = """
        request.status = 429;
        request.headers = {"Retry-After": "7"};
        request.onloadend();
        await pass(0);
        return answer;
    """
    assert ask("upload", on_slow_network(steps)) == {**LOST, "waitMs": 7_000}


def test_delivery_ends_at_a_refusal(ask: Ask) -> None:
    script = """async (m) => {
        let sent = 0;
        const send = async () => { sent += 1; return {kind: "refused", code: "too_dark"}; };
        const answer = await m.deliver({send, pause: async () => {}, onLost: () => {}});
        return [sent, answer.code];
    }"""
    assert ask("upload", script) == [1, "too_dark"]


def test_delivery_that_stays_lost_ends_in_the_words_that_came_last(ask: Ask) -> None:
    script = """async (m) => {
        const answers = [m.outcome(0, ""), m.outcome(502, "<html>"), m.outcome(0, ""),
            m.outcome(503, '{"code": "missing_model", "sentence": "Oh.", "advice": "Wait."}')];
        let lost = 0;
        const send = async () => answers.shift();
        const answer = await m.deliver({send, pause: async () => {}, onLost: () => { lost += 1; }});
        return {answer, lost};
    }"""
    assert ask("upload", script) == {
        "answer": {
            "kind": "refused",
            "code": "unreachable",
            "sentence": "Oh.",
            "advice": "Wait.",
        },
        "lost": 3,
    }


# A request that moves when told, and a clock of one timer.
SLOW_NETWORK = """
class Request {
  constructor() { this.upload = {}; this.status = 0; this.responseText = ""; Request.last = this; }
  open() {}
  setRequestHeader() {}
  send() {}
  getResponseHeader(name) { return this.headers?.[name] ?? null; }
  abort() { this.onloadend(); }
}
window.XMLHttpRequest = Request;
let now = 0, timer = null, answer = null;
const pass = async (ms) => {
  now += ms;
  if (timer && timer.at <= now) { const { run } = timer; timer = null; run(); }
  await new Promise((resolve) => setTimeout(resolve));
};
m.post("/", null, {
  onProgress: () => {},
  setTimer: (run, ms) => { timer = {run, at: now + ms}; return 1; },
  clearTimer: () => { timer = null; },
}).then((outcome) => { answer = outcome; });
const request = Request.last;
const moves = () => request.upload.onprogress({lengthComputable: true, loaded: 1, total: 9});
"""


def on_slow_network(steps: str) -> str:
    return f"""async (m) => {{
        const real = window.XMLHttpRequest;
        try {{ {SLOW_NETWORK} {steps} }} finally {{ window.XMLHttpRequest = real; }}
    }}"""


def test_upload_that_keeps_moving_may_take_long(ask: Ask) -> None:
    steps = """
        for (let n = 0; n < 20; n += 1) { await pass(29_000); moves(); }
        request.upload.onload();
        await pass(59_000);
        request.status = 201;
        request.responseText = '{"status_url": "/s/a/"}';
        request.onloadend();
        await pass(0);
        return {answer, timer};
    """
    assert ask("upload", on_slow_network(steps)) == {
        "answer": {"kind": "accepted", "statusUrl": "/s/a/"},
        "timer": None,
    }


@pytest.mark.parametrize(
    ("stall", "patience_ms"),
    [("", 30_000), ("moves();", 30_000), ("request.upload.onload();", 60_000)],
)
def test_upload_that_stalls_is_lost(ask: Ask, stall: str, patience_ms: int) -> None:
    steps = f"""
        {stall}
        await pass({patience_ms - 1});
        const before = answer;
        await pass(1);
        return [before, answer];
    """
    assert ask("upload", on_slow_network(steps)) == [None, LOST]


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("too_dark", "retake"),
        ("many_faces", "retake"),
        ("turned_away", "retake"),
        ("face_covered", "retake"),
        ("eyes_hidden", "retake"),
        ("not_an_image", "retake"),
        ("bad_plaque", "rename"),
        ("consent_missing", "agree"),
        ("consent_outdated", "reload"),
        ("campaign_closed", "reload"),
        ("unknown_kit", "reload"),
        ("slow_down", "resend"),
        ("unreachable", "resend"),
        ("", "reload"),
    ],
)
def test_every_refusal_has_a_way_on(ask: Ask, code: str, way: str) -> None:
    assert code in ("", "unreachable") or errors.refusal_of(code).code == code
    assert ask("upload", "(m, code) => m.wayOn(code)", code) == way
