"""campaign/volume.py: a folder where a disk should be is not the storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import storages

from campaign import volume
from campaign.enums import SubmissionState
from campaign.errors import StorageAway
from campaign.models import Campaign, Submission
from tests import shelf

S = SubmissionState


def unmount(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """An empty folder is where the pictures were."""
    monkeypatch.setattr(storages["private"], "location", str(folder))
    monkeypatch.setattr(storages["private"], "base_location", str(folder))


def lose(submission: Submission) -> None:
    storages["private"].delete(str(submission.figurines.get().still.name))


def test_storage_that_has_kept_nothing_is_the_right_one(db: None) -> None:
    volume.check()


@pytest.mark.parametrize("kept", [S.APPROVED, S.SCREENING], ids=["figurines", "selfies alone"])
def test_selfie_is_not_taken_where_the_disk_is_not_mounted(
    campaign: Campaign,
    receive: Callable[..., Submission],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kept: SubmissionState,
) -> None:
    for _ in range(2):
        shelf.put(campaign, kept)
    with monkeypatch.context() as away:
        unmount(away, tmp_path)
        with pytest.raises(StorageAway):
            receive()
        assert (Submission.objects.count(), list(tmp_path.iterdir())) == (2, [])
    assert receive().number == 3


def test_picture_that_is_lost_alone_is_not_the_storage(campaign: Campaign) -> None:
    lose(shelf.put(campaign, S.REVIEW))
    Submission.objects.update(selfie="")
    volume.check()
    shelf.put(campaign, S.REVIEW)
    volume.check()


def test_what_was_under_way_as_the_disk_was_lost_does_not_stand_for_it(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "LATEST", 1)
    for _ in range(2):
        lose(shelf.put(campaign, S.REVIEW))
    shelf.put(campaign, S.REVIEW)
    with pytest.raises(StorageAway):
        volume.check()
