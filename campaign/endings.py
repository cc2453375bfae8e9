"""What becomes of a claimed figurine: stored, given back for another try, or given up."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import structlog
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campaign import leases, lifecycle, storage, upgrades
from campaign.enums import IN_WORK, JobOutcome, JobRole, SubmissionState
from campaign.errors import IllegalTransition, SelfieGone, SelfieUnreadable, StorageAway
from campaign.leases import Claim
from campaign.models import Figurine, GenerationJob, Submission
from figurine import marks, provenance
from figurine.errors import Cancelled, FigurineError, NoFaceInFigurine
from figurine.types import Candidate

log = structlog.get_logger(__name__)

S = SubmissionState


def end(held: Claim, made: list[Candidate] | Exception, *, started: float) -> StorageAway | None:
    """Store what was made, or give the job back, or give it up. Returns what is everybody's
    trouble."""
    with structlog.contextvars.bound_contextvars(submission=str(held.submission_id)):
        try:
            if isinstance(made, Exception):
                raise made
            if marks.NO_FACE_IN_FIGURINE in made[0].marks:
                raise NoFaceInFigurine
            store(held, made)
        except Cancelled:
            log.info("generation stopped", job=held.job_id)
        except NoFaceInFigurine as error:
            # For good: it has tried other seeds by itself. Sculpt's has a face, so nothing of this
            # is kept, and what is in review stands.
            fail(held, code=error.code, permanent=True)
        except FigurineError as error:
            fail(held, code=error.code, permanent=error.permanent)
        except SelfieGone as error:
            fail(held, code=error.code, permanent=True)
        except SelfieUnreadable as error:
            log.error("selfie not read", job=held.job_id, error=str(error))
            fail(held, code=error.code, permanent=False)
        except StorageAway as error:
            return put_off(held, error)
        except Exception:
            log.exception("generation broke", job=held.job_id)
            fail(held, code="engine_broke", permanent=False)
        else:
            log.info("generation done", job=held.job_id, took_ms=_ms_since(started))
    return None


def store(held: Claim, candidates: Sequence[Candidate]) -> None:
    """Write the best one's files, then rows under the lease; take the files back if it was lost."""
    figurine = _written(held, candidates[0])
    try:
        with transaction.atomic():
            submission = _locked(held.submission_id)
            role = still_held(held).values_list("role", flat=True).first()
            finished = still_held(held).update(
                outcome=JobOutcome.DONE, finished_at=timezone.now(), percent=100
            )
            if role is None or not finished:
                raise Cancelled
            _place(figurine, submission, role=JobRole(role))
    except (Cancelled, IllegalTransition) as lost:
        # After any other failure the commit's fate is unknown: the orphans' hour tidies up.
        storage.take_back((figurine.still, figurine.cutout))
        raise Cancelled from lost


def _written(held: Claim, candidate: Candidate) -> Figurine:
    """A figurine whose files are in the store and whose row is not. Raises StorageAway."""
    figurine = Figurine(
        submission_id=held.submission_id,
        recipe=candidate.recipe.as_json(),
        seed=candidate.seed,
        engine_version=candidate.engine_version,
        likeness=candidate.likeness,
        marks=list(candidate.marks),
        cost_usd=Decimal(str(round(candidate.cost_usd, 4))),
        timings_ms=dict(candidate.timings_ms),
    )
    still = ContentFile(encode_still(candidate), "still.jpg")
    cutout = ContentFile(encode_cutout(candidate), "cutout.webp")
    storage.write([(figurine.still, still), (figurine.cutout, cutout)])
    return figurine


def encode_still(candidate: Candidate) -> bytes:
    """JPEG for keeping and sharing: every phone saves it."""
    out = io.BytesIO()
    how = {"quality": 92, "subsampling": 0, "optimize": True}
    provenance.save(candidate.still, out, engine=candidate.recipe.engine, format="JPEG", **how)
    return out.getvalue()


def encode_cutout(candidate: Candidate) -> bytes:
    """WebP with alpha, for layouts."""
    out = io.BytesIO()
    how = {"quality": 90, "method": 4}
    provenance.save(candidate.cutout, out, engine=candidate.recipe.engine, format="WEBP", **how)
    return out.getvalue()


def _place(figurine: Figurine, submission: Submission, *, role: JobRole) -> None:
    """To review with it; or beside, where it is sculpt's and another engine works.

    Raises IllegalTransition.
    """
    figurine.submission, figurine.role = submission, role
    if role == JobRole.STAND_IN:
        figurine.save(force_insert=True)
        upgrades.stand_in_stored(submission)
        return
    reason = ""
    if submission.state not in IN_WORK:
        if not upgrades.may_replace(submission):
            raise IllegalTransition(submission.pk, submission.state, S.REVIEW)
        reason = upgrades.UPGRADED
    upgrades.choose(figurine)
    lifecycle.transition(
        submission,
        S.REVIEW,
        actor=lifecycle.SYSTEM,
        reason=reason,
        note=f"{figurine.recipe['engine']}'s takes the place of sculpt's" if reason else "",
    )


def still_held(claim: Claim) -> QuerySet[GenerationJob]:
    """As leases.held, of a figurine's job."""
    return GenerationJob.objects.filter(pk=claim.job_id, lease_token=claim.lease_token, outcome="")


def fail(held: Claim, *, code: str, permanent: bool) -> None:
    """Give the job back for another try, or give it up."""
    with transaction.atomic():
        submission = _locked(held.submission_id)
        job = still_held(held).first()
        if job is None:
            return
        if permanent or leases.is_worn_out(job):
            job.submission = submission
            give_up(job, code=code)
            return
        leases.try_later(held, attempt=job.attempt, code=code)
        _wait_again(submission, code=code)


def put_off(held: Claim, away: StorageAway) -> StorageAway:
    """Give the job back for when the storage is there again, however long that takes."""
    with transaction.atomic():
        submission = _locked(held.submission_id)
        if leases.put_off(held, code=away.code):
            _wait_again(submission, code=away.code)
    return away


def _wait_again(submission: Submission, *, code: str) -> None:
    """Back to the queue; while another engine is at it, the submission is still being made."""
    if submission.state == S.GENERATING and not upgrades.in_hand(submission).exists():
        lifecycle.transition(submission, S.QUEUED, actor=lifecycle.SYSTEM, reason=code)


def give_up(job: GenerationJob, *, code: str) -> None:
    """Fail for good; but another engine may go on, and a re-roll leaves what was there before."""
    same = GenerationJob.objects.filter(pk=job.pk, lease_token=job.lease_token)
    if not leases.close(same, outcome=JobOutcome.FAILED, code=code):
        return  # who took over ends it
    submission = job.submission
    log.error("generation given up", job=job.pk, engine=job.engine, code=code)
    why = f"{job.engine} failed ({code})"
    if S(submission.state) not in IN_WORK:
        late = f"{why}: what is in review stays"
        lifecycle.note(submission, actor=lifecycle.SYSTEM, reason=code, note=late)
    elif not upgrades.engine_failed(job, code=code) and not upgrades.withdraw(
        submission, reason=code, note=why
    ):
        lifecycle.transition(submission, S.FAILED, actor=lifecycle.SYSTEM, reason=code, note=why)


def _locked(submission_id: UUID) -> Submission:
    return Submission.objects.select_for_update().get(pk=submission_id)


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))
