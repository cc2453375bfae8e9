"""Is this process alive, and may it be given traffic?"""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaign import storage


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else."""
    return HttpResponse("alive\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when everything a visitor needs is there, 503 and what is missing otherwise."""
    parts = {"database": _database, "migrations": _migrations, "files": _files, "broker": _broker}
    said = {name: _ask(check) for name, check in parts.items()}
    # A dead broker costs latency, never a picture: it is reported and does not turn anyone away.
    ready = all(word == "ok" for name, word in said.items() if name != "broker")
    return JsonResponse({"ready": ready, **said}, status=200 if ready else 503)


def _ask(check: Callable[[], None]) -> str:
    try:
        check()
    except (DatabaseError, OSError, redis.RedisError, RuntimeError) as error:
        return type(error).__name__
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing")


def _files() -> None:
    store = storage.private()
    store.delete(store.save("readyz", ContentFile(b"x")))


def _broker() -> None:
    with redis.Redis.from_url(settings.CHANNEL_URL, socket_connect_timeout=1) as client:
        client.ping()
