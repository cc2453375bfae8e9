from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.utils import timezone
from pytest_django.fixtures import Settings

from campaign import checks, storage, volume
from campaign.models import Campaign, Installation


def private(location: Path) -> dict[str, Any]:
    return {"private": {"BACKEND": "x", "OPTIONS": {"location": str(location)}}}


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_everything_is_well_as_shipped(db: None) -> None:
    assert run_checks() == []


def test_private_folder_inside_the_static_root_is_an_error(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = private(tmp_path / "media")
    assert ids(checks.check_private_folder()) == ["campaign.E001"]


def test_private_folder_that_cannot_be_written_is_an_error(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.STORAGES = private(tmp_path / "file" / "media")
    assert ids(checks.check_private_folder()) == ["campaign.E002"]


def test_pictures_of_another_database_are_a_warning_that_names_the_way_on(db: None) -> None:
    volume.adopt()
    assert checks.check_owner(databases=["default"]) == []
    Installation.objects.all().delete()
    (found,) = checks.check_owner(databases=["default"])
    assert (found.id, "manage.py adopt" in str(found.hint)) == ("campaign.W004", True)
    assert checks.check_owner() == []
    storage.remove(volume.KEY)


@pytest.mark.parametrize(("batch", "found"), [(0, ["campaign.E003"]), (1, [])])
def test_batch_below_one_is_an_error(settings: Settings, batch: int, found: list[str]) -> None:
    settings.GENERATION_BATCH = batch
    assert ids(checks.check_engine()) == found


@pytest.mark.parametrize(
    ("url", "found"), [("http://x.example", ["campaign.W001"]), ("https://x.example", [])]
)
def test_plain_http_in_production_is_a_warning(
    settings: Settings, url: str, found: list[str]
) -> None:
    settings.PUBLIC_URL = url
    assert ids(checks.check_public_address()) == found


def test_offer_that_is_in_the_library_is_well(campaign: Campaign, library: Path) -> None:
    assert checks.check_offers(databases=["default"]) == []
    Campaign.objects.update(kits=["wizard"])
    assert checks.check_offers(databases=None) == []


@pytest.mark.parametrize(
    ("offered", "found"),
    [
        ({"kits": ["soldier", "wizard"]}, "campaign.W002"),
        ({"finish": "chrome"}, "campaign.W002"),
        ({"kits": ["wizard"]}, "campaign.W003"),
    ],
)
def test_offer_that_the_library_lost_is_told(
    campaign: Campaign, library: Path, offered: dict[str, Any], found: str
) -> None:
    Campaign.objects.update(**offered)
    (message,) = checks.check_offers(databases=["default"])
    assert (message.id, "demo" in message.msg) == (found, True)
    assert not message.is_serious(), "migrate goes on"


def test_offer_of_a_campaign_that_is_over_is_missed_by_nobody(
    campaign: Campaign, library: Path
) -> None:
    Campaign.objects.update(kits=["wizard"], closes_at=timezone.now() - timedelta(days=1))
    assert checks.check_offers(databases=["default"]) == []
