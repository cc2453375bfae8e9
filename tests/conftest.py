"""Fixtures that more than one room needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.files.storage import storages
from django.db import connection
from xdist.scheduler import LoadFileScheduling

from campaign import bell, intake, tasks, volume
from campaign.consent import text_sha256
from campaign.models import Campaign, Submission
from campaign.silence import Silence
from figurine import kits
from tests.environment import VAR
from tests.photos import portrait

ROOT = Path(__file__).parent


def pytest_configure() -> None:
    """Passwords of tests need not be slow to guess."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


CASES_ON_POSTGRES = 3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL only what asks for a database, and of a test's many cases the first, the middle
    and the last: all has run on SQLite, and what differs is the database."""
    if os.environ.get("DIORAMA_TEST_DATABASE") != "postgres":
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if _wants_database(item):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {one.nodeid for each in cases.values() for one in _spread(each)}
    others = [item for item in items if item.nodeid not in kept]
    items[:] = [item for item in items if item.nodeid in kept]
    config.hook.pytest_deselected(items=others)


def _wants_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("django_db") is not None
    return marked or not fixtures.isdisjoint({"db", "transactional_db", "live_server"})


def _spread(cases: list[pytest.Item]) -> list[pytest.Item]:
    last = len(cases) - 1
    places = {round(last * n / (CASES_ON_POSTGRES - 1)) for n in range(CASES_ON_POSTGRES)}
    return [cases[place] for place in sorted(places)]


SAME_BODIES = ("test_geometry.py", "test_patterns.py", "test_squad_geometry.py")
"""These cast the same kits, whose bodies are made once a process: half a minute."""


class ByRoom(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file stays whole, for what its tests share; those with the same bodies stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "bodies" if file.endswith(SAME_BODIES) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByRoom:
    return ByRoom(config, log)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """A file, not memory: threads and processes must meet in the same database."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"] = {**database.get("TEST", {}), "NAME": str(VAR / "test.sqlite3")}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Threads that read and write for sockets outlive their tests, and so do their connections:
    PostgreSQL would wait five seconds for them, and keep the database."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(autouse=True)
def nobody_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer or a broker that hung in one test must not hush the next."""
    monkeypatch.setattr(bell.bell, "silence", Silence())
    monkeypatch.setattr(tasks, "_silence", Silence())


@pytest.fixture(autouse=True)
def pictures_are_nobodys() -> None:
    """Each test's database is a new one, on the pictures of those before it; and their storage is
    the one that rows have, also after a test with other settings."""
    handler: Any = storages
    handler._storages["private"] = Submission._meta.get_field("selfie").storage
    (VAR / "media" / volume.KEY).unlink(missing_ok=True)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The library's descriptions, to be told otherwise. A kit whose folder is renamed is gone."""
    for told in (*kits._ROOT.glob("*.toml"), *kits._ROOT.glob("*/kit.toml")):
        copy = tmp_path / told.relative_to(kits._ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(told, copy)
    monkeypatch.setattr(kits, "_ROOT", tmp_path)
    kits.load.cache_clear()
    yield tmp_path
    kits.load.cache_clear()


@pytest.fixture
def campaign(db: None) -> Campaign:
    return Campaign.objects.create(slug="demo", name="Diorama Company")


@pytest.fixture
def moderator(db: None) -> User:
    user = User.objects.create_user("mod", password="mod", is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(content_type__app_label__in=("campaign", "billboard"))
    )
    return user


@pytest.fixture
def receive(campaign: Campaign) -> Callable[..., Submission]:
    """Send a real portrait through the real intake."""

    def send(photo: bytes | None = None, **words: Any) -> Submission:
        to = words.pop("campaign", campaign)
        words.setdefault("idempotency_key", f"key-{Submission.objects.count()}")
        request = intake.Request(consent_sha256=text_sha256(to.terms), **words)
        return intake.receive(
            photo or portrait().read_bytes(), campaign=to, request=request
        ).submission

    return send
