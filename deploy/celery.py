"""Celery as a doorbell: late acknowledgement, no results, quick redelivery."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from celery import Celery, signals
from kombu import Queue  # type: ignore[attr-defined]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

from django.conf import settings

from deploy import pulse
from figurine.errors import FigurineError

if TYPE_CHECKING:
    from deploy.heart import Heart

log = structlog.get_logger(__name__)

TASK_LIMIT_S = 90
QUEUES: Final = ("default", "generation", "gpu", "hosted", "solids", "clips")
BROKER_PATIENCE_S: Final = 3
"""A visitor waits meanwhile; whoever comes in the next seconds does not (campaign/silence.py)."""
BEHIND: Final = 3
"""In a crowd hundreds of selfies wait to be screened, and what has a time of its own (the sweep,
the purge, patience) is taken before them. Of Redis' and Valkey's priorities, 0 is the first.
Source: kombu, transport/redis.py, PRIORITY_STEPS."""
WARM_UP_LIMIT_S: Final = 600.0
"""Reading 16 GB from a cold disk and compiling graphs; twice that counts as hung."""

ENGINES: Final = {"generation": "sculpt", "worker-gpu": "klein", "worker-hosted": "hosted"}
"""By how the worker's name begins, the engine that is warm in it before it takes work."""
UNFIT_STATUS: Final = 78
BROKEN_STATUS: Final = 70
"""Of a worker whose engine lacks something (weights, a licence, a key), and of one whose engine
broke. Source: sysexits(3), EX_CONFIG and EX_SOFTWARE."""

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
        # Without it whoever asks a broker that hangs would wait for ever, with a connection to the
        # database in hand. A worker asks again every second.
        "socket_timeout": BROKER_PATIENCE_S,
        "socket_keepalive": True,
        # Nor is it asked twice: a visitor waits for the bell to be rung, and the sweep does it too.
        "max_retries": 0,
    },
    task_default_queue="default",
    task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
    task_routes={
        "campaign.tasks.screen": {"priority": BEHIND},
        "campaign.tasks.generate": {"queue": "generation"},
        "campaign.tasks.paint": {"queue": "gpu"},
        "campaign.tasks.order": {"queue": "hosted"},
        "campaign.tasks.let_go": {"queue": "hosted"},
        "campaign.tasks.cast": {"queue": "solids"},
        "campaign.tasks.film": {"queue": "clips"},
    },
    beat_scheduler="deploy.beat:Scheduler",
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


_heart: Heart | None = None


@signals.worker_init.connect
def begin_to_beat(sender: Any, **_: Any) -> None:
    """An engine's worker tells of itself from its first second on: "starting" is an answer too."""
    from deploy.heart import Heart  # noqa: PLC0415 - Django must be set up first

    global _heart
    name = sender.hostname.partition("@")[0]
    if engine := engine_of(name):
        _heart = Heart(
            node=sender.hostname,
            engine=engine,
            file=pulse.file_of(name, var=settings.VAR),
            at_once=sender.concurrency,
        )
        _heart.start()


@signals.worker_shutdown.connect
def stop_beating(**_: Any) -> None:
    if _heart:
        _heart.stop()


@signals.worker_ready.connect
def warm_up_and_ring_own_bell(**_: Any) -> None:
    """Warm up, tell it, and ring for whatever became ready meanwhile or lapses with a dead lease.

    Nothing is taken from the queue before this returns, so the first visitor need not wait for the
    engine. The keepsakes' workers do not warm up: where none is ever made, they stay small.
    """
    from campaign import leases, tasks  # noqa: PLC0415 - Django must be set up first

    if _heart and not _heart.is_ready:  # not again each time the broker comes back
        _warm_up(_heart)
    tasks.ring(tasks.sweep.delay)
    tasks.ring(partial(tasks.sweep.apply_async, countdown=leases.LEASE_S))


def engine_of(name: str) -> str:
    """The engine of a worker of this name, such as "worker-gpu-0"; empty for the other workers."""
    return next((engine for stem, engine in ENGINES.items() if name.startswith(stem)), "")


def _warm_up(heart: Heart) -> None:
    """Raises SystemExit: a signal's handler can end its worker in no other way."""
    from campaign import generation, workers  # noqa: PLC0415 - Django must be set up first
    from deploy import checks  # noqa: PLC0415 - likewise

    try:
        if heart.engine == "klein":  # where `make run` starts none, nobody has looked yet
            checks.require_models()
        with workers.at_work(f"warming up {heart.engine}", limit_s=WARM_UP_LIMIT_S):
            engine = generation.engine(heart.engine)
            engine.warm_up()
    except FigurineError as error:
        # A missing model's words name the command that brings it.
        log.critical("this worker ends itself", engine=heart.engine, why=str(error))
        raise SystemExit(UNFIT_STATUS if error.permanent else BROKEN_STATUS) from None
    except Exception as error:
        log.critical("this worker ends itself", engine=heart.engine, exc_info=True)
        raise SystemExit(BROKEN_STATUS) from error
    heart.ready(engine)
