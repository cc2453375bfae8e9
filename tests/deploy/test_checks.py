from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.utils import timezone
from pytest_django.fixtures import Settings
from storages.backends.s3 import S3Storage

from campaign import storage, workers
from campaign.enums import WorkerState
from campaign.models import Campaign
from campaign.workers import Vitals
from deploy import checks
from figurine import weights
from figurine.engines import Workshop
from figurine.errors import MissingModel
from figurine.weights import Weight
from tests.campaign.test_storage import bucket  # noqa: F401 - a fixture


def test_all_weights_are_there() -> None:
    assert checks.check_weights() == []


def test_altered_weight_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(weights.__file__).name
    wrong = Weight(weights.__name__, file=file, licence="Apache-2.0", sha256="0" * 64)
    monkeypatch.setattr(weights, "ALL", (wrong,))
    assert [found.id for found in checks.check_weights()] == ["deploy.E001"]


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("batch", "found"), [(0, ["deploy.E002"]), (1, []), (64, []), (65, ["deploy.E002"])]
)
def test_batch_that_cannot_be_is_an_error(settings: Settings, batch: int, found: list[str]) -> None:
    settings.WORKSHOP = Workshop(batch=batch)
    assert ids(checks.check_gpu()) == found


def test_gpu_workers_below_none_are_an_error(settings: Settings) -> None:
    settings.GPU_WORKERS = -1
    assert ids(checks.check_gpu()) == ["deploy.E003"]


def test_gpu_worker_without_weights_is_an_error_with_the_command(
    settings: Settings, tmp_path: Path
) -> None:
    settings.WORKSHOP = Workshop(weights=tmp_path)
    assert checks.check_gpu() == []
    settings.GPU_WORKERS = 1
    found = checks.check_gpu()
    assert ids(found) == ["deploy.E004", "deploy.E004"]
    for message, name in zip(found, ("klein-4b", "auraface"), strict=True):
        assert f"`python manage.py weights fetch {name}`" in message.msg


@pytest.mark.parametrize(
    ("bought", "found"),
    [
        # sdxl-base is free for all; what it brings along is missing once it is allowed.
        ([], ["deploy.E004", "deploy.E005", "deploy.E005"]),
        (["buffalo-l", "sdxl-faceid"], ["deploy.E004"] * 3),
    ],
)
def test_model_of_a_campaign_without_a_licence_is_an_error(
    settings: Settings, campaign: Campaign, tmp_path: Path, bought: list[str], found: list[str]
) -> None:
    settings.WORKSHOP = Workshop(weights=tmp_path, licences=frozenset(bought))
    settings.GPU_WORKERS = 1
    Campaign.objects.update(engine="klein", engine_options={"model": "sdxl"})
    assert ids(checks.check_engines(databases=["default"])) == found
    settings.GPU_WORKERS = 0
    assert "deploy.E005" not in ids(checks.check_engines(databases=["default"]))


@pytest.mark.django_db
def test_campaign_that_is_over_wants_no_model_of_a_worker(
    campaign: Campaign, settings: Settings, tmp_path: Path
) -> None:
    settings.WORKSHOP = Workshop(weights=tmp_path)
    Campaign.objects.update(engine="klein", engine_options={"model": "qwen"})
    with pytest.raises(MissingModel):
        checks.require_models()
    settings.GPU_WORKERS = 1
    Campaign.objects.update(closes_at=timezone.now() - timedelta(days=1))
    checks.require_models()
    assert checks.check_engines(databases=["default"]) == []


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        (Workshop.hosted_queue, []),
        ("http://127.0.0.1:8000", []),
        ("http://queue.example", ["deploy.E006"]),
        ("queue.example", ["deploy.E006"]),
        ("https://", ["deploy.E006"]),
    ],
)
def test_queue_in_the_clear_is_an_error(settings: Settings, queue: str, found: list[str]) -> None:
    settings.WORKSHOP = Workshop(hosted_queue=queue)
    assert ids(checks.check_queue()) == found


@pytest.mark.parametrize(
    ("asked", "led_to", "found"),
    [
        ("", "", []),
        ("1", "", ["deploy.W003"]),
        ("http://x.example/webhooks/fal", "http://x.example/webhooks/fal", ["deploy.W003"]),
        ("1", "https://x.example/webhooks/fal", []),
    ],
)
def test_webhook_that_is_not_https_is_a_warning(
    settings: Settings, asked: str, led_to: str, found: list[str]
) -> None:
    settings.FAL_WEBHOOK, settings.WORKSHOP = asked, Workshop(hosted_webhook=led_to)
    assert ids(checks.check_webhook()) == found


@pytest.mark.parametrize(
    ("versioning", "found"), [("", []), ("Suspended", []), ("Enabled", ["deploy.E007"])]
)
def test_bucket_that_keeps_what_is_deleted_is_an_error(
    settings: Settings,
    bucket: S3Storage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    versioning: str,
    found: list[str],
) -> None:
    monkeypatch.setattr(storage, "private", lambda: bucket)
    settings.S3_BUCKET = bucket.bucket_name
    if versioning:
        bucket.connection.meta.client.put_bucket_versioning(
            Bucket=bucket.bucket_name, VersioningConfiguration={"Status": versioning}
        )
    assert ids(checks.check_bucket(databases=["default"])) == found
    assert checks.check_bucket(databases=None) == []


def test_bucket_that_does_not_answer_is_a_warning(
    settings: Settings,
    bucket: S3Storage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert checks.check_bucket(databases=["default"]) == [], "files in a folder"
    monkeypatch.setattr(storage, "private", lambda: bucket)
    settings.S3_BUCKET = bucket.bucket_name = "elsewhere"
    assert ids(checks.check_bucket(databases=["default"])) == ["deploy.W005"]


@pytest.mark.parametrize(
    ("wants", "found"),
    [
        ({}, []),
        ({"engine": "klein"}, ["deploy.W001"]),
        ({"second_engine": "klein"}, []),  # sculpt comes first, and always works
        ({"engine": "klein", "second_engine": "hosted"}, ["deploy.W001", "deploy.W004"]),
        ({"engine": "hosted"}, ["deploy.W004"]),
        ({"engine": "hosted", "budget_usd": None}, ["deploy.W004", "deploy.W002"]),
    ],
)
def test_engine_that_nobody_serves_is_told(
    campaign: Campaign, wants: dict[str, Any], found: list[str]
) -> None:
    Campaign.objects.update(**{"budget_usd": Decimal(50), **wants})
    assert ids(checks.check_engines(databases=["default"])) == found
    assert checks.check_engines(databases=None) == []


def test_engine_whose_worker_was_seen_is_well(settings: Settings, campaign: Campaign) -> None:
    klein = Vitals(
        node="worker-gpu-0@elsewhere",
        engine="klein",
        host="elsewhere",
        pid=1,
        device="",
        state=WorkerState.READY,
    )
    workers.beat(klein)
    workers.beat(replace(klein, node="worker-hosted@elsewhere", engine="hosted"))
    Campaign.objects.update(engine="klein", second_engine="hosted", hourly_budget_usd=Decimal(5))
    assert checks.check_engines(databases=["default"]) == []
