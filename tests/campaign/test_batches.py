from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from campaign import endings, generation, leases, retention, screening, tasks, workers
from campaign.enums import SubmissionState
from campaign.errors import StorageAway
from campaign.hosted import JobLedger
from campaign.lifecycle import PARTICIPANT
from campaign.models import Campaign, Figurine, GenerationJob, Submission
from figurine.engines import Engine, Progress, silent
from figurine.engines.base import Order
from figurine.engines.hosted.ledger import Ledger, Loose
from figurine.errors import (
    Cancelled,
    DeviceLost,
    EngineBroke,
    FigurineError,
    MissingModel,
    OutOfMemory,
)
from figurine.types import Candidate, Face, Recipe, Selfie
from tests import shelf
from tests.campaign.test_workers import KLEIN
from tests.campaign.workshop import unreadable

S = SubmissionState

FACE: Final = Face(
    box=(0, 0, 9, 9),
    score=1.0,
    mesh=np.zeros((468, 3), np.float32),
    mesh_score=1.0,
    yaw_deg=0,
    pitch_deg=0,
    roll_deg=0,
    width_px=9,
    luma=0.5,
    sharpness=1.0,
).as_json()


def framed(order: Order, seed: int) -> Candidate:
    still = np.full((9, 7, 3), order.selfie.pixels.mean(), np.uint8)
    cutout = np.dstack([still, np.full((9, 7), 255, np.uint8)])
    return Candidate(still, cutout, order.recipe, seed, "easel.1", likeness=0.6, cost_usd=0.0125)


class Easel:
    """An engine that paints several people at once, as the contract has it, and little else."""

    name, version = "klein", "1"

    def __init__(self, size: int = 3) -> None:
        self.size = size
        self.passes: list[int] = []
        self.trouble: dict[int, Exception] = {}
        """By place in the pass, what goes wrong with that one."""
        self.meanwhile: Callable[[], object] = lambda: None
        self.breaks: Exception | None = None

    def warm_up(self) -> None: ...

    def capacity(self) -> int:
        return self.size

    def limit_s(self, recipe: Recipe, *, faces: int) -> float:
        return 7.0 * faces

    def generate(
        self, selfie: Selfie, recipe: Recipe, *, seeds: Sequence[int], progress: Progress = silent
    ) -> list[Candidate]:
        (made,) = self.generate_many([Order(selfie, recipe, tuple(seeds), progress)])
        if isinstance(made, FigurineError):
            raise made
        return made

    def generate_many(self, orders: Sequence[Order]) -> list[list[Candidate] | FigurineError]:
        self.passes.append(len(orders))
        self.meanwhile()
        if self.breaks:
            raise self.breaks
        return [self._one(place, order) for place, order in enumerate(orders)]

    def _one(self, place: int, order: Order) -> list[Candidate] | FigurineError:
        try:
            order.progress("painting", 0.5)
        except Cancelled as gone:
            return gone
        trouble = self.trouble.get(place)
        if isinstance(trouble, FigurineError):
            return trouble
        return [framed(order, seed) for seed in order.seeds]


@pytest.fixture
def easel(monkeypatch: pytest.MonkeyPatch, campaign: Campaign) -> Easel:
    campaign.engine = "klein"
    campaign.save()
    workers.beat(KLEIN)
    engine = Easel()
    monkeypatch.setattr(generation, "engine", lambda name: engine)
    # Nobody renews in a test's own transaction: SQLite would make that wait for its end.
    monkeypatch.setattr(leases, "RENEW_S", 60.0)
    return engine


@pytest.fixture
def waiting(campaign: Campaign, easel: Easel) -> list[Submission]:
    found = [shelf.put(campaign, S.QUEUED) for _ in range(3)]
    Submission.objects.update(face=FACE)
    return found


def states(submissions: Sequence[Submission]) -> list[str]:
    return [shelf.state_of(one) for one in submissions]


def main(submission: Submission) -> GenerationJob:
    return submission.jobs.get(role="main")


def test_everybody_who_waits_shares_a_pass(waiting: list[Submission], easel: Easel) -> None:
    assert generation.run_ready(("klein",)) == 3
    assert (easel.passes, states(waiting)) == ([3], [S.REVIEW] * 3)
    for submission in waiting:
        figurine = submission.figurines.get()
        assert (figurine.submission_id, figurine.is_chosen) == (submission.pk, True)
        assert (figurine.likeness, float(figurine.cost_usd)) == (0.6, 0.0125)


def test_no_more_are_claimed_than_the_engine_can_take(
    waiting: list[Submission], easel: Easel
) -> None:
    easel.size = 2
    assert generation.run_ready(("klein",)) == 2
    assert generation.run_ready(("klein",)) == 1
    assert generation.run_ready(("klein",)) == 0
    assert easel.passes == [2, 1]


def test_worker_serves_its_own_engine_alone(waiting: list[Submission], easel: Easel) -> None:
    assert generation.run_ready(("hosted",)) == 0
    assert generation.ready_engines() == {"klein", "sculpt"}
    assert generation.ready_jobs().count() == 3
    assert generation.run_ready(("klein", "sculpt")) == 3  # sculpt's went with them
    assert GenerationJob.objects.filter(outcome="").count() == 0


def test_each_has_an_outcome_of_its_own(waiting: list[Submission], easel: Easel) -> None:
    easel.trouble = {1: EngineBroke()}
    generation.run_ready(("klein",))
    assert states(waiting) == [S.REVIEW, S.QUEUED, S.REVIEW]
    assert (main(waiting[1]).error_code, main(waiting[1]).attempt) == ("engine_broke", 1)


def test_erased_in_mid_pass_is_stopped_and_the_others_go_on(
    waiting: list[Submission], easel: Easel
) -> None:
    easel.meanwhile = lambda: retention.erase(waiting[0], actor=PARTICIPANT)
    generation.run_ready(("klein",))
    assert states(waiting) == [S.ERASED, S.REVIEW, S.REVIEW]
    assert not Figurine.objects.filter(submission=waiting[0]).exists()


def test_selfie_gone_of_one_leaves_the_pass_to_the_others(
    waiting: list[Submission], easel: Easel
) -> None:
    Submission.objects.filter(pk=waiting[2].pk).update(selfie="")
    generation.run_ready(("klein",))
    assert easel.passes == [2]
    assert states(waiting)[:2] == [S.REVIEW, S.REVIEW]
    assert main(waiting[2]).error_code == "selfie_gone"


def test_selfie_of_one_that_cannot_be_read_leaves_the_pass_to_the_others(
    waiting: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(waiting[0], monkeypatch)
    assert generation.run_ready(("klein",)) == 3
    assert (easel.passes, states(waiting)) == ([2], [S.QUEUED, S.REVIEW, S.REVIEW])
    assert (main(waiting[0]).error_code, main(waiting[0]).attempt) == ("selfie_unreadable", 1)


def away_from(whom: list[Submission], patch: pytest.MonkeyPatch) -> None:
    """The storage does not answer when the selfies of these are read."""
    load = screening.load_selfie

    def read(submission: Submission) -> Selfie:
        if submission in whom:
            raise StorageAway
        return load(submission)

    patch.setattr(screening, "load_selfie", read)


def test_storage_away_from_one_leaves_the_pass_to_the_others(
    waiting: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have been read: whether they can be stored is seen then."""
    away_from(waiting[1:2], monkeypatch)
    assert generation.run_ready(("klein",)) == 0
    assert (easel.passes, states(waiting)) == ([2], [S.REVIEW, S.QUEUED, S.REVIEW])
    assert (main(waiting[1]).error_code, main(waiting[1]).attempt) == ("storage_away", 0)


def test_storage_away_from_all_paints_nobody(
    waiting: list[Submission], easel: Easel, monkeypatch: pytest.MonkeyPatch
) -> None:
    away_from(waiting, monkeypatch)
    assert generation.run_ready(("klein",)) == 0
    told = [(main(one).attempt, main(one).error_code, main(one).outcome) for one in waiting]
    assert (told, easel.passes) == ([(0, "storage_away", "")] * 3, [])
    assert states(waiting) == [S.QUEUED] * 3


def test_trouble_of_all_is_everybodys(waiting: list[Submission], easel: Easel) -> None:
    easel.breaks = OutOfMemory()
    generation.run_ready(("klein",))
    assert [main(one).error_code for one in waiting] == ["out_of_memory"] * 3
    assert [main(one).outcome for one in waiting] == [""] * 3
    easel.breaks = MissingModel()
    GenerationJob.objects.update(ready_at=timezone.now())
    while generation.run_ready(("klein",)):
        pass
    assert [main(one).outcome for one in waiting] == ["failed"] * 3
    assert states(waiting) == [S.QUEUED] * 3  # sculpt's is on its way


class Exited(BaseException):
    """Instead of the end of this process."""


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("is_written", [True, False])
def test_worker_whose_device_is_lost_ends_itself(
    waiting: list[Submission],
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
    assert [main(one).error_code for one in waiting] == told


def test_what_was_in_hand_when_it_broke_is_tried_alone(
    waiting: list[Submission], easel: Easel
) -> None:
    easel.breaks = ZeroDivisionError()
    generation.run_ready(("klein",))
    easel.breaks = None
    GenerationJob.objects.update(ready_at=timezone.now())
    while generation.run_ready(("klein",)):
        pass
    assert (easel.passes, states(waiting)) == ([3, 1, 1, 1], [S.REVIEW] * 3)


def test_batch_of_a_lost_worker_is_claimed_again_one_by_one(
    waiting: list[Submission], easel: Easel
) -> None:
    assert len(generation.claim(("klein",), limit=3)) == 3
    GenerationJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert [len(generation.claim(("klein",), limit=3)) for _ in range(4)] == [1, 1, 1, 0]
    assert states(waiting) == [S.GENERATING] * 3


@pytest.mark.parametrize(
    ("options", "limit_s"),
    [
        ([{}, {}, {}], 21.0),  # one pass, of the squad of three
        ([{"frame": "portrait"}, {}, {}], 28.0),  # two, one after the other
        ([{"pose": "kneeling"}, {}, {}], 21.0),
    ],
)
def test_those_who_share_a_pass_share_its_time(
    waiting: list[Submission],
    easel: Easel,
    monkeypatch: pytest.MonkeyPatch,
    options: list[dict[str, str]],
    limit_s: float,
) -> None:
    for submission, own in zip(waiting, options, strict=True):
        job = main(submission)
        job.recipe = {**job.recipe, "options": own}
        job.save()
    Submission.objects.filter(pk=waiting[2].pk).update(other_faces=[FACE, FACE])
    seen: list[tuple[float, bool]] = []
    real = leases.renewed

    def watch(claims: Sequence[leases.Claim], *, limit_s: float, takes_turns: bool) -> object:
        seen.append((limit_s, takes_turns))
        return real(claims, limit_s=limit_s, takes_turns=takes_turns)

    monkeypatch.setattr(leases, "renewed", watch)
    generation.run_ready(("klein",))
    assert seen == [(limit_s, True)]


def test_tasks_serve_their_engine_until_nothing_is_ready(
    waiting: list[Submission], easel: Easel
) -> None:
    easel.size = 1
    tasks.order()
    assert states(waiting) == [S.QUEUED] * 3
    tasks.paint()
    assert (easel.passes, states(waiting)) == ([1, 1, 1], [S.REVIEW] * 3)


@pytest.mark.django_db(transaction=True)
def test_another_thread_claims_and_stores_while_one_paints(
    waiting: list[Submission], easel: Easel
) -> None:
    """As the two of a GPU worker do."""

    def run() -> int:
        try:
            return generation.run_ready(("klein",))
        finally:
            connection.close()

    def beside() -> None:
        easel.meanwhile = lambda: None
        assert pool.submit(run).result(60.0) == 1

    easel.size, easel.meanwhile = 2, beside
    with ThreadPoolExecutor(1) as pool:
        assert generation.run_ready(("klein",)) == 2
    assert (easel.passes, states(waiting)) == ([2, 1], [S.REVIEW] * 3)
    assert [main(one).attempt for one in waiting] == [1, 1, 1]


def test_what_is_tried_again_joins_no_pass_that_others_began(
    waiting: list[Submission], easel: Easel
) -> None:
    waiting[1].jobs.update(attempt=1)
    assert generation.run_ready(("klein",)) == 1
    assert (easel.passes, states(waiting)) == ([1], [S.REVIEW, S.QUEUED, S.QUEUED])


@pytest.mark.django_db(transaction=True)
def test_what_is_tried_again_has_the_process_to_itself(
    waiting: list[Submission], easel: Easel
) -> None:
    """It may break it once more: whoever is painted beside it would have lost an attempt."""
    waiting[1].jobs.update(attempt=1)
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
    assert states(waiting) == [S.REVIEW, S.REVIEW, S.QUEUED]
    assert [main(one).attempt for one in waiting] == [1, 2, 0]
    assert generation.run_ready(("klein",)) == 1


class Till(Easel):
    """An engine that costs money, and keeps its accounts where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger = Loose()
        self.billed_to: list[Ledger] = []

    def billed(self, ledger: Ledger) -> Engine:
        self.billed_to.append(ledger)
        return self

    def drop(self, endpoint: str, request_id: str) -> bool:
        return True


def test_engine_that_costs_keeps_its_accounts_by_job(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till()
    till.size = 1
    monkeypatch.setattr(generation, "engine", lambda name: till)
    campaign.engine = "hosted"
    campaign.save()
    workers.beat(replace(KLEIN, engine="hosted"))
    monkeypatch.setattr(leases, "RENEW_S", 60.0)
    submission = shelf.put(campaign, S.QUEUED)
    Submission.objects.update(face=FACE)
    generation.run_ready(("hosted",))
    (ledger,) = till.billed_to
    assert isinstance(ledger, JobLedger)
    assert ledger._job_id == main(submission).pk
    assert shelf.state_of(submission) == S.REVIEW
