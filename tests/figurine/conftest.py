"""One sitter and one warm engine for whoever makes figurines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from figurine.decode import decode
from figurine.engines.base import Progress, silent
from figurine.engines.sculpt import SculptEngine
from figurine.gate import admit
from figurine.types import Candidate, Recipe, Selfie
from tests import photos
from tests.figurine import toy_weights
from tests.figurine.queue_server import QueueServer


@pytest.fixture(scope="module")
def engine() -> SculptEngine:
    return SculptEngine()


class Remembering(SculptEngine):
    """Whoever poses twice for the same picture is rendered once: most of these tests' time."""

    def __init__(self) -> None:
        super().__init__()
        self.renders: dict[tuple[int, str], list[Candidate]] = {}

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        key = (hash(selfie.pixels.tobytes()), f"{recipe} {len(selfie.faces)} {seeds}")
        if key not in self.renders:
            self.renders[key] = super().generate(selfie, recipe, seeds=seeds, progress=progress)
        return self.renders[key]


@pytest.fixture(scope="module")
def sculptor() -> SculptEngine:
    return Remembering()


@pytest.fixture(scope="module")
def selfie() -> Selfie:
    return admit(decode(photos.portrait("obama").read_bytes()))


@pytest.fixture(scope="module")
def provider() -> Iterator[QueueServer]:
    """A provider of hosted figurines, on this machine."""
    with QueueServer() as server:
        yield server


@pytest.fixture
def server() -> Iterator[toy_weights.Server]:
    """Of weights, on this machine."""
    with toy_weights.serving() as found:
        yield found
