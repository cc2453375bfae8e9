"""The desk's libraries on their own: order, clock, outbox."""

from __future__ import annotations

import pytest

from campaign.models import Submission
from tests.e2e.conftest import Open

pytestmark = pytest.mark.django_db(transaction=True)


def test_line_is_served_in_its_order(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    answer = page.evaluate(
        """async () => {
            const line = await import("/static/js/lib/review_line.js");
            const card = (id, claimed_by = "", since = "1") => ({ id, claimed_by, since });
            const cards = [card("a"), card("b", "ana"), card("c"), card("d")];
            const id = (found) => found?.id ?? null;
            return {
                next: id(line.following(cards, "a")),
                wraps: id(line.following(cards, "d")),
                before: id(line.preceding(cards, "a")),
                alone: id(line.following([card("a")], "a")),
                taken: id(line.following([card("b", "ana")])),
                first: id(line.following(cards)),
                open: line.undecided(cards, new Map([["a", "1"], ["c", "0"]])).map(id),
            };
        }"""
    )
    assert answer == {
        "next": "c",
        "wraps": "a",
        "before": "d",
        "alone": None,
        "taken": None,
        "first": "a",
        "open": ["b", "c", "d"],
    }


def test_time_is_spoken_as_a_clock_reads_it(open_desk: Open, queue: list[Submission]) -> None:
    page = open_desk()
    spoken = page.evaluate(
        """async () => {
            const { clock } = await import("/static/js/lib/spoken_time.js");
            return [-3, 0, 42.9, 60, 725, 3725].map(clock);
        }"""
    )
    assert spoken == ["0:00", "0:00", "0:42", "1:00", "12:05", "1:02:05"]


def test_outbox_keeps_order_and_versions(open_desk: Open, queue: list[Submission]) -> None:
    """Approve and undo pressed while the network was away: undo is about what approve made."""
    page = open_desk()
    sent = page.evaluate(
        """async () => {
            const { DecisionOutbox } = await import("/static/js/lib/decision_outbox.js");
            const sent = [];
            let isDown = true;
            const box = new DecisionOutbox({
                storage: sessionStorage,
                prefix: "t.",
                send: async (decision) => {
                    if (isDown) return { kind: "away" };
                    sent.push([decision.id, decision.verdict, decision.seenAt]);
                    if (decision.id === "lost") return { kind: "overtaken", sentence: "" };
                    return { kind: "done", since: `after ${decision.verdict}` };
                },
                onAnswer() {},
                onTrouble() {},
                pause: () => new Promise((resolve) => setTimeout(resolve, 5)),
            });
            const say = (id, verdict) => box.add({ id, verdict, seenAt: "seen", note: "" });
            say("x", "approve"); say("lost", "approve"); say("x", "undo"); say("lost", "undo");
            const kept = sessionStorage.length;
            isDown = false;
            while (box.length) await new Promise((resolve) => setTimeout(resolve, 5));
            return { sent, kept, left: sessionStorage.length };
        }"""
    )
    assert sent == {
        "sent": [
            ["x", "approve", "seen"],
            ["lost", "approve", "seen"],
            ["x", "undo", "after approve"],
        ],
        "kept": 4,
        "left": 0,
    }
