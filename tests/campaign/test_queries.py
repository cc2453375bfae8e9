from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from campaign import errors, lifecycle, load, queries, scenes, screening
from campaign.enums import RECALL_SENTENCES, RecallReason, RejectReason, SubmissionState
from campaign.models import Campaign, Figurine, Submission, Transition
from figurine.errors import NoFace, OutOfMemory

S = SubmissionState


def put(submission: Submission, state: S, reason: str = "") -> queries.Status:
    Submission.objects.filter(pk=submission.pk).update(state=state, reason=reason)
    return queries.status(submission)


@pytest.mark.parametrize("state", S)
def test_status_says_one_true_thing_a_state(bare: Submission, state: S) -> None:
    said = put(bare, state)
    assert said.state == state
    assert said.can_retry is False  # without a selfie there is nothing to try
    assert said.is_over is (state in {S.REJECTED, S.RECALLED, S.EXPIRED, S.ERASED})
    assert (said.eta_s is not None) is (state in {S.SCREENING, S.QUEUED, S.GENERATING})


def test_recall_that_is_a_late_rejection_says_so_and_offers_nothing(bare: Submission) -> None:
    figurine = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    figurine.still.save("still.jpg", ContentFile(b"still"), save=False)
    figurine.save()
    told = {}
    for reason in RecallReason:
        said = put(bare, S.RECALLED, reason)
        told[reason] = (scenes.of(said).name, scenes.of(said).lead, bool(said.still_url))
    kept = "Your figurine is off the screens. It is still yours to keep."
    assert told == {
        **dict.fromkeys(RecallReason, ("recalled", kept, True)),
        **{
            reason: ("rejected", str(sentence), False)
            for reason, sentence in RECALL_SENTENCES.items()
        },
    }
    assert set(RECALL_SENTENCES) == {
        RecallReason.MODERATION,
        RecallReason.SOMEONE_ELSE,
        RecallReason.MINOR,
    }


def test_status_gives_sentences_for_refusals(bare: Submission) -> None:
    said = put(bare, S.REJECTED, RejectReason.BAD_NAME)
    assert said.sentence == "That name cannot go up there. Try again with another one."
    said = put(bare, S.FAILED, OutOfMemory.code)
    assert (said.sentence, said.advice) == (OutOfMemory.sentence, OutOfMemory.advice)


@pytest.mark.parametrize(("code", "kind"), [("no_face", NoFace), ("out_of_memory", OutOfMemory)])
def test_refusal_of_code_finds_its_class(code: str, kind: type) -> None:
    assert errors.refusal_of(code) is kind


@pytest.mark.parametrize(
    ("state", "sees"),
    # One that is made again while there is one already: it is still theirs
    [(S.GENERATING, True), (S.REVIEW, True), (S.REJECTED, False), (S.HELD, False)],
)
def test_status_shows_the_figurine_only_where_it_may(
    bare: Submission, state: S, sees: bool
) -> None:
    figurine = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    figurine.still.save("still.jpg", ContentFile(b"still"), save=False)
    figurine.save()
    assert bool(put(bare, state).still_url) is sees


@pytest.mark.parametrize(
    ("state", "reason", "kept"),
    [
        (S.REVIEW, "", ""),
        (S.APPROVED, "", "Kept until 5 March 2031."),
        (S.RECALLED, RecallReason.PRODUCER, "Kept until 5 March 2031."),
        (S.RECALLED, RecallReason.MINOR, ""),
    ],
)
def test_page_says_until_when_what_is_theirs_is_kept(
    bare: Submission, state: S, reason: str, kept: str
) -> None:
    Figurine.objects.create(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    Submission.objects.update(figurine_purge_at=datetime(2031, 3, 5, 12, tzinfo=UTC))
    assert scenes.of(put(bare, state, reason)).kept == kept


def test_status_counts_who_is_ahead(receive: Callable[..., Submission]) -> None:
    submissions = [receive() for _ in range(3)]
    for submission in submissions:
        screening.enqueue(submission, actor=lifecycle.SYSTEM, only_from=SubmissionState.SCREENING)
    assert [queries.status(s).ahead for s in submissions] == [0, 1, 2]
    assert queries.status(submissions[2]).eta_s == round(3 * load.FIRST_ETA_S)


@pytest.mark.parametrize("items", [1, 3])
def test_review_queue_needs_the_same_queries_for_any_length(
    receive: Callable[..., Submission], items: int, django_assert_num_queries: Any
) -> None:
    for _ in range(items):
        put(receive(), S.REVIEW)
    with django_assert_num_queries(2):
        assert len([(s.campaign.name, s.figurine) for s in queries.review_queue()]) == items


def test_review_queue_of_a_campaign_holds_no_other(
    receive: Callable[..., Submission], campaign: Campaign
) -> None:
    other = Campaign.objects.create(slug="other", name="Other")
    mine, _ = receive(), receive(campaign=other)
    Submission.objects.update(state=S.REVIEW)
    assert list(queries.review_queue(campaign)) == [mine]


@pytest.mark.parametrize(
    "ago", [timedelta(seconds=11), -timedelta(hours=2)], ids=["lately", "clock set back"]
)
def test_stuck_in_screening_finds_the_lost_bell(bare: Submission, ago: timedelta) -> None:
    put(bare, S.SCREENING)
    assert queries.stuck_in_screening() == []
    Submission.objects.update(state_since_at=timezone.now() - ago)
    assert queries.stuck_in_screening() == [bare.pk]


def test_few_bells_are_rung_again_at_once_those_of_who_waits_longest_first(
    receive: Callable[..., Submission],
) -> None:
    waiting = [receive() for _ in range(queries.RUNG_AGAIN + 2)]
    now = timezone.now()
    for n, submission in enumerate(waiting):
        Submission.objects.filter(pk=submission.pk).update(
            state=S.SCREENING, state_since_at=now - timedelta(minutes=n + 1)
        )
    longest = [submission.pk for submission in reversed(waiting)]
    assert queries.stuck_in_screening() == longest[: queries.RUNG_AGAIN]


def test_counts_by_state(bare: Submission, campaign: Campaign) -> None:
    assert queries.counts(campaign) == {S.RECEIVED: 1}


@pytest.mark.parametrize(
    ("state", "reason", "tries", "may"),
    [
        (S.FAILED, "worker_lost", 1, True),
        (S.FAILED, "engine_broke", 2, True),
        (S.FAILED, "out_of_memory", 1, True),
        (S.FAILED, "worker_lost", queries.TRIES_MAX, False),
        (S.FAILED, "no_face", 1, False),
        (S.REVIEW, "", 1, False),
    ],
)
def test_may_retry_where_it_could_help(
    receive: Callable[..., Submission], state: S, reason: str, tries: int, may: bool
) -> None:
    submission = receive()
    for _ in range(tries):
        Transition.objects.create(
            submission=submission, from_state=S.FAILED, to_state=S.QUEUED, actor_kind="system"
        )
    assert put(submission, state, reason).can_retry is may
