"""`manage.py backup`: all that is on record but faces."""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from campaign.models import Submission

MARK = "face-of-nobody-else"


@pytest.mark.django_db(transaction=True)
def test_copy_has_everybody_and_nobodys_face(bare: Submission, tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has pg_dump")
    Submission.objects.update(plaque="MAE", face={"mesh": MARK}, other_faces=[{"mesh": MARK}])
    target = tmp_path / "copy.sqlite3"
    call_command("backup", str(target))
    assert MARK.encode() not in target.read_bytes()
    assert target.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["copy.sqlite3"]
    with sqlite3.connect(target) as copy:
        asked = "SELECT plaque, face, other_faces FROM campaign_submission"
        assert copy.execute(asked).fetchall() == [("MAE", None, "[]")]
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert Submission.objects.get().face == {"mesh": MARK}
    before = target.read_bytes()
    with pytest.raises(CommandError, match="exists"):
        call_command("backup", str(target))
    assert target.read_bytes() == before


@pytest.mark.django_db(transaction=True)
def test_copy_that_is_killed_at_any_step_has_nobodys_face(
    bare: Submission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has pg_dump")
    Submission.objects.update(face={"mesh": MARK})
    looks: list[bool] = []

    def look() -> int:
        looks.append(any(MARK.encode() in path.read_bytes() for path in tmp_path.iterdir()))
        return 0

    class Watched(sqlite3.Connection):
        """Looks at every few steps of its work at what a kill would leave behind."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.set_progress_handler(look, 20)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Watched))
    call_command("backup", str(tmp_path / "copy.sqlite3"))
    assert set(looks) == {False}


@pytest.mark.django_db(transaction=True)
def test_postgres_is_left_to_its_own_tools(tmp_path: Path) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("it is copied there")
    with pytest.raises(CommandError, match="pg_dump"):
        call_command("backup", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
