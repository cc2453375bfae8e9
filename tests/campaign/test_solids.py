"""Models and print files: made when somebody asks, for whom, and of which selfie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.utils import timezone

from campaign import approval, keepsakes, lifecycle, queries, retention, tasks
from campaign.enums import JobOutcome, KeepsakeKind, RecallReason, SubmissionState
from campaign.errors import NotHandedOut, SelfieGone, TooLate
from campaign.keepsake_status import Stand
from campaign.models import Campaign, Keepsake, Submission
from tests.campaign.sakes import files, one, squad, standing, there
from tests.campaign.workshop import now
from tests.moving import MovingEngine

S = SubmissionState
K = KeepsakeKind
Commit = Callable[..., AbstractContextManager[object]]

pytestmark = pytest.mark.usefixtures("moving_engine")


@pytest.mark.parametrize(("kind", "magic"), [(K.GLB, b"glTF"), (K.STL, b"")])
def test_solid_is_made_once_when_asked(up: Submission, kind: KeepsakeKind, magic: bytes) -> None:
    assert standing(up) == (Stand.OFFERED, Stand.OFFERED)
    assert [keepsakes.ask(up, kind=kind), keepsakes.ask(up, kind=kind)] == [True, False]
    assert Stand.MAKING in standing(up)
    assert (keepsakes.run_solid(), keepsakes.run_solid()) == (True, False)
    assert Stand.READY in standing(up)
    with one(kind).file.open() as file:
        assert file.read(4).startswith(magic)
    assert str(one(kind).file.name).endswith(f".{kind}")
    assert keepsakes.ask(up, kind=kind) is False


@pytest.mark.parametrize("kind", [K.GLB, K.STL])
def test_solid_of_a_squad_is_made_of_all_its_faces(
    waiting: Submission,
    moving_engine: MovingEngine,
    kind: KeepsakeKind,
) -> None:
    squad(waiting)
    assert standing(waiting) == (Stand.OFFERED, Stand.OFFERED)
    assert keepsakes.ask(now(waiting), kind=kind) is True
    assert keepsakes.run_solid() is True
    assert one(kind).outcome == JobOutcome.DONE
    assert (moving_engine.made, moving_engine.seen_faces) == ([str(kind)], [2])
    assert Stand.READY in standing(waiting)


def queued(receive: Callable[..., Submission]) -> Submission:
    """Somebody whose figurine is to be made next."""
    submission = receive()
    lifecycle.transition(submission, S.QUEUED, actor=lifecycle.SYSTEM)
    submission.jobs.create(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    return submission


def test_figurines_come_before_solids(
    up: Submission,
    receive: Callable[..., Submission],
    moving_engine: MovingEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.cast, "delay", lambda: rung.append("cast"))
    keepsakes.ask(up, kind=K.STL)
    other = queued(receive)
    tasks.cast()
    assert (moving_engine.made, rung) == ([], [])
    tasks.generate()
    assert (now(other).state, moving_engine.made, rung) == (S.REVIEW, [], ["cast"])
    tasks.cast()
    assert moving_engine.made == ["stl"]


def test_solid_has_its_turn_though_the_queue_stands(
    up: Submission,
    receive: Callable[..., Submission],
    moving_engine: MovingEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.cast, "delay", lambda: rung.append("cast"))
    monkeypatch.setattr(tasks.generate, "delay", lambda: rung.append("generate"))
    monkeypatch.setattr(tasks, "ring_film", lambda: None)
    keepsakes.ask(up, kind=K.STL)
    keepsakes.ask(up, kind=K.GLB)
    other = queued(receive)
    tasks.sweep()
    assert rung == ["generate", "cast"]
    Keepsake.objects.filter(kind=K.STL).update(
        created_at=timezone.now() - timedelta(seconds=keepsakes.SOLID_PATIENCE_S)
    )
    tasks.cast()
    assert (moving_engine.made, now(other).state) == (["stl"], S.QUEUED)


def test_each_worker_makes_its_own(up: Submission, moving_engine: MovingEngine) -> None:
    keepsakes.ask(up, kind=K.GLB)
    tasks.film()
    assert moving_engine.made == ["clip"]
    tasks.cast()
    assert moving_engine.made == ["clip", "glb"]


@pytest.mark.parametrize("state", sorted(set(S) - {S.APPROVED}))
def test_solid_of_what_is_not_approved_is_refused(up: Submission, state: SubmissionState) -> None:
    Submission.objects.filter(pk=up.pk).update(state=state)
    with pytest.raises(TooLate):
        keepsakes.ask(up, kind=K.GLB)
    assert standing(up) == ("", "")


def test_solid_without_the_selfie_says_so(up: Submission) -> None:
    Submission.objects.update(selfie_purge_at=timezone.now())
    with pytest.raises(SelfieGone):
        keepsakes.ask(up, kind=K.GLB)
    kept = queries.status(up).keepsakes
    assert (kept.glb.stand, kept.glb.sentence) == (Stand.GONE, SelfieGone.sentence)
    assert kept.is_gone


def test_solid_that_is_there_outlives_the_selfie(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    Submission.objects.update(selfie_purge_at=timezone.now())
    retention.purge()
    assert standing(up) == (Stand.READY, Stand.GONE)
    assert there(files()) == [True]


def test_selfie_purged_before_it_is_made_ends_it_with_a_sentence(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    Submission.objects.update(selfie_purge_at=timezone.now())
    retention.purge()
    assert (one(K.GLB).outcome, one(K.GLB).error_code) == (JobOutcome.FAILED, "selfie_gone")
    assert keepsakes.run_solid() is False
    assert standing(up) == (Stand.GONE, Stand.GONE)


def test_selfie_past_its_day_is_not_used_even_if_nobody_purged_it(
    up: Submission, moving_engine: MovingEngine
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    Submission.objects.update(selfie_purge_at=timezone.now())
    keepsakes.run_solid()
    assert (one(K.GLB).error_code, moving_engine.made) == ("selfie_gone", [])


@pytest.mark.parametrize(("switch", "kind"), [("offers_models", K.GLB), ("offers_prints", K.STL)])
def test_campaign_that_does_not_hand_it_out_refuses(
    up: Submission, switch: str, kind: KeepsakeKind
) -> None:
    Campaign.objects.update(**{switch: False})
    with pytest.raises(NotHandedOut):
        keepsakes.ask(up, kind=kind)
    assert sorted(standing(up)) == ["", Stand.OFFERED]


def test_figurine_of_an_engine_without_geometry_has_none(up: Submission) -> None:
    figurine = up.figurines.get()
    figurine.recipe = {**figurine.recipe, "engine": "klein"}
    figurine.save()
    with pytest.raises(NotHandedOut):
        keepsakes.ask(up, kind=K.GLB)
    assert standing(up) == ("", "")


def test_clip_is_not_asked_for(up: Submission) -> None:
    with pytest.raises(NotHandedOut):
        keepsakes.ask(up, kind=K.CLIP)


def test_recall_leaves_the_visitor_their_model_and_calls_the_rest_off(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    keepsakes.ask(up, kind=K.STL)
    approval.recall(now(up), actor=lifecycle.SYSTEM, reason=RecallReason.PARTICIPANT)
    assert standing(up) == (Stand.READY, "")
    assert one(K.STL).outcome == JobOutcome.CANCELLED
