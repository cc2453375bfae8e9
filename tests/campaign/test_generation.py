from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from campaign import endings, generation, leases, lifecycle, retention, screening
from campaign.enums import JobOutcome, SubmissionState
from campaign.errors import SelfieGone
from campaign.models import Figurine, GenerationJob, Submission
from figurine.errors import Cancelled, FigurineError, OutOfMemory, UnknownKit
from figurine.types import Recipe
from tests.campaign.workshop import (
    FrameEngine,
    away,
    figurine_files,
    job,
    lapse_lease,
    states,
    unreadable,
)
from tests.stack import wait_until

S = SubmissionState


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FrameEngine]:
    def choose(meanwhile: Callable[[], object] = lambda: None) -> FrameEngine:
        engine = FrameEngine(meanwhile)
        monkeypatch.setattr(generation, "engine", lambda name: engine)
        return engine

    return choose


@pytest.fixture
def queued(receive: Callable[..., Submission]) -> Submission:
    submission = receive()
    screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    return submission


def test_run_ready_stores_a_chosen_figurine_and_asks_for_review(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    use()
    assert generation.run_ready() == 1
    queued.refresh_from_db()
    figurine = queued.figurines.get()
    assert (queued.state, figurine.is_chosen, figurine.engine_version) == (S.REVIEW, True, "1")
    assert Recipe.from_json(figurine.recipe).kit == queued.kit
    assert (job().outcome, job().percent, job().attempt) == (JobOutcome.DONE, 100, 1)
    assert figurine.still.size > 0
    assert figurine.cutout.size > 0


def test_run_ready_without_work_does_nothing(db: None, use: Callable[..., FrameEngine]) -> None:
    engine = use()
    assert (generation.run_ready(), engine.calls) == (0, 0)


def test_claimed_job_is_nobody_elses(queued: Submission) -> None:
    assert len(generation.claim(limit=5)) == 1
    assert generation.claim(limit=5) == []


@pytest.mark.parametrize("attempt", [0, 1], ids=["queued", "held by a worker that died"])
def test_job_of_before_the_clock_was_set_back_is_taken(queued: Submission, attempt: int) -> None:
    ahead = timezone.now() + timedelta(hours=2)
    held_until = ahead if attempt else None
    GenerationJob.objects.update(ready_at=ahead, lease_until=held_until, attempt=attempt)
    assert generation.ready_engines() == {"sculpt"}
    assert len(generation.claim(limit=1)) == 1
    assert generation.claim(limit=1) == [], "who holds it now, holds it"


def test_job_of_a_clock_that_is_a_little_ahead_is_taken_at_once(queued: Submission) -> None:
    """The web's machine, by a second: its bell would be for nothing, and the sweep comes later."""
    GenerationJob.objects.update(ready_at=timezone.now() + timedelta(seconds=1))
    assert generation.ready_engines() == {"sculpt"}
    assert len(generation.claim(limit=1)) == 1


def test_claim_takes_the_oldest_first(receive: Callable[..., Submission]) -> None:
    submissions = [receive() for _ in range(3)]
    for submission in submissions:
        screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    claimed = [held.submission_id for held in generation.claim(limit=2)]
    assert claimed == [submission.pk for submission in submissions[:2]]


def test_lapsed_lease_is_claimed_again_and_logged(queued: Submission) -> None:
    generation.claim(limit=1)
    lapse_lease()
    assert len(generation.claim(limit=1)) == 1
    assert job().attempt == 2
    assert states(queued)[-3:] == [S.GENERATING, S.QUEUED, S.GENERATING]


def test_slow_worker_whose_job_was_taken_changes_nothing(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    def somebody_else_takes_it() -> None:
        lapse_lease()
        generation.claim(limit=1)

    before = figurine_files()
    use(somebody_else_takes_it)
    generation.run_ready()
    queued.refresh_from_db()
    assert (queued.state, job().outcome, job().attempt) == (S.GENERATING, "", 2)
    assert (Figurine.objects.count(), figurine_files()) == (0, before)


def test_lease_lost_after_the_last_progress_leaves_no_file(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    before = figurine_files()
    use()
    held = generation.claim(limit=1)[0]
    candidates = FrameEngine().generate(
        screening.load_selfie(queued), Recipe("frame", "soldier", "painted"), seeds=[1]
    )
    lapse_lease()
    generation.claim(limit=1)
    with pytest.raises(FigurineError):
        endings.store(held, candidates)
    assert (Figurine.objects.count(), figurine_files()) == (0, before)


def test_three_lost_workers_give_the_job_up(queued: Submission) -> None:
    for _ in range(leases.MAX_ATTEMPTS):
        assert len(generation.claim(limit=1)) == 1
        lapse_lease()
    assert generation.claim(limit=1) == []
    queued.refresh_from_db()
    assert (queued.state, queued.reason) == (S.FAILED, "worker_lost")
    assert job().outcome == JobOutcome.FAILED


@pytest.mark.parametrize(
    ("trouble", "state", "outcome"),
    [
        (UnknownKit(), S.FAILED, JobOutcome.FAILED),
        (OutOfMemory(), S.QUEUED, ""),
        (ZeroDivisionError(), S.QUEUED, ""),
    ],
)
def test_trouble_is_retried_only_when_it_may_pass(
    queued: Submission,
    use: Callable[..., FrameEngine],
    trouble: Exception,
    state: S,
    outcome: str,
) -> None:
    def raise_it() -> None:
        raise trouble

    use(raise_it)
    generation.run_ready()
    queued.refresh_from_db()
    assert (queued.state, job().outcome) == (state, outcome)
    assert job().lease_token is None


def test_transient_trouble_waits_before_the_next_try_and_ends_after_three(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    def raise_it() -> None:
        raise OutOfMemory

    use(raise_it)
    for _ in range(leases.MAX_ATTEMPTS):
        generation.run_ready()
        assert generation.run_ready() == 0
        GenerationJob.objects.update(ready_at=timezone.now())
    queued.refresh_from_db()
    assert (queued.state, queued.reason) == (S.FAILED, "out_of_memory")


def test_erased_in_mid_job_stops_it_and_leaves_no_picture(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    before = figurine_files()
    use(lambda: retention.erase(queued, actor=lifecycle.PARTICIPANT))
    generation.run_ready()
    queued.refresh_from_db()
    assert (queued.state, job().outcome) == (S.ERASED, JobOutcome.CANCELLED)
    assert (Figurine.objects.count(), figurine_files()) == (0, before)


def test_progress_of_a_job_that_is_over_stops_the_engine(queued: Submission) -> None:
    (held,) = generation.claim(limit=1)
    retention.erase(queued, actor=lifecycle.PARTICIPANT)
    with pytest.raises(Cancelled):
        leases.reporter(held)("framing", 0.5)


def test_progress_is_written_for_the_phone(
    queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    seen: list[tuple[str, int]] = []
    use(lambda: seen.append((job().stage, job().percent)))
    generation.run_ready()
    assert seen == [("framing", 50)]


@pytest.mark.django_db(transaction=True)
def test_lease_is_renewed_while_the_engine_works(
    queued: Submission, use: Callable[..., FrameEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    held = generation.claim(limit=1)[0]
    lapse_lease()

    def held_again() -> bool:
        return GenerationJob.objects.filter(lease_until__gt=timezone.now()).exists()

    with leases.renewed([held], limit_s=60):
        wait_until(held_again, within_s=10, what="the lease is renewed")
    assert held_again()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ahead_s", [75, -75])
def test_machines_of_different_times_leave_each_others_work_alone(
    queued: Submission, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    right = timezone.now
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(timezone, "now", lambda: right() + timedelta(seconds=ahead_s))
        (held,) = generation.claim(limit=1)
        taken = job().lease_until
        with leases.renewed([held], limit_s=60):
            wait_until(lambda: job().lease_until != taken, within_s=10, what="the lease is renewed")
        assert generation.claim(limit=1) == []
    assert generation.claim(limit=1) == []


def test_selfie_gone_is_a_failure_with_a_code(
    receive: Callable[..., Submission], queued: Submission, use: Callable[..., FrameEngine]
) -> None:
    """Among others that are there: `queued` came before it."""
    use()
    lost = receive()
    screening.enqueue(lost, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    storages["private"].delete(lost.selfie.name or "")
    assert [generation.run_ready(), generation.run_ready()] == [1, 1]
    lost.refresh_from_db()
    queued.refresh_from_db()
    assert (lost.state, lost.reason, queued.state) == (S.FAILED, "selfie_gone", S.REVIEW)


@pytest.mark.parametrize("trouble", ["open", "save", "unmounted"])
def test_storage_that_is_away_is_nobodys_attempt(
    receive: Callable[..., Submission], use: Callable[..., FrameEngine], trouble: str
) -> None:
    use()
    everybody = [receive() for _ in range(4)]
    for one in everybody[1:3]:
        screening.enqueue(one, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    before = figurine_files()
    with away(trouble):
        for _ in range(2 * leases.MAX_ATTEMPTS):
            GenerationJob.objects.update(ready_at=timezone.now())
            assert generation.run_ready() == 0, "the loop goes no further"
    told = GenerationJob.objects.values_list("outcome", "attempt", "error_code", "lease_token")
    assert ("", 0, "storage_away", None) in told
    assert set(told) <= {("", 0, "storage_away", None), ("", 0, "", None)}
    assert figurine_files() == before
    assert set(Submission.objects.values_list("state", flat=True)) == {S.QUEUED, S.SCREENING}
    GenerationJob.objects.update(ready_at=timezone.now())
    assert [generation.run_ready(), generation.run_ready()] == [1, 1]
    assert Submission.objects.filter(state=S.REVIEW).count() == 2


def test_storage_that_is_away_puts_off_all_that_were_claimed(
    receive: Callable[..., Submission], use: Callable[..., FrameEngine]
) -> None:
    engine = use()
    for _ in range(3):
        screening.enqueue(receive(), actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    with away("save"):
        assert generation.run_ready(limit=3) == 0
    told = GenerationJob.objects.values_list("attempt", "error_code", "lease_token")
    assert (list(told), engine.calls) == ([(0, "storage_away", None)] * 3, 3)
    assert generation.run_ready() == 0, "they wait for a while"
    assert set(Submission.objects.values_list("state", flat=True)) == {S.QUEUED}


def test_selfie_that_cannot_be_read_while_others_can_is_tried_three_times(
    receive: Callable[..., Submission],
    use: Callable[..., FrameEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bad sector, or a file that is another user's."""
    use()
    broken, good = receive(), receive()
    for one in (broken, good):
        screening.enqueue(one, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    unreadable(broken, monkeypatch)
    for _ in range(leases.MAX_ATTEMPTS):
        GenerationJob.objects.update(ready_at=timezone.now())
        while generation.run_ready(limit=2):
            pass
    told = Submission.objects.order_by("number").values_list("state", "reason")
    assert list(told) == [(S.FAILED, "selfie_unreadable"), (S.REVIEW, "")]


def test_selfie_that_was_purged_meanwhile_is_gone(queued: Submission) -> None:
    """Read before, and nobody else's is there either."""
    storages["private"].delete(queued.selfie.name or "")
    Submission.objects.update(selfie="")
    with pytest.raises(SelfieGone):
        screening.load_selfie(queued)


def test_batch_keeps_all_its_leases(receive: Callable[..., Submission]) -> None:
    for _ in range(2):
        screening.enqueue(receive(), actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    assert len(generation.claim(limit=2)) == 2
    assert generation.claim(limit=2) == []


def test_leaving_the_workshop_closes_the_job(queued: Submission) -> None:
    lifecycle.transition(queued, S.REJECTED, actor=lifecycle.SYSTEM)
    assert job().outcome == JobOutcome.CANCELLED
    assert generation.claim(limit=1) == []


@pytest.mark.parametrize("beside", ["threading.Event().wait(60)", "go_on()"])
def test_hung_worker_ends_itself(beside: str) -> None:
    """In a process of its own, with the limit shortened; the engine never comes back, whether or
    not other threads go on."""
    code = """
import django, threading, uuid
django.setup()
from campaign import leases, workers
from campaign.models import GenerationJob

def go_on():
    while True:
        with workers.at_work("another", limit_s=0.05, takes_turns=True):
            threading.Event().wait(0.01)

leases.RENEW_S = 0.05
claim = leases.Claim(GenerationJob, 1, uuid.uuid4(), uuid.uuid4())
with leases.renewed([claim], limit_s=0.05, takes_turns=True):
    BESIDE
"""
    done = subprocess.run(
        [sys.executable, "-c", code.replace("BESIDE", beside)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "deploy.settings"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == leases.HUNG_STATUS
    assert "work hangs" in done.stderr
