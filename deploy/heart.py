"""The beats of an engine's worker: a file for the watchdog outside, a row for whoever routes work.

Threads of their own, because they fail apart: a database that does not answer must not look like a
process that hangs. A third one purges, since the bell that asks for it each minute comes through
the broker, and a broker may be away for a night.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db import Error, connection

from campaign import retention, workers
from campaign.enums import WorkerState
from campaign.workers import Vitals
from deploy import pulse
from deploy.pulse import Pulse
from figurine.engines.base import Batching, Engine

log = structlog.get_logger(__name__)

BEAT_EVERY_S: Final = 4.0
SWEEP_EVERY_BEATS: Final = 900
PURGE_EVERY_S: Final = 120.0
"""A selfie that is kept for an hour has five minutes left when its deletion is due."""
GOODBYE_S: Final = 1.0
"""Of the 2.5 s that a supervisor gives all of it."""


class Heart:
    """Beats from `start` to `stop`: "starting" until an engine is there, then "ready"."""

    def __init__(
        self,
        *,
        node: str,
        engine: str,
        file: Path,
        at_once: int = 1,
        every_s: float = BEAT_EVERY_S,
        purge_every_s: float = PURGE_EVERY_S,
    ) -> None:
        """node: the worker's name and machine, as "worker-gpu-0@box". file: its pulse.
        at_once: jobs that its pool has in hand at a time."""
        self.node = node
        self.engine = engine
        self._file = file
        self._at_once = at_once
        self._every_s = every_s
        self._purge_every_s = purge_every_s
        self._made_ready: Engine | None = None
        self._over = threading.Event()
        self._news = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (
                ("pulse", self._pulse),
                ("beat", self._beat),
                ("purge", self._purge),
            )
        ]

    def start(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for thread in self._threads:
            thread.start()

    def ready(self, engine: Engine) -> None:
        """The engine is warm; others may know at once."""
        self._made_ready = engine
        self._news.set()

    def stop(self) -> None:
        """Returns when nothing beats any more, or the database takes too long to hear that."""
        self._over.set()
        self._news.set()
        for thread in self._threads:
            thread.join(GOODBYE_S)

    @property
    def is_ready(self) -> bool:
        return self._made_ready is not None

    @property
    def state(self) -> WorkerState:
        work = workers.in_hand()
        if work and time.monotonic() > work.due_s:
            return WorkerState.STUCK
        return WorkerState.READY if self.is_ready else WorkerState.STARTING

    def vitals(self) -> Vitals:
        engine = self._made_ready
        device, peak_bytes = _card(settings.WORKSHOP.device) if engine else ("", 0)
        return Vitals(
            node=self.node,
            engine=self.engine,
            host=self.node.partition("@")[2],
            pid=os.getpid(),
            device=device,
            state=self.state,
            batch=engine.capacity() if isinstance(engine, Batching) else self._at_once,
            peak_bytes=peak_bytes,
        )

    def _pulse(self) -> None:
        while not self._over.is_set():
            beat = Pulse(at_s=time.monotonic(), state=self.state)
            if work := workers.in_hand():
                beat = replace(beat, work=work.what, since_s=work.since_s, limit_s=work.limit_s)
            self._written(beat)
            self._over.wait(pulse.EVERY_S)
        # Not taken away: whatever is left to do until the process is gone may hang too.
        self._written(Pulse(at_s=time.monotonic(), state="stopping"))

    def _written(self, beat: Pulse) -> None:
        try:
            pulse.write(self._file, beat)
        except OSError as error:  # a full disk, which the watchdog heeds (deploy/pulse.py)
            log.warning("pulse not written this time", error=type(error).__name__)

    def _beat(self) -> None:
        beats = 0
        while not self._over.is_set():
            self._news.clear()
            self._told(lambda: workers.beat(self.vitals()))
            if beats % SWEEP_EVERY_BEATS == 0:
                self._told(lambda: workers.sweep(self.engine))
            beats += 1
            if not self._over.is_set():
                self._news.wait(self._every_s)
        self._told(lambda: workers.leave(node=self.node, pid=os.getpid()))

    def _purge(self) -> None:
        while not self._over.wait(self._purge_every_s):
            try:
                retention.purge()
            except Exception:
                log.exception("purge failed, will be tried again")
            finally:
                connection.close()

    def _told(self, tell: Callable[[], object]) -> None:
        try:
            tell()
        except Error as error:
            log.warning("beat not written this time", error=type(error).__name__)
        finally:
            connection.close()


def _card(device: str) -> tuple[str, int]:
    """Name of the GPU that this process paints on, and most bytes held of it; ("", 0) without one.

    device: torch's name of it; empty: the first.

    Asked once the engine is warm: what has not loaded torch by then has no use for it.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return "", 0
    card = device or None
    return torch.cuda.get_device_name(card), int(torch.cuda.max_memory_reserved(card))
