"""campaign/turns.py: what the threads of a worker that orders figurines elsewhere try beside each
other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from campaign import generation, leases
from campaign.enums import SubmissionState
from campaign.models import Campaign, GenerationJob, Submission
from figurine.engines import Progress, silent
from figurine.types import Candidate, Recipe, Selfie
from tests import shelf

S = SubmissionState


class Counter:
    """An engine that makes one at a time, while others come to it."""

    name, version = "hosted", "1"

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    def warm_up(self) -> None: ...

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        still = np.full((90, 72, 3), 200, np.uint8)
        cutout = np.full((90, 72, 4), 255, np.uint8)
        return [Candidate(still, cutout, recipe, seed, self.version) for seed in seeds]


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    engine = Counter()
    monkeypatch.setattr(generation, "engine", lambda name: engine)
    # Nobody renews in a test's own transaction: SQLite would make that wait for its end.
    monkeypatch.setattr(leases, "RENEW_S", 60.0)
    return engine


@pytest.fixture
def waiting(campaign: Campaign) -> list[Submission]:
    found = [shelf.put(campaign, S.QUEUED) for _ in range(3)]
    Submission.objects.update(face=shelf.measured())
    GenerationJob.objects.update(engine="hosted")
    return found


def states(submissions: Sequence[Submission]) -> list[str]:
    return [shelf.state_of(one) for one in submissions]


def test_order_of_a_worker_that_was_lost_has_the_process_to_itself(
    waiting: list[Submission], counter: Counter
) -> None:
    """It may take it along again: three times, and whoever was tried beside it would fail, too."""
    long_ago = timezone.now() - timedelta(seconds=60)
    waiting[1].jobs.update(attempt=1, lease_token=uuid4(), lease_until=long_ago)
    beside: list[int] = []

    def come() -> None:
        beside.append(generation.run_ready(("hosted",)))

    for _ in range(2):
        counter.meanwhile = come
        assert generation.run_ready(("hosted",)) == 1
    assert (beside, states(waiting)) == ([0, 0], [S.REVIEW, S.REVIEW, S.QUEUED])
    assert generation.run_ready(("hosted",)) == 1


def test_order_that_failed_by_itself_is_tried_again_beside_others(
    waiting: list[Submission], counter: Counter
) -> None:
    """A provider that is busy now and then would leave three of four threads idle each time."""
    waiting[0].jobs.update(attempt=1, error_code="provider_busy")
    counter.meanwhile = lambda: generation.run_ready(("hosted",))
    assert generation.run_ready(("hosted",)) == 1
    assert states(waiting) == [S.REVIEW, S.REVIEW, S.QUEUED]
