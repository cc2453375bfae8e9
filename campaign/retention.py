"""Nobody's face is kept past its day: purge on schedule, erase on request with a receipt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from django.core.files.storage import Storage
from django.db import transaction
from django.utils import timezone

from campaign import lifecycle, storage
from campaign.enums import JobOutcome, SubmissionState
from campaign.models import Campaign, Figurine, GenerationJob, Submission

log = structlog.get_logger(__name__)

S = SubmissionState

ORPHAN_AGE: Final = timedelta(hours=1)
"""A file that no row names is half-written work of a killed process once it is this old."""

UNFINISHED: Final = frozenset({S.RECEIVED, S.SCREENING, S.HELD, S.QUEUED, S.GENERATING, S.FAILED})
"""States that cannot go on without the selfie."""


@dataclass(frozen=True)
class Receipt:
    """Proof of an erasure, readable by a person and checkable against the log."""

    number: str
    erased_at: datetime
    files: int


def erase(submission: Submission, *, actor: lifecycle.Actor, reason: str = "asked") -> Receipt:
    """Delete every picture and every personal word of a submission, and take it off the screens."""
    with transaction.atomic():
        lifecycle.transition(submission, S.ERASED, actor=actor, reason=reason)
        files = _forget(submission)
    number = hashlib.sha256(f"{submission.pk}{submission.state_since_at}".encode()).hexdigest()[:10]
    log.info("submission erased", submission=str(submission.pk), receipt=number, files=files)
    return Receipt(number.upper(), submission.state_since_at, files)


def purge(*, now: datetime | None = None) -> int:
    """Delete selfies and figurines whose day is over. Returns how many submissions it touched."""
    now = now or timezone.now()
    touched = 0
    for submission in Submission.objects.exclude(selfie="").filter(selfie_purge_at__lte=now):
        with transaction.atomic():
            if S(submission.state) in UNFINISHED:
                lifecycle.transition(
                    submission, S.EXPIRED, actor=lifecycle.SYSTEM, reason="retention"
                )
                _forget(submission)
            else:
                _forget_selfie(submission)
        touched += 1
    for campaign in Campaign.objects.all():
        over = now - timedelta(days=campaign.figurine_retention_days)
        old = Submission.objects.filter(campaign=campaign, created_at__lte=over)
        for submission in old.exclude(state__in=(S.EXPIRED, S.ERASED)):
            with transaction.atomic():
                lifecycle.transition(
                    submission, S.EXPIRED, actor=lifecycle.SYSTEM, reason="retention"
                )
                _forget(submission)
            touched += 1
    return touched


def purge_orphans(*, now: datetime | None = None) -> int:
    """Delete stored files that no row names. Returns how many."""
    now = now or timezone.now()
    store = storage.private()
    known = set(Submission.objects.exclude(selfie="").values_list("selfie", flat=True))
    for pair in Figurine.objects.values_list("still", "cutout"):
        known.update(pair)
    gone = 0
    for name in _files(store, ""):
        if name not in known and store.get_modified_time(name) < now - ORPHAN_AGE:
            store.delete(name)
            gone += 1
    if gone:
        log.warning("orphan files deleted", count=gone)
    return gone


def _files(store: Storage, folder: str) -> list[str]:
    folders, names = store.listdir(folder)
    prefix = f"{folder}/" if folder else ""
    found = [prefix + name for name in names]
    for child in folders:
        found += _files(store, prefix + child)
    return found


def _forget_selfie(submission: Submission) -> int:
    """Blank the row now, delete the file on commit: never a row that names a deleted file."""
    name = submission.selfie.name
    submission.selfie = ""
    submission.face = None
    submission.save(update_fields=["selfie", "face"])
    if not name:
        return 0
    transaction.on_commit(partial(storage.private().delete, name))
    return 1


def _forget(submission: Submission) -> int:
    files = _forget_selfie(submission)
    submission.plaque, submission.device_hash = "", ""
    submission.save(update_fields=["plaque", "device_hash"])
    GenerationJob.objects.filter(submission=submission, outcome="").update(
        outcome=JobOutcome.CANCELLED, finished_at=timezone.now(), lease_token=None
    )
    GenerationJob.objects.filter(submission=submission).update(recipe={})
    for figurine in submission.figurines.all():
        names = [file.name for file in (figurine.still, figurine.cutout) if file.name]
        figurine.still, figurine.cutout, figurine.recipe = "", "", {}
        figurine.save(update_fields=["still", "cutout", "recipe"])
        for name in names:
            transaction.on_commit(partial(storage.private().delete, name))
        files += len(names)
    return files
