"""How long the main job takes, measured from outside: `python -m tests.bench.spine`.

Starts the product on an empty folder, sends selfies one after another through http, approves each
the way the desk does, and watches a real Chromium on the screen's page. Prints p50 and p95.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.bench.timing import p, timed
from tests.browser import chromium
from tests.photos import portrait
from tests.stack import Crew, Phone, Stack, wait_until

RUNS = 20
FIGURINE_LIMIT_S = 120


@dataclass
class Spans:
    """Seconds of each stage, one number a run."""

    upload: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    figurine: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    dark: list[float] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.spine", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args(arguments).runs
    with tempfile.TemporaryDirectory(prefix="spine-") as folder:
        stack = Stack(Path(folder) / "var")
        first = timed(stack.start)
        stack.stop()
        again = timed(stack.start)
        try:
            spans = measure(stack, runs=runs)
        finally:
            stack.stop()
    print(f"{'cold start, empty folder':34}{first:8.2f} s")
    print(f"{'start on an existing folder':34}{again:8.2f} s")
    print(f"\n{runs} runs, one after another{'p50':>15}{'p95':>10}")
    for name, seconds in (
        ("GET /livez (floor of one request)", spans.floor),
        ("upload -> accepted", spans.upload),
        ("accepted -> figurine", spans.figurine),
        ("approve -> shown", spans.shown),
        ("recall -> dark", spans.dark),
    ):
        print(f"{name:34}{1000 * p(seconds, 50):8.0f}{1000 * p(seconds, 95):10.0f} ms")
    return 0


def measure(stack: Stack, *, runs: int) -> Spans:
    """Send, approve, see, recall, `runs` times."""
    spans, photo, crew = Spans(), portrait().read_bytes(), Crew(stack)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(stack.screen_url)
        page.wait_for_selector('html[data-socket="open"]')
        for run in range(runs):
            one_run(spans, stack, crew, page, photo=photo, name=f"RUN {run}")
    return spans


def one_run(spans: Spans, stack: Stack, crew: Crew, page: Page, *, photo: bytes, name: str) -> None:
    phone = Phone(stack)
    phone.session.get(stack.phone_url, timeout=10)
    spans.floor.append(timed(lambda: phone.session.get(f"{stack.url}/livez", timeout=10)))
    spans.upload.append(timed(lambda: phone.submit(photo, plaque=name)))
    spans.figurine.append(timed(lambda: phone.wait_for("review", within_s=FIGURINE_LIMIT_S)))
    card = crew.waiting()[0]
    spans.shown.append(timed(lambda: decide_and_see(crew, card, "approve", page, hero=card["id"])))
    spans.dark.append(timed(lambda: decide_and_see(crew, card, "recall", page, hero="")))


def decide_and_see(
    crew: Crew, card: dict[str, Any], verdict: str, page: Page, *, hero: str
) -> None:
    """Decide, and wait until the screen's page has drawn what follows."""
    card |= crew.decide(card, verdict, reason="technical" if verdict == "recall" else "")
    wait_until(
        lambda: page.locator("html").get_attribute("data-hero") == hero,
        within_s=30,
        what=f"the screen after {verdict}",
        every_s=0.005,
    )


if __name__ == "__main__":
    sys.exit(main())
