"""Celery's own scheduler, with the tasks and the settings of this installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery.beat import Scheduler, Service

from deploy.celery import app

AHEAD = timedelta(hours=2)
SWEEP_S = app.conf.beat_schedule["sweep"]["schedule"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Scheduler]]:
    """Start the scheduler that beat would, each time in the same folder."""
    started: list[Scheduler] = []

    def start() -> Scheduler:
        for earlier in started:
            earlier.close()
        service = Service(
            app, scheduler_cls=app.conf.beat_scheduler, schedule_filename=str(tmp_path / "beat")
        )
        started[:] = [service.get_scheduler()]
        return started[0]

    yield start
    for last in started:
        last.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Set Celery's clock ahead by so much."""
    right: Callable[[], datetime] = app.now

    def set_ahead(by: timedelta) -> None:
        def now() -> datetime:
            return right() + by

        monkeypatch.setattr(app, "now", now)

    return set_ahead


@pytest.mark.parametrize("is_started_anew", [False, True], ids=["running", "started anew"])
def test_clock_that_is_set_back_stops_no_sweep(
    start: Callable[[], Scheduler], clock: Callable[[timedelta], None], is_started_anew: bool
) -> None:
    clock(AHEAD)
    scheduler = start()
    assert scheduler.tick() <= SWEEP_S
    clock(timedelta())
    if is_started_anew:
        scheduler = start()
    assert scheduler.tick() <= SWEEP_S
    clock(timedelta(seconds=SWEEP_S))
    assert scheduler.tick() == 0, "something is due, and was run"
    assert scheduler.schedule["sweep"].total_run_count == 1


def test_clock_that_goes_on_keeps_when_each_task_ran(
    start: Callable[[], Scheduler], clock: Callable[[timedelta], None]
) -> None:
    clock(-timedelta(minutes=10))
    scheduler = start()
    ran_at = scheduler.schedule["tidy"].last_run_at
    clock(timedelta())
    assert scheduler.tick() == 0, "the sweep was due"
    assert scheduler.schedule["tidy"].last_run_at == ran_at


def test_beat_keeps_no_file_that_a_power_cut_could_empty(
    start: Callable[[], Scheduler], tmp_path: Path
) -> None:
    assert start().tick() <= SWEEP_S
    start()
    assert list(tmp_path.iterdir()) == []
