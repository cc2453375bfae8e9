from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from campaign import lifecycle, signals
from campaign.enums import FINAL, TRANSITIONS, SubmissionState
from campaign.errors import IllegalTransition
from campaign.models import AppendOnlyError, Figurine, Submission, Transition

S = SubmissionState
LEGAL = [(a, b) for a, targets in TRANSITIONS.items() for b in sorted(targets)]
ILLEGAL = [pair for pair in itertools.product(S, S) if pair not in LEGAL]


@pytest.fixture
def in_state(bare: Submission) -> Callable[[SubmissionState], Submission]:
    # Nobody is approved without a picture.
    figurine = Figurine(submission=bare, recipe={}, seed=1, engine_version="1", is_chosen=True)
    figurine.cutout.name = "cutout.webp"
    figurine.save()

    def put(state: SubmissionState) -> Submission:
        Submission.objects.filter(pk=bare.pk).update(state=state)
        bare.refresh_from_db()
        return bare

    return put


@pytest.mark.parametrize(("start", "to"), LEGAL)
def test_transition_legal_writes_state_and_log(
    in_state: Callable[..., Submission], moderator: User, start: S, to: S
) -> None:
    submission = in_state(start)
    lifecycle.transition(submission, to, actor=lifecycle.crew(moderator), reason="r", note="n")
    assert Submission.objects.get(pk=submission.pk).state == to
    row = Transition.objects.get(submission=submission)
    assert (row.from_state, row.to_state, row.actor, row.actor_kind, row.reason, row.note) == (
        start,
        to,
        moderator,
        "crew",
        "r",
        "n",
    )


@pytest.mark.parametrize(("start", "to"), ILLEGAL)
def test_transition_illegal_is_refused_and_changes_nothing(
    in_state: Callable[..., Submission], start: S, to: S
) -> None:
    submission = in_state(start)
    with pytest.raises(IllegalTransition):
        lifecycle.transition(submission, to, actor=lifecycle.SYSTEM)
    assert Submission.objects.get(pk=submission.pk).state == start
    assert Transition.objects.count() == 0


def test_transition_decides_by_the_stored_state_not_the_stale_one(bare: Submission) -> None:
    stale = Submission.objects.get(pk=bare.pk)
    lifecycle.transition(bare, S.SCREENING, actor=lifecycle.SYSTEM)
    lifecycle.transition(bare, S.REJECTED, actor=lifecycle.SYSTEM)
    with pytest.raises(IllegalTransition) as refused:
        lifecycle.transition(stale, S.SCREENING, actor=lifecycle.SYSTEM)
    assert refused.value.current == S.REJECTED


def test_approval_goes_by_the_figurine_that_is_chosen_now(
    in_state: Callable[..., Submission],
) -> None:
    """Not by the one that was read along with a submission, before somebody took it away."""
    in_state(S.REVIEW)
    stale = Submission.objects.prefetch_related("figurines").get()
    assert stale.figurine
    Figurine.objects.update(is_chosen=False)
    with pytest.raises(IllegalTransition):
        lifecycle.transition(stale, S.APPROVED, actor=lifecycle.SYSTEM)
    assert Submission.objects.get().state == S.REVIEW


def test_transition_undone_when_a_receiver_fails(bare: Submission) -> None:
    def break_it(**_: object) -> None:
        raise RuntimeError("feed is full")

    signals.transitioned.connect(break_it)
    try:
        with pytest.raises(RuntimeError):
            lifecycle.transition(bare, S.SCREENING, actor=lifecycle.SYSTEM)
    finally:
        signals.transitioned.disconnect(break_it)
    assert Submission.objects.get(pk=bare.pk).state == S.RECEIVED
    assert Transition.objects.count() == 0


def test_note_is_in_the_history_and_moves_nothing(bare: Submission) -> None:
    moved = lifecycle.transition(bare, S.SCREENING, actor=lifecycle.SYSTEM)
    lifecycle.note(bare, actor=lifecycle.SYSTEM, reason="why", note="in words")
    there = Submission.objects.get(pk=bare.pk)
    assert (there.state, there.state_since_at, there.reason) == (S.SCREENING, moved.at, "")
    row = bare.transitions.order_by("-id")[0]
    assert (row.from_state, row.to_state, row.reason, row.note) == (
        *(S.SCREENING, "", "why"),
        "in words",
    )
    assert [each.pk for each in bare.transitions.moves()] == [moved.pk]


def test_transition_row_cannot_be_rewritten_or_deleted(bare: Submission) -> None:
    row = lifecycle.transition(bare, S.SCREENING, actor=lifecycle.SYSTEM)
    with pytest.raises(AppendOnlyError):
        row.save()
    with pytest.raises(AppendOnlyError):
        row.delete()
    with pytest.raises(AppendOnlyError):
        Transition.objects.update(note="rewritten")
    with pytest.raises(AppendOnlyError):
        Transition.objects.filter(submission=bare).delete()


def test_table_names_every_state_and_lets_everyone_be_erased() -> None:
    assert set(TRANSITIONS) == set(S)
    assert {s for s in S if S.ERASED not in TRANSITIONS[s]} == {S.ERASED}
    assert all(TRANSITIONS[s] <= {S.ERASED} for s in (S.EXPIRED, S.ERASED))
    assert FINAL.isdisjoint({S.APPROVED, S.REVIEW})


@pytest.mark.django_db(transaction=True)
def test_transition_of_two_at_once_has_one_winner(bare: Submission) -> None:
    Submission.objects.filter(pk=bare.pk).update(state=S.REVIEW)
    barrier = threading.Barrier(4)
    outcomes: list[str] = []

    def decide(to: SubmissionState) -> None:
        mine = Submission.objects.get(pk=bare.pk)
        barrier.wait()
        try:
            lifecycle.transition(mine, to, actor=lifecycle.SYSTEM)
            outcomes.append("moved")
        except IllegalTransition:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(S.REJECTED,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["moved", "refused", "refused", "refused"]
    assert Transition.objects.filter(submission=bare).count() == 1
