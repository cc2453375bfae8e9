"""A worker's beats, in this process and on the tests' own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from campaign import retention, workers
from campaign.models import Campaign, EngineWorker, Submission
from campaign.workers import Seen
from deploy import celery, heart, pulse
from deploy.heart import Heart
from figurine.engines import Workshop
from figurine.engines.klein import KleinEngine
from tests.deploy.conftest import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def beating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Heart]:
    monkeypatch.setattr(pulse, "EVERY_S", 0.02)
    beating = Heart(
        node="worker-gpu-0@box",
        engine="klein",
        file=pulse.file_of("worker-gpu-0", var=tmp_path),
        every_s=0.05,
        purge_every_s=0.05,
    )
    beating.start()
    yield beating
    beating.stop()


def row() -> Seen | None:
    return next(iter(workers.snapshot()), None)


def said(lines: Sequence[MutableMapping[str, Any]], event: str) -> bool:
    return any(line["event"] == event for line in lines)


def stands(state: str, tmp_path: Path) -> bool:
    """Whether both its row and its pulse say so."""
    seen, beat = row(), pulse.read(pulse.file_of("worker-gpu-0", var=tmp_path))
    return seen is not None and beat is not None and (seen.state, beat.state) == (state, state)


def test_worker_beats_from_its_first_second_to_its_last(beating: Heart, tmp_path: Path) -> None:
    # 1. Warming up
    wait_for(lambda: stands("starting", tmp_path))
    seen = row()
    assert seen and (seen.engine, seen.host, seen.batch) == ("klein", "box", 1)
    # 2. Ready, with what the engine knows of itself
    beating.ready(KleinEngine(Workshop(batch=4)))
    wait_for(lambda: stands("ready", tmp_path))
    seen = row()
    assert seen and (seen.batch, seen.device, seen.peak_bytes) == (4, "", 0)
    # 3. At work, and longer than it may
    with workers.at_work("1 x Job", limit_s=60.0):
        wait_for(lambda: (beat := pulse.read(beating._file)) and beat.work == "1 x Job")
        assert beating.state == "ready"
        with workers.at_work("2 x Job", limit_s=0.0):
            wait_for(lambda: stands("stuck", tmp_path))
    wait_for(lambda: stands("ready", tmp_path))
    # 4. Gone
    beating.stop()
    beat = pulse.read(beating._file)
    assert beat and (beat.state, beat.work) == ("stopping", "")
    assert row() is None


def test_database_away_for_a_while_ends_no_beat(beating: Heart, tmp_path: Path) -> None:
    wait_for(row)
    with connection.schema_editor() as editor:
        editor.alter_db_table(EngineWorker, "campaign_engineworker", "elsewhere")
    try:
        with capture_logs() as lines:
            wait_for(lambda: said(lines, "beat not written this time"))
        before = pulse.read(beating._file)
        wait_for(lambda: (now := pulse.read(beating._file)) and before and now.at_s > before.at_s)
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(EngineWorker, "elsewhere", "campaign_engineworker")
    EngineWorker.objects.all().delete()
    wait_for(row)


def test_selfie_whose_day_is_over_goes_without_any_broker(
    beating: Heart, receive: Callable[..., Submission]
) -> None:
    late, early = receive(), receive()
    with connection.schema_editor() as editor:  # a database that is away ends no purging
        editor.alter_db_table(Campaign, "campaign_campaign", "elsewhere")
    try:
        with capture_logs() as lines:
            wait_for(lambda: said(lines, "purge failed, will be tried again"))
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Campaign, "elsewhere", "campaign_campaign")
    Submission.objects.filter(pk=late.pk).update(selfie_purge_at=timezone.now())
    wait_for(lambda: not storages["private"].exists(late.selfie.name or ""))
    assert list(retention.selfies()) == [early]


def test_pulse_that_cannot_be_written_ends_no_beat(beating: Heart, tmp_path: Path) -> None:
    wait_for(beating._file.exists)
    folder = beating._file.parent.rename(tmp_path / "elsewhere")
    last = pulse.read(folder / beating._file.name)
    with capture_logs() as lines:
        wait_for(lambda: said(lines, "pulse not written this time"))
    EngineWorker.objects.all().delete()
    wait_for(row)
    folder.rename(beating._file.parent)
    wait_for(lambda: (now := pulse.read(beating._file)) and last and now.at_s > last.at_s)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("generation", "sculpt"),
        ("worker-gpu-7", "klein"),
        ("worker-hosted", "hosted"),
        ("worker", ""),
        ("solids", ""),
        ("celery", ""),
    ],
)
def test_worker_s_engine_by_its_name(name: str, engine: str) -> None:
    assert celery.engine_of(name) == engine


def test_card_of_a_machine_without_one_is_none() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_initialized():
        pytest.skip("there is a GPU, and it is in use")
    assert heart._card("") == ("", 0)


@pytest.mark.parametrize(("device", "card"), [("", ("first", 1)), ("cuda:1", ("second", 2))])
def test_card_that_is_told_is_the_one_that_is_painted_on(
    monkeypatch: pytest.MonkeyPatch, device: str, card: tuple[str, int]
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", {None: "first", "cuda:1": "second"}.get)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", {None: 1, "cuda:1": 2}.get)
    assert heart._card(device) == card


def test_worker_with_threads_tells_how_many_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "_heart", None)
    celery.begin_to_beat(SimpleNamespace(hostname="worker-hosted@box", concurrency=4))
    try:
        wait_for(lambda: (seen := row()) is not None and seen.batch == 4)
    finally:
        celery.stop_beating()
