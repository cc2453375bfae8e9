"""Private files: random names, nothing served without a signed, expiring address."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db.models.fields.files import FieldFile

from campaign.errors import StorageAway

if TYPE_CHECKING:
    from campaign.models import Figurine, Keepsake, Submission

log = structlog.get_logger(__name__)


class DurableFiles(FileSystemStorage):
    """Files that a power cut leaves where the rows that name them say: `save` returns when they are
    on the disk. As fsync(2) has it, a file's entry in its folder is the folder's to write."""

    def _save(self, name: str, content: IO[bytes]) -> str:
        """Raises OSError where the disk does not keep it; then nothing of it is left there."""
        try:
            return self._kept(name, content)
        except BaseException:
            # The name was free just now and nobody else's is like it, so the file is ours.
            with suppress(OSError):
                os.unlink(self.path(name))
            raise

    def _kept(self, name: str, content: IO[bytes]) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc]  # the stubs leave it out
        # Every folder, whoever made it: another may have done so and not be through with it.
        file = Path(self.path(saved))
        root = Path(self.location)
        for path in (file, *(folder for folder in file.parents if folder.is_relative_to(root))):
            _flush(path)
        return saved


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def private() -> Storage:
    """The storage of selfies and figurines; a callable, so that migrations do not freeze it."""
    return storages["private"]


# --- reading and writing for the workers -----------------------------------------------------
def read(file: FieldFile) -> bytes:
    """Raises FileNotFoundError, and StorageAway for whatever else is the matter."""
    with _needed(but=FileNotFoundError), file.open() as opened:
        return bytes(opened.read())


def write(files: Sequence[tuple[FieldFile, ContentFile[bytes]]]) -> None:
    """All of them into the store, or none; no row is saved. Raises StorageAway."""
    written: list[FieldFile] = []
    with _needed():
        try:
            for field, content in files:
                field.save(str(content.name), content, save=False)
                written.append(field)
        except BaseException:
            take_back(written)
            raise


def take_back(written: Iterable[FieldFile]) -> None:
    """Delete files that no row will name. One that cannot be deleted now is left to the orphans'
    hour, and is no trouble of whoever wrote it."""
    for file in written:
        name = file.name
        try:
            file.delete(save=False)
        except Exception as error:
            log.warning("file not taken back", file=name, error=type(error).__name__)


def has_any(names: Iterable[str]) -> bool:
    """Whether one of these is there. Raises StorageAway."""
    with _needed():
        return any(map(private().exists, names))


def is_read(names: Iterable[str]) -> bool:
    """Whether the first of these that is there can be read. One alone: a storage that is away may
    take its time with each."""
    for name in names:
        try:
            with private().open(name) as opened:
                opened.read(1)
        except FileNotFoundError:
            continue
        except Exception:
            return False
        return True
    return False


def words(name: str) -> str | None:
    """What a small file of ours says; None where there is none. Raises StorageAway."""
    with _needed():
        try:
            with private().open(name) as opened:
                return bytes(opened.read()).decode(errors="replace").strip()
        except FileNotFoundError:
            return None


def put_words(name: str, text: str) -> None:
    """Raises StorageAway. Where another process puts them there at once, its are left."""
    with _needed():
        saved = private().save(name, ContentFile(f"{text}\n".encode()))
        if saved != name:
            private().delete(saved)


def remove(name: str) -> None:
    """Raises StorageAway."""
    with _needed():
        private().delete(name)


def local_files(root: Path) -> list[Path]:
    """Pictures that lie in a folder of this machine, wherever pictures are kept now."""
    folders = [root / SELFIES, root / FIGURINES]
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def is_empty() -> bool:
    """Whether no picture was ever kept here, as far as it shows. Raises StorageAway."""
    with _needed():
        return not any(_has_entries(folder) for folder in (SELFIES, FIGURINES))


def _has_entries(folder: str) -> bool:
    try:
        return any(private().listdir(folder))
    except FileNotFoundError:
        return False


@contextmanager
def _needed(*, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """A full disk, a refused key, a name that nobody resolves: all the same to whoever needs it."""
    try:
        yield
    except but:
        raise
    except Exception as error:
        raise StorageAway(f"{type(error).__name__}: {error}") from error


# --- names ------------------------------------------------------------------------------------
SELFIES: Final = "selfies"
FIGURINES: Final = "figurines"
"""The only two folders this product keeps pictures in, and so the only ones it tidies."""


def selfie_name(submission: Submission, filename: str) -> str:
    return f"{SELFIES}/{submission.created_at:%Y%m%d}/{secrets.token_urlsafe(18)}.jpg"


def still_name(figurine: Figurine, filename: str) -> str:
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"


def keepsake_name(keepsake: Keepsake, filename: str) -> str:
    """Beside the figurine's pictures, so that the same sweep finds orphans."""
    return f"{FIGURINES}/{secrets.token_urlsafe(18)}.{filename.rpartition('.')[2]}"
