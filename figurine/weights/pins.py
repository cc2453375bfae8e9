"""Revisions and digests that the manifest leaves open, as this installation has pinned them.

They lie in the weights folder. A pin only fills a gap: what the manifest states, it cannot change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from figurine.errors import MissingModel
from figurine.weights.manifest import File, Set

NAME: Final = "pins.json"


def apply(one: Set, weights: Path) -> Set:
    """The set with its gaps filled from the pins in this folder. Raises MissingModel."""
    told = read(weights).get(one.name)
    if not told:
        return one
    files = {path: File(path, **file) for path, file in told["files"].items()}
    return replace(
        one,
        revision=one.revision or told["revision"],
        files=tuple(_filled(file, files.get(file.path)) for file in one.files),
    )


def read(weights: Path) -> dict[str, Any]:
    """All pins of a folder, by set. Raises MissingModel when they cannot be read."""
    path = weights / NAME
    try:
        told: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise MissingModel(f"the pins in {path} cannot be read: {error}") from error
    return told


def write(weights: Path, name: str, *, revision: str, files: Iterable[File]) -> None:
    """Pin one set, beside the others."""
    told = read(weights)
    told[name] = {
        "revision": revision,
        "files": {file.path: {"bytes": file.bytes, "sha256": file.sha256} for file in files},
    }
    replace_text(weights / NAME, json.dumps(told, indent=1, sort_keys=True))


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(text)
    fresh.replace(path)


def _filled(file: File, pinned: File | None) -> File:
    if pinned is None:
        return file
    return File(
        file.path,
        bytes=file.bytes or pinned.bytes,
        sha256=file.sha256 or pinned.sha256,
    )
