"""Where weights are fetched from: the hub, an http mirror, or a folder, each from any byte on.

A mirror is laid out as a weights folder is, `MIRROR/NAME/PATH`: a copy of one will do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import httpx

from figurine.weights import pins, store
from figurine.weights.manifest import File, Set

CONNECT_S: Final = 20.0
SILENCE_S: Final = 60.0
"""Without a byte for so long, a connection counts as cut."""
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
SMALL_BYTES: Final = 32_000_000
"""The hub states no sha256 of files that git itself keeps: pinning reads those, up to this size."""


class FetchFailed(Exception):
    """What went wrong and what to do, as a sentence for whoever typed the command."""


class Cut(FetchFailed):
    """The connection ended early or the server is busy: worth another try."""


@dataclass(frozen=True)
class Stream:
    """A file's bytes from `start` on, which may be earlier than was asked for."""

    start: int
    chunks: Iterator[bytes]


class Source(Protocol):
    """Raises FetchFailed, and Cut where another try may help; so do a stream's chunks."""

    def __str__(self) -> str:
        """What it is, for people."""

    def opened(self, one: Set, file: File, *, start: int) -> AbstractContextManager[Stream]:
        """A file from this byte on."""


@dataclass(frozen=True)
class Folder:
    """A mirror on this machine or on a disk that was carried here."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @contextmanager
    def opened(self, one: Set, file: File, *, start: int) -> Iterator[Stream]:
        yield Stream(start, self._chunks(self.path / one.name / file.path, start))

    def _chunks(self, path: Path, start: int) -> Iterator[bytes]:
        try:
            with path.open("rb") as stream:
                stream.seek(start)
                while chunk := stream.read(store.CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise FetchFailed(f"the mirror does not give {path}: {error.strerror}") from error


@dataclass(frozen=True)
class Web:
    """The hub or a mirror behind http."""

    name: str
    address: Callable[[Set, File], str]
    headers: Mapping[str, str]

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def opened(self, one: Set, file: File, *, start: int) -> Iterator[Stream]:
        # Compressed on the way, a range would count other bytes than the file's.
        headers = {**self.headers, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            # httpx drops the token when the hub sends on to another host.
            with (
                httpx.Client(follow_redirects=True, timeout=timeout) as client,
                client.stream("GET", self.address(one, file), headers=headers) as answer,
            ):
                self._check(answer, one, file)
                # As they come: in chunks of a size, a cut would lose the last one's beginning.
                yield Stream(_first_byte(answer, asked=start), answer.iter_raw())
        except (httpx.RequestError, httpx.StreamError) as error:
            raise Cut(f"the connection to {self} ended: {error or type(error).__name__}") from error

    def _check(self, answer: httpx.Response, one: Set, file: File) -> None:
        status = answer.status_code
        if status in (200, 206, 416):
            return
        if status in BUSY:
            raise Cut(f"{self} is busy (it answered {status})")
        what = f"{one.repository}/{file.path}"
        if status in (401, 403):
            raise FetchFailed(
                f"{self} does not give {what} to everyone (it answered {status}): accept its"
                " licence there, then log in with `hf auth login`"
            )
        if status == 404:
            raise FetchFailed(f"{self} has no {what} at revision {one.revision or 'main'}")
        raise FetchFailed(f"{self} answered {status} for {what}")


def mirror(where: str) -> Source:
    """A mirror by its address or folder. Raises FetchFailed."""
    if where.startswith(("http://", "https://")):
        base = where.rstrip("/")
        return Web(base, lambda one, file: f"{base}/{one.name}/{quote(file.path)}", {})
    if not Path(where).is_dir():
        raise FetchFailed(f"there is no mirror folder {where}")
    return Folder(Path(where))


def hub(endpoint: str | None = None) -> Source:
    """The model hub, as huggingface_hub and its settings and login know it. Raises FetchFailed."""
    try:
        from huggingface_hub import hf_hub_url  # noqa: PLC0415 - with the GPU requirements only
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # noqa: PLC0415
    except ImportError as error:
        raise FetchFailed(
            "the hub needs the GPU requirements (requirements/gpu.txt), or use --from MIRROR"
        ) from error

    def address(one: Set, file: File) -> str:
        return hf_hub_url(
            one.repository, file.path, revision=one.revision or None, endpoint=endpoint
        )

    return Web("the hub", address, build_hf_headers())


def stated_by_hub(one: Set, endpoint: str | None = None) -> Set:
    """The set with revision, sizes and digests as the hub states them now. Raises FetchFailed.

    Git keeps small files under a SHA-1 of its own: those are read, checked by it and measured.
    """
    source = hub(endpoint)
    from huggingface_hub import HfApi  # noqa: PLC0415 - hub() has seen that it is there

    try:
        told = HfApi(endpoint).model_info(
            one.repository, revision=one.revision or None, files_metadata=True
        )
    except Exception as error:  # the hub's own, transport's, and what is no JSON share no base
        raise FetchFailed(f"the hub does not tell of {one.repository}: {error}") from error
    there = {sibling.rfilename: sibling for sibling in told.siblings or []}
    one = replace(one, revision=one.revision or str(told.sha))
    files: list[File] = []
    for file in one.files:
        if not (sibling := there.get(file.path)):
            raise FetchFailed(f"{one.repository} has no {file.path} at {one.revision}")
        if sibling.lfs:
            files.append(File(file.path, int(sibling.lfs.size), str(sibling.lfs.sha256)))
        else:
            files.append(_measured(source, one, file, git_sha1=str(sibling.blob_id)))
    return replace(one, files=tuple(files))


def stated_by_folder(one: Set, folder: Path, *, read: store.Read = lambda _: None) -> Set:
    """The set with sizes and digests as measured in a mirror folder. Raises FetchFailed."""
    files: list[File] = []
    for file in one.files:
        path = folder / one.name / file.path
        if not path.is_file():
            raise FetchFailed(f"the mirror has no {one.name}/{file.path}")
        files.append(File(file.path, *store.measure(path, read=read)))
    revision = pins.read(folder).get(one.name, {}).get("revision", "")
    return replace(one, revision=one.revision or revision, files=tuple(files))


def _measured(source: Source, one: Set, file: File, *, git_sha1: str) -> File:
    with source.opened(one, file, start=0) as stream:
        content = bytearray()
        for chunk in stream.chunks:
            content += chunk
            if len(content) > SMALL_BYTES:
                raise FetchFailed(f"{one.repository}/{file.path} is too large for git's own files")
    # Source: git's documentation, "Git Internals - Git Objects".
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    if git.hexdigest() != git_sha1:
        raise Cut(f"{one.repository}/{file.path} arrived altered")
    return File(file.path, len(content), hashlib.sha256(content).hexdigest())


def _first_byte(answer: httpx.Response, *, asked: int) -> int:
    """Where the answer's bytes begin. A server may send all of a file when asked for its end."""
    if answer.status_code == 416:
        return -1
    if answer.status_code == 200:
        return 0
    told = answer.headers.get("Content-Range", "")
    try:
        return int(told.removeprefix("bytes ").partition("-")[0])
    except ValueError as error:
        raise Cut(f"the answer begins nobody knows where ({told!r}, asked {asked})") from error
