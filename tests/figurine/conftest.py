"""One sitter and one warm engine for whoever makes figurines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from figurine.decode import decode
from figurine.engines.sculpt import SculptEngine
from figurine.gate import admit
from figurine.types import Selfie
from tests import photos
from tests.figurine.queue_server import QueueServer


@pytest.fixture(scope="module")
def engine() -> SculptEngine:
    return SculptEngine()


@pytest.fixture(scope="module")
def selfie() -> Selfie:
    return admit(decode(photos.portrait("obama").read_bytes()))


@pytest.fixture(scope="module")
def provider() -> Iterator[QueueServer]:
    """A provider of hosted figurines, on this machine."""
    with QueueServer() as server:
        yield server
