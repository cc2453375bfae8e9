from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from django.conf import settings
from django.core.files.base import File
from django.db import connection
from django.test import Client
from storages.backends.s3 import S3Storage

from campaign import storage, volume, workers
from campaign.enums import WorkerState
from campaign.models import Campaign, EngineWorker
from campaign.workers import Vitals
from deploy import health
from tests import shelf


@pytest.fixture(autouse=True)
def fresh_look() -> None:
    health._files_word.cache_clear()
    health._owner_word.cache_clear()


def test_livez_answers_without_a_database(client: Client) -> None:
    assert (client.get("/livez").status_code, client.get("/livez").content) == (200, b"alive\n")


def test_readyz_names_every_part(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ready": True,
            "database": "ok",
            "migrations": "ok",
            "files": "ok",
            "owner": "ok",
            "broker": "ok",
            "channels": "ok",
            "engines": {"sculpt": "ok"},
        },
    )


def test_readyz_tells_of_engines_and_turns_nobody_away(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engines() -> tuple[int, dict[str, str]]:
        answer = client.get("/readyz")
        return answer.status_code, answer.json()["engines"]

    monkeypatch.setattr(settings, "GPU_WORKERS", 1)
    assert engines() == (200, {"sculpt": "ok", "klein": "away"})
    klein = Vitals(
        node="worker-gpu-0@box",
        engine="klein",
        host="box",
        pid=1,
        device="",
        state=WorkerState.STARTING,
    )
    workers.beat(klein)
    assert engines() == (200, {"sculpt": "ok", "klein": "starting"})
    workers.beat(replace(klein, state=WorkerState.READY))
    monkeypatch.setattr(settings, "HAS_HOSTED", True)
    assert engines() == (200, {"sculpt": "ok", "klein": "ok", "hosted": "away"})
    # A worker on another machine is known by its beats alone
    monkeypatch.setattr(settings, "GPU_WORKERS", 0)
    monkeypatch.setattr(settings, "HAS_HOSTED", False)
    assert engines() == (200, {"sculpt": "ok", "klein": "ok"})


@pytest.mark.django_db(transaction=True)
def test_readyz_of_engines_before_the_first_migration_is_no_traceback(client: Client) -> None:
    with connection.schema_editor() as editor:
        editor.alter_db_table(EngineWorker, "campaign_engineworker", "elsewhere")
    try:
        answer = client.get("/readyz")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(EngineWorker, "elsewhere", "campaign_engineworker")
    assert answer.json()["engines"] == {"sculpt": "away"}


@pytest.mark.parametrize(
    ("url", "part", "error"),
    [
        ("unix://{}/nobody.sock", "channels", "ConnectionError"),
        ("redis+socket://{}/nobody.sock", "broker", "OperationalError"),
        ("amqp://guest@127.0.0.1:1//", "broker", "OperationalError"),
    ],
)
def test_readyz_without_a_doorbell_is_ready_and_says_so(
    client: Client,
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    url: str,
    part: str,
    error: str,
) -> None:
    name = {"channels": "CHANNEL_URL", "broker": "BROKER_URL"}[part]
    monkeypatch.setattr(settings, name, url.format(tmp_path))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()[part]) == (200, error)


def test_readyz_with_the_bucket_out_of_reach_is_not_ready(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = S3Storage(
        bucket_name="private",
        endpoint_url="http://127.0.0.1:1",
        access_key="key",
        secret_key="secret",
        region_name="us-east-1",
        client_config=Config(retries={"total_max_attempts": 1}),
    )
    monkeypatch.setattr(storage, "private", lambda: bucket)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["files"] == "EndpointConnectionError"


def test_readyz_where_the_disk_of_the_pictures_is_not_mounted_is_not_ready(
    client: Client, campaign: Campaign
) -> None:
    for submission in (shelf.put(campaign), shelf.put(campaign)):
        storage.private().delete(str(submission.figurines.get().still.name))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["files"]) == (503, "StorageAway")


def test_readyz_on_pictures_of_another_database_says_so_and_turns_nobody_away(
    client: Client, db: None
) -> None:
    storage.put_words(volume.KEY, "another's")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["owner"]) == (200, "ForeignStorage")


def test_readyz_looks_at_the_files_once_in_a_while(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    private = storage.private()

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(private, name)

        def save(self, name: str, content: File[bytes]) -> str:
            names.append(private.save(name, content))
            return names[-1]

        def delete(self, name: str) -> None:
            private.delete(name)

    monkeypatch.setattr(storage, "private", Counting)
    monkeypatch.setattr(health, "FILES_EVERY_S", 10**9)
    for _ in range(3):
        assert client.get("/readyz").json()["files"] == "ok"
    assert [name.split("/")[0] for name in names] == ["readyz"]
    assert not private.exists(names[0])


@pytest.mark.django_db(transaction=True)
def test_readyz_with_missing_migrations_is_not_ready(client: Client) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    row = MigrationRecorder.Migration.objects.filter(app="campaign").latest("id")
    row.delete()
    try:
        answer = client.get("/readyz")
    finally:
        row.save(force_insert=True)
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
