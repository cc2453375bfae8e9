"""Which engines have a worker: each tells of itself in the record, without the broker.

A worker process beats into its row (deploy/heart.py); whoever routes work asks `alive`. What a
process has in hand just now, and for how long it may, is kept here too: leases.py says it, the
watchdog outside reads it (deploy/pulse.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django.utils import timezone

from campaign.enums import WorkerState
from campaign.models import EngineWorker

HEARD_S: Final = 15.0
"""Three beats and a little: one that was late, or lost to a busy database, costs nothing."""
FORGOTTEN_S: Final = 86_400.0
ASSUMED: Final = "sculpt"
"""Taken as alive until its first worker has beaten: every installation has one."""


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What a worker process tells of itself with each beat."""

    node: str
    """Its name and its machine, such as "worker-gpu-0@box": whoever starts anew takes it over."""
    engine: str
    host: str
    pid: int
    device: str
    state: WorkerState
    batch: int = 1
    peak_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Seen(Vitals):
    """The same as others see it."""

    beat_at: datetime
    is_heard: bool
    """Within the last HEARD_S; otherwise `state` is only the last word of somebody who is gone."""


def beat(vitals: Vitals) -> None:
    """Write this worker's row in one statement; whoever was of that name before is replaced."""
    told = {name: getattr(vitals, name) for name in _TOLD}
    row = EngineWorker(node=vitals.node, beat_at=timezone.now(), **told)
    EngineWorker.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["node"], update_fields=[*_TOLD, "beat_at"]
    )


_TOLD: Final = ("engine", "host", "pid", "device", "state", "batch", "peak_bytes")


def leave(*, node: str, pid: int) -> None:
    """Take the row away, unless another process has taken it over."""
    EngineWorker.objects.filter(node=node, pid=pid).delete()


def sweep(engine: str) -> int:
    """Delete rows of workers that have been gone for a day. Returns how many.

    An engine's last word stays, however old: it is what tells "gone" from "never was there".
    """
    rows = EngineWorker.objects.filter(engine=engine)
    newest_at = rows.aggregate(Max("beat_at"))["beat_at__max"]
    long_gone = rows.filter(beat_at__lt=timezone.now() - timedelta(seconds=FORGOTTEN_S))
    return long_gone.exclude(beat_at=newest_at).delete()[0]


def snapshot() -> list[Seen]:
    """Every known worker, by engine and name."""
    since = timezone.now() - timedelta(seconds=HEARD_S)
    return [
        Seen(
            node=row.node,
            beat_at=row.beat_at,
            is_heard=row.beat_at >= since,
            **{name: getattr(row, name) for name in _TOLD},
        )
        for row in EngineWorker.objects.all()
    ]


def alive() -> frozenset[str]:
    """Names of the engines with a worker that is ready and was heard just now."""
    return frozenset(engine for engine, word in words(()).items() if word == "ok")


def words(engines: Iterable[str]) -> dict[str, str]:
    """How each of these engines, and each that ever had a worker, stands.

    "ok": a worker is ready; "starting": one warms up; "away": none is there, or it is stuck.
    """
    said = dict.fromkeys((*engines, ASSUMED), "away")
    seen = snapshot()
    if all(worker.engine != ASSUMED for worker in seen):
        said[ASSUMED] = "ok"
    for worker in seen:
        word = _WORDS.get(worker.state, "away") if worker.is_heard else "away"
        said[worker.engine] = min(said.get(worker.engine, "away"), word, key=_RANK.index)
    return said


_WORDS: Final = {WorkerState.READY.value: "ok", WorkerState.STARTING.value: "starting"}
_RANK: Final = ("ok", "starting", "away")


@dataclass
class Work:
    """What a process has in hand."""

    what: str
    since_s: float
    """time.monotonic(): since boot, so the same for every process of a machine."""
    own_s: float
    """How long it may take by itself."""
    takes_turns: bool = False
    wait_s: float = 0.0
    """How long it may wait for another's turn: the longest `own_s` that was beside it."""

    @property
    def limit_s(self) -> float:
        return self.own_s + self.wait_s

    @property
    def due_s(self) -> float:
        return self.since_s + self.limit_s


_in_hand: dict[int, Work] = {}
_hands = threading.Lock()


@contextmanager
def at_work(what: str, *, limit_s: float, takes_turns: bool = False) -> Iterator[Work]:
    """Tell, while the block runs, what this process works on and how long it may take.

    takes_turns: it shares what it works with, such as a graphics card, with others that say so too.
    Each may then take as long again as the longest of those beside it, whichever began first.
    """
    work = Work(what, time.monotonic(), limit_s, takes_turns)
    with _hands:
        for other in _in_hand.values():
            if takes_turns and other.takes_turns:
                other.wait_s = max(other.wait_s, work.own_s)
                work.wait_s = max(work.wait_s, other.own_s)
        _in_hand[id(work)] = work
    try:
        yield work
    finally:
        with _hands:
            del _in_hand[id(work)]


def in_hand() -> Work | None:
    """Of all that this process works on, what is due first."""
    with _hands:
        return min(_in_hand.values(), key=lambda work: work.due_s, default=None)
