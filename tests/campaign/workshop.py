"""The smallest engine, its worker's jobs, and a storage that fails it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import storages
from django.utils import timezone

from campaign.enums import SubmissionState
from campaign.models import GenerationJob, Submission
from campaign.storage import DurableFiles
from figurine.engines import Progress, silent
from figurine.types import Candidate, Recipe, Selfie

S = SubmissionState


class FrameEngine:
    """A real engine of the smallest kind: puts the selfie in a frame. Does as told in between."""

    name, version = "frame", "1"

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.meanwhile = meanwhile
        self.calls = 0

    def warm_up(self) -> None: ...

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        self.calls += 1
        progress("framing", 0.5)
        self.meanwhile()
        progress("hanging", 0.9)
        still = np.full((90, 72, 3), 200, np.uint8)
        still[9:-9, 9:-9] = selfie.pixels[:72, :54]
        cutout = np.dstack([still, np.full((90, 72), 255, np.uint8)])
        return [Candidate(still, cutout, recipe, seed, self.version) for seed in seeds]


def figurine_files() -> set[str]:
    try:
        return set(storages["private"].listdir("figurines")[1])
    except FileNotFoundError:
        return set()


def job() -> GenerationJob:
    return GenerationJob.objects.get()


def lapse_lease() -> None:
    GenerationJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def now(submission: Submission) -> Submission:
    return Submission.objects.select_related("campaign").get(pk=submission.pk)


def states(submission: Submission) -> list[str]:
    return list(submission.transitions.values_list("to_state", flat=True))


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "no space left")


@contextmanager
def away(trouble: str) -> Iterator[None]:
    """The storage reads nothing, keeps nothing, or is not mounted; what the web process stores
    meanwhile lies where it should be."""
    with pytest.MonkeyPatch.context() as patch:
        if trouble == "unmounted":
            shut = [row.selfie.name for row in Submission.objects.order_by("created_at")[:3]]
            there = DurableFiles.open

            def find(store: DurableFiles, name: str, mode: str = "rb") -> object:
                if name in shut:
                    raise FileNotFoundError(name)
                return there(store, name, mode)

            patch.setattr(DurableFiles, "open", find)
            patch.setattr(DurableFiles, "exists", lambda _, name: name not in shut)
        else:
            patch.setattr(DurableFiles, trouble, refuse)
        yield


def unreadable(submission: Submission, patch: pytest.MonkeyPatch) -> None:
    """The disk does not give this one file."""
    there = DurableFiles.open

    def read(store: DurableFiles, name: str, mode: str = "rb") -> object:
        if name == submission.selfie.name:
            raise OSError(errno.EIO, "input/output error")
        return there(store, name, mode)

    patch.setattr(DurableFiles, "open", read)
