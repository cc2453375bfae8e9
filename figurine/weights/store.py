"""Where fetched weights lie, whether they are all there, and whether they may be used here.

A start looks at sizes and at the stamp that `weights fetch` and `weights verify` leave once they
have read every byte; hashing 16 GB again takes a minute.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from figurine.engines.workshop import Workshop
from figurine.errors import FigurineError, LicenceMissing, MissingModel
from figurine.weights import manifest, pins
from figurine.weights.manifest import File, Set

STAMP: Final = ".verified.json"
CHUNK_BYTES: Final = 1 << 20

Read = Callable[[int], None]
"""Called with the number of bytes just read."""


def folder(name: str, workshop: Workshop) -> Path:
    """The folder of a set, all of it there and allowed here, with the sets it needs.

    Raises MissingModel with the command that mends it, or LicenceMissing.
    """
    sets = manifest.with_needs([name])
    for one in sets:  # before anybody is sent to fetch gigabytes
        check_licence(one, workshop)
    for one in sets:
        if trouble := problem(known(one.name, workshop.weights), workshop.weights):
            raise MissingModel(trouble)
    return workshop.weights / name


def file(name: str, path: str, workshop: Workshop) -> Path:
    """One file of a set, as `folder` gives the set. Raises MissingModel or LicenceMissing."""
    if path not in {one.path for one in manifest.named(name).files}:
        raise MissingModel(f"the weights {name} have no file {path}")
    return folder(name, workshop) / path


def missing(names: Sequence[str], workshop: Workshop) -> list[str]:
    """A sentence for each of these sets that cannot be used here; empty when all can."""
    found: list[str] = []
    for name in names:
        try:
            folder(name, workshop)
        except FigurineError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def known(name: str, weights: Path) -> Set:
    """The set as manifest and pins have it. Raises MissingModel."""
    return pins.apply(manifest.named(name), weights)


def check_licence(one: Set, workshop: Workshop) -> None:
    """Refuse weights that production may not use. Raises LicenceMissing."""
    if one.is_commercial or not workshop.is_production or one.name in workshop.licences:
        return
    raise LicenceMissing(
        f"the weights {one.name} are under {one.licence}: if you have bought a licence for"
        f" commercial use, add {one.name} to DIORAMA_LICENCES"
    )


def problem(one: Set, weights: Path) -> str:
    """What keeps a set from being used, with the command that mends it; empty if nothing does."""
    if not one.is_pinned:
        return f"the weights {one.name} are not pinned: run {command('pin', one)}, then fetch"
    stamped = read_stamp(weights / one.name)
    for file in one.files:
        path = weights / one.name / file.path
        try:
            size = path.stat().st_size
        except OSError:
            return f"the weights {one.name} lack {file.path}: run {command('fetch', one)}"
        if file.bytes and size != file.bytes:
            return f"{path} has {size} bytes instead of {file.bytes}: run {command('fetch', one)}"
        if stamped.get(file.path) != File(file.path, size, file.sha256):
            return f"{path} was never verified as it is: run {command('verify', one)}"
    return ""


def verify(one: Set, weights: Path, *, read: Read = lambda _: None) -> list[str]:
    """Read every byte of a set and stamp what is right: a sentence for each file that is not."""
    home, found, right = weights / one.name, [], []
    for file in one.files:
        path = home / file.path
        if not path.is_file():
            found.append(f"{file.path} is not there")
            continue
        if not file.sha256:
            found.append(f"{file.path} is unpinned: nobody has said what its bytes should be")
            continue
        size, digest = measure(path, read=read)
        if digest == file.sha256:
            right.append(File(file.path, size, digest))
        else:
            found.append(f"{file.path} has sha256 {digest}, not {file.sha256}")
    if home.is_dir():
        write_stamp(home, right)
    return found


def measure(path: Path, *, read: Read = lambda _: None) -> tuple[int, str]:
    """A file's size in bytes and its sha256."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            read(len(chunk))
    return size, digest.hexdigest()


def read_stamp(home: Path) -> dict[str, File]:
    """What was verified in a set's folder, by path; nothing where the stamp cannot be read."""
    try:
        told = json.loads((home / STAMP).read_text())
        return {path: File(path, **file) for path, file in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_stamp(home: Path, verified: Sequence[File]) -> None:
    """Write down what was verified, for the next starts."""
    told = {file.path: {"bytes": file.bytes, "sha256": file.sha256} for file in verified}
    pins.replace_text(home / STAMP, json.dumps(told, indent=1))


def command(action: str, one: Set) -> str:
    """What to type."""
    return f"`python manage.py weights {action} {one.name}`"
