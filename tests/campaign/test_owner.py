"""campaign/volume.py and purge_orphans: a database that was started on another's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaign import retention, storage, volume
from campaign.enums import SubmissionState
from campaign.models import Campaign, Figurine, Installation, Submission
from tests import shelf


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A storage of the test's own."""
    monkeypatch.setattr(storages["private"], "location", str(tmp_path))
    monkeypatch.setattr(storages["private"], "base_location", str(tmp_path))
    yield tmp_path


def pictures(disk: Path) -> int:
    return sum(1 for folder in ("selfies", "figurines") for _ in disk.glob(f"{folder}/**/*.jpg"))


def tidied() -> int:
    return retention.purge_orphans(now=timezone.now() + timedelta(hours=25))


def another_database() -> None:
    """The same tables with nothing in them."""
    Figurine.objects.all().delete()
    Submission.objects.update(selfie="")
    Installation.objects.all().delete()


def stray() -> str:
    return storages["private"].save("selfies/20260101/stray.jpg", ContentFile(b"half"))


@pytest.mark.parametrize("is_known", [True, False], ids=["with a key", "of an older version"])
def test_empty_database_deletes_nobodys_pictures(
    campaign: Campaign, disk: Path, is_known: bool
) -> None:
    shelf.put(campaign)
    if is_known:
        assert tidied() == 0
    another_database()
    assert (tidied(), pictures(disk)) == (0, 3)
    assert Installation.objects.count() == 0


def test_first_selfies_of_an_empty_database_do_not_make_the_pictures_its_own(
    campaign: Campaign, receive: Callable[..., Submission], disk: Path
) -> None:
    for _ in range(2):
        shelf.put(campaign)
    another_database()
    receive()
    assert (tidied(), pictures(disk)) == (0, 7)


def test_another_database_with_people_of_its_own_deletes_nobody_elses(
    campaign: Campaign, disk: Path
) -> None:
    shelf.put(campaign)
    assert tidied() == 0
    another_database()
    Installation.objects.create()
    shelf.put(campaign)
    assert (tidied(), pictures(disk)) == (0, 6)
    assert volume.is_foreign()


def test_pictures_of_an_older_version_are_ours_where_rows_name_most(
    campaign: Campaign, disk: Path
) -> None:
    shelf.put(campaign)
    stray()
    assert (tidied(), pictures(disk)) == (1, 3)
    assert (disk / volume.KEY).read_text().strip() == str(Installation.objects.get().key)
    Submission.objects.all().update(selfie="")
    assert (tidied(), pictures(disk)) == (1, 2), "known from then on, whatever rows name"


def test_first_selfie_finds_a_storage_that_is_ours(
    campaign: Campaign, receive: Callable[..., Submission], disk: Path
) -> None:
    """Else the stray of a first start would be nobody's, and stay."""
    receive()
    assert (disk / volume.KEY).read_text().strip() == str(Installation.objects.get().key)


def test_disk_that_was_changed_for_an_empty_one_is_ours(campaign: Campaign, disk: Path) -> None:
    Installation.objects.create()
    assert tidied() == 0
    stray()
    assert (tidied(), volume.is_foreign()) == (1, False)


def test_key_that_another_process_wrote_meanwhile_is_left(db: None, disk: Path) -> None:
    volume.adopt()
    storage.put_words(volume.KEY, "late")
    assert [path.name for path in disk.iterdir()] == [volume.KEY]
    assert not volume.is_foreign()


def test_adopting_says_what_it_costs_and_waits_for_a_yes(campaign: Campaign, disk: Path) -> None:
    shelf.put(campaign, SubmissionState.APPROVED)
    tidied()
    Installation.objects.all().delete()
    stray()
    with pytest.raises(CommandError, match=r"here: 4\. This database names 3 .* other 1 would"):
        call_command("adopt")
    assert (tidied(), pictures(disk)) == (0, 4)
    out = StringIO()
    call_command("adopt", "--yes", stdout=out)
    assert out.getvalue().endswith("They are this database's now.\n")
    assert (tidied(), pictures(disk)) == (1, 3)
