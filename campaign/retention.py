"""Nobody's face is kept past its day: purge on schedule, erase on request with a receipt.

Every row is dealt with by itself, under its lock, as it is then: one that fails is logged and
tried again a minute later, and none keeps the others waiting.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from campaign import forgetting, leases, lifecycle, storage, upgrades, volume
from campaign.enums import (
    RECALL_SENTENCES,
    JobOutcome,
    RecallReason,
    RejectReason,
    SubmissionState,
)
from campaign.errors import SelfieGone
from campaign.models import (
    Campaign,
    Figurine,
    GenerationJob,
    Keepsake,
    Submission,
    Transition,
)

log = structlog.get_logger(__name__)

S = SubmissionState

ORPHAN_AGE: Final = timedelta(hours=1)
"""A file that no row names is half-written work of a killed process once it is this old."""

PURGE_SHARE: Final = 11 / 12
"""Purging begins at this share of the promised time: a missed beat, a failed deletion and an
orphan's hour still end within it."""

UNFINISHED: Final = frozenset({S.RECEIVED, S.SCREENING, S.HELD, S.QUEUED, S.GENERATING, S.FAILED})
"""States that cannot go on without the selfie."""

UNDO: Final = timedelta(hours=1)
"""How long a rejection, or a recall that is one, can be taken back, whatever else is over."""

NEVER_AGREED: Final = (
    RejectReason.MINOR,
    RejectReason.SOMEONE_ELSE,
    RecallReason.MINOR,
    RecallReason.SOMEONE_ELSE,
)
"""Turned down for these, a person never agreed that we keep anything: it goes after UNDO."""


@dataclass(frozen=True)
class Receipt:
    """Proof of an erasure, readable by a person and checkable against the log.

    How many files went is known to the erasure alone: None in a receipt that is told again.
    """

    number: str
    erased_at: datetime
    files: int | None = None


def selfie_kept_for(campaign: Campaign) -> timedelta:
    """After how long a selfie's deletion begins, so that it is over within the campaign's hours."""
    return timedelta(hours=campaign.selfie_retention_h) * PURGE_SHARE


def figurine_kept_for(campaign: Campaign) -> timedelta:
    return timedelta(days=campaign.figurine_retention_days)


def erase(submission: Submission, *, actor: lifecycle.Actor, reason: str = "asked") -> Receipt:
    """Delete every picture and every personal word of a submission, and take it off the screens."""
    with transaction.atomic():
        # Locked before it is counted: a worker that stores one now is waited for, or waits.
        Submission.objects.select_for_update().only("pk").get(pk=submission.pk)
        kept = Keepsake.objects.filter(figurine__submission=submission)
        # Some go with the move, the others with the figurine.
        files = len(forgetting.files_of(kept))
        lifecycle.transition(submission, S.ERASED, actor=actor, reason=reason)
        files -= len(forgetting.files_of(kept))
        submission.refresh_from_db()
        files += _forget(submission)
    given = replace(receipt(submission), files=files)
    log.info("submission erased", submission=str(submission.pk), receipt=given.number, files=files)
    return given


def receipt(submission: Submission) -> Receipt:
    """Tell the receipt of a submission that is erased, as often as it is asked for."""
    erased_at = submission.state_since_at
    number = hashlib.sha256(f"{submission.pk}{erased_at}".encode()).hexdigest()[:10]
    return Receipt(number.upper(), erased_at)


def purge(*, now: datetime | None = None) -> int:
    """Delete selfies and figurines whose day is over. Returns how many submissions it touched."""
    now = now or timezone.now()
    for campaign in Campaign.objects.all():
        _hasten(campaign, now=now)
    due = selfies().filter(selfie_purge_at__lte=now)
    touched = _each(due.values_list("pk", flat=True), partial(_purge_selfie, now=now))
    turned_down = _turned_down(now).values_list("pk", flat=True)
    touched += _each(turned_down, partial(_expire_turned_down, now=now))
    old = people().filter(figurine_purge_at__lte=now).values_list("pk", flat=True)
    return touched + _each(old, _expire)


def purge_early(*, now: datetime | None = None) -> int:
    """Delete every selfie, due or not, and what else is due. Returns as `purge` does."""
    now = now or timezone.now()
    selfies().filter(selfie_purge_at__gt=now).update(selfie_purge_at=now)
    return purge(now=now)


def selfies() -> QuerySet[Submission]:
    """Whoever's selfie is still there."""
    return Submission.objects.exclude(selfie="")


def people() -> QuerySet[Submission]:
    """Whoever is not deleted."""
    return Submission.objects.exclude(state__in=(S.EXPIRED, S.ERASED))


def _hasten(campaign: Campaign, *, now: datetime) -> None:
    """Bring forward what is kept longer than the campaign now says, or than it says from now on:
    the clock may have been ahead when it came. Nothing is put off."""
    for kept, field, kept_for in (
        (selfies(), "selfie_purge_at", selfie_kept_for(campaign)),
        (people(), "figurine_purge_at", figurine_kept_for(campaign)),
    ):
        by_rule, from_now = F("created_at") + kept_for, now + kept_for
        too_long = Q(**{f"{field}__gt": by_rule}) | Q(**{f"{field}__gt": from_now})
        kept.filter(too_long, **{"campaign": campaign, f"{field}__gt": now}).update(
            **{field: Least(field, by_rule, from_now)}
        )


def _each(found: Iterable[UUID], work: Callable[[Submission], bool]) -> int:
    """Do the work on each row under its lock; one that breaks does not stop the rest."""
    done = 0
    for pk in list(found):
        try:
            with transaction.atomic():
                done += work(Submission.objects.select_for_update().get(pk=pk))
        except Exception:
            log.exception("purge failed, will be tried again", submission=str(pk))
    return done


def _purge_selfie(submission: Submission, *, now: datetime) -> bool:
    if not submission.selfie or submission.selfie_purge_at > now:
        return False
    if S(submission.state) in UNFINISHED and not upgrades.withdraw(
        submission, reason=SelfieGone.code
    ):
        return _expire(submission)
    _forget_selfie(submission)
    return True


def _turned_down(now: datetime) -> QuerySet[Submission]:
    """Whoever was rejected, before they were up or after, which nobody took back, and whose
    figurine nobody will see (Submission.is_turned_down): it is over with the selfie's day, or after
    UNDO for the reasons of NEVER_AGREED."""
    late = Q(state=S.RECALLED, reason__in=RECALL_SENTENCES)
    settled = Submission.objects.filter(Q(state=S.REJECTED) | late, state_since_at__lte=now - UNDO)
    return settled.filter(Q(selfie_purge_at__lte=now) | Q(reason__in=NEVER_AGREED))


def _expire_turned_down(submission: Submission, *, now: datetime) -> bool:
    # Asked again under the lock: it may have been taken back meanwhile.
    return _turned_down(now).filter(pk=submission.pk).exists() and _expire(submission)


def _expire(submission: Submission) -> bool:
    if S(submission.state) in (S.EXPIRED, S.ERASED):
        return False
    lifecycle.transition(submission, S.EXPIRED, actor=lifecycle.SYSTEM, reason="retention")
    _forget(submission)
    return True


class NoPictures(Exception):
    """Of all rows that name pictures, not one has any: the storage is missing, not they."""


def expire_lost(*, may_be_all: bool = False) -> int:
    """Expire whoever has none of their pictures any more. Returns how many.

    For a database that was put back from a backup: who was erased after it was made comes back
    with it, but for the pictures. Raises NoPictures where that is everybody, unless `may_be_all`.
    """
    store = storage.private()
    pictures: dict[UUID, list[str]] = defaultdict(list)
    for model, field, owner in NAMING:
        rows = model._default_manager.exclude(**{field: ""})
        for pk, name in rows.values_list(owner, field):
            pictures[pk].append(name)
    lost = [pk for pk, names in pictures.items() if not any(map(store.exists, names))]
    if lost and len(lost) == len(pictures) and not may_be_all:
        raise NoPictures
    return _each(lost, _expire)


def purge_orphans(*, now: datetime | None = None) -> int:
    """Delete stored pictures that no row names. Returns how many; none where the storage is
    another database's (volume.py).

    Walks this product's own two folders and nothing else. What a file costs is a look into a set,
    so that it comes to its end however many there are; only of strays is more asked.
    """
    now = now or timezone.now()
    store = storage.private()
    # 1. First the files, then the rows: one that is stored meanwhile is not in the list
    names = _files(store, storage.SELFIES) + _files(store, storage.FIGURINES)
    named = stored_names()
    if not volume.own(files=len(names), named=len(named.intersection(names))):
        log.error(
            "these pictures are another database's: no stray is deleted",
            files=len(names),
            see="docs/restoring.md",
        )
        return 0

    # 2. The strays among them
    gone = 0
    for name in names:
        if name in named:
            continue
        try:
            if store.get_modified_time(name) < now - ORPHAN_AGE and not is_named(name):
                store.delete(name)
                gone += 1
        except FileNotFoundError:
            continue
        except Exception:
            log.exception("orphan could not be deleted", file=name)
    if gone:
        log.warning("orphan files deleted", count=gone)
    return gone


def count_files() -> tuple[int, int]:
    """How many pictures are in the storage, and how many of them rows name."""
    store = storage.private()
    names = {*_files(store, storage.SELFIES), *_files(store, storage.FIGURINES)}
    return len(names), len(names & stored_names())


NAMING: Final[tuple[tuple[type[Model], str, str], ...]] = (
    (Submission, "selfie", "pk"),
    (Figurine, "still", "submission"),
    (Figurine, "cutout", "submission"),
    (Keepsake, "file", "figurine__submission"),
    (Keepsake, "webm", "figurine__submission"),
)
"""Every field that names a file of these two folders, and the way to whose it is."""


def stored_names() -> set[str]:
    """Every file that rows name."""
    return {
        name
        for model, field, _ in NAMING
        for name in model._default_manager.values_list(field, flat=True).iterator()
    }


def is_named(name: str) -> bool:
    """Whether a row names this file by now."""
    return any(
        model._default_manager.filter(**{field: name}).exists() for model, field, _ in NAMING
    )


def _files(store: Storage, folder: str) -> list[str]:
    try:
        folders, names = store.listdir(folder)
    except FileNotFoundError:
        return []
    found = [f"{folder}/{name}" for name in names if name]
    for child in folders:
        found += _files(store, f"{folder}/{child}")
    return found


def _forget_selfie(submission: Submission) -> int:
    """Blank the row now, delete the file on commit: never a row that names a deleted file."""
    name = submission.selfie.name
    submission.selfie = ""
    submission.face = None
    submission.other_faces = []
    submission.save(update_fields=["selfie", "face", "other_faces"])
    for jobs in (
        Keepsake.objects.filter(figurine__submission=submission),
        GenerationJob.objects.filter(submission=submission),  # of a late engine
    ):
        leases.close(jobs, outcome=JobOutcome.FAILED, code=SelfieGone.code)
    if not name:
        return 0
    forgetting.delete_on_commit(name)
    return 1


def _forget(submission: Submission) -> int:
    files = _forget_selfie(submission)
    submission.plaque, submission.device_hash = "", ""
    submission.save(update_fields=["plaque", "device_hash"])
    GenerationJob.objects.filter(submission=submission).update(recipe={})
    Transition.objects.forget_notes(submission)
    return files + sum(map(forgetting.forget_pictures, submission.figurines.all()))
