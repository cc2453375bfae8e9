"""Engines that fail, or are gone, while one stands in for another."""

from __future__ import annotations

import threading
import time

import pytest
from django.core.files.storage import storages
from django.db import connection, transaction

from campaign import endings, lifecycle, queries, rerolls, upgrades
from campaign.enums import IN_WORK, SubmissionState
from campaign.models import Campaign, Submission
from figurine import marks
from figurine.errors import Cancelled
from tests.campaign.painting import (
    MAIN,
    STAND_IN,
    bring,
    chosen,
    fail,
    finish,
    hold,
    klein_is_away,
    make,
    moves,
    open_jobs,
    pictures,
    put_with_hosted,
    time_is_up,
)
from tests.campaign.workshop import now

S = SubmissionState


def test_engine_that_fails_gives_way_to_the_second(painted: Campaign) -> None:
    to_paint = put_with_hosted(painted)
    fail(hold("klein"), code="engine_broke")
    assert open_jobs(to_paint) == [(STAND_IN, "sculpt"), (MAIN, "hosted")]
    words = "hosted: klein failed (engine_broke), 0 waiting, about 8 s"
    assert moves(to_paint)[-1] == (S.QUEUED, "fallback", words)
    fail(hold("hosted"), code="provider_refused")
    assert open_jobs(to_paint) == [(STAND_IN, "sculpt")]
    words = "hosted failed (provider_refused): sculpt's is on its way"
    assert moves(to_paint)[-1] == (S.QUEUED, "fallback", words)
    make("sculpt")
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (STAND_IN, "sculpt"))


def test_engine_that_fails_after_sculpt_is_done(to_paint: Submission) -> None:
    make("sculpt")
    fail(hold("klein"))
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (STAND_IN, "sculpt"))
    words = "klein failed (no_face): sculpt's goes to review"
    assert moves(to_paint)[-1] == (S.REVIEW, "fallback", words)
    assert queries.status(to_paint).sentence == ""


def test_picture_without_a_face_never_takes_the_place_of_sculpts(to_paint: Submission) -> None:
    make("sculpt")
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    assert (now(to_paint).state, chosen(to_paint), pictures(to_paint)) == (
        *(S.REVIEW, (STAND_IN, "sculpt")),
        1,
    )
    words = "klein failed (no_face_in_figurine): sculpt's goes to review"
    assert moves(to_paint)[-1] == (S.REVIEW, "fallback", words)
    assert to_paint.jobs.get(role=MAIN).error_code == "no_face_in_figurine"


def test_picture_without_a_face_gives_way_to_the_second_engine(painted: Campaign) -> None:
    to_paint = put_with_hosted(painted)
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    assert open_jobs(to_paint) == [(STAND_IN, "sculpt"), (MAIN, "hosted")]


def test_late_picture_without_a_face_is_dropped_with_its_files(standing: Submission) -> None:
    before = (list(standing.figurines.values()), storages["private"].listdir("figurines")[1])
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    there = now(standing)
    assert (there.state, there.state_since_at) == (S.REVIEW, standing.state_since_at)
    assert (list(there.figurines.values()), storages["private"].listdir("figurines")[1]) == before
    assert open_jobs(there) == []


def test_picture_without_a_face_and_nothing_else_is_a_failure_with_its_code(
    to_paint: Submission,
) -> None:
    fail(hold("sculpt"))
    bring(hold("klein"), marks.NO_FACE_IN_FIGURINE)
    there = now(to_paint)
    assert (there.state, there.reason, pictures(there)) == (S.FAILED, "no_face_in_figurine", 0)
    assert queries.may_retry(there)


def test_unlike_picture_is_taken_and_marked(standing: Submission) -> None:
    bring(hold("klein"), marks.UNLIKE)
    assert (chosen(standing), pictures(standing)) == ((MAIN, "klein"), 1)
    assert standing.figurines.get(is_chosen=True).marks == [marks.UNLIKE]


def test_sculpts_failure_alone_is_no_failure(to_paint: Submission) -> None:
    fail(hold("sculpt"))
    assert (now(to_paint).state, open_jobs(to_paint)) == (S.GENERATING, [(MAIN, "klein")])
    assert moves(to_paint)[-1] == ("", "no_face", "sculpt failed (no_face): klein goes on")
    time_is_up(to_paint)
    assert now(to_paint).state == S.GENERATING
    make("klein")
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (MAIN, "klein"))


@pytest.mark.parametrize("order", [("sculpt", "klein"), ("klein", "sculpt")])
def test_submission_fails_only_where_every_engine_has(
    to_paint: Submission, order: tuple[str, str]
) -> None:
    held = {name: hold(name) for name in order}
    fail(held[order[0]])
    assert now(to_paint).state in IN_WORK
    fail(held[order[1]], code="too_dark")
    assert (now(to_paint).state, now(to_paint).reason) == (S.FAILED, "too_dark")
    assert moves(to_paint)[-1] == (S.FAILED, "too_dark", f"{order[1]} failed (too_dark)")


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


def test_nobody_waits_for_an_engine_that_is_gone(to_paint: Submission) -> None:
    fail(hold("sculpt"))
    klein_is_away()
    time_is_up(to_paint)
    assert moves(to_paint)[-1] == (S.FAILED, upgrades.NOBODY, "klein is away")
    assert open_jobs(to_paint) == []


def test_second_engine_is_asked_where_the_first_is_gone_and_sculpt_failed(
    painted: Campaign,
) -> None:
    to_paint = put_with_hosted(painted)
    lost = hold("klein")
    fail(hold("sculpt"))
    klein_is_away()
    time_is_up(to_paint)
    assert open_jobs(to_paint) == [(MAIN, "hosted")]
    words = "hosted: klein is away, 0 waiting, about 8 s"
    assert moves(to_paint)[-1] == (S.QUEUED, "fallback", words)
    with pytest.raises(Cancelled):
        finish(lost)
    make("hosted")
    assert (now(to_paint).state, chosen(to_paint)) == (S.REVIEW, (MAIN, "hosted"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not connection.features.has_select_for_update_skip_locked,
    reason="SQLite has one writer at a time, and who comes second waits",
)
def test_claim_waits_a_moment_for_who_claims_the_other_job(
    to_paint: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_locked, is_free = threading.Event(), threading.Event()

    def claim_beside() -> None:
        with transaction.atomic():
            Submission.objects.select_for_update().get(pk=to_paint.pk)
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
    assert hold("klein").submission_id == to_paint.pk


def test_rejected_in_the_queue_keeps_no_picture(to_paint: Submission) -> None:
    make("sculpt")
    lost = hold("klein")
    endings.fail(lost, code="out_of_memory", permanent=False)
    assert now(to_paint).state == S.QUEUED
    lifecycle.transition(to_paint, S.REJECTED, actor=lifecycle.SYSTEM)
    assert (pictures(to_paint), open_jobs(to_paint)) == (0, [])


def test_retry_beside_work_in_hand_is_still_being_made(to_paint: Submission) -> None:
    hold("sculpt")
    endings.fail(hold("klein"), code="out_of_memory", permanent=False)
    assert now(to_paint).state == S.GENERATING
    assert queries.status(to_paint).state == S.GENERATING
