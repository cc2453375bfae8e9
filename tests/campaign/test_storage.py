"""Private files: on the disk before their rows are, and the same on S3, spoken to over http."""

from __future__ import annotations

import errno
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from django.core.files.base import ContentFile
from moto.server import ThreadedMotoServer
from storages.backends.s3 import S3Storage

from campaign import signals, storage
from campaign.models import Submission
from campaign.storage import DurableFiles

BUCKET = "diorama-private"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Inodes of what is brought to the disk meanwhile, in that order."""
    seen: list[int] = []
    fsync = os.fsync

    def record(fd: int) -> None:
        fsync(fd)
        seen.append(os.fstat(fd).st_ino)

    monkeypatch.setattr(os, "fsync", record)
    return seen


def inodes(*paths: Path) -> list[int]:
    return [path.stat().st_ino for path in paths]


def test_saved_file_is_on_the_disk_with_all_its_folders(tmp_path: Path, flushed: list[int]) -> None:
    root = tmp_path / "media"
    file = root / DurableFiles(location=root).save("selfies/20260214/a.jpg", ContentFile(b"me"))
    assert flushed == inodes(file, root / "selfies/20260214", root / "selfies", root)
    assert file.read_bytes() == b"me"


@pytest.mark.parametrize("trouble", ["write", "fsync"])
def test_file_that_a_full_disk_does_not_keep_takes_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    def cut_off() -> Iterator[bytes]:
        yield b"half of"
        refuse()

    store = DurableFiles(location=tmp_path)
    store.save("selfies/a.jpg", ContentFile(b"somebody"))
    content = ContentFile(b"half of me")
    if trouble == "write":
        monkeypatch.setattr(content, "chunks", cut_off)
    else:
        monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no space left"):
        store.save("selfies/b.jpg", content)
    assert store.listdir("selfies") == ([], ["a.jpg"])


def test_selfie_is_on_the_disk_before_its_row_is(
    receive: Callable[..., Submission], flushed: list[int]
) -> None:
    before: list[int] = []

    def in_its_transaction(**_: object) -> None:
        before.extend(flushed)

    signals.transitioned.connect(in_its_transaction, sender=Submission)
    try:
        submission = receive()
    finally:
        signals.transitioned.disconnect(in_its_transaction, sender=Submission)
    file = Path(storage.private().path(submission.selfie.name or ""))
    assert before[:2] == inodes(file, file.parent)


def test_file_that_cannot_be_taken_back_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(DurableFiles):
        def delete(self, name: str) -> None:
            if name == "a.jpg":
                raise OSError(errno.EIO, "the disk does not answer")
            super().delete(name)

    store = Stuck(location=tmp_path)
    for name in ("a.jpg", "b.jpg"):
        store.save(name, ContentFile(b"me"))
    monkeypatch.setattr(Submission._meta.get_field("selfie"), "storage", store)
    storage.take_back(Submission(selfie=name).selfie for name in ("a.jpg", "b.jpg"))
    assert store.listdir("") == ([], ["a.jpg"])


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Storage]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    yield S3Storage(
        bucket_name=BUCKET,
        endpoint_url=endpoint,
        region_name="us-east-1",
        default_acl="private",
        signature_version="s3v4",
        querystring_auth=True,
        querystring_expire=60,
        file_overwrite=False,
    )
    server.stop()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())


def test_bucket_addresses_are_signed_and_expire(bucket: S3Storage) -> None:
    name = bucket.save("figurines/a.webp", ContentFile(b"cutout"))
    url = bucket.url(name)
    assert fetch(url) == b"cutout"
    assert {"X-Amz-Expires=60", "X-Amz-Signature"} <= {
        part if part.startswith("X-Amz-Expires") else part.split("=")[0]
        for part in urlsplit(url).query.split("&")
    }


def test_bucket_deletes_what_is_forgotten(bucket: S3Storage) -> None:
    name = bucket.save("selfies/a.jpg", ContentFile(b"selfie"))
    url = bucket.url(name)
    bucket.delete(name)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(url)
    assert refused.value.code == 404


def test_bucket_says_whose_it_is_and_whether_it_has_pictures(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "private", lambda: bucket)
    bucket.location = "apart/"  # from what other tests have left
    assert (storage.words("installation"), storage.is_empty()) == (None, True)
    storage.put_words("installation", "ours")
    storage.put_words("installation", "of another process")
    assert bucket.listdir("") == ([], ["installation"])
    assert (storage.words("installation"), storage.is_empty()) == ("ours", True)
    bucket.save("selfies/20261128/a.jpg", ContentFile(b"selfie"))
    storage.remove("installation")
    assert (storage.words("installation"), storage.is_empty()) == (None, False)
