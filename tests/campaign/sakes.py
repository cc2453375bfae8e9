"""What there is of clips, models and print files, and the ways that an approval ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.core.files.storage import storages
from django.utils import timezone

from campaign import approval, lifecycle, queries, retention
from campaign.enums import KeepsakeKind, RecallReason
from campaign.models import Keepsake, Submission
from tests.campaign.workshop import now


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


LEAVE: dict[str, Callable[[Submission], object]] = {
    "recall": lambda s: approval.recall(s, actor=lifecycle.SYSTEM, reason=RecallReason.PARTICIPANT),
    "undo": lambda s: approval.undo(s, actor=lifecycle.SYSTEM),
    "erase": lambda s: retention.erase(s, actor=lifecycle.PARTICIPANT),
    "expire": lambda s: retention.purge(now=timezone.now() + timedelta(days=40)),
}
