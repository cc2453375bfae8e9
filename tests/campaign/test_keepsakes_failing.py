"""What may go wrong while a keepsake is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO

import pytest
from django.core.files.storage import Storage, storages
from django.utils import timezone

from campaign import keepsakes, leases, queries, tasks
from campaign.enums import JobOutcome, KeepsakeKind, SubmissionState
from campaign.keepsake_status import Stand
from campaign.models import Keepsake, Submission
from figurine.errors import MissingModel, NotSolid, OutOfMemory
from tests.campaign.sakes import lapse, one, standing
from tests.moving import MovingEngine

S = SubmissionState
K = KeepsakeKind
Commit = Callable[..., AbstractContextManager[object]]

pytestmark = pytest.mark.usefixtures("moving_engine")


def test_killed_worker_is_followed_by_another(up: Submission, moving_engine: MovingEngine) -> None:
    keepsakes.ask(up, kind=K.GLB)
    leases.take(one(K.GLB), submission_id=up.pk)  # by a worker that dies now
    assert keepsakes.run_solid() is False
    lapse()
    assert keepsakes.run_solid() is True
    assert (one(K.GLB).is_done, one(K.GLB).attempt) == (True, 2)


def test_slow_worker_whose_lease_was_taken_leaves_no_file(
    up: Submission, moving_engine: MovingEngine
) -> None:
    def somebody_else_takes_it() -> None:
        lapse()
        leases.take(one(K.GLB), submission_id=up.pk)

    keepsakes.ask(up, kind=K.GLB)
    before = set(storages["private"].listdir("figurines")[1])
    moving_engine.meanwhile = somebody_else_takes_it
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


def test_trouble_that_may_pass_is_tried_three_times(
    up: Submission, moving_engine: MovingEngine
) -> None:
    def refuse() -> None:
        raise OutOfMemory

    moving_engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.GLB)
    for _ in range(leases.MAX_ATTEMPTS):
        assert standing(up)[0] == Stand.MAKING
        assert keepsakes.run_solid() is True
        assert keepsakes.run_solid() is False, "it waits before the next try"
        Keepsake.objects.update(ready_at=timezone.now())
    assert standing(up)[0] == Stand.FAILED
    moving_engine.meanwhile = lambda: None
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


def test_solid_that_cannot_be_is_not_tried_again(
    up: Submission, moving_engine: MovingEngine
) -> None:
    def refuse() -> None:
        raise NotSolid

    moving_engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.STL)
    keepsakes.run_solid()
    kept = queries.status(up).keepsakes
    assert (kept.stl.stand, kept.stl.sentence) == (Stand.HOPELESS, NotSolid.sentence)
    assert keepsakes.ask(up, kind=K.STL) is False


def test_solid_for_want_of_a_model_is_asked_for_again(
    up: Submission, moving_engine: MovingEngine
) -> None:
    def refuse() -> None:
        raise MissingModel

    moving_engine.meanwhile = refuse
    keepsakes.ask(up, kind=K.GLB)
    keepsakes.run_solid()
    assert (one(K.GLB).error_code, standing(up)[0]) == (MissingModel.code, Stand.FAILED)
    moving_engine.meanwhile = lambda: None
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
