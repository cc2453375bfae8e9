"""`manage.py purge`."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaign import lifecycle, retention
from campaign.enums import SubmissionState
from campaign.models import Submission
from tests import shelf

S = SubmissionState
pytestmark = pytest.mark.django_db(transaction=True)


def purge(*options: str) -> str:
    out = io.StringIO()
    call_command("purge", *options, stdout=out)
    return out.getvalue()


def test_purge_deletes_what_is_due_and_all_deletes_every_selfie(
    receive: Callable[..., Submission],
) -> None:
    late, early = receive(), receive()
    Submission.objects.filter(pk=late.pk).update(selfie_purge_at=timezone.now())
    assert purge() == "Submissions dealt with: 1. Selfies left: 1.\n"
    early.refresh_from_db()
    assert [
        storages["private"].exists(name or "") for name in (late.selfie.name, early.selfie.name)
    ] == [
        False,
        True,
    ]
    assert purge("--all") == "Submissions dealt with: 1. Selfies left: 0.\n"
    assert not storages["private"].exists(early.selfie.name or "")
    assert [shelf.state_of(one) for one in (late, early)] == [S.EXPIRED, S.EXPIRED]
    assert purge("--all") == "Submissions dealt with: 0. Selfies left: 0.\n"


def test_purge_that_fails_says_so(
    receive: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive()

    def break_down(*args: object, **words: object) -> None:
        raise OSError

    monkeypatch.setattr(lifecycle, "transition", break_down)
    with pytest.raises(CommandError, match="1 could not be deleted"):
        purge("--all")
    assert retention.selfies().count() == 1
