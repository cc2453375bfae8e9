"""Clips, models and print files: made when, for whom; and that none outlives its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import IO

import pytest
from django.core.files.storage import Storage, storages
from django.utils import timezone

from campaign import (
    approval,
    generation,
    keepsakes,
    leases,
    lifecycle,
    media,
    queries,
    rerolls,
    retention,
    tasks,
)
from campaign.enums import JobOutcome, KeepsakeKind, RecallReason, RejectReason, SubmissionState
from campaign.errors import IntakeError, NotHandedOut, SelfieGone, TooLate
from campaign.keepsake_status import Stand
from campaign.media import Audience, Picture
from campaign.models import Campaign, Keepsake, Submission
from figurine.errors import MissingModel, NotSolid, OutOfMemory
from tests import shelf
from tests.campaign.test_generation import FrameEngine
from tests.campaign.test_rerolls import waiting  # noqa: F401 - a fixture
from tests.moving import MovingEngine

S = SubmissionState
K = KeepsakeKind
Commit = Callable[..., AbstractContextManager[object]]


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> MovingEngine:
    made = MovingEngine()
    monkeypatch.setattr(generation, "engine", lambda name: made)
    return made


@pytest.fixture
def up(waiting: Submission) -> Submission:  # noqa: F811 - as pytest has it
    """Approved, with a selfie that can be read and a figurine made of it."""
    approval.approve(waiting, actor=lifecycle.SYSTEM)
    return waiting


def now(submission: Submission) -> Submission:
    return Submission.objects.select_related("campaign").get(pk=submission.pk)


def one(kind: KeepsakeKind) -> Keepsake:
    return Keepsake.objects.get(kind=kind)


def standing(submission: Submission) -> tuple[str, str]:
    kept = queries.status(submission).keepsakes
    return kept.glb.stand, kept.stl.stand


def files() -> list[str]:
    pairs = Keepsake.objects.values_list("file", "webm")
    return [name for pair in pairs for name in pair if name]


def there(names: list[str]) -> list[bool]:
    return [storages["private"].exists(name) for name in names]


def squad(submission: Submission) -> None:
    """Make it one of two, and approve it."""
    submission.other_faces = [submission.face]
    submission.save(update_fields=["other_faces"])
    approval.approve(now(submission), actor=lifecycle.SYSTEM)


def lapse() -> None:
    Keepsake.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


# --- clips --------------------------------------------------------------------------------------
def test_approval_wants_a_clip_and_the_worker_makes_it(up: Submission) -> None:
    assert one(K.CLIP).is_open
    assert queries.status(up).keepsakes.clip is None
    assert keepsakes.run_clip() is True
    assert keepsakes.run_clip() is False
    clip = one(K.CLIP)
    assert (clip.outcome, clip.percent, clip.attempt) == (JobOutcome.DONE, 100, 1)
    with clip.file.open() as mp4, clip.webm.open() as webm:
        assert (mp4.read(12)[4:8], webm.read(4)) == (b"ftyp", b"\x1a\x45\xdf\xa3")
    assert queries.status(up).keepsakes.clip is not None


def test_campaign_without_clips_wants_none(waiting: Submission) -> None:  # noqa: F811
    Campaign.objects.update(makes_clips=False)
    approval.approve(now(waiting), actor=lifecycle.SYSTEM)
    assert Keepsake.objects.count() == 0


def test_clip_of_a_squad_shows_all_its_faces(
    waiting: Submission,  # noqa: F811
    engine: MovingEngine,
) -> None:
    squad(waiting)
    assert keepsakes.run_clip() is True
    assert one(K.CLIP).outcome == JobOutcome.DONE
    assert (engine.made, engine.seen_faces) == (["clip"], [2])


def test_approval_without_the_selfie_wants_no_clip(waiting: Submission) -> None:  # noqa: F811
    Submission.objects.update(selfie_purge_at=timezone.now())
    approval.approve(now(waiting), actor=lifecycle.SYSTEM)
    assert Keepsake.objects.count() == 0


def test_engine_without_motion_simply_makes_no_clip(
    up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "engine", lambda name: FrameEngine())
    assert keepsakes.run_clip() is True
    assert keepsakes.run_clip() is False
    clip = one(K.CLIP)
    assert (clip.outcome, clip.error_code) == (JobOutcome.CANCELLED, "not_made_by_engine")
    assert queries.status(up).keepsakes.clip is None


def test_sweep_wants_the_clips_that_are_missing(up: Submission) -> None:
    """There is none, for an earlier version approved it, or its engine did not make any then."""
    figurine = up.figurines.get()
    figurine.recipe = {**figurine.recipe, "engine": "sculpt"}
    figurine.save()
    assert keepsakes.want_missing_clips() == 0, "it is wanted already"
    Keepsake.objects.update(outcome=JobOutcome.FAILED, error_code="engine_broke")
    assert keepsakes.want_missing_clips() == 0, "it was tried"
    Keepsake.objects.update(outcome=JobOutcome.CANCELLED, error_code="not_made_by_engine")
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [1, 0]
    Keepsake.objects.all().delete()
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [1, 0]
    assert (one(K.CLIP).is_open, one(K.CLIP).error_code) == (True, "")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("engine_broke", 1), ("storage_away", 1), ("worker_lost", 0), ("unknown_kit", 0)],
)
def test_sweep_wants_a_clip_again_that_failed_for_what_may_pass(
    up: Submission, code: str, wanted: int
) -> None:
    up.figurines.update(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    ago = timezone.now() - keepsakes.CLIP_RESTS - timedelta(seconds=1)
    Keepsake.objects.update(outcome=JobOutcome.FAILED, error_code=code, finished_at=timezone.now())
    assert keepsakes.want_missing_clips() == 0, "it rests"
    Keepsake.objects.update(finished_at=ago)
    assert [keepsakes.want_missing_clips(), keepsakes.want_missing_clips()] == [wanted, 0]
    assert one(K.CLIP).is_open is bool(wanted)


def test_clip_that_fails_each_time_is_tried_once_an_hour_and_not_for_ever(
    up: Submission, engine: MovingEngine
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    up.figurines.update(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    engine.meanwhile = fail
    engine.made.clear()
    tries: list[int] = []
    for hour in range(9):
        long_ago = timezone.now() - timedelta(hours=hour, minutes=1)
        just_so = timezone.now() - keepsakes.CLIP_RESTS - timedelta(minutes=1)
        Keepsake.objects.update(created_at=long_ago, finished_at=just_so)
        keepsakes.want_missing_clips()
        before = len(engine.made)
        while keepsakes.run_clip():
            Keepsake.objects.update(ready_at=timezone.now())
        tries.append(len(engine.made) - before)
    assert tries == [3, 1, 1, 1, 1, 1, 0, 0, 0]


def test_clip_that_failed_stands_behind_those_that_did_not(
    up: Submission, campaign: Campaign
) -> None:
    again = one(K.CLIP)
    other = shelf.put(campaign, S.APPROVED).figurines.get()
    Keepsake.objects.filter(pk=again.pk).update(attempt=leases.MAX_ATTEMPTS - 1)
    fresh = Keepsake.objects.create(figurine=other, kind=K.CLIP)
    keepsakes.run_clip()
    tried = Keepsake.objects.exclude(claimed_at=None).get()
    assert (tried.pk, again.ready_at < fresh.ready_at) == (fresh.pk, True)


@pytest.mark.parametrize("lack", ["clips", "selfie", "approval", "motion"])
def test_sweep_wants_no_clip_that_cannot_be(up: Submission, lack: str) -> None:
    Keepsake.objects.all().delete()
    engine = "frame" if lack == "motion" else "sculpt"
    up.figurines.update(recipe={"engine": engine, "kit": "soldier", "finish": "painted"})
    if lack == "clips":
        Campaign.objects.update(makes_clips=False)
    elif lack == "selfie":
        Submission.objects.update(selfie_purge_at=timezone.now())
    elif lack == "approval":
        Submission.objects.update(state=S.RECALLED)
    assert keepsakes.want_missing_clips() == 0


LEAVE: dict[str, Callable[[Submission], object]] = {
    "recall": lambda s: approval.recall(s, actor=lifecycle.SYSTEM, reason=RecallReason.PARTICIPANT),
    "undo": lambda s: approval.undo(s, actor=lifecycle.SYSTEM),
    "erase": lambda s: retention.erase(s, actor=lifecycle.PARTICIPANT),
    "expire": lambda s: retention.purge(now=timezone.now() + timedelta(days=40)),
}


@pytest.mark.parametrize("way", LEAVE)
def test_clip_leaves_with_the_approval(
    up: Submission, way: str, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.run_clip()
    names = files()
    assert there(names) == [True, True]
    with django_capture_on_commit_callbacks(execute=True):
        LEAVE[way](now(up))
    assert there(names) == [False, False]
    assert (files(), one(K.CLIP).is_done) == ([], False)


@pytest.mark.parametrize("way", LEAVE)
def test_clip_in_the_making_is_called_off_with_the_approval(
    up: Submission, engine: MovingEngine, way: str
) -> None:
    engine.meanwhile = lambda: LEAVE[way](now(up))
    before = set(storages["private"].listdir("figurines")[1])
    keepsakes.run_clip()
    assert one(K.CLIP).is_done is False
    assert files() == []
    assert set(storages["private"].listdir("figurines")[1]) <= before
    assert keepsakes.run_clip() is False


def test_approved_again_has_its_clip_again(up: Submission) -> None:
    keepsakes.run_clip()
    approval.undo(now(up), actor=lifecycle.SYSTEM)
    approval.approve(now(up), actor=lifecycle.SYSTEM)
    assert (one(K.CLIP).is_open, one(K.CLIP).attempt) == (True, 0)
    keepsakes.run_clip()
    assert one(K.CLIP).is_done


def test_rejected_after_all_leaves_nothing_at_all(
    up: Submission, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    names = files()
    with django_capture_on_commit_callbacks(execute=True):
        approval.undo(now(up), actor=lifecycle.SYSTEM)
    assert there(names) == [True], "the same figurine may be approved again"
    with django_capture_on_commit_callbacks(execute=True):
        approval.reject(now(up), actor=lifecycle.SYSTEM, reason=RejectReason.OTHER)
    assert there(names) == [False]


def test_reroll_takes_the_keepsakes_of_the_one_before(
    up: Submission, django_capture_on_commit_callbacks: Commit
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    names = files()
    approval.undo(now(up), actor=lifecycle.SYSTEM)
    there_now = now(up)
    rerolls.ask(there_now, rerolls.Wish(seen_at=there_now.state_since_at))
    with django_capture_on_commit_callbacks(execute=True):
        generation.run_ready()
    assert (now(up).state, there(names), files()) == (S.REVIEW, [False], [])


# --- solids -------------------------------------------------------------------------------------
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
    waiting: Submission,  # noqa: F811
    engine: MovingEngine,
    kind: KeepsakeKind,
) -> None:
    squad(waiting)
    assert standing(waiting) == (Stand.OFFERED, Stand.OFFERED)
    assert keepsakes.ask(now(waiting), kind=kind) is True
    assert keepsakes.run_solid() is True
    assert one(kind).outcome == JobOutcome.DONE
    assert (engine.made, engine.seen_faces) == ([str(kind)], [2])
    assert Stand.READY in standing(waiting)


def test_figurines_come_before_solids(
    up: Submission,
    receive: Callable[..., Submission],
    engine: MovingEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.cast, "delay", lambda: rung.append("cast"))
    keepsakes.ask(up, kind=K.STL)
    other = receive()
    lifecycle.transition(other, S.QUEUED, actor=lifecycle.SYSTEM)
    other.jobs.create(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    tasks.cast()
    assert (engine.made, rung) == ([], [])
    tasks.generate()
    assert (now(other).state, engine.made, rung) == (S.REVIEW, [], ["cast"])
    tasks.cast()
    assert engine.made == ["stl"]


def test_solid_has_its_turn_though_the_queue_stands(
    up: Submission,
    receive: Callable[..., Submission],
    engine: MovingEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.cast, "delay", lambda: rung.append("cast"))
    monkeypatch.setattr(tasks.generate, "delay", lambda: rung.append("generate"))
    monkeypatch.setattr(tasks, "ring_film", lambda: None)
    keepsakes.ask(up, kind=K.STL)
    keepsakes.ask(up, kind=K.GLB)
    other = receive()
    lifecycle.transition(other, S.QUEUED, actor=lifecycle.SYSTEM)
    other.jobs.create(recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"})
    tasks.sweep()
    assert rung == ["generate", "cast"]
    Keepsake.objects.filter(kind=K.STL).update(
        created_at=timezone.now() - timedelta(seconds=keepsakes.SOLID_PATIENCE_S)
    )
    tasks.cast()
    assert (engine.made, now(other).state) == (["stl"], S.QUEUED)


def test_each_worker_makes_its_own(up: Submission, engine: MovingEngine) -> None:
    keepsakes.ask(up, kind=K.GLB)
    tasks.film()
    assert engine.made == ["clip"]
    tasks.cast()
    assert engine.made == ["clip", "glb"]


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
    up: Submission, engine: MovingEngine
) -> None:
    keepsakes.ask(up, kind=K.GLB)
    Submission.objects.update(selfie_purge_at=timezone.now())
    keepsakes.run_solid()
    assert (one(K.GLB).error_code, engine.made) == ("selfie_gone", [])


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


# --- what may go wrong --------------------------------------------------------------------------
def test_killed_worker_is_followed_by_another(up: Submission, engine: MovingEngine) -> None:
    keepsakes.ask(up, kind=K.GLB)
    leases.take(one(K.GLB), submission_id=up.pk)  # by a worker that dies now
    assert keepsakes.run_solid() is False
    lapse()
    assert keepsakes.run_solid() is True
    assert (one(K.GLB).is_done, one(K.GLB).attempt) == (True, 2)


def test_slow_worker_whose_lease_was_taken_leaves_no_file(
    up: Submission, engine: MovingEngine
) -> None:
    def somebody_else_takes_it() -> None:
        lapse()
        leases.take(one(K.GLB), submission_id=up.pk)

    keepsakes.ask(up, kind=K.GLB)
    before = set(storages["private"].listdir("figurines")[1])
    engine.meanwhile = somebody_else_takes_it
    keepsakes.run_solid()
    assert one(K.GLB).is_open
    assert set(storages["private"].listdir("figurines")[1]) == before


@pytest.mark.parametrize("permanent", [True, False])
def test_slow_worker_that_fails_ends_no_other_ones_job(up: Submission, permanent: bool) -> None:
    keepsakes.ask(up, kind=K.GLB)
    slow = leases.take(one(K.GLB), submission_id=up.pk)
    read = one(K.GLB)
    lapse()
    theirs = leases.take(one(K.GLB), submission_id=up.pk)
    keepsakes._failed(slow, code="engine_broke", permanent=permanent)
    # Taken over after the row was read, too.
    keepsakes._give_up(read, code="engine_broke")
    assert leases.try_later(slow, attempt=1, code="engine_broke") is False
    assert (one(K.GLB).is_open, one(K.GLB).lease_token) == (True, theirs.lease_token)
    assert one(K.GLB).error_code == ""


def test_store_that_breaks_off_leaves_no_file(
    up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of a clip's files is one that the disk has no room for: nobody's attempt."""
    store = type(storages["private"])  # the field's own is another, once a test changed settings
    save = store.save

    def full(self: Storage, name: str, content: IO[bytes], max_length: int | None = None) -> str:
        if name.endswith(".webm"):
            raise OSError("no space left")
        return save(self, name, content, max_length)

    before = set(storages["private"].listdir("figurines")[1])
    monkeypatch.setattr(store, "save", full)
    for _ in range(2 * leases.MAX_ATTEMPTS):
        Keepsake.objects.update(ready_at=timezone.now())
        assert keepsakes.run_clip() is False, "the next ones would fare the same"
    clip = one(K.CLIP)
    assert (clip.is_open, clip.error_code, clip.attempt) == (True, "storage_away", 0)
    assert set(storages["private"].listdir("figurines")[1]) == before
    monkeypatch.undo()
    assert keepsakes.run_clip() is False, "it waits for a while"


def test_store_that_is_there_again_gets_its_clip(
    up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Storage, name: str, mode: str = "rb") -> IO[bytes]:
        raise OSError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(type(storages["private"]), "_open", refuse)
        assert keepsakes.run_clip() is False
    Keepsake.objects.update(ready_at=timezone.now())
    assert keepsakes.run_clip() is True
    assert (one(K.CLIP).is_done, one(K.CLIP).attempt) == (True, 1)


def test_trouble_that_may_pass_is_tried_three_times(up: Submission, engine: MovingEngine) -> None:
    def refuse() -> None:
        raise OutOfMemory

    engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.GLB)
    for _ in range(leases.MAX_ATTEMPTS):
        assert standing(up)[0] == Stand.MAKING
        assert keepsakes.run_solid() is True
        assert keepsakes.run_solid() is False, "it waits before the next try"
        Keepsake.objects.update(ready_at=timezone.now())
    assert standing(up)[0] == Stand.FAILED
    engine.meanwhile = lambda: None
    assert keepsakes.ask(up, kind=K.GLB) is True
    assert keepsakes.run_solid() is True
    assert standing(up)[0] == Stand.READY


def test_three_lost_workers_give_it_up(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    for _ in range(leases.MAX_ATTEMPTS):
        leases.take(one(K.GLB), submission_id=up.pk)
        lapse()
    assert keepsakes.run_solid() is True
    assert keepsakes.run_solid() is False
    assert (one(K.GLB).outcome, one(K.GLB).error_code) == (JobOutcome.FAILED, "worker_lost")
    assert standing(up)[0] == Stand.FAILED


def test_solid_that_cannot_be_is_not_tried_again(up: Submission, engine: MovingEngine) -> None:
    def refuse() -> None:
        raise NotSolid

    engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.STL)
    keepsakes.run_solid()
    kept = queries.status(up).keepsakes
    assert (kept.stl.stand, kept.stl.sentence) == (Stand.HOPELESS, NotSolid.sentence)
    assert keepsakes.ask(up, kind=K.STL) is False


def test_solid_for_want_of_a_model_is_asked_for_again(up: Submission, engine: MovingEngine) -> None:
    def refuse() -> None:
        raise MissingModel

    engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    assert (one(K.GLB).error_code, standing(up)[0]) == (MissingModel.code, Stand.FAILED)
    engine.meanwhile = lambda: None
    assert keepsakes.ask(up, kind=K.GLB) is True
    assert (one(K.GLB).error_code, one(K.GLB).attempt) == ("", 0)
    assert keepsakes.run_solid() is True
    assert standing(up)[0] == Stand.READY


def test_lost_bells_are_healed_by_the_sweep(
    up: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.cast, "delay", lambda: rung.append("cast"))
    monkeypatch.setattr(tasks.film, "apply_async", lambda **_: rung.append("film"))
    tasks.sweep()
    keepsakes.ask(up, kind=K.GLB)
    tasks.sweep()
    assert rung == ["film", "cast", "film"]


@pytest.mark.parametrize(
    ("kind", "friends", "limit_s"),
    [(K.CLIP, 0, 1800), (K.CLIP, 5, 1800 + 5 * 480), (K.GLB, 0, 120), (K.STL, 5, 6 * 120)],
)
def test_keepsake_may_take_so_long(
    up: Submission,
    monkeypatch: pytest.MonkeyPatch,
    kind: KeepsakeKind,
    friends: int,
    limit_s: float,
) -> None:
    up.other_faces = [up.face] * friends
    up.save(update_fields=["other_faces"])
    asked: list[float] = []

    @contextmanager
    def renewed(claims: list[leases.Claim], *, limit_s: float) -> Iterator[None]:
        asked.append(limit_s)
        yield

    monkeypatch.setattr(leases, "renewed", renewed)
    if kind == K.CLIP:
        assert keepsakes.run_clip()
    else:
        keepsakes.ask(up, kind=kind)
        assert keepsakes.run_solid()
    assert asked == [limit_s]


# --- who may have it ------------------------------------------------------------------------------
OWNERS = {S.REVIEW, S.QUEUED, S.GENERATING, S.APPROVED, S.RECALLED}
OPEN = {
    (Audience.SCREEN, Picture.CLIP_MP4, S.APPROVED),
    (Audience.SCREEN, Picture.CLIP_WEBM, S.APPROVED),
    *((Audience.PARTICIPANT, Picture.CLIP_MP4, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.CLIP_WEBM, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.MODEL, state) for state in OWNERS),
    *((Audience.PARTICIPANT, Picture.PRINT, state) for state in OWNERS),
}
"""Who may have what, and while what; nothing else opens."""


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("audience", [Audience.SCREEN, Audience.PARTICIPANT])
@pytest.mark.parametrize("picture", media.KEEPSAKES)
def test_address_opens_only_for_its_audience_while_the_state_allows(
    up: Submission, state: SubmissionState, audience: Audience, picture: Picture
) -> None:
    from django.contrib.auth.models import AnonymousUser

    keepsakes.ask(up, kind=K.GLB)
    keepsakes.ask(up, kind=K.STL)
    tasks.cast()
    tasks.film()
    Submission.objects.filter(pk=up.pk).update(state=state)
    address = media.address(up.figurines.get(), picture, audience=audience)
    found = media.resolve(address.rpartition("/")[2], user=AnonymousUser())
    assert (found is not None) is ((audience, picture, state) in OPEN)


def test_receipt_counts_every_file(up: Submission) -> None:
    keepsakes.ask(up, kind=K.GLB)
    tasks.cast()
    tasks.film()
    assert len(files()) == 3
    receipt = retention.erase(up, actor=lifecycle.PARTICIPANT)
    assert receipt.files == 3 + 3, "selfie, still and cut-out; clip twice, and the model"


def test_orphans_hour_spares_what_a_keepsake_names(up: Submission) -> None:
    keepsakes.run_clip()
    later = timezone.now() + retention.ORPHAN_AGE + timedelta(minutes=1)
    retention.purge_orphans(now=later)
    assert there(files()) == [True, True]


@pytest.mark.parametrize("error", [NotHandedOut])
def test_refusals_have_a_code_a_sentence_and_an_advice(error: type[IntakeError]) -> None:
    assert error.code != IntakeError.code
    assert error.sentence.endswith(".")
    assert error.advice.endswith(".")
