from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.files.storage import storages
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import (
    approval,
    decisions,
    generation,
    leases,
    lifecycle,
    media,
    queries,
    rerolls,
    retention,
    upgrades,
    workers,
)
from campaign.decisions import Decision, Overtaken, Verdict
from campaign.enums import IN_WORK, JobRole, RecallReason, RejectReason, SubmissionState
from campaign.errors import IllegalTransition, IntakeError
from campaign.leases import Claim
from campaign.media import Audience, Picture
from campaign.models import Campaign, EngineWorker, GenerationJob, Submission
from figurine import marks
from figurine.errors import Cancelled
from figurine.types import Candidate, Recipe
from tests import shelf
from tests.campaign.test_workers import KLEIN, SCULPT

S = SubmissionState
HOSTED: Final = replace(KLEIN, node="worker-hosted@box", engine="hosted", batch=1)
MAIN, STAND_IN = JobRole.MAIN, JobRole.STAND_IN


@pytest.fixture
def painted(campaign: Campaign) -> Campaign:
    """A campaign of klein's, whose worker is there; sculpt's is, too."""
    campaign.engine = "klein"
    campaign.save()
    workers.beat(KLEIN)
    workers.beat(SCULPT)
    return campaign


@pytest.fixture
def queued(painted: Campaign) -> Submission:
    return shelf.put(painted, S.QUEUED)


def candidate(recipe: Recipe, mark: str = "odd") -> Candidate:
    still = np.full((9, 7, 3), 200, np.uint8)
    cutout = np.dstack([still, np.full((9, 7), 255, np.uint8)])
    return Candidate(still, cutout, recipe, 1, f"{recipe.engine}.1", likeness=0.5, marks=(mark,))


def hold(engine: str) -> Claim:
    (claim,) = generation.claim((engine,), limit=1)
    return claim


def finish(claim: Claim) -> None:
    asked = GenerationJob.objects.values_list("recipe", flat=True).get(pk=claim.job_id)
    plain = Recipe("klein", "soldier", "painted")  # an erased job has none
    generation._store(claim, [candidate(Recipe.from_json(asked) if asked else plain)])


def make(engine: str) -> None:
    finish(hold(engine))


def bring(claim: Claim, mark: str) -> None:
    """As a worker does with what its engine has made and marked."""
    recipe = Recipe("klein", "soldier", "painted")
    generation._end(claim, [candidate(recipe, mark)], started=0.0)


def fail(claim: Claim, code: str = "no_face") -> None:
    generation._failed(claim, code=code, permanent=True)


def now(submission: Submission) -> Submission:
    return Submission.objects.get(pk=submission.pk)


def time_is_up(submission: Submission) -> None:
    over = timezone.now() - timedelta(seconds=1)
    Submission.objects.filter(pk=submission.pk).update(patience_ends_at=over)
    upgrades.lose_patience(submission.pk)


def moves(submission: Submission) -> list[tuple[str, str, str]]:
    rows = submission.transitions.order_by("id")
    return list(rows.values_list("to_state", "reason", "note"))


def open_jobs(submission: Submission) -> list[tuple[str, str]]:
    rows = GenerationJob.objects.filter(submission=submission, outcome="").order_by("id")
    return list(rows.values_list("role", "engine"))


def chosen(submission: Submission) -> tuple[str, str]:
    figurine = submission.figurines.get(is_chosen=True)
    assert figurine.still.storage.exists(figurine.still.name or "")
    return figurine.role, figurine.recipe["engine"]


def pictures(submission: Submission) -> int:
    """How many of its figurines still have a picture."""
    return submission.figurines.exclude(still="").count()


def put_with_hosted(campaign: Campaign) -> Submission:
    """Of a campaign that has the hosted engine for its second, as its words say."""
    campaign.second_engine = "hosted"
    campaign.save(update_fields=["second_engine"])
    workers.beat(HOSTED)
    return shelf.put(campaign, S.QUEUED)


def klein_is_away() -> None:
    EngineWorker.objects.filter(engine="klein").delete()


# --- at the door ------------------------------------------------------------------------------
def test_slower_engine_has_sculpts_beside_it_and_the_history_says_why(queued: Submission) -> None:
    assert open_jobs(queued) == [(MAIN, "klein"), (STAND_IN, "sculpt")]
    assert moves(queued)[-1] == (S.QUEUED, "", "klein: 0 waiting, about 8 s")
    assert queued.patience_ends_at is not None
    left_s = (queued.patience_ends_at - timezone.now()).total_seconds()
    assert 15 < left_s <= queued.campaign.patience_s


def test_engine_that_is_away_is_not_asked(painted: Campaign) -> None:
    klein_is_away()
    submission = shelf.put(painted, S.QUEUED)
    assert open_jobs(submission) == [(MAIN, "sculpt")]
    assert moves(submission)[-1] == (S.QUEUED, "", "sculpt: klein is away")
    assert submission.patience_ends_at is None


def test_each_engine_is_asked_with_its_own_options(painted: Campaign) -> None:
    painted.candidates, painted.likeness = 3, 0.4
    painted.engine_options = {"frame": "portrait", "endpoint": "for/hosted"}
    painted.save()
    submission = shelf.put(painted, S.QUEUED)
    asked = {job.role: job.recipe for job in submission.jobs.all()}
    assert asked[MAIN]["options"] == {"frame": "portrait", "candidates": 3, "likeness": 0.4}
    assert (asked[MAIN]["engine"], asked[STAND_IN]["engine"]) == ("klein", "sculpt")
    assert asked[STAND_IN]["options"] == {}


def test_engine_too_slow_for_patience_is_late_from_the_start(painted: Campaign) -> None:
    painted.patience_s = 3
    painted.save()
    submission = shelf.put(painted, S.QUEUED)
    words = "klein: 0 waiting, about 8 s; sculpt's until then"
    assert moves(submission)[-1] == (S.QUEUED, "", words)
    make("sculpt")
    assert now(submission).state == S.REVIEW
    assert open_jobs(submission) == [(MAIN, "klein")]


def test_who_was_never_told_of_the_provider_is_not_sent_there(queued: Submission) -> None:
    """The crew names the hosted engine when the queue grows: those who wait agreed to less."""
    campaign = queued.campaign
    put_with_hosted(campaign)
    fail(hold("klein"), code="engine_broke")
    assert open_jobs(queued) == [(STAND_IN, "sculpt")]
    make("sculpt")
    klein_is_away()
    there = now(queued)
    Campaign.objects.update(rerolls=1)
    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
    assert open_jobs(queued) == [(MAIN, "sculpt")]
    told = shelf.put(campaign, S.QUEUED)
    assert open_jobs(told) == [(MAIN, "hosted"), (STAND_IN, "sculpt")]


# --- in the workshop --------------------------------------------------------------------------
def test_stand_in_is_seen_by_its_owner_and_nobody_else(queued: Submission) -> None:
    make("sculpt")
    said = queries.status(queued)
    assert (said.state, said.is_preview) == (S.GENERATING, True)
    figurine = queued.figurines.get()
    assert (figurine.role, figurine.is_chosen) == (STAND_IN, False)
    nobody = AnonymousUser()
    for picture in (Picture.STILL, Picture.CUTOUT):
        seen = {
            audience: media.resolve(
                media.address(figurine, picture, audience=audience).rsplit("/", 1)[-1], user=nobody
            )
            is not None
            for audience in Audience
        }
        assert seen == {Audience.PARTICIPANT: True, Audience.SCREEN: False, Audience.CREW: False}
    assert said.still_url.startswith("/")
    assert list(queries.on_show(queued.campaign_id)) == []


def test_engine_in_time_is_the_submissions_and_sculpts_is_forgotten(queued: Submission) -> None:
    make("sculpt")
    address = media.address(
        queued.figurines.get(), Picture.STILL, audience=Audience.PARTICIPANT
    ).rsplit("/", 1)[-1]
    make("klein")
    assert (now(queued).state, chosen(queued), pictures(queued)) == (S.REVIEW, (MAIN, "klein"), 1)
    assert open_jobs(queued) == []
    assert media.resolve(address, user=AnonymousUser()) is None
    figurine = queued.figurines.get(is_chosen=True)
    assert (figurine.likeness, figurine.marks) == (0.5, ["odd"])
    assert queries.status(queued).is_preview is False


def test_engine_before_sculpt_ends_sculpts_job(queued: Submission) -> None:
    beside = hold("sculpt")
    make("klein")
    assert (now(queued).state, open_jobs(queued)) == (S.REVIEW, [])
    with pytest.raises(Cancelled):
        finish(beside)
    assert chosen(queued) == (MAIN, "klein")


def test_patience_puts_sculpts_to_review_and_the_engine_goes_on(queued: Submission) -> None:
    make("sculpt")
    upgrades.lose_patience(queued.pk)  # rung too early
    assert now(queued).state == S.GENERATING
    time_is_up(queued)
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert open_jobs(queued) == [(MAIN, "klein")]
    assert moves(queued)[-1] == (S.REVIEW, "patience", "20 s are over: sculpt's goes to review")
    assert queries.status(queued).is_preview is True
    assert queries.status(queued).sentence == ""
    before = moves(queued)
    upgrades.lose_patience(queued.pk)  # rung twice
    assert moves(queued) == before


def test_patience_over_before_sculpt_is_done(queued: Submission) -> None:
    time_is_up(queued)
    assert now(queued).state == S.QUEUED
    make("sculpt")
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert moves(queued)[-1][1] == "patience"


def test_sweep_finds_whose_time_is_up(queued: Submission) -> None:
    make("sculpt")
    assert upgrades.impatient() == []
    Submission.objects.update(patience_ends_at=timezone.now() - timedelta(seconds=1))
    assert upgrades.impatient() == [queued.pk]
    upgrades.lose_patience(queued.pk)
    assert upgrades.impatient() == []


def test_sweep_leaves_alone_for_whom_sculpt_is_at_work(queued: Submission) -> None:
    Submission.objects.update(patience_ends_at=timezone.now() - timedelta(seconds=1))
    assert upgrades.impatient() == []


# --- upgrades ---------------------------------------------------------------------------------
@pytest.fixture
def standing(queued: Submission) -> Submission:
    """In review with sculpt's, klein still at work."""
    make("sculpt")
    time_is_up(queued)
    return now(queued)


def test_late_result_takes_sculpts_place_in_review(standing: Submission) -> None:
    make("klein")
    there = now(standing)
    assert (there.state, chosen(there), pictures(there)) == (S.REVIEW, (MAIN, "klein"), 1)
    words = "klein's takes the place of sculpt's"
    assert moves(there)[-1] == (S.REVIEW, "upgraded", words)
    assert there.state_since_at > standing.state_since_at
    assert queries.status(there).is_preview is False


def test_decision_about_the_picture_before_is_refused(
    standing: Submission, moderator: User
) -> None:
    seen_at = standing.state_since_at
    make("klein")
    old = Decision(standing.pk, Verdict.APPROVE, seen_at)
    with pytest.raises(Overtaken):
        decisions.decide(old, user=moderator)
    new = Decision(standing.pk, Verdict.APPROVE, now(standing).state_since_at)
    assert decisions.decide(new, user=moderator).submission.state == S.APPROVED


def test_decision_is_refused_though_the_other_workers_clock_is_behind(
    standing: Submission, moderator: User
) -> None:
    ahead = timezone.now() + timedelta(minutes=5)
    Submission.objects.update(state_since_at=ahead)
    make("klein")
    assert now(standing).state_since_at > ahead
    with pytest.raises(Overtaken):
        decisions.decide(Decision(standing.pk, Verdict.APPROVE, ahead), user=moderator)


def test_upgrade_keeps_the_place_in_the_queue(standing: Submission, painted: Campaign) -> None:
    klein_is_away()
    later = shelf.put(painted, S.REVIEW)
    assert [row.pk for row in queries.review_queue()] == [standing.pk, later.pk]
    workers.beat(KLEIN)
    make("klein")
    assert now(standing).state_since_at > now(later).state_since_at
    assert [row.pk for row in queries.review_queue()] == [standing.pk, later.pk]


def end(submission: Submission, moderator: User, how: str) -> None:
    actor = lifecycle.crew(moderator)
    match how:
        case "approve":
            approval.approve(submission, actor=actor)
        case "reject":
            approval.reject(submission, actor=actor, reason=RejectReason.OTHER)
        case "erase":
            retention.erase(submission, actor=lifecycle.PARTICIPANT)
        case "expire":
            retention.purge(now=timezone.now() + timedelta(days=40))


@pytest.mark.parametrize("how", ["approve", "reject", "erase", "expire"])
@pytest.mark.parametrize("is_in_hand", [True, False])
def test_late_result_never_touches_what_is_decided(
    standing: Submission, moderator: User, how: str, is_in_hand: bool
) -> None:
    late = hold("klein") if is_in_hand else None
    end(standing, moderator, how)
    before = (now(standing).state, list(standing.figurines.values()), moves(standing))
    assert open_jobs(standing) == []
    if late:
        with pytest.raises(Cancelled):
            finish(late)
    assert generation.claim(("klein",), limit=1) == []
    assert (now(standing).state, list(standing.figurines.values()), moves(standing)) == before


def test_late_failure_leaves_what_is_in_review(standing: Submission) -> None:
    since_at = standing.state_since_at
    fail(hold("klein"))
    there = now(standing)
    assert (there.state, there.state_since_at, chosen(there)) == (
        *(S.REVIEW, since_at),
        (STAND_IN, "sculpt"),
    )
    assert open_jobs(there) == []
    assert moves(there)[-1] == ("", "no_face", "klein failed (no_face): what is in review stays")


def test_late_failure_overtakes_nobodys_decision(standing: Submission, moderator: User) -> None:
    seen_at, place = standing.state_since_at, list(queries.review_queue())
    fail(hold("klein"))
    assert list(queries.review_queue()) == place
    seen = Decision(standing.pk, Verdict.REJECT, seen_at, reason=RejectReason.OTHER)
    assert decisions.decide(seen, user=moderator).submission.state == S.REJECTED
    approval.undo(now(standing), actor=lifecycle.crew(moderator))
    assert now(standing).state == S.REVIEW


def test_late_failure_leaves_the_visitor_another_one(standing: Submission) -> None:
    fail(hold("klein"))
    assert rerolls.ask(standing, rerolls.Wish(seen_at=standing.state_since_at))


def test_purged_selfie_ends_the_late_engine(standing: Submission) -> None:
    retention.purge(now=standing.selfie_purge_at)
    assert (now(standing).state, open_jobs(standing)) == (S.REVIEW, [])


def test_purged_selfie_puts_the_stand_in_to_review(queued: Submission) -> None:
    make("sculpt")
    retention.purge(now=queued.selfie_purge_at)
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (STAND_IN, "sculpt"))
    assert moves(queued)[-1] == (S.REVIEW, "fallback", "selfie_gone")


def test_reroll_ends_the_late_engine_and_begins_anew(standing: Submission) -> None:
    late = hold("klein")
    assert rerolls.ask(standing, rerolls.Wish(seen_at=standing.state_since_at, kit="astronaut"))
    with pytest.raises(Cancelled):
        finish(late)
    assert open_jobs(standing) == [(MAIN, "klein"), (STAND_IN, "sculpt")]
    make("sculpt")
    assert (pictures(standing), chosen(standing)) == (2, (STAND_IN, "sculpt"))
    assert queries.status(standing).is_preview is True
    make("klein")
    assert (now(standing).kit, chosen(standing)) == ("astronaut", (MAIN, "klein"))
    assert pictures(standing) == 1


def test_erased_stand_in_leaves_no_file(queued: Submission) -> None:
    before = set(storages["private"].listdir("figurines")[1])
    make("sculpt")
    receipt = retention.erase(now(queued), actor=lifecycle.PARTICIPANT)
    assert receipt.files == 3  # the selfie, still and cutout
    assert (pictures(queued), open_jobs(queued)) == (0, [])
    assert len(set(storages["private"].listdir("figurines")[1]) - before) == 2  # until commit


# --- failures ---------------------------------------------------------------------------------
def test_engine_that_fails_gives_way_to_the_second(painted: Campaign) -> None:
    queued = put_with_hosted(painted)
    fail(hold("klein"), code="engine_broke")
    assert open_jobs(queued) == [(STAND_IN, "sculpt"), (MAIN, "hosted")]
    words = "hosted: klein failed (engine_broke), 0 waiting, about 8 s"
    assert moves(queued)[-1] == (S.QUEUED, "fallback", words)
    fail(hold("hosted"), code="provider_refused")
    assert open_jobs(queued) == [(STAND_IN, "sculpt")]
    words = "hosted failed (provider_refused): sculpt's is on its way"
    assert moves(queued)[-1] == (S.QUEUED, "fallback", words)
    make("sculpt")
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (STAND_IN, "sculpt"))


def test_engine_that_fails_after_sculpt_is_done(queued: Submission) -> None:
    make("sculpt")
    fail(hold("klein"))
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (STAND_IN, "sculpt"))
    words = "klein failed (no_face): sculpt's goes to review"
    assert moves(queued)[-1] == (S.REVIEW, "fallback", words)
    assert queries.status(queued).sentence == ""


def test_picture_without_a_face_never_takes_the_place_of_sculpts(queued: Submission) -> None:
    make("sculpt")
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    assert (now(queued).state, chosen(queued), pictures(queued)) == (
        *(S.REVIEW, (STAND_IN, "sculpt")),
        1,
    )
    words = "klein failed (no_face_in_figurine): sculpt's goes to review"
    assert moves(queued)[-1] == (S.REVIEW, "fallback", words)
    assert queued.jobs.get(role=MAIN).error_code == "no_face_in_figurine"


def test_picture_without_a_face_gives_way_to_the_second_engine(painted: Campaign) -> None:
    queued = put_with_hosted(painted)
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    assert open_jobs(queued) == [(STAND_IN, "sculpt"), (MAIN, "hosted")]


def test_late_picture_without_a_face_is_dropped_with_its_files(standing: Submission) -> None:
    before = (list(standing.figurines.values()), storages["private"].listdir("figurines")[1])
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    there = now(standing)
    assert (there.state, there.state_since_at) == (S.REVIEW, standing.state_since_at)
    assert (list(there.figurines.values()), storages["private"].listdir("figurines")[1]) == before
    assert open_jobs(there) == []


def test_picture_without_a_face_and_nothing_else_is_a_failure_with_its_code(
    queued: Submission,
) -> None:
    fail(hold("sculpt"))
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    there = now(queued)
    assert (there.state, there.reason, pictures(there)) == (S.FAILED, "no_face_in_figurine", 0)
    assert queries.may_retry(there)


def test_unlike_picture_is_taken_and_marked(standing: Submission) -> None:
    bring(hold("klein"), marks.UNLIKE)
    assert (chosen(standing), pictures(standing)) == ((MAIN, "klein"), 1)
    assert standing.figurines.get(is_chosen=True).marks == [marks.UNLIKE]


def test_sculpts_failure_alone_is_no_failure(queued: Submission) -> None:
    fail(hold("sculpt"))
    assert (now(queued).state, open_jobs(queued)) == (S.GENERATING, [(MAIN, "klein")])
    assert moves(queued)[-1] == ("", "no_face", "sculpt failed (no_face): klein goes on")
    time_is_up(queued)
    assert now(queued).state == S.GENERATING
    make("klein")
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (MAIN, "klein"))


@pytest.mark.parametrize("order", [("sculpt", "klein"), ("klein", "sculpt")])
def test_submission_fails_only_where_every_engine_has(
    queued: Submission, order: tuple[str, str]
) -> None:
    held = {name: hold(name) for name in order}
    fail(held[order[0]])
    assert now(queued).state in IN_WORK
    fail(held[order[1]], code="too_dark")
    assert (now(queued).state, now(queued).reason) == (S.FAILED, "too_dark")
    assert moves(queued)[-1] == (S.FAILED, "too_dark", f"{order[1]} failed (too_dark)")


def test_reroll_of_a_painted_one_has_no_stand_in_that_would_take_its_place(
    standing: Submission,
) -> None:
    make("klein")
    there = now(standing)
    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
    assert open_jobs(there) == [(MAIN, "klein")]
    time_is_up(there)
    assert (now(there).state, open_jobs(there)) == (S.QUEUED, [(MAIN, "klein")])
    klein_is_away()
    upgrades.lose_patience(there.pk)
    assert (now(there).state, chosen(there), open_jobs(there)) == (
        *(S.REVIEW, (MAIN, "klein")),
        [],
    )
    assert pictures(there) == 1
    assert moves(there)[-1] == (S.REVIEW, upgrades.NOBODY, "klein is away")


def test_reroll_of_sculpts_has_a_stand_in(standing: Submission) -> None:
    there = now(standing)
    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
    assert open_jobs(there) == [(MAIN, "klein"), (STAND_IN, "sculpt")]


def test_reroll_that_fails_leaves_what_was_there(standing: Submission) -> None:
    make("klein")
    there = now(standing)
    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
    fail(hold("klein"), code="out_of_memory")
    assert (now(there).state, chosen(there)) == (S.REVIEW, (MAIN, "klein"))
    assert queries.status(there).sentence != ""


def test_nobody_waits_for_an_engine_that_is_gone(queued: Submission) -> None:
    fail(hold("sculpt"))
    klein_is_away()
    time_is_up(queued)
    assert moves(queued)[-1] == (S.FAILED, upgrades.NOBODY, "klein is away")
    assert open_jobs(queued) == []


def test_second_engine_is_asked_where_the_first_is_gone_and_sculpt_failed(
    painted: Campaign,
) -> None:
    queued = put_with_hosted(painted)
    lost = hold("klein")
    fail(hold("sculpt"))
    klein_is_away()
    time_is_up(queued)
    assert open_jobs(queued) == [(MAIN, "hosted")]
    words = "hosted: klein is away, 0 waiting, about 8 s"
    assert moves(queued)[-1] == (S.QUEUED, "fallback", words)
    with pytest.raises(Cancelled):
        finish(lost)
    make("hosted")
    assert (now(queued).state, chosen(queued)) == (S.REVIEW, (MAIN, "hosted"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not connection.features.has_select_for_update_skip_locked,
    reason="SQLite has one writer at a time, and who comes second waits",
)
def test_claim_waits_a_moment_for_who_claims_the_other_job(
    queued: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_locked, is_free = threading.Event(), threading.Event()

    def claim_beside() -> None:
        with transaction.atomic():
            Submission.objects.select_for_update().get(pk=queued.pk)
            is_locked.set()
            is_free.wait(10)
        connection.close()

    other = threading.Thread(target=claim_beside)

    def step_aside(_: float) -> None:
        is_free.set()
        other.join()

    monkeypatch.setattr(time, "sleep", step_aside)
    other.start()
    assert is_locked.wait(10)
    assert hold("klein").submission_id == queued.pk


def test_rejected_in_the_queue_keeps_no_picture(queued: Submission) -> None:
    make("sculpt")
    lost = hold("klein")
    generation._failed(lost, code="out_of_memory", permanent=False)
    assert now(queued).state == S.QUEUED
    lifecycle.transition(queued, S.REJECTED, actor=lifecycle.SYSTEM)
    assert (pictures(queued), open_jobs(queued)) == (0, [])


def test_retry_beside_work_in_hand_is_still_being_made(queued: Submission) -> None:
    hold("sculpt")
    generation._failed(hold("klein"), code="out_of_memory", permanent=False)
    assert now(queued).state == S.GENERATING
    assert queries.status(queued).state == S.GENERATING


# --- every order ------------------------------------------------------------------------------
HOW: Final = (
    *("hold main", "hold beside", "done main", "done beside", "fail main", "fail beside"),
    *("later main", "later beside", "lapse", "patience", "klein away", "klein back"),
    *("approve", "reject", "undo", "recall", "reroll", "retry", "erase", "purge selfie"),
    "faceless main",
)


@dataclass
class Shop:
    """A submission to which anything may happen at any time, and what must be true of it always."""

    submission: Submission
    moderator: User
    held: dict[str, Claim | None] = field(default_factory=dict)
    """The last claim of each role, lapsed or not."""

    def happen(self, how: str) -> None:
        before = now(self.submission)
        standing = self._chosen() if before.state in _DECIDED else None
        word, _, role = how.partition(" ")
        if word in ("hold", "done", "fail", "faceless", "later"):
            self._work(word, role)
        else:
            self._act(how)
        self.check()
        if standing and now(self.submission).state == before.state:
            assert self._chosen() == standing
        if how == "patience" and before.state in IN_WORK and upgrades.stand_in(before):
            assert now(self.submission).state not in IN_WORK

    def _chosen(self) -> int | None:
        rows = self.submission.figurines.filter(is_chosen=True)
        return rows.values_list("pk", flat=True).first()

    def _work(self, word: str, role: str) -> None:
        if word == "hold":
            names = ("sculpt",) if role == "beside" else ("klein", "hosted")
            GenerationJob.objects.update(ready_at=timezone.now())
            for taken in generation.claim(names, limit=1):
                self.held[role] = taken
            return
        claim = self.held.pop(role, None)
        if claim is None:
            return
        if word == "done":
            try:
                finish(claim)
            except Cancelled:
                self.held[role] = claim
        elif word == "faceless":
            bring(claim, marks.NO_FACE_IN_FIGURINE)
        else:
            generation._failed(claim, code="engine_broke", permanent=word == "fail")

    def _act(self, how: str) -> None:
        there, actor = now(self.submission), lifecycle.crew(self.moderator)
        try:
            match how:
                case "lapse":
                    GenerationJob.objects.filter(lease_until__isnull=False).update(
                        lease_until=timezone.now() - timedelta(seconds=1)
                    )
                case "patience":
                    if there.patience_ends_at:
                        time_is_up(there)
                case "klein away":
                    klein_is_away()
                case "klein back":
                    workers.beat(KLEIN)
                case "undo":
                    approval.undo(there, actor=actor)
                case "recall":
                    approval.recall(there, actor=actor, reason=RecallReason.PRODUCER)
                case "reroll":
                    rerolls.ask(there, rerolls.Wish(seen_at=there.state_since_at))
                case "retry":
                    approval.retry(there, actor=actor)
                case "purge selfie":
                    retention.purge(now=there.selfie_purge_at)
                case _:
                    end(there, self.moderator, how)
        except (IllegalTransition, IntakeError):
            pass  # not in this state, and then nothing was changed

    def check(self) -> None:
        there, jobs = now(self.submission), open_jobs(self.submission)
        roles = [role for role, _ in jobs]
        assert len(set(roles)) == len(roles)
        if there.state in IN_WORK:
            assert jobs, "lost: nobody works on it"
        elif there.state == S.REVIEW and jobs:
            assert roles == [MAIN]
            assert chosen(there)[0] == STAND_IN
        else:
            assert jobs == []
        if there.state in (S.REVIEW, S.APPROVED):
            chosen(there)
            assert marks.NO_FACE_IN_FIGURINE not in there.figurines.get(is_chosen=True).marks
        hidden = there.figurines.filter(is_chosen=False).exclude(still="")
        assert hidden.count() <= (1 if there.state in IN_WORK else 0)
        if there.state == S.FAILED:
            assert not there.figurines.exclude(still="").exists()

    def drain(self) -> None:
        """From here on everybody does their work, and it comes to an end."""
        workers.beat(KLEIN)
        self.held.clear()
        self._act("lapse")
        for _ in range(leases.MAX_ATTEMPTS + 1):
            for role in ("main", "beside"):
                if open_jobs(self.submission):
                    self.happen(f"hold {role}")
                    self.happen(f"done {role}")
        assert now(self.submission).state not in IN_WORK
        assert open_jobs(self.submission) == []


_DECIDED: Final = frozenset({S.APPROVED, S.REJECTED, S.RECALLED, S.ERASED, S.EXPIRED})


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(HOW), max_size=14), st.booleans())
def test_submission_is_never_lost_in_any_order_of_events(
    painted: Campaign, moderator: User, events: list[str], has_second: bool
) -> None:
    with transaction.atomic():
        painted.second_engine = "hosted" if has_second else ""
        painted.save()
        workers.beat(KLEIN)
        if has_second:
            workers.beat(HOSTED)
        shop = Shop(shelf.put(painted, S.QUEUED), moderator)
        for how in events:
            shop.happen(how)
        shop.drain()
        transaction.set_rollback(True)
