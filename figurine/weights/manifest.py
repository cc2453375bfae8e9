"""What sets of model files there are: where from, how large, which bytes, under which licence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from figurine.errors import MissingModel

_FILE = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True)
class File:
    """One file of a set."""

    path: str
    """Below the set's folder, and the same in the repository."""
    bytes: int = 0
    """0: not known yet."""
    sha256: str = ""
    """Empty: not known yet."""


@dataclass(frozen=True)
class Set:
    """Files of one repository at one revision that are of use only together."""

    name: str
    repository: str
    """On the hub, as `owner/name`."""
    revision: str
    """The commit; empty where it is not known yet."""
    licence: str
    """SPDX expression, or the licence's name."""
    is_commercial: bool
    """Whether the licence allows an advertising campaign."""
    purpose: str
    needed_by: tuple[str, ...]
    """Engines, and models of an engine, that work with it."""
    needs: tuple[str, ...]
    """Other sets without which this one is of no use."""
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        """Of all files whose size is known."""
        return sum(file.bytes for file in self.files)

    @property
    def is_pinned(self) -> bool:
        """Whether every byte is known beforehand."""
        return all(file.sha256 for file in self.files)


@cache
def all_sets() -> tuple[Set, ...]:
    """Every set of the manifest, in its order."""
    return tuple(_set(name, told) for name, told in tomllib.loads(_FILE.read_text()).items())


def named(name: str) -> Set:
    """The set of this name. Raises MissingModel."""
    for one in all_sets():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in all_sets())
    raise MissingModel(f"no weights are called {name}; there are {known}")


def with_needs(names: Sequence[str]) -> tuple[Set, ...]:
    """These sets and those that they need, each once, what is needed first. Raises MissingModel."""
    return tuple({one.name: one for name in names for one in _needed(name)}.values())


def chosen(words: Sequence[str]) -> tuple[Set, ...]:
    """The sets that are meant by names of sets or of engines, with their needs.

    Raises MissingModel for a word that is neither.
    """
    return with_needs([name for word in words for name in for_engine(word) or (word,)])


def for_engine(engine: str) -> tuple[str, ...]:
    """Names of the sets that an engine, or a model of one, works with."""
    return tuple(one.name for one in all_sets() if engine in one.needed_by)


def _needed(name: str) -> Iterator[Set]:
    one = named(name)
    for other in one.needs:
        yield from _needed(other)
    yield one


def _set(name: str, told: dict[str, Any]) -> Set:
    files = tuple(File(**file) for file in told["files"])
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{_FILE.name}: {name} would write outside its folder: {file.path}")
    return Set(
        name=name,
        repository=told["repository"],
        revision=told.get("revision", ""),
        licence=told["licence"],
        is_commercial=told["commercial"],
        purpose=told["purpose"],
        needed_by=tuple(told["needed_by"]),
        needs=tuple(told.get("needs", ())),
        files=files,
    )
