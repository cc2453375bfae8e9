from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaign import leases, workers
from campaign.enums import WorkerState
from campaign.leases import Claim
from campaign.models import EngineWorker, GenerationJob, Submission
from campaign.workers import Vitals

KLEIN = Vitals(
    node="worker-gpu-0@box",
    engine="klein",
    host="box",
    pid=7,
    device="NVIDIA H200",
    state=WorkerState.READY,
    batch=8,
    peak_bytes=9_000_000_000,
)
SCULPT = replace(KLEIN, node="generation@box", engine="sculpt", pid=8, device="", batch=1)


def silent_for(node: str, seconds: float) -> None:
    EngineWorker.objects.filter(node=node).update(
        beat_at=timezone.now() - timedelta(seconds=seconds)
    )


def test_nobody_has_ever_beaten(db: None) -> None:
    assert workers.alive() == {"sculpt"}
    assert workers.words(["klein"]) == {"klein": "away", "sculpt": "ok"}


def test_engine_is_alive_while_its_worker_is_ready_and_heard(db: None) -> None:
    workers.beat(KLEIN)
    assert workers.alive() == {"sculpt", "klein"}
    silent_for(KLEIN.node, workers.HEARD_S + 1)
    assert workers.alive() == {"sculpt"}
    assert workers.words(()) == {"sculpt": "ok", "klein": "away"}


@pytest.mark.parametrize(
    ("state", "word"), [(WorkerState.STARTING, "starting"), (WorkerState.STUCK, "away")]
)
def test_engine_whose_worker_is_not_ready_is_not_alive(
    db: None, state: WorkerState, word: str
) -> None:
    workers.beat(replace(KLEIN, state=state))
    assert workers.alive() == {"sculpt"}
    assert workers.words(()) == {"sculpt": "ok", "klein": word}


def test_engine_with_one_ready_worker_of_three_is_alive(db: None) -> None:
    for index, state in enumerate((WorkerState.STUCK, WorkerState.READY, WorkerState.STARTING)):
        workers.beat(replace(KLEIN, node=f"worker-gpu-{index}@box", state=state))
    assert workers.words(()) == {"sculpt": "ok", "klein": "ok"}


def test_sculpt_is_judged_like_the_others_once_it_has_beaten(db: None) -> None:
    workers.beat(SCULPT)
    assert workers.alive() == {"sculpt"}
    silent_for(SCULPT.node, workers.HEARD_S + 1)
    assert workers.alive() == frozenset()
    assert workers.words(()) == {"sculpt": "away"}


def test_beat_is_one_statement_and_takes_over_the_name(
    db: None, django_assert_num_queries: Any
) -> None:
    workers.beat(KLEIN)
    with django_assert_num_queries(1):
        workers.beat(replace(KLEIN, pid=9, state=WorkerState.STARTING, peak_bytes=1))
    (seen,) = workers.snapshot()
    assert (seen.pid, seen.state, seen.peak_bytes) == (9, "starting", 1)
    assert (seen.device, seen.batch, seen.is_heard) == ("NVIDIA H200", 8, True)


def test_worker_that_leaves_takes_its_own_row_alone(db: None) -> None:
    workers.beat(KLEIN)
    workers.beat(SCULPT)
    workers.leave(node=KLEIN.node, pid=6)  # its successor has the name by now
    assert workers.alive() == {"sculpt", "klein"}
    workers.leave(node=KLEIN.node, pid=KLEIN.pid)
    assert [seen.node for seen in workers.snapshot()] == [SCULPT.node]


def test_sweep_forgets_the_long_gone_but_an_engines_last_word(db: None) -> None:
    for index in range(3):
        workers.beat(replace(SCULPT, node=f"generation@pod-{index}"))
        silent_for(f"generation@pod-{index}", workers.FORGOTTEN_S + 10 - index)
    workers.beat(replace(KLEIN, node="worker-gpu-1@box"))
    silent_for("worker-gpu-1@box", workers.FORGOTTEN_S + 1)
    assert workers.sweep("sculpt") == 2
    assert [seen.node for seen in workers.snapshot()] == ["worker-gpu-1@box", "generation@pod-2"]
    assert workers.alive() == frozenset(), "gone is not the same as never there"


def test_snapshot_tells_who_is_not_heard(db: None) -> None:
    workers.beat(KLEIN)
    silent_for(KLEIN.node, workers.HEARD_S + 1)
    (seen,) = workers.snapshot()
    assert (seen.node, seen.state, seen.is_heard) == (KLEIN.node, "ready", False)


def test_in_hand_is_what_is_due_first() -> None:
    assert workers.in_hand() is None
    with workers.at_work("slow", limit_s=60):
        started = threading.Event()
        done = threading.Event()

        def other() -> None:
            with workers.at_work("quick", limit_s=5):
                started.set()
                done.wait(10)

        thread = threading.Thread(target=other)
        thread.start()
        assert started.wait(10)
        quick = workers.in_hand()
        assert quick and (quick.what, quick.limit_s) == ("quick", 5)
        assert 0 <= time.monotonic() - quick.since_s < 10
        done.set()
        thread.join()
        slow = workers.in_hand()
        assert slow and slow.what == "slow"
    assert workers.in_hand() is None


def test_work_that_takes_turns_has_the_others_time_too() -> None:
    with workers.at_work("first", limit_s=60, takes_turns=True) as first:
        with (
            workers.at_work("second", limit_s=5, takes_turns=True) as second,
            workers.at_work("alone", limit_s=90) as alone,
        ):
            assert [work.limit_s for work in (first, second, alone)] == [65, 65, 90]
        for _ in range(3):  # who hangs is not waited for the longer, the more come
            with workers.at_work("third", limit_s=7, takes_turns=True) as third:
                assert [work.limit_s for work in (first, third)] == [67, 67]


@pytest.mark.django_db(transaction=True)
def test_leased_work_is_in_hand_with_its_limit(bare: Submission) -> None:
    job = GenerationJob.objects.create(submission=bare, recipe={}, seed=1)
    claim: Claim = leases.take(job, submission_id=bare.pk)
    with leases.renewed([claim, claim], limit_s=60.0):
        work = workers.in_hand()
    assert work and (work.what, work.limit_s) == ("2 x GenerationJob", 60.0)
    assert workers.in_hand() is None
