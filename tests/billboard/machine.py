"""People come and go, the network does what it likes, and three promises hold.

The server's side is the server: database, log, plan, protocol and the two addresses that a screen
speaks to without a socket, which say what the socket says. The screen's side is lib/feed.js,
lib/clock.js and lib/rotation.js in Chromium; what holds them together in screen/main.js is `GLUE`
here: no pictures, no disk but a copy of what the shelf would hold.

1. Whoever is approved is shown, once the network is well again.
2. Whoever the record says this screen is dark of is not seen.
3. A screen that may show somebody shows somebody.

Each has a way to break it, on one side or the other (`breaking`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.test import Client
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from playwright.sync_api import Page

from billboard import feed, pairing, planning, protocol
from billboard.models import Ack, EntryKind, FeedEntry, Play, Screen
from campaign import approval, lifecycle, retention
from campaign.enums import SubmissionState
from campaign.models import Campaign, Submission
from tests.billboard.rows import in_review, recall

PEOPLE_MOST = 6

GLUE = """
async (breaking) => {
  const [{Feed}, {Clock}, {ranking}] = await Promise.all(
      ["feed", "clock", "rotation"].map((name) => import(`/js/lib/${name}.js`)));
  const uuid = () => [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  window.player = {
    // What outlives the browser.
    kept: {items: [], clock: undefined}, unsaid: [], skewMs: 0,
    start() {
      this.clock = new Clock({known: this.kept.clock, wall: () => Date.now() + this.skewMs});
      this.feed = new Feed({now: () => this.clock.now()});
      this.feed.restore(this.kept.items);
      if (breaking === "deaf") this.feed.isBehind = () => false;
      this.history = new Map();
      this.hero = null;
      this.isFresh = false;
      this.feed.expire();
      this.keep();
      this.turn();
    },
    keep() {
      this.kept = {items: [...this.feed.items.values()], clock: this.clock.known};
    },
    wanted() { return this.isFresh ? this.feed.place : {epoch: null, seq: 0}; },
    take(frame) {
      if (breaking !== "clock") this.clock.hear(frame.at);
      const held = new Map(this.feed.items);
      const news = this.feed.apply(frame);
      if (breaking === "stays") {
        news.removed.forEach((one) => this.feed.items.set(one, held.get(one)));
      }
      if (frame.type === "snapshot") this.isFresh = true;
      for (const change of frame.changes ?? []) {
        if (!change.item) this.unsaid.push({ack: "dark", submission: change.submission,
                                            epoch: frame.epoch, seq: change.seq});
      }
      this.keep();
      if (this.hero && !this.feed.items.has(this.hero)) {
        this.hero = null;
        if (breaking !== "blank") this.turn();
      } else if (!this.hero) this.turn();
      return news.isBehind;
    },
    turn() {
      const [next] = ranking(this.feed.items.values(), this.history, this.hero);
      this.hero = next?.submission ?? null;
      if (!next) return;
      const {times} = this.history.get(this.hero) ?? {times: 0};
      this.history.set(this.hero, {times: times + 1, lastMs: performance.now()});
      this.unsaid.push({ack: "shown", play_id: uuid(), submission: this.hero,
        figurine: next.figurine, seq: next.seq, started_at: new Date().toISOString(),
        duration_ms: 8000});
    },
    unpaired() { this.feed.forget(); this.isFresh = false; this.hero = null; this.keep(); },
    seen() { return {visible: [...this.feed.items.keys()], hero: this.hero}; },
  };
  window.player.start();
}
"""


class Street(RuleBasedStateMachine):
    """One campaign, one screen, and what is under way between them."""

    page: ClassVar[Page]
    campaign: ClassVar[Campaign]
    breaking: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.savepoint()
        self.backup: str | None = None
        self.under_way: list[dict[str, Any]] = []
        self.screen = Screen.objects.create(campaign=self.campaign, name=f"Broadway {id(self)}")
        self.client = Client()
        self.client.cookies[pairing.COOKIE] = pairing.issue_token(self.screen)
        planning._read.clear()

    @initialize()
    def begin(self) -> None:
        self.page.evaluate(GLUE, self.breaking)
        self.see()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.heal()
        finally:
            transaction.savepoint_rollback(self.undo)

    # --- the crew and the visitors ----------------------------------------------------------------

    def people(self, *states: SubmissionState) -> list[Submission]:
        """In the order they came."""
        return list(
            Submission.objects.filter(campaign=self.campaign, state__in=states).order_by("number")
        )

    @property
    def approved(self) -> set[str]:
        return {str(one.pk) for one in self.people(SubmissionState.APPROVED)}

    @precondition(lambda self: Submission.objects.count() < PEOPLE_MOST)
    @rule()
    def someone_comes(self) -> None:
        approval.approve(in_review(self.campaign), actor=lifecycle.SYSTEM)

    @precondition(lambda self: self.approved)
    @rule(
        who=st.integers(0, PEOPLE_MOST),
        leave=st.sampled_from([recall, lambda one: retention.erase(one, actor=lifecycle.SYSTEM)]),
    )
    def someone_leaves(self, who: int, leave: Callable[[Submission], object]) -> None:
        people = self.people(SubmissionState.APPROVED)
        leave(people[who % len(people)])

    @precondition(lambda self: self.people(SubmissionState.RECALLED))
    @rule(who=st.integers(0, PEOPLE_MOST))
    def someone_comes_again(self, who: int) -> None:
        people = self.people(SubmissionState.RECALLED)
        one = people[who % len(people)]
        approval.undo(one, actor=lifecycle.SYSTEM)
        one.refresh_from_db()
        approval.approve(one, actor=lifecycle.SYSTEM)

    @rule(is_on=st.sampled_from([True, True, True, False]))
    def screen_is_switched(self, is_on: bool) -> None:
        Screen.objects.filter(pk=self.screen.pk).update(is_active=is_on)

    # --- machines -------------------------------------------------------------------------------

    @rule()
    def server_restarts(self) -> None:
        planning._read.clear()

    @rule()
    def backup_is_made(self) -> None:
        self.backup = transaction.savepoint()

    @precondition(lambda self: self.backup)
    @rule()
    def backup_is_put_back(self) -> None:
        assert self.backup
        transaction.savepoint_rollback(self.backup)
        planning._read.clear()

    @rule(days=st.sampled_from([0, -400, 400]))
    def browser_restarts(self, days: int) -> None:
        """After a power cut, with a clock that lost its battery or was set ahead."""
        self.under_way.clear()
        self.page.evaluate(
            "(ms) => { player.skewMs = ms; player.start(); }", timedelta(days=days) / MS
        )
        self.see()

    @rule()
    def turn(self) -> None:
        self.page.evaluate("player.turn()")
        self.see()

    # --- the network ----------------------------------------------------------------------------

    @rule()
    def screen_asks(self) -> None:
        """Because of a nudge, a doubled one, a beat or a poll; the answer may take its time."""
        place = self.page.evaluate("player.wanted()")
        answer = self.client.get(
            "/screen/feed.json", {"epoch": place["epoch"] or "", "seq": place["seq"]}
        )
        if answer.status_code == 403:
            self.under_way.clear()
            self.page.evaluate("player.unpaired()")
            self.see()
            assert self.seen["visible"] == []
            return
        assert answer.status_code == 200, answer.content
        self.under_way.append(answer.json())

    @rule()
    def all_goes_well(self) -> None:
        """A nudge, its answer, and what the screen says to that."""
        self.screen_asks()
        if self.under_way:
            self.answer_arrives(len(self.under_way) - 1, False)
        self.screen_tells(False)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9), is_doubled=st.booleans())
    def answer_arrives(self, which: int, is_doubled: bool) -> None:
        at = which % len(self.under_way)
        frame = self.under_way[at] if is_doubled else self.under_way.pop(at)
        self.page.evaluate("(frame) => player.take(frame)", frame)
        self.see()

    @precondition(lambda self: self.under_way)
    @rule()
    def answer_is_lost(self) -> None:
        self.under_way.pop()

    @rule(is_answer_lost=st.booleans())
    def screen_tells(self, is_answer_lost: bool) -> None:
        acks = self.page.evaluate("player.unsaid")[:100]
        answer = self.client.post(
            "/screen/acks/",
            json.dumps({"type": "acks", "n": 1, "acks": acks}),
            content_type="application/json",
        )
        assert answer.status_code in (200, 403), answer.content
        if answer.status_code == 200 and not is_answer_lost:
            self.page.evaluate("(n) => { player.unsaid.splice(0, n); }", len(acks))

    @rule()
    def heal(self) -> None:
        """All is well: within a few beats the screen shows those approved, and no others."""
        self.screen_is_switched(True)
        for _ in range(4):
            beat = feed.head(self.campaign.pk).as_json()
            self.page.evaluate("(at) => player.clock.hear(at)", _now())
            at = self.page.evaluate("player.feed.place")
            place = protocol.place(at["epoch"], str(at["seq"]))
            if (
                self.page.evaluate("(b) => player.feed.isBehind(b) || !player.isFresh", beat)
                # With each beat the server hears where the screen is.
                or feed.is_lost(self.campaign.pk, place)
            ):
                self.screen_asks()
                self.answer_arrives(len(self.under_way) - 1, False)
        assert set(self.seen["visible"]) == self.approved, "not those approved"
        for _ in self.approved:
            self.turn()
        self.screen_tells(False)
        shown = Play.objects.filter(screen=self.screen).values_list("submission", flat=True)
        assert self.approved <= {str(pk) for pk in shown}, "not shown"

    # --- what must hold -------------------------------------------------------------------------

    def see(self) -> None:
        self.seen = self.page.evaluate("player.seen()")

    @invariant()
    def dark_is_dark(self) -> None:
        if not hasattr(self, "seen"):
            return
        dark = Ack.objects.filter(screen=self.screen, entry__kind=EntryKind.REMOVE)
        for entry, one in dark.values_list("entry", "entry__submission"):
            came_again = FeedEntry.objects.filter(
                submission=one, kind=EntryKind.ADD, pk__gt=entry
            ).exists()
            is_seen = str(one) in self.seen["visible"]
            assert came_again or not is_seen, "seen though dark"

    @invariant()
    def never_blank(self) -> None:
        if hasattr(self, "seen"):
            assert (self.seen["hero"] is None) == (self.seen["visible"] == []), "blank"
            assert self.seen["hero"] in {None, *self.seen["visible"]}, "torn"


MS = timedelta(milliseconds=1)


def _now() -> str:
    from django.utils import timezone

    return timezone.now().isoformat()
