"""How fast many screens hear, show and go dark: `python -m tests.bench.screens`.

Real web processes on PostgreSQL and Valkey, screens that speak the real protocol, two of them in
Chromium; in the same run the same frame goes through Valkey's pub/sub and the websockets library
alone. Whoever approves, all screens and all servers share this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from tests.bench.timing import p

ROUNDS = 20
PEOPLE = 20
"""Who are up all the time: what a snapshot has."""
CHROMIUMS = 2
CURRENT_LIMIT_S = 60


@dataclass
class Figures:
    """Seconds, but where a name says otherwise."""

    screens: int
    processes: int
    approving: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    dark: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Of all web processes, for one approval and one recall."""
    connection_kib: float = 0
    whole: float = 0
    """Until every screen knew all who are up, all of them new."""
    current: float = 0
    """Until every screen knew the latest, after all had lost their connection at once."""
    grown_percent: float = 0
    """Resident memory over the soak."""
    refused: str = ""
    """What the web processes logged."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.screens", description=__doc__)
    parser.add_argument("--runs", nargs="+", default=["1x1", "100x1", "200x1", "1000x3"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--chromiums", type=int, default=CHROMIUMS)
    parser.add_argument("--people", type=int, default=PEOPLE, help="who are up all the time")
    parser.add_argument("--soak-s", type=float, default=0, help="an hour is 3600")
    parser.add_argument("--sqlite", action="store_true", help="faster to start")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if not options.sqlite:
        os.environ["DIORAMA_TEST_DATABASE"] = "postgres"
    importlib.import_module("tests.environment")  # before Django's settings
    os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings"
    import django

    django.setup()
    from tests.bench import fan_out

    fan_out.prepare()
    all_figures = []
    for run in options.runs:
        screens, processes = map(int, run.split("x"))
        figures = Figures(screens, processes)
        asyncio.run(
            fan_out.measure(
                figures,
                rounds=options.rounds,
                chromiums=options.chromiums,
                soak_s=options.soak_s,
                people=options.people,
            )
        )
        all_figures.append(figures)
        if not options.json:
            _print(figures)
    if options.json:
        print(json.dumps([asdict(figures) for figures in all_figures]))
    return 0


def _print(figures: Figures) -> None:
    print(f"\n{figures.screens} screens, {figures.processes} web processes; load {_load()}")
    print(f"{'':34}{'p50':>10}{'p99':>10}")
    for name, seconds in (
        ("Valkey and websockets alone", figures.floor),
        ("the approval itself", figures.approving),
        ("approve -> received", figures.received),
        ("approve -> shown (Chromium)", figures.shown),
        ("recall -> dark, on record", figures.dark),
    ):
        if seconds:
            print(f"{name:34}{_ms(seconds, 50)}{_ms(seconds, 99)} ms")
    print(f"{'CPU for an approval and a recall':34}{p(figures.cpu_ms, 50):10.0f} ms")
    print(f"{'memory, a connection':34}{figures.connection_kib:10.0f} KiB")
    print(f"{'all who are up, to new screens':34}{figures.whole:10.2f} s")
    print(f"{'all back after a storm':34}{figures.current:10.2f} s")
    if figures.grown_percent:
        print(f"{'memory over the soak':34}{figures.grown_percent:10.1f} %")
    if figures.refused:
        print(figures.refused)
    sys.stdout.flush()


def _ms(seconds: list[float], percent: int) -> str:
    return f"{1000 * (p(seconds, percent) if len(seconds) > 1 else seconds[0]):10.0f}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} at {time.strftime('%H:%M')}"


if __name__ == "__main__":
    sys.exit(main())
