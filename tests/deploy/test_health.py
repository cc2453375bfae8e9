from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client


def test_livez_answers_without_a_database(client: Client) -> None:
    assert (client.get("/livez").status_code, client.get("/livez").content) == (200, b"alive\n")


def test_readyz_names_every_part(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "database": "ok", "migrations": "ok", "files": "ok", "broker": "ok"},
    )


def test_readyz_without_broker_is_ready_and_says_so(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "CHANNEL_URL", f"unix://{tmp_path}/nobody.sock")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (200, "ConnectionError")


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
