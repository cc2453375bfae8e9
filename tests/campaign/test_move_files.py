"""manage.py move_files: from var/media to a bucket, for which another folder stands here."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from pytest_django.fixtures import Settings

from campaign import retention, storage, volume
from campaign.models import Campaign, Installation, Submission
from deploy.checks import check_left_behind
from tests import shelf


@pytest.fixture
def local(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where pictures are kept until there is a bucket."""
    folder = tmp_path / "media"
    monkeypatch.setattr(storages["private"], "location", str(folder))
    monkeypatch.setattr(storages["private"], "base_location", str(folder))
    settings.LOCAL_FILES = folder
    return folder


@pytest.fixture
def submission(campaign: Campaign, local: Path) -> Submission:
    """With three pictures there, beside a stray."""
    kept = shelf.put(campaign)
    storages["private"].save("selfies/20260101/stray.jpg", ContentFile(b"half"))
    retention.purge_orphans()
    return kept


@pytest.fixture
def bucket(
    submission: Submission, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Storage:
    """Set from now on."""
    store = FileSystemStorage(location=tmp_path / "bucket")
    monkeypatch.setattr(storage, "private", lambda: store)
    settings.S3_BUCKET = "pics"
    return store


def moved() -> str:
    out = StringIO()
    call_command("move_files", stdout=out)
    return out.getvalue()


def test_pictures_of_before_the_bucket_are_refused_until_they_are_moved(
    local: Path, bucket: Storage, settings: Settings
) -> None:
    (found,) = check_left_behind()
    assert (found.id, "4 pictures" in found.msg) == ("deploy.E008", True)
    assert "manage.py move_files" in found.msg
    moved()
    assert check_left_behind() == []
    settings.S3_BUCKET = ""
    assert check_left_behind() == []


def test_named_pictures_are_moved_and_strays_deleted(
    local: Path, bucket: Storage, submission: Submission
) -> None:
    before = (local / str(submission.selfie.name)).read_bytes()
    assert moved() == "Moved: 3. Deleted, since no row names them: 1\n"
    with bucket.open(str(submission.selfie.name)) as selfie:
        assert selfie.read() == before
    assert [path for path in local.rglob("*") if path.is_file()] == []
    assert not bucket.exists("selfies/20260101/stray.jpg")
    assert moved() == "Moved: 0. Deleted, since no row names them: 0\n"


def test_move_goes_on_where_it_was_cut_off(
    local: Path, bucket: Storage, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, unlink = FileSystemStorage.save, Path.unlink
    with monkeypatch.context() as cut:
        cut.setattr(FileSystemStorage, "save", _raise)
        with pytest.raises(ConnectionError):
            moved()
        cut.setattr(FileSystemStorage, "save", save)
        cut.setattr(Path, "unlink", _raise)
        with pytest.raises(ConnectionError):  # it is in the bucket, and here
            moved()
        cut.setattr(Path, "unlink", unlink)
    assert len(storage.local_files(local)) == 4
    moved()
    figurine = submission.figurines.get()
    names = [submission.selfie.name, figurine.still.name, figurine.cutout.name]
    assert [bucket.exists(str(name)) for name in names] == [True] * 3


def test_picture_that_did_not_arrive_whole_is_sent_again(
    local: Path, bucket: Storage, submission: Submission
) -> None:
    name = str(submission.selfie.name)
    bucket.save(name, ContentFile(b"half"))
    moved()
    with bucket.open(name) as selfie:
        assert selfie.read(2) == b"\xff\xd8"


def test_picture_that_the_bucket_alters_stays_here(
    local: Path, bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = FileSystemStorage.save
    monkeypatch.setattr(
        FileSystemStorage, "save", lambda self, name, _: save(self, name, ContentFile(b"other"))
    )
    with pytest.raises(CommandError, match="is not in the bucket as it is here"):
        moved()
    assert len(storage.local_files(local)) == 4


@pytest.mark.parametrize("has_key", [True, False])
def test_pictures_of_another_database_are_not_touched(
    local: Path, bucket: Storage, has_key: bool
) -> None:
    Submission.objects.update(selfie="")
    Installation.objects.all().delete()
    if not has_key:
        (local / volume.KEY).unlink()
        Submission.objects.get().figurines.all().delete()
    with pytest.raises(CommandError, match="those of another database"):
        moved()
    assert len(storage.local_files(local)) == 4


def test_bucket_of_another_database_takes_nobodys_pictures(local: Path, bucket: Storage) -> None:
    storage.put_words(volume.KEY, "another's")
    with pytest.raises(CommandError, match="bucket has the pictures of another"):
        moved()
    assert len(storage.local_files(local)) == 4


def test_database_that_is_not_migrated_yet_is_told_the_way_on(
    local: Path, bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_table() -> bool:
        raise DatabaseError("no such table")

    monkeypatch.setattr(volume, "is_foreign", no_table)
    with pytest.raises(CommandError, match="migrate --skip-checks"):
        moved()


def _raise(*_: object, **__: object) -> None:
    raise ConnectionError
