"""Celery as a doorbell: late acknowledgement, no results, quick redelivery."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from celery import Celery, signals
from kombu import Queue  # type: ignore[attr-defined]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

from django.conf import settings

TASK_LIMIT_S = 90

app = Celery("diorama", broker=settings.BROKER_URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_publish_retry=False,
    task_time_limit=TASK_LIMIT_S,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 2 * TASK_LIMIT_S,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
        # A visitor waits for the bell to be rung: one more try, then the sweep does it.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.05,
    },
    task_default_queue="default",
    task_queues=[Queue(name) for name in ("default", "generation", "solids", "clips")],  # type: ignore[no-untyped-call]
    task_routes={
        "campaign.tasks.generate": {"queue": "generation"},
        "campaign.tasks.cast": {"queue": "solids"},
        "campaign.tasks.film": {"queue": "clips"},
    },
    beat_schedule={
        "sweep": {"task": "campaign.tasks.sweep", "schedule": 5.0, "options": {"expires": 5.0}},
        "purge": {"task": "campaign.tasks.purge", "schedule": 60.0, "options": {"expires": 60.0}},
        "tidy": {
            "task": "campaign.tasks.tidy",
            "schedule": 900.0,
            "options": {"expires": 900.0},
        },
    },
)
app.autodiscover_tasks(["campaign"])


@signals.worker_ready.connect
def ring_own_bell(sender: Any, **_: Any) -> None:
    """Whatever became ready while no worker was there, or lapses with its dead predecessor's lease.

    The generation worker warms its engine up first: the first visitor need not wait for it. The
    keepsakes' workers do not: where none is ever made, they stay small.
    """
    from campaign import generation, leases, tasks  # noqa: PLC0415 - Django must be set up first

    if sender.hostname.startswith("generation@"):
        generation.engine("sculpt").warm_up()
    tasks.ring(tasks.sweep.delay)
    tasks.ring(partial(tasks.sweep.apply_async, countdown=leases.LEASE_S))
