"""The only module that speaks to the broker. Tasks are doorbells: each reads the record anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from kombu.exceptions import OperationalError

from campaign import (
    generation,
    hosted,
    keepsakes,
    leases,
    progress,
    purses,
    queries,
    retention,
    screening,
    signals,
    upgrades,
    workers,
)
from campaign.enums import IN_WORK, SOLID, KeepsakeKind, SubmissionState
from campaign.models import GenerationJob, Keepsake, Submission, Transition
from campaign.silence import Silence

log = structlog.get_logger(__name__)

FILM_BELL_S: Final = 60
LET_GO_BELL_S: Final = 5
"""As often as the sweep rings it."""
LONGEST_BELL_S: Final = 90.0
"""A bell that waits is held by a worker; well below what a broker takes for a dead one's."""


@shared_task
def screen(submission_id: str) -> None:
    with structlog.contextvars.bound_contextvars(submission=submission_id):
        screening.screen(UUID(submission_id))


@shared_task
def generate() -> None:
    """Sculpt until nothing is ready: a lost bell is healed by the next one."""
    while generation.run_ready(limit=settings.GENERATION_BATCH):
        pass
    if keepsakes.ready(SOLID).exists():  # they have waited for the figurines
        ring(cast.delay)


@shared_task
def paint() -> None:
    """Paint on a graphics card, as many people at once as go, until nothing is ready. A worker has
    two threads of it: one poses and stores its people while the other paints."""
    while generation.run_ready(("klein",)):
        pass


@shared_task
def order() -> None:
    """Have figurines painted elsewhere, one a thread, until nothing is ready.

    Between two of them it does what `let_go` is for, whose bell nobody hears while there is always
    another.
    """
    while generation.run_ready(("hosted",)):
        _let_go_between()


@shared_task
def let_go() -> None:
    """Have the provider drop pictures that nobody waits for any more."""
    hosted.drop_abandoned(generation.drop)


_letting_go = threading.Lock()
"""One thread of a worker at a time: while a provider answers slowly, the others paint."""
_let_go_at_s = float("-inf")
"""time.monotonic() when it was last done between two orders."""


def _let_go_between() -> None:
    """The same, every LET_GO_BELL_S at most."""
    global _let_go_at_s
    if time.monotonic() < _let_go_at_s + LET_GO_BELL_S:
        return
    if not _letting_go.acquire(blocking=False):
        return
    try:
        let_go()
    finally:
        _let_go_at_s = time.monotonic()
        _letting_go.release()


@shared_task
def lose_patience(submission_id: str) -> None:
    """Put sculpt's figurine to review, if the engine has brought none by now."""
    with structlog.contextvars.bound_contextvars(submission=submission_id):
        upgrades.lose_patience(UUID(submission_id))


BELLS: Final = {"sculpt": generate, "klein": paint, "hosted": order}
"""By engine. Asked for their bell when it is rung: before that, Celery may not know its app."""
ASSUMED: Final = frozenset({workers.ASSUMED})
"""Rung whoever is there; the others only where somebody hears it: queues would grow for nobody."""


@shared_task
def cast() -> None:
    """Make solids until none is wanted, or those that are may still give way to a figurine."""
    while keepsakes.run_solid():
        pass


@shared_task
def film() -> None:
    """Make clips until none is wanted."""
    while keepsakes.run_clip():
        pass


@shared_task
def sweep() -> None:
    """Ring again for whatever is ready, lapsed, or stuck."""
    ring_engines(generation.ready_engines())
    for submission_id in upgrades.impatient():
        ring(lose_patience.delay, str(submission_id))
    if keepsakes.ready(SOLID).exists():
        ring(cast.delay)
    keepsakes.want_missing_clips()
    if keepsakes.ready({KeepsakeKind.CLIP}).exists():
        ring_film()
    if hosted.abandoned().exists() and "hosted" in workers.alive():
        ring(partial(let_go.apply_async, expires=LET_GO_BELL_S))
    for submission_id in queries.stuck_in_screening():
        ring(screen.delay, str(submission_id))


@shared_task
def purge() -> None:
    retention.purge()


@shared_task
def tidy() -> None:
    """What needs doing now and then: sessions of last month, what others keep for a while, and
    files of killed processes.

    Each by itself: one that breaks stops none of the others. The one that grows with the files
    comes last, since Celery ends a task that takes too long.
    """
    for step in (
        partial(call_command, "clearsessions"),
        partial(signals.tidying.send_robust, sender=None),
        purses.sweep,
        retention.purge_orphans,
    ):
        try:
            step()
        except Exception:
            log.exception("tidying failed, will be tried again", step=str(step))


def ring_engines(names: set[str]) -> None:
    """The bells of these engines, as far as somebody hears them."""
    heard = names if names <= ASSUMED else names & (workers.alive() | ASSUMED)
    for name in sorted(heard & BELLS.keys()):
        ring(BELLS[name].delay)


def ring_when_patience_ends(submission: Submission) -> None:
    """Exactly then; the sweep does it a little later."""
    ends_at = submission.patience_ends_at
    if ends_at is None:
        return
    left_s = max(0.0, (ends_at - timezone.now()).total_seconds())
    if left_s <= LONGEST_BELL_S:
        bell = partial(lose_patience.apply_async, (str(submission.pk),), countdown=left_s)
        ring(bell)


def ring_film() -> None:
    """The bell of a worker that may be at one clip for minutes: old ones are not kept for it."""
    ring(partial(film.apply_async, expires=FILM_BELL_S))


_silence = Silence()
"""Kept where the broker hangs: one decision may ring three bells."""


def ring(bell: Callable[..., Any], *args: str) -> None:
    """Best effort: the sweep finds what a dead broker did not hear, or a hung one was not told."""
    if _silence.is_on:
        return
    started_s = time.monotonic()
    try:
        bell(*args)
    except (OperationalError, OSError) as error:
        _silence.lost(since_s=started_s)
        log.warning("bell not heard", error=type(error).__name__)


@receiver(signals.transitioned, sender=Submission, dispatch_uid="campaign.tasks.ring")
def ring_on_commit(submission: Submission, transition: Transition, **_: object) -> None:
    def bells() -> None:
        progress.nudge(submission.pk)
        if transition.to_state == SubmissionState.SCREENING:
            ring(screen.delay, str(submission.pk))
        elif transition.to_state == SubmissionState.QUEUED:
            # What was given back waits a while, and the sweep rings for it.
            jobs = leases.ready(GenerationJob.objects.filter(submission=submission)).order_by()
            ring_engines(set(jobs.values_list("engine", flat=True)))
            if transition.from_state not in IN_WORK:
                ring_when_patience_ends(submission)

    transaction.on_commit(bells, robust=True)


@receiver(signals.keepsake_wanted, sender=Keepsake, dispatch_uid="campaign.tasks.ring_for_keepsake")
def ring_for_keepsake(keepsake: Keepsake, **_: object) -> None:
    bell = ring_film if keepsake.kind == KeepsakeKind.CLIP else partial(ring, cast.delay)
    transaction.on_commit(bell, robust=True)
