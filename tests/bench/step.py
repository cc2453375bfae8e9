"""How far apart the screens of a wall change: `python -m tests.bench.step`.

Three real Chromiums on one wall, each with a device's clock that is hours wrong, against a real web
process. The moment of a change is read on this machine's own clock, in the frame after it. The
floor, in the same pages and the same run: no player, only "draw at this moment" by that clock.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

SCREENS = 3
PEOPLE = 4
CHANGES = 40
SLOT_S = 2
TARGET_MS = 50
SIZE = {"width": 480, "height": 270}
KNOWS_TIME = 'html[data-clock-within-ms]:not([data-clock-within-ms=""])'

WATCH = """(skewMs) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + skewMs;
    globalThis.trueMs = () => performance.timeOrigin + performance.now();
    globalThis.changed = [];
    const isUp = (card) => card.matches('.place .card[data-submission][data-state=on]');
    new MutationObserver((all) => all.forEach(({target}) => isUp(target)
        && requestAnimationFrame(() => changed.push([target.dataset.submission, trueMs()]))))
        .observe(document, {subtree: true, attributes: true, attributeFilter: ['data-state']});
    globalThis.drawnAt = (atMs) => new Promise((drawn) => {
        const look = () => trueMs() >= atMs - 8 ? requestAnimationFrame(() => drawn(trueMs()))
            : requestAnimationFrame(look);
        look();
    });
    globalThis.floors = [];
}"""


@dataclass
class Figures:
    """Milliseconds between the first and the last of the screens."""

    spread_ms: list[float] = field(default_factory=list)
    floor_ms: list[float] = field(default_factory=list)
    alone: int = 0
    """Changes that not all screens made."""
    within_ms: list[float] = field(default_factory=list)
    """What each screen's clock says it is within, at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.step", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--slot-s", type=int, default=SLOT_S)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    importlib.import_module("tests.environment")  # before Django's settings
    os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
    import django

    django.setup()
    figures = measure(changes=options.changes, slot_s=options.slot_s)
    if options.json:
        print(json.dumps(asdict(figures)))
        return 0
    print(f"load {os.getloadavg()[0]:.1f} at {time.strftime('%Y-%m-%d %H:%M')}")
    for name, found in (("the wall", figures.spread_ms), ("the floor", figures.floor_ms)):
        worst = max(found)
        middle = statistics.median(found)
        print(f"{name:12}{len(found):4} changes{middle:8.1f} p50{worst:8.1f} worst, ms")
    print(f"not made by all: {figures.alone}; clocks within {max(figures.within_ms):.1f} ms")
    return 0


def measure(*, changes: int, slot_s: int) -> Figures:
    from tests.browser import chromium
    from tests.web import web

    figures = Figures()
    with ExitStack() as stack:
        aside = stack.enter_context(ThreadPoolExecutor(1))  # Playwright's loop runs in this one
        keys = aside.submit(_set_up, slot_s).result()
        address = stack.enter_context(web())
        browser = stack.enter_context(chromium())
        pages = []
        for n, key in enumerate(keys):
            context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
            context.add_init_script(f"({WATCH})({(n - 1) * 7_200_000 + n * 333})")
            page = context.new_page()
            page.goto(f"{address}/screen/#key={key}")
            page.wait_for_selector("html:not([data-hero=''])", timeout=30_000)
            pages.append(page)
        for page in pages:
            page.wait_for_selector(KNOWS_TIME, timeout=15_000)
        pages[0].wait_for_timeout(1000 * slot_s)  # what was planned before all were there
        for page in pages:
            page.evaluate("() => { changed.length = 0; }")
        # The floor in between, so that both meet the same machine.
        begin_ms = pages[0].evaluate("trueMs()") + 500
        floor_ms = [begin_ms + 1000 * slot_s * n for n in range(changes)]
        asked = "(all) => all.forEach((ms) => void drawnAt(ms).then((at) => floors.push([ms, at])))"
        for page in pages:
            page.evaluate(asked, floor_ms)
        pages[0].wait_for_timeout(1000 * slot_s * changes + 1000)
        floors = [dict(page.evaluate("floors")) for page in pages]
        figures.floor_ms = [_spread([each[ms] for each in floors]) for ms in floor_ms]
        seen = [page.evaluate("changed") for page in pages]
        _match(figures, seen, within_ms=500 * slot_s)
        within = [page.locator("html").get_attribute("data-clock-within-ms") for page in pages]
        figures.within_ms = [float(each or "nan") for each in within]
    return figures


def _match(figures: Figures, seen: list[list[tuple[str, float]]], *, within_ms: float) -> None:
    first, *others = seen
    for who, at_ms in first[1:-1]:  # the outermost may be cut off elsewhere
        found = [at_ms]
        for other in others:
            near = [ms for name, ms in other if name == who and abs(ms - at_ms) < within_ms]
            found += near[:1]
        if len(found) == len(seen):
            figures.spread_ms.append(_spread(found))
        else:
            figures.alone += 1


def _spread(moments_ms: list[float]) -> float:
    return max(moments_ms) - min(moments_ms)


def _set_up(slot_s: int) -> list[str]:
    from django.core.management import call_command
    from django.db import connection

    from billboard import pairing
    from billboard.models import Screen, Wall
    from campaign.models import Campaign
    from tests.billboard.rows import approved

    call_command("migrate", verbosity=0)
    words: dict[str, Any] = {"slug": uuid.uuid4().hex[:12], "name": "Bench Company"}
    campaign = Campaign.objects.create(**words, slot_s=slot_s)
    for n in range(PEOPLE):
        approved(campaign, plaque=f"P{n}")
    wall = Wall.objects.create(campaign=campaign, name="Times Square")
    keys = [
        pairing.issue_token(Screen(campaign=campaign, name=f"Panel {n}", wall=wall))
        for n in range(SCREENS)
    ]
    connection.close()
    return keys


if __name__ == "__main__":
    sys.exit(main())
