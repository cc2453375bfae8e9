from __future__ import annotations

from typing import Any

import pytest

from campaign import queries
from tests.js.conftest import Ask

REFUSED = '{"code": "too_dark", "sentence": "Too dark.", "advice": "Turn."}'


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, '{"status_url": "/s/a/"}', {"kind": "accepted", "statusUrl": "/s/a/"}),
        (200, '{"status_url": "/s/a/"}', {"kind": "accepted", "statusUrl": "/s/a/"}),
        (200, "<html>a hotel's sign-in page", {"kind": "lost"}),
        (
            422,
            REFUSED,
            {"kind": "refused", "code": "too_dark", "sentence": "Too dark.", "advice": "Turn."},
        ),
        (403, "<html>", {"kind": "refused", "code": "", "sentence": "", "advice": ""}),
        (503, REFUSED, {"kind": "lost"}),
        (502, "", {"kind": "lost"}),
        (0, "", {"kind": "lost"}),
    ],
)
def test_outcome_of_an_answer(ask: Ask, status: int, body: str, outcome: dict[str, Any]) -> None:
    assert (
        ask("upload", "(m, [status, body]) => m.outcome(status, body)", [status, body]) == outcome
    )


def test_delivery_goes_on_until_somebody_answers(ask: Ask) -> None:
    script = """async (m) => {
        const answers = [{kind: "lost"}, {kind: "lost"}, {kind: "accepted", statusUrl: "/s/a/"}];
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


def test_delivery_ends_at_a_refusal(ask: Ask) -> None:
    script = """async (m) => {
        let sent = 0;
        const send = async () => { sent += 1; return {kind: "refused", code: "too_dark"}; };
        const answer = await m.deliver({send, pause: async () => {}, onLost: () => {}});
        return [sent, answer.code];
    }"""
    assert ask("upload", script) == [1, "too_dark"]


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("too_dark", "retake"),
        ("many_faces", "retake"),
        ("not_an_image", "retake"),
        ("bad_plaque", "rename"),
        ("consent_missing", "agree"),
        ("consent_outdated", "reload"),
        ("campaign_closed", "reload"),
        ("slow_down", "resend"),
        ("", "reload"),
    ],
)
def test_every_refusal_has_a_way_on(ask: Ask, code: str, way: str) -> None:
    assert not code or queries.refusal_of(code).code == code
    assert ask("upload", "(m, code) => m.wayOn(code)", code) == way
