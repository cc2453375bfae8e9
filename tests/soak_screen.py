"""One screen for minutes while everything around it breaks: `python -m tests.soak_screen`.

The whole product as `make run` starts it, and a real Chromium of 1920 x 1080. A plan drawn from a
seed kills and restarts the server and Valkey, cuts and slows the network, sets the device's clock,
fills its disk, and has figurines come and be recalled in the middle of a change. Every frame that
Chromium draws is judged (tests/e2e/frames.py). Ends with 1 where one was blank, torn or empty,
where somebody was seen after the screen had said they are dark, or where a play was not told just
once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.bench.timing import p
from tests.browser import chromium
from tests.e2e.frames import Film, Judge, learn, left_of_words, of_colour, pixels_of, settled
from tests.stack import Stack

MINUTES = 10.0
SEED = 1
SLOT_S = 3
SIZE = {"width": 1920, "height": 1080}
PALETTE = (
    *((200, 30, 40), (30, 60, 200), (20, 150, 60)),
    *((190, 20, 190), (0, 170, 190), (250, 225, 30)),
)
"""One for everybody who is up: who is in a frame is told by colour. None is what a change from one
to another, or to the ground, comes by."""

PEOPLE_LEAST, PEOPLE_MOST = 3, len(PALETTE) - 1
FAULT_EVERY_S = (4.0, 9.0)
CALM_S = 10.0
"""At the end nothing is broken any more, and the last plays are told."""
TOLD_WITHIN_S = 90
IN_PASSING_S = 2.0
"""Four frames are drawn by then, on a busy machine too. Who is taken down before that is no play:
the player does not say that anybody saw them. A whole slot is longer."""
IDLE_MOST_S = 10.0
"""The box of nobody is no blank screen, but a start takes no longer to show somebody."""
HERO_LEAST_PX = 1500
SEEN_LEAST_PX = 60
"""So many pixels of a colour are somebody, and no rim or blend of others."""

WATCH = """() => {
    let skewMs = 0;
    const now = Date.now.bind(Date);
    Date.now = () => now() + skewMs;
    globalThis.setClock = (ms) => { skewMs = ms; };
    const UP = '.place .card[data-submission][data-state=on]';
    globalThis.changed = () => JSON.parse(sessionStorage.getItem('soak') ?? '[]');
    new MutationObserver((all) => {
        const nowMs = performance.timeOrigin + performance.now();
        const came = all.filter(({type, target}) => type === 'attributes' && target.matches(UP))
            .map(({target}) => [target.dataset.submission, nowMs, null]);
        const cards = [...document.querySelectorAll(UP)];
        const up = new Set(cards.map((card) => card.dataset.submission));
        const known = changed().map(([who, fromMs, toMs]) =>
            [who, fromMs, toMs ?? (up.has(who) ? null : nowMs)]);
        sessionStorage.setItem('soak', JSON.stringify([...known, ...came]));
    }).observe(document,
        {subtree: true, childList: true, attributes: true, attributeFilter: ['data-state']});
}"""


@dataclass
class Figures:
    minutes: float
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    changes: int = 0
    loads: list[str] = field(default_factory=list)
    """Why the page loaded itself anew."""
    wrong: list[tuple[float, str]] = field(default_factory=list)
    """Second of the run, and blank, torn, empty, or idle for too long."""
    idle_s: float = 0.0
    """The longest that the box of nobody stood there."""
    lag_s: float = 0.0
    """How late Chromium hands frames over: from a change to the first frame of it, nine of ten."""
    seen_after_dark: list[float] = field(default_factory=list)
    """Second of the run of frames that were handed over by more than that after the ack."""
    darks: int = 0
    in_passing: int = 0
    """Changes to somebody who was taken down before they can count as seen: they may be no play."""
    plays_untold: int = 0
    plays_unseen: int = 0
    """Told, but for no change of the page."""
    errors: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        return (
            not (self.wrong or self.seen_after_dark or self.plays_untold or self.plays_unseen)
            and not self.errors
        )


@dataclass
class Person:
    pk: str
    colour: int
    at_s: float


@dataclass
class SoakFilm(Film):
    """Judged beside the run, or Chromium would wait for it. Notes too which colours are in each
    frame, small cards and all."""

    seen: list[tuple[float, int]] = field(default_factory=list)
    idle: list[tuple[float, float]] = field(default_factory=list)
    """From when to when the box of nobody stood there."""
    was_idle: bool = False
    heroes: list[tuple[float, int]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        super().start()
        self.looking = threading.Thread(target=self._look_on)
        self.looking.start()

    def stop(self) -> None:
        self.over.set()
        self.looking.join()
        super().stop()

    def _look_on(self) -> None:
        while not self.over.wait(0.05):
            self.look()

    def look(self) -> None:
        while self.waiting:
            at_s, encoded = self.waiting.pop(0)
            self.count += 1
            pixels = pixels_of(encoded)
            said = self.judge.verdict(left_of_words(pixels))
            # Chromium draws nothing where nothing changes: a frame stands until the next.
            if self.was_idle:
                self.idle[-1] = (self.idle[-1][0], at_s)
            elif said == "idle":
                self.idle.append((at_s, at_s))
            self.was_idle = said == "idle"
            if said:
                self.wrong.append((at_s, said))
                if folder := os.environ.get("FRAMES"):
                    Path(folder, f"{at_s:.3f}-{said}.jpg").write_bytes(encoded)
            for n, rgb in enumerate(PALETTE):
                mask = of_colour(pixels, rgb)
                if mask.sum() >= SEEN_LEAST_PX:
                    self.seen.append((at_s, n))
                if mask[:, : mask.shape[1] * 11 // 25].sum() >= HERO_LEAST_PX:
                    self.heroes.append((at_s, n))


class Record:
    """The product's own database, from a thread beside Playwright's loop."""

    def __init__(self, stack: Stack, thread: ThreadPoolExecutor) -> None:
        [web, *_] = stack.processes("deploy.web")
        os.environ.update(web.environ())
        os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
        import django

        django.setup()
        self.thread = thread

    def __call__(self, work: Callable[..., Any], *args: Any, **words: Any) -> Any:
        return self.thread.submit(work, *args, **words).result()


def set_up() -> None:
    from billboard.models import Screen
    from campaign.models import Campaign

    Campaign.objects.update(slot_s=SLOT_S)
    Screen.objects.update(drift_px=0, layout="hero")


def approve(colour: int) -> str:
    from campaign.models import Campaign
    from tests.billboard.rows import approved

    rgb = "#{:02x}{:02x}{:02x}".format(*PALETTE[colour])
    return str(approved(Campaign.objects.get(), plaque=f"C{colour}", colour=rgb).pk)


def take_down(pk: str) -> None:
    from campaign.models import Submission
    from tests.billboard.rows import recall

    recall(Submission.objects.get(pk=pk))


def darks() -> dict[str, float]:
    """When each removal was on record as carried out, in seconds since 1970."""
    from billboard.models import Ack, EntryKind

    acks = Ack.objects.filter(entry__kind=EntryKind.REMOVE)
    found = acks.values_list("entry__submission_id", "at")
    return {str(pk): at.timestamp() for pk, at in found}


def plays() -> list[tuple[str, float]]:
    """Whose, and when it began; one that goes on with the one before is no change of the page."""
    from billboard.models import Play

    found = Play.objects.order_by("started_at")
    begun: list[tuple[str, float]] = []
    last, end_s = "", 0.0
    for play in found:
        pk, at_s = str(play.submission_id), play.started_at.timestamp()
        if pk != last or abs(at_s - end_s) > 0.1:
            begun.append((pk, at_s))
        last, end_s = pk, at_s + (play.duration_ms or 0) / 1000
    return begun


@dataclass
class Soak:
    """The run: who is up, what is broken, and until when."""

    stack: Stack
    page: Page
    record: Record
    film: SoakFilm
    dice: random.Random
    figures: Figures
    up: list[Person]
    down: list[Person] = field(default_factory=list)
    past: list[tuple[Person, float]] = field(default_factory=list)
    """Who was recalled, and when their colour was given to somebody else."""
    over_s: float = 0.0
    mend: dict[str, tuple[float, Callable[[], object]]] = field(default_factory=dict)
    """What is broken now: when it is mended, and how."""

    def run(self, minutes: float) -> None:
        end_s = time.monotonic() + 60 * minutes - CALM_S
        faults = self._faults()
        due_s = time.monotonic() + 2
        while (now_s := time.monotonic()) < end_s:
            self._go_on()
            for name in [name for name, (at_s, _) in self.mend.items() if at_s <= now_s]:
                self.mend.pop(name)[1]()
            if now_s >= due_s:
                due_s = now_s + self.dice.uniform(*FAULT_EVERY_S)
                fault = next(faults)
                if fault not in self.mend:
                    self.figures.faults[fault] += 1
                    getattr(self, fault)()
        for _, mended in self.mend.values():
            mended()
        self.mend.clear()

    def _go_on(self) -> None:
        """Frames come in meanwhile."""
        self.page.wait_for_timeout(150)

    def _faults(self) -> Iterator[str]:
        """Each kind once in every round."""
        while True:
            kinds = ["server", "offline", "slow", "clock", "valkey", "quota"]
            kinds += ["recall_on", "recall_on", "recall_any", "arrive", "arrive", "arrive"]
            self.dice.shuffle(kinds)
            yield from kinds

    def _until_mended(self, name: str, seconds: float, mended: Callable[[], object]) -> None:
        self.mend[name] = (time.monotonic() + seconds, mended)

    # --- faults -------------------------------------------------------------------------------

    def server(self) -> None:
        assert self.stack.kill("deploy.web")

    def valkey(self) -> None:
        assert self.stack.kill("valkey")

    def offline(self) -> None:
        context = self.page.context
        context.set_offline(True)
        self._until_mended("offline", self.dice.uniform(5, 20), lambda: context.set_offline(False))

    def slow(self) -> None:
        self._network(latency=600, downloadThroughput=40_000, uploadThroughput=20_000)
        usual = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self._until_mended("slow", self.dice.uniform(5, 15), lambda: self._network(**usual))

    def _network(self, **how: float) -> None:
        self.film.client.send("Network.emulateNetworkConditions", {"offline": False, **how})

    def clock(self) -> None:
        hours = self.dice.choice((-30, -2, 2, 30))
        self.page.evaluate("(ms) => setClock(ms)", hours * 3_600_000)

    def quota(self) -> None:
        self._quota(quotaSize=60_000)
        self._until_mended("quota", self.dice.uniform(5, 15), self._quota)

    def _quota(self, **how: float) -> None:
        self.film.client.send("Storage.overrideQuotaForOrigin", {"origin": self.stack.url, **how})

    def arrive(self) -> None:
        if len(self.up) >= PEOPLE_MOST:
            self._recall(self.dice.choice(self.up))
        used = {person.colour for person in self.up}
        gone = {person.colour: person.at_s for person in self.down}
        free = [n for n in range(len(PALETTE)) if n not in used]
        colour = min(free, key=lambda n: gone.get(n, 0))  # the one that has been away longest
        self.down = [person for person in self.down if person.colour != colour or self._end(person)]
        self.up.append(Person(self.record(approve, colour), colour, time.time()))

    def recall_any(self) -> None:
        if len(self.up) > PEOPLE_LEAST:
            self._recall(self.dice.choice(self.up))

    def recall_on(self) -> None:
        """In the middle of a change: who has just come in."""
        before = self._hero()
        until_s = time.monotonic() + 2 * SLOT_S
        while self._hero() == before and time.monotonic() < until_s:
            self._go_on()
        on = [person for person in self.up if person.pk == self._hero()]
        if on and len(self.up) > PEOPLE_LEAST:
            self._recall(on[0])

    def _hero(self) -> str:
        return self.page.locator("html").get_attribute("data-hero") or ""

    def _recall(self, person: Person) -> None:
        begin_s = time.time()
        self.record(take_down, person.pk)
        self.up.remove(person)
        self.down.append(Person(person.pk, person.colour, begin_s))

    # --- afterwards ---------------------------------------------------------------------------

    def _end(self, person: Person) -> bool:
        self.past.append((person, time.time()))
        return False

    def judge(self, began_s: float) -> None:
        """Fill in the figures, once all is told."""
        figures, film = self.figures, self.film
        self.over_s = time.time()
        until_s = time.monotonic() + TOLD_WITHIN_S
        while self._untold() and time.monotonic() < until_s:
            self._go_on()
        film.stop()
        figures.frames = film.count
        # 1. Frames
        figures.wrong = [
            (round(at_s - began_s, 2), said) for at_s, said in film.wrong if said != "idle"
        ]
        figures.idle_s = round(max((end - begin for begin, end in film.idle), default=0), 1)
        if figures.idle_s > IDLE_MOST_S:
            figures.wrong.append((round(time.time() - began_s, 2), "idle"))
        # 2. Nobody after their dark ack
        figures.lag_s = self._lag_s()
        dark_at_s = self.record(darks)
        away = [*self.past, *((person, time.time()) for person in self.down)]
        for person, until_s in away:
            dark_s = dark_at_s.get(person.pk)
            if dark_s is None:
                figures.errors.append(f"{person.pk} was never told to be dark")
                continue
            figures.darks += 1
            figures.seen_after_dark += [
                round(at_s - began_s, 2)
                for at_s, colour in film.seen
                if colour == person.colour and dark_s + figures.lag_s < at_s < until_s
            ]
        # 3. Plays
        changed = self._changed()
        figures.changes, figures.in_passing = len(changed), len(self._in_passing())
        figures.plays_untold = len(self._untold())
        told = [(pk, at_s) for pk, at_s in self.record(plays) if at_s < self.over_s - 2]
        figures.plays_unseen = len(_unmatched(told, changed))

    def _lag_s(self) -> float:
        known = [*self.up, *self.down, *(person for person, _ in self.past)]
        colours = {person.pk: person.colour for person in known}
        lags = []
        for pk, at_s in self._changed():
            seen = [ms for ms, n in self.film.heroes if n == colours.get(pk) and ms >= at_s]
            if seen and seen[0] < at_s + SLOT_S:
                lags.append(seen[0] - at_s)
        return round(p(lags, 90), 2) if len(lags) > 1 else 0.0

    def _changed(self) -> list[tuple[str, float]]:
        """To the end of the run: what changes afterwards is still to be told."""
        found = [(pk, ms / 1000) for pk, ms, _ in self.page.evaluate("changed()")]
        return [(pk, at_s) for pk, at_s in found if at_s < self.over_s]

    def _in_passing(self) -> list[tuple[str, float]]:
        found = self.page.evaluate("changed()")
        return [
            (pk, from_ms / 1000)
            for pk, from_ms, to_ms in found
            if to_ms is not None and to_ms - from_ms < 1000 * IN_PASSING_S
        ]

    def _untold(self) -> list[tuple[str, float]]:
        passing = self._in_passing()
        wanted = [change for change in self._changed() if change not in passing]
        return _unmatched(wanted, self.record(plays))


def _unmatched(
    wanted: Sequence[tuple[str, float]], found: Sequence[tuple[str, float]]
) -> list[tuple[str, float]]:
    """Those of whom the others do not have one of their own at that moment, within two seconds."""
    left = list(found)
    missing = []
    for pk, at_s in wanted:
        near = [one for one in left if one[0] == pk and abs(one[1] - at_s) < 2]
        if near:
            left.remove(min(near, key=lambda one: abs(one[1] - at_s)))
        else:
            missing.append((pk, at_s))
    return missing


def _note_load(figures: Figures, said: str) -> None:
    if said.startswith("loads anew"):
        figures.loads.append(said)


def soak(stack: Stack, browser: Browser, *, minutes: float, seed: int) -> Figures:
    figures = Figures(minutes, seed)
    with ThreadPoolExecutor(1) as thread:
        record = Record(stack, thread)
        record(set_up)
        context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
        context.add_init_script(f"({WATCH})()")
        page = context.new_page()
        page.on("pageerror", lambda error: figures.errors.append(str(error)))
        page.goto(stack.screen_url)
        page.wait_for_selector('html[data-socket="open"]')
        up: list[Person] = []

        def first() -> str:
            up.append(Person(record(approve, 0), 0, time.time()))
            return up[0].pk

        judged: Judge = learn(page, first, colours=PALETTE)
        settled(page)
        film = SoakFilm(page, judged)
        run = Soak(stack, page, record, film, random.Random(seed), figures, up)
        film.start()
        film.client.send("Network.enable")
        page.on("console", lambda said: _note_load(figures, said.text))
        for _ in range(PEOPLE_LEAST):
            run.arrive()
        began_s = time.time()
        run.run(minutes)
        page.wait_for_selector('html[data-socket="open"]', timeout=60_000)
        run.judge(began_s)
        context.close()
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak_screen", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        stack = held.enter_context(Stack(folder / "var"))
        browser = held.enter_context(chromium())
        figures = soak(stack, browser, minutes=options.minutes, seed=options.seed)
    print(json.dumps({**vars(figures), "load": round(os.getloadavg()[0], 1)}))
    return 0 if figures.is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
