from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaign import (
    endings,
    generation,
    leases,
    lifecycle,
    retention,
    screening,
    signals,
    tasks,
    workers,
)
from campaign.enums import JobOutcome, SubmissionState
from campaign.errors import StorageAway
from campaign.models import Campaign, EngineWorker, GenerationJob, HostedRequest, Submission
from deploy.celery import BROKER_PATIENCE_S, app
from tests import shelf
from tests.campaign.test_workers import KLEIN

S = SubmissionState


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have gone to the broker."""
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        app, "send_task", lambda name, args, kwargs, **_: rung.append((name, *args))
    )
    for task in (tasks.screen, tasks.lose_patience, tasks.let_go, *tasks.BELLS.values()):
        monkeypatch.setattr(
            task,
            "apply_async",
            lambda args=(), kwargs=None, name=task.name, **_: rung.append((name, *args)),
        )
    return rung


def test_moves_ring_their_bells_after_commit(
    receive: Callable[..., Submission],
    bells: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submission = receive()
        assert bells == []
    assert bells == [("campaign.tasks.screen", str(submission.pk))]
    with django_capture_on_commit_callbacks(execute=True):
        screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    assert bells[1:] == [("campaign.tasks.generate",)]


@pytest.fixture
def mute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A broker that takes calls and never answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path_factory.mktemp("mute") / "v.sock"))
        server.listen()
        server.setblocking(False)
        yield server


def calls_to(server: socket.socket) -> int:
    """How many there were."""
    calls = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            calls += 1
    return calls


def test_nobody_waits_long_for_a_broker_that_hangs(mute: socket.socket) -> None:
    def bell() -> None:
        with app.connection_for_write(url=f"redis+socket://{mute.getsockname()}") as connection:
            tasks.screen.apply_async(("1",), connection=connection)

    def ring_three() -> None:
        for _ in range(3):
            tasks.ring(bell)

    waiting = threading.Thread(target=ring_three, daemon=True)
    waiting.start()
    waiting.join(5 * BROKER_PATIENCE_S)
    assert not waiting.is_alive()
    assert calls_to(mute) == 1, "the first bell has waited for all"


def test_sweep_rings_for_what_lost_bells_left_behind(
    receive: Callable[..., Submission], bells: list[tuple[Any, ...]]
) -> None:
    tasks.sweep()
    assert bells == []
    stuck, ready = receive(), receive()
    screening.enqueue(ready, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    Submission.objects.filter(pk=stuck.pk).update(
        state_since_at=timezone.now() - timedelta(minutes=1)
    )
    tasks.sweep()
    assert sorted(bells) == [
        ("campaign.tasks.generate",),
        ("campaign.tasks.screen", str(stuck.pk)),
    ]


def test_what_has_a_time_of_its_own_does_not_stand_behind_a_crowd() -> None:
    app.control.purge()
    for n in range(3):
        tasks.screen.delay(str(n))
    tasks.sweep.delay()
    tasks.lose_patience.delay("someone")
    with app.connection_for_read() as connection:
        waiting = connection.SimpleQueue("default")
        heard = [waiting.get(timeout=5) for _ in range(5)]
        for each in heard:
            each.ack()
    names = [each.headers["task"].rpartition(".")[2] for each in heard]
    assert names == ["sweep", "lose_patience", "screen", "screen", "screen"]


@pytest.mark.parametrize("broken", ["clearsessions", "orphans"])
def test_tidying_does_each_of_its_things_though_another_breaks(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    done: list[str] = []

    def do(name: str, **_: object) -> None:
        done.append(name)
        if name == broken:
            raise OSError("away")

    def others(**_: object) -> None:
        do("others")

    monkeypatch.setattr(tasks, "call_command", do)
    monkeypatch.setattr(retention, "purge_orphans", lambda: do("orphans"))
    signals.tidying.connect(others)
    tasks.tidy()
    signals.tidying.disconnect(others)
    assert done == ["clearsessions", "others", "orphans"]


@pytest.fixture
def painted(campaign: Campaign) -> Campaign:
    campaign.engine = "klein"
    campaign.save()
    workers.beat(KLEIN)
    return campaign


def test_each_engine_is_rung_and_patience_has_a_bell_of_its_own(
    painted: Campaign, bells: list[tuple[Any, ...]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        submission = shelf.put(painted, S.QUEUED)
    assert bells[-3:] == [
        ("campaign.tasks.paint",),
        ("campaign.tasks.generate",),
        ("campaign.tasks.lose_patience", str(submission.pk)),
    ]


def test_what_is_given_back_rings_no_bell(
    campaign: Campaign, bells: list[tuple[Any, ...]], django_capture_on_commit_callbacks: Any
) -> None:
    """It would be heard at once, and the job waits a while."""
    shelf.put(campaign, S.QUEUED)
    (held,) = generation.claim(limit=1)
    bells.clear()
    with django_capture_on_commit_callbacks(execute=True):
        endings.put_off(held, StorageAway())
    assert shelf.state_of(Submission.objects.get()) == S.QUEUED
    assert bells == []


def test_bell_of_patience_rings_when_it_ends(
    painted: Campaign, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        tasks.lose_patience, "apply_async", lambda args, countdown: waits.append(countdown)
    )
    Campaign.objects.update(patience_s=60)
    painted.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        shelf.put(painted, S.QUEUED)
    (wait_s,) = waits
    assert 50 < wait_s <= 60
    # No worker holds a bell for an hour: the sweep sees to it.
    Campaign.objects.update(patience_s=3600)
    painted.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        shelf.put(painted, S.QUEUED)
    assert len(waits) == 1


def test_engine_that_nobody_hears_is_not_rung(
    painted: Campaign, bells: list[tuple[Any, ...]]
) -> None:
    shelf.put(painted, S.QUEUED)
    tasks.sweep()
    assert sorted(bells) == [("campaign.tasks.generate",), ("campaign.tasks.paint",)]
    bells.clear()
    EngineWorker.objects.all().delete()
    tasks.sweep()
    assert bells == [("campaign.tasks.generate",)]


def test_sweep_has_pictures_dropped_that_nobody_waits_for(
    bare: Submission, bells: list[tuple[Any, ...]]
) -> None:
    job = GenerationJob.objects.create(submission=bare, recipe={}, engine="hosted")
    HostedRequest.objects.create(
        job=job, key="1", request_id="r-1", endpoint="one", cost_usd=Decimal("0.03")
    )
    workers.beat(replace(KLEIN, node="worker-hosted@box", engine="hosted"))
    tasks.sweep()
    assert bells == [("campaign.tasks.order",)]
    leases.close(GenerationJob.objects.all(), outcome=JobOutcome.CANCELLED)
    bells.clear()
    tasks.sweep()
    assert bells == [("campaign.tasks.let_go",)]
    EngineWorker.objects.all().delete()  # nobody has the key
    bells.clear()
    tasks.sweep()
    assert bells == []


def test_sweep_loses_patience_where_its_bell_was_lost(
    painted: Campaign, bells: list[tuple[Any, ...]]
) -> None:
    submission = shelf.put(painted, S.QUEUED)
    over = timezone.now() - timedelta(seconds=1)
    Submission.objects.update(patience_ends_at=over)
    submission.jobs.filter(role="stand_in").update(outcome="failed")
    EngineWorker.objects.all().delete()
    tasks.sweep()
    assert ("campaign.tasks.lose_patience", str(submission.pk)) in bells
    tasks.lose_patience(str(submission.pk))
    assert shelf.state_of(submission) == S.FAILED  # nobody is left to make it


def test_patience_that_a_clock_ahead_has_written_is_over(
    painted: Campaign, bells: list[tuple[Any, ...]]
) -> None:
    """It would have waited as long as the clock was ahead. One that is long by rule goes on."""
    submission = shelf.put(painted, S.QUEUED)
    submission.jobs.filter(role="stand_in").update(outcome="failed")
    EngineWorker.objects.all().delete()
    Submission.objects.update(patience_ends_at=timezone.now() + timedelta(hours=2))
    Campaign.objects.update(patience_s=3 * 3600)
    tasks.sweep()
    tasks.lose_patience(str(submission.pk))
    assert shelf.state_of(submission) == S.QUEUED
    Campaign.objects.update(patience_s=20)
    bells.clear()
    tasks.sweep()
    assert ("campaign.tasks.lose_patience", str(submission.pk)) in bells
    tasks.lose_patience(str(submission.pk))
    assert shelf.state_of(submission) == S.FAILED


@pytest.mark.django_db(transaction=True)
def test_dead_broker_costs_nobody_their_submission(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with app.connection(f"redis+socket://{tmp_path}/nobody.sock") as dead:
        monkeypatch.setattr(app, "connection_for_write", lambda *_, **__: dead.clone())
        monkeypatch.setattr(app.amqp, "_producer_pool", None)
        submission = receive()
    assert Submission.objects.get(pk=submission.pk).state == S.SCREENING


def test_figurines_solids_and_clips_have_queues_of_their_own() -> None:
    routes = app.conf.task_routes
    queues = {name: route for name, route in routes.items() if "queue" in route}
    assert queues == {
        "campaign.tasks.generate": {"queue": "generation"},
        "campaign.tasks.paint": {"queue": "gpu"},
        "campaign.tasks.order": {"queue": "hosted"},
        "campaign.tasks.let_go": {"queue": "hosted"},
        "campaign.tasks.cast": {"queue": "solids"},
        "campaign.tasks.film": {"queue": "clips"},
    }
    assert (app.conf.task_acks_late, app.conf.worker_prefetch_multiplier) == (True, 1)


def test_every_process_rings_the_same_broker() -> None:
    """Without the receiver, or with Celery's default app, bells of the web would go unheard."""
    code = """
import django
django.setup()
from django.dispatch import Signal
from campaign import signals
import sys
tasks = sys.modules["campaign.tasks"]
print(tasks.screen.app.main, tasks.ring_on_commit in signals.transitioned._live_receivers(
    tasks.Submission)[0])
"""
    out = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "deploy.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split() == ["diorama", "True"]
