"""Is this process alive, and may it be given traffic?"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection  # type: ignore[attr-defined]

from campaign import storage, volume, workers

PATIENCE_S: Final = 1.0
FILES_EVERY_S: Final = 10
"""A look at the files writes one, and anybody may ask."""
PROBE: Final = "readyz/probe"


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else."""
    return HttpResponse("alive\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when everything a visitor needs is there, 503 and what is missing otherwise."""
    needed = {
        "database": _ask(_database),
        "migrations": _ask(_migrations),
        "files": _files_word(int(time.monotonic()) // FILES_EVERY_S),
    }
    # Another database's pictures are not deleted, and ours are: nobody need be turned away.
    owner = {"owner": needed["files"]}
    if needed["files"] == "ok":
        owner = {"owner": _owner_word(int(time.monotonic()) // FILES_EVERY_S)}
    # A dead doorbell costs latency, never a picture: it is told and does not turn anyone away.
    doorbells = {"broker": _ask(_broker), "channels": _ask(_channels)}
    # So are engines: what none of them makes now waits in the queue, or another makes it.
    engines = _engines(is_heard=needed["database"] == "ok")
    ready = all(word == "ok" for word in needed.values())
    told = {"ready": ready, **needed, **owner, **doorbells, "engines": engines}
    return JsonResponse(told, status=200 if ready else 503)


def _ask(check: Callable[[], None]) -> str:
    """Either "ok" or the name of what was raised: what it says is nobody else's business."""
    try:
        check()
    except Exception as error:  # each client has its own family of errors
        return type(error).__name__
    return "ok"


def _engines(*, is_heard: bool) -> dict[str, str]:
    """For each engine that is configured or was ever there: "ok", "starting" or "away"."""
    configured = ["sculpt"]
    if settings.GPU_WORKERS:
        configured.append("klein")
    if settings.HAS_HOSTED:
        configured.append("hosted")
    try:
        return workers.words(configured) if is_heard else dict.fromkeys(configured, "away")
    except Error:  # not migrated yet
        return dict.fromkeys(configured, "away")


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing")


@lru_cache(maxsize=1)
def _files_word(slot: int) -> str:
    """The same answer within a slot of time."""
    return _ask(_files)


@lru_cache(maxsize=1)
def _owner_word(slot: int) -> str:
    """Whose pictures these are, "ok" for ours; the same answer within a slot of time."""
    return _ask(_owner)


def _owner() -> None:
    if volume.is_foreign():
        raise ForeignStorage


class ForeignStorage(Exception):
    """The pictures are another database's. Its name is what is told."""


def _files() -> None:
    store = storage.private()
    store.delete(store.save(PROBE, ContentFile(b"x")))
    volume.check()


def _broker() -> None:
    patience = {"socket_connect_timeout": PATIENCE_S, "socket_timeout": PATIENCE_S}
    with Connection(  # type: ignore[no-untyped-call]
        settings.BROKER_URL, connect_timeout=PATIENCE_S, transport_options=patience
    ) as broker:
        broker.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, timeout=PATIENCE_S
        )


def _channels() -> None:
    with redis.Redis.from_url(
        settings.CHANNEL_URL, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S
    ) as client:
        client.ping()
