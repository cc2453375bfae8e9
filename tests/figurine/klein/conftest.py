"""One pipeline for all whom klein paints in a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from figurine.engines.klein import KleinEngine, prompts
from figurine.engines.klein.pipeline import PeoplePipeline
from figurine.engines.sculpt import SculptEngine
from figurine.engines.workshop import Workshop
from figurine.gate import admit
from figurine.types import Selfie
from tests.figurine import tiny
from tests.figurine.klein.crowded import SIDE_PX, Crowded


@pytest.fixture(scope="module")
def pipeline() -> PeoplePipeline:
    return PeoplePipeline(**tiny.components(encoder=False))


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> prompts.Embeddings:
    return prompts.Embeddings(
        tmp_path_factory.mktemp("prompts"),
        revision="tiny",
        encode=lambda texts: torch.cat([tiny.embeds(len(text)) for text in texts]),
    )


@pytest.fixture
def painter(pipeline: PeoplePipeline, embeddings: prompts.Embeddings) -> Crowded:
    made = Crowded(
        pipeline, embeddings=embeddings, version="tiny@1", width_px=SIDE_PX, height_px=SIDE_PX
    )
    made.passes = []
    return made


@pytest.fixture
def klein(painter: Crowded, sculptor: SculptEngine) -> KleinEngine:
    engine = KleinEngine(Workshop(batch=4), painter)
    engine._sculptor = sculptor  # its moulds are kept from test to test
    return engine


@pytest.fixture(scope="module")
def other(selfie: Selfie) -> Selfie:
    """Another person: none that anybody would take for the first, in colour and side."""
    return admit(np.ascontiguousarray(selfie.pixels[:, ::-1, ::-1]))
