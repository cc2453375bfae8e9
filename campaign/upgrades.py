"""Sculpt's picture while a slower engine works: shown at once, put to review when patience ends,
and replaced by what the engine brings later, as long as nobody has decided on it.

What is to be done is the router's to say (router.py); here it is carried out. Everything is told by
the jobs that are open and by the stand-in that is there: nothing else is kept. Callers hold the
submission's lock.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.dispatch import receiver
from django.utils import timezone

from campaign import dispatch, forgetting, leases, lifecycle, load, progress, router, signals
from campaign.enums import IN_WORK, JobOutcome, JobRole, SubmissionState
from campaign.models import Figurine, GenerationJob, Submission, Transition
from campaign.router import StandIn, Then
from figurine.types import Recipe

log = structlog.get_logger(__name__)

S = SubmissionState

PATIENCE: Final = "patience"
"""Reason of a move to review while the engine still works."""
FALLBACK: Final = "fallback"
"""Reason of a move after an engine failed: to the queue for another, to review with sculpt's."""
UPGRADED: Final = "upgraded"
"""Reason of a move within review: sculpt's gave way to the engine's."""
NOBODY: Final = "worker_lost"
"""Why a submission fails when its engine is away for good and sculpt could not make it."""


def open_jobs(submission: Submission, *, role: JobRole) -> QuerySet[GenerationJob]:
    return GenerationJob.objects.filter(submission=submission, role=role, outcome="")


def stand_in(submission: Submission) -> Figurine | None:
    """Sculpt's picture that waits for a slower engine's."""
    waiting = Figurine.objects.filter(submission=submission, role=JobRole.STAND_IN, is_chosen=False)
    return waiting.exclude(still="").order_by("-id").first()


def preview(submission: Submission) -> Figurine | None:
    """The same, of a submission whose figurines were fetched ahead."""
    waiting = [
        figurine
        for figurine in submission.figurines.all()
        if figurine.role == JobRole.STAND_IN and not figurine.is_chosen and figurine.still
    ]
    return max(waiting, key=lambda figurine: figurine.pk, default=None)


def choose(figurine: Figurine) -> None:
    """Make it the submission's; what was there before is never shown again, so its pictures go.

    The submission comes with it.
    """
    submission = figurine.submission
    for earlier in Figurine.objects.filter(submission=submission).exclude(pk=figurine.pk):
        forgetting.forget_figurine(earlier)
    figurine.is_chosen = True
    figurine.save()
    submission.kit, submission.finish = figurine.recipe["kit"], figurine.recipe["finish"]
    submission.seed = figurine.seed
    submission.save(update_fields=["kit", "finish", "seed"])


def may_replace(submission: Submission) -> bool:
    """Whether what an engine brings late takes the place of what there is."""
    there = Figurine.objects.filter(submission=submission, is_chosen=True).first()
    return router.late_result(
        is_in_review=submission.state == S.REVIEW,
        is_stand_in=there is not None and there.role == JobRole.STAND_IN,
    )


def withdraw(submission: Submission, *, reason: str, note: str = "") -> bool:
    """Put what there is to review: sculpt's, or the figurine whose successor will not come.

    False where there is neither, and where the submission is not in work.
    """
    if S(submission.state) not in IN_WORK:
        return False
    there = stand_in(submission)
    if there:
        _show(submission, there, reason=FALLBACK, note=note or reason)
        return True
    if not Figurine.objects.filter(submission=submission, is_chosen=True).exists():
        return False
    lifecycle.transition(submission, S.REVIEW, actor=lifecycle.SYSTEM, reason=reason, note=note)
    return True


def stand_in_stored(submission: Submission) -> None:
    """Sculpt is done: to review with it where nobody works on a better one, or the time is up."""
    there = stand_in(submission)
    if there is None or S(submission.state) not in IN_WORK:
        return
    if not open_jobs(submission, role=JobRole.MAIN).exists():
        _show(submission, there, reason=FALLBACK, note="sculpt's goes to review")
    elif is_impatient(submission):
        _show(submission, there, reason=PATIENCE, note="the time is over: sculpt's goes to review")
    else:
        transaction.on_commit(partial(progress.nudge, submission.pk), robust=True)


def engine_failed(job: GenerationJob, *, code: str) -> bool:
    """An engine has failed for good on a submission in work. False where nothing is left to do.

    The job is closed, and the submission comes with it.
    """
    submission = job.submission
    if job.role == JobRole.STAND_IN:
        other = open_jobs(submission, role=JobRole.MAIN).first()
        if other is None:
            return False
        words = f"{job.engine} failed ({code}): {other.engine} goes on"
        lifecycle.note(submission, actor=lifecycle.SYSTEM, reason=code, note=words)
        return True
    step = router.after_failure(
        load.scene(submission),
        failed=job.engine,
        code=code,
        left_s=patience_left_s(submission),
        stand_in=_standing(submission),
    )
    return _carry_out(step, submission, job)


def lose_patience(submission_id: UUID) -> None:
    """Do what is due when a visitor has waited long enough. Harmless when rung twice or early."""
    with transaction.atomic():
        rows = Submission.objects.select_for_update(of=("self",)).select_related("campaign")
        current = rows.get(pk=submission_id)
        job = open_jobs(current, role=JobRole.MAIN).first()
        if S(current.state) not in IN_WORK or not is_impatient(current) or job is None:
            return
        step = router.out_of_patience(
            load.scene(current), engine=job.engine, stand_in=_standing(current)
        )
        if step.then in (Then.ASK, Then.GIVE_UP):
            same = GenerationJob.objects.filter(pk=job.pk)
            leases.close(same, outcome=JobOutcome.FAILED, code=NOBODY)
        job.submission = current
        if not _carry_out(step, current, job) and not withdraw(
            current, reason=NOBODY, note=step.reason
        ):
            lifecycle.transition(
                current, S.FAILED, actor=lifecycle.SYSTEM, reason=NOBODY, note=step.reason
            )


def is_impatient(submission: Submission) -> bool:
    return submission.patience_ends_at is not None and patience_left_s(submission) == 0


def patience_left_s(submission: Submission) -> float:
    """0 where it is over, and where none was asked for.

    An end that lies further ahead than patience lasts was written before the clock was set back:
    nobody waits for it to come again.
    """
    ends_at = submission.patience_ends_at
    left_s = (ends_at - timezone.now()).total_seconds() if ends_at else 0.0
    is_of_another_time = left_s > submission.campaign.patience_s + leases.FARTHEST_S
    return 0.0 if is_of_another_time else max(0.0, left_s)


def impatient() -> list[UUID]:
    """Submissions in work whose time is up, whatever has become of their bells. Not those for
    which sculpt is at work: they go to review as soon as it is done.
    """
    jobs = GenerationJob.objects.filter(submission=OuterRef("pk"), outcome="")
    now = timezone.now()
    farthest = now + timedelta(seconds=leases.FARTHEST_S)
    late = Submission.objects.filter(
        Q(patience_ends_at__lte=now) | Q(patience_ends_at__gt=farthest),
        Exists(jobs.filter(role=JobRole.MAIN)),
        ~Exists(jobs.filter(role=JobRole.STAND_IN)),
        state__in=IN_WORK,
    ).select_related("campaign")
    return [submission.pk for submission in late if is_impatient(submission)]


def _standing(submission: Submission) -> StandIn:
    if stand_in(submission):
        return StandIn.READY
    is_coming = open_jobs(submission, role=JobRole.STAND_IN).exists()
    return StandIn.COMING if is_coming else StandIn.NONE


def _carry_out(step: router.Step, submission: Submission, job: GenerationJob) -> bool:
    """False for Then.GIVE_UP: the caller knows what that means."""
    is_over = not open_jobs(submission, role=JobRole.MAIN).exists()
    match step.then:
        case Then.ASK if step.route:
            _queue_again(submission, note=step.route.reason)
            recipe = Recipe.from_json(job.recipe)
            dispatch.ask(submission, recipe, engine=step.route.engine, seed=job.seed)
        case Then.SHOW:
            there = stand_in(submission)
            if there is None:
                return False
            reason = FALLBACK if is_over else PATIENCE
            _show(submission, there, reason=reason, note=step.reason)
        case Then.WAIT:
            if is_over:
                _queue_again(submission, note=step.reason)
        case _:
            return False
    return True


def _queue_again(submission: Submission, *, note: str) -> None:
    """Say in the history that one engine gave up and another goes on."""
    lifecycle.transition(submission, S.QUEUED, actor=lifecycle.SYSTEM, reason=FALLBACK, note=note)
    if in_hand(submission).exists():
        lifecycle.transition(submission, S.GENERATING, actor=lifecycle.SYSTEM)


def in_hand(submission: Submission) -> QuerySet[GenerationJob]:
    """Its jobs that a worker holds just now."""
    return GenerationJob.objects.filter(submission=submission, outcome="", lease_until__gt=Now())


def _show(submission: Submission, there: Figurine, *, reason: str, note: str) -> None:
    there.submission = submission
    choose(there)
    lifecycle.transition(
        submission, S.REVIEW, actor=lifecycle.SYSTEM, reason=reason, note=note[:NOTE_LENGTH]
    )


NOTE_LENGTH: Final = Transition._meta.get_field("note").max_length


@receiver(signals.transitioned, sender=Submission, dispatch_uid="campaign.upgrades.close_jobs")
def close_jobs(submission: Submission, transition: Transition, **_: object) -> None:
    """Nobody works on what nobody waits for: a job left open would be claimed for ever.

    What goes on is the engine's when patience ends; every other way out of the workshop and of
    review ends it, a re-roll too, which has jobs of its own.
    """
    to = S(transition.to_state)
    if to in IN_WORK and transition.from_state in IN_WORK:
        return
    ended = GenerationJob.objects.filter(submission=submission)
    if to == S.REVIEW and transition.reason == PATIENCE:
        ended = ended.filter(role=JobRole.STAND_IN)
    leases.close(ended, outcome=JobOutcome.CANCELLED)
    left = stand_in(submission) if to in _NEVER_SEEN else None
    if left:
        forgetting.forget_figurine(left)


_NEVER_SEEN: Final = frozenset({S.REJECTED, S.FAILED})
"""Where a stand-in ends that nobody was shown. Erased and expired ones go with all the rest."""
