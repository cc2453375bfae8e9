from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from campaign import lifecycle, retention
from campaign.models import Submission
from deploy import kept

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="asks the file"
    ),
]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    var = tmp_path / "my folder"
    var.mkdir()
    (var / "diorama.sqlite3").symlink_to(connection.settings_dict["NAME"])
    return var


def test_selfies_that_are_kept_are_told_with_the_first_due_and_the_command(
    var: Path, receive: Callable[..., Submission]
) -> None:
    assert kept.word(var) == ""
    first = receive()
    due_at = timezone.now() + timedelta(hours=3)
    Submission.objects.update(selfie_purge_at=due_at)
    assert kept.word(var) == (
        "1 selfie is kept here, the first due to be deleted on"
        f" {due_at.astimezone():%a %d %b, %H:%M}. Start again by then, or delete all now:"
        f" DIORAMA_VAR='{var}' python manage.py purge --all"
    )
    receive()
    assert kept.word(var).startswith("2 selfies are kept here, the first due to be deleted on")
    retention.erase(first, actor=lifecycle.SYSTEM)
    retention.purge_early()
    assert kept.word(var) == ""


def test_folder_without_a_record_has_no_word(tmp_path: Path) -> None:
    assert kept.word(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
