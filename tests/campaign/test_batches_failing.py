"""A pass in which something goes wrong: for one, for all, or for the worker itself."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from campaign import endings, generation, leases, retention, screening
from campaign.enums import SubmissionState
from campaign.errors import StorageAway
from campaign.lifecycle import PARTICIPANT
from campaign.models import Figurine, GenerationJob, Submission
from figurine.errors import DeviceLost, EngineBroke, MissingModel, OutOfMemory
from figurine.types import Selfie
from tests.campaign.easel import Easel, main, states
from tests.campaign.workshop import unreadable

S = SubmissionState


def test_each_has_an_outcome_of_its_own(sitters: list[Submission], easel: Easel) -> None:
    easel.trouble = {1: EngineBroke()}
    generation.run_ready(("klein",))
    assert states(sitters) == [S.REVIEW, S.QUEUED, S.REVIEW]
    assert (main(sitters[1]).error_code, main(sitters[1]).attempt) == ("engine_broke", 1)


def test_erased_in_mid_pass_is_stopped_and_the_others_go_on(
    sitters: list[Submission], easel: Easel
) -> None:
    easel.meanwhile = lambda: retention.erase(sitters[0], actor=PARTICIPANT)
    generation.run_ready(("klein",))
    assert states(sitters) == [S.ERASED, S.REVIEW, S.REVIEW]
    assert not Figurine.objects.filter(submission=sitters[0]).exists()


def test_selfie_gone_of_one_leaves_the_pass_to_the_others(
    sitters: list[Submission], easel: Easel
) -> None:
    Submission.objects.filter(pk=sitters[2].pk).update(selfie="")
    generation.run_ready(("klein",))
    assert easel.passes == [2]
    assert states(sitters)[:2] == [S.REVIEW, S.REVIEW]
    assert main(sitters[2]).error_code == "selfie_gone"


def test_selfie_of_one_that_cannot_be_read_leaves_the_pass_to_the_others(
    sitters: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(sitters[0], monkeypatch)
    assert generation.run_ready(("klein",)) == 3
    assert (easel.passes, states(sitters)) == ([2], [S.QUEUED, S.REVIEW, S.REVIEW])
    assert (main(sitters[0]).error_code, main(sitters[0]).attempt) == ("selfie_unreadable", 1)


def away_from(whom: list[Submission], patch: pytest.MonkeyPatch) -> None:
    """The storage does not answer when the selfies of these are read."""
    load = screening.load_selfie

    def read(submission: Submission) -> Selfie:
        if submission in whom:
            raise StorageAway
        return load(submission)

    patch.setattr(screening, "load_selfie", read)


def test_storage_away_from_one_leaves_the_pass_to_the_others(
    sitters: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have been read: whether they can be stored is seen then."""
    away_from(sitters[1:2], monkeypatch)
    assert generation.run_ready(("klein",)) == 0
    assert (easel.passes, states(sitters)) == ([2], [S.REVIEW, S.QUEUED, S.REVIEW])
    assert (main(sitters[1]).error_code, main(sitters[1]).attempt) == ("storage_away", 0)


def test_storage_away_from_all_paints_nobody(
    sitters: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    away_from(sitters, monkeypatch)
    assert generation.run_ready(("klein",)) == 0
    told = [(main(one).attempt, main(one).error_code, main(one).outcome) for one in sitters]
    assert (told, easel.passes) == ([(0, "storage_away", "")] * 3, [])
    assert states(sitters) == [S.QUEUED] * 3


def test_trouble_of_all_is_everybodys(sitters: list[Submission], easel: Easel) -> None:
    easel.breaks = OutOfMemory()
    generation.run_ready(("klein",))
    assert [main(one).error_code for one in sitters] == ["out_of_memory"] * 3
    assert [main(one).outcome for one in sitters] == [""] * 3
    easel.breaks = MissingModel()
    GenerationJob.objects.update(ready_at=timezone.now())
    while generation.run_ready(("klein",)):
        pass
    assert [main(one).outcome for one in sitters] == ["failed"] * 3
    assert states(sitters) == [S.QUEUED] * 3  # sculpt's is on its way


class Exited(BaseException):
    """Instead of the end of this process."""


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("is_written", [True, False])
def test_worker_whose_device_is_lost_ends_itself(
    sitters: list[Submission],
    easel: Easel,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    is_written: bool,
) -> None:
    def leave(status: int) -> None:
        raise Exited(status)

    def break_off(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(os, "_exit", leave)
    if not is_written:
        monkeypatch.setattr(endings, "fail", break_off)
    easel.size, easel.breaks = size, DeviceLost()
    with pytest.raises(Exited) as left:
        generation.run_ready(("klein",))
    assert (left.value.args, easel.passes) == ((leases.HUNG_STATUS,), [size])
    told = ["device_lost" if is_written else ""] * size + [""] * (3 - size)
    assert [main(one).error_code for one in sitters] == told


def test_what_was_in_hand_when_it_broke_is_tried_alone(
    sitters: list[Submission], easel: Easel
) -> None:
    easel.breaks = ZeroDivisionError()
    generation.run_ready(("klein",))
    easel.breaks = None
    GenerationJob.objects.update(ready_at=timezone.now())
    while generation.run_ready(("klein",)):
        pass
    assert (easel.passes, states(sitters)) == ([3, 1, 1, 1], [S.REVIEW] * 3)


def test_batch_of_a_lost_worker_is_claimed_again_one_by_one(
    sitters: list[Submission], easel: Easel
) -> None:
    assert len(generation.claim(("klein",), limit=3)) == 3
    GenerationJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert [len(generation.claim(("klein",), limit=3)) for _ in range(4)] == [1, 1, 1, 0]
    assert states(sitters) == [S.GENERATING] * 3


def test_what_is_tried_again_joins_no_pass_that_others_began(
    sitters: list[Submission], easel: Easel
) -> None:
    sitters[1].jobs.update(attempt=1)
    assert generation.run_ready(("klein",)) == 1
    assert (easel.passes, states(sitters)) == ([1], [S.REVIEW, S.QUEUED, S.QUEUED])


@pytest.mark.django_db(transaction=True)
def test_what_is_tried_again_has_the_process_to_itself(
    sitters: list[Submission], easel: Easel
) -> None:
    """It may break it once more: whoever is painted beside it would have lost an attempt."""
    sitters[1].jobs.update(attempt=1)
    others: list[int] = []

    def run() -> int:
        try:
            return generation.run_ready(("klein",))
        finally:
            connection.close()

    def beside() -> None:
        easel.meanwhile = lambda: None
        others.append(pool.submit(run).result(60.0))

    easel.size = 1
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            easel.meanwhile = beside
            assert generation.run_ready(("klein",)) == 1
    assert (easel.passes, others) == ([1, 1], [0, 0])
    assert states(sitters) == [S.REVIEW, S.REVIEW, S.QUEUED]
    assert [main(one).attempt for one in sitters] == [1, 2, 0]
    assert generation.run_ready(("klein",)) == 1
