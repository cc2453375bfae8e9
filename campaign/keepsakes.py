"""What there is to take home beside the picture: a clip, a model to turn around, a file to print.

Made once more from the figurine's own recipe and seed and from the selfie, so only while the selfie
lives. A clip is made after approval, by a worker that gives way to everything else; solids are made
when a visitor asks, by a worker of their own, after the figurines that wait but soon all the same.

What has left the screens has no clip: it is deleted in the transaction that takes the figurine
down, and one that is being made finds its lease gone.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.dispatch import receiver
from django.utils import timezone

from campaign import (
    forgetting,
    generation,
    leases,
    media,
    progress,
    screening,
    signals,
    storage,
)
from campaign.enums import SOLID, JobOutcome, KeepsakeKind, SubmissionState
from campaign.errors import (
    NotHandedOut,
    SelfieGone,
    SelfieUnreadable,
    StorageAway,
    TooLate,
    refusal_of,
)
from campaign.leases import Claim
from campaign.models import Figurine, Keepsake, Submission, Transition
from figurine.engines.base import ANIMATORS, FORMATS, SCULPTORS, Animator, Format, Sculptor
from figurine.errors import Cancelled, EngineBroke, FigurineError, MissingModel, OutOfMemory
from figurine.types import Recipe, Selfie

log = structlog.get_logger(__name__)

S = SubmissionState
K = KeepsakeKind

SOLID_LIMIT_S: Final = 120.0
"""A face. Seconds are usual: the first of a kit and pose 10 to 25 s, later ones 3 to 5 s, on two
busy cores; the first print of a squad of six 150 to 240 s on an overbooked machine."""
SOLID_PATIENCE_S: Final = 30.0
"""How long a solid gives way to figurines: an evening's queue may never end."""
CLIP_LIMIT_S: Final = 1800.0
CLIP_FRIEND_LIMIT_S: Final = 480.0
"""Of a figurine alone, and more for each friend: 45 pictures, 4 to 8 minutes of two cores for one
and 2.2 times that for six, on a machine that has better things to do."""

NOT_MADE_BY_ENGINE: Final = "not_made_by_engine"

MAY_PASS: Final = (EngineBroke.code, OutOfMemory.code, StorageAway.code)
CLIP_RESTS: Final = timedelta(hours=1)
"""How long a clip that failed for one of these is left alone: nobody has a button to ask for it.
Then it is tried once, after all that have not been. What lost three workers is not tried again."""
CLIP_IS_WANTED: Final = timedelta(hours=6)
"""How long after its approval that goes on: an evening's trouble, and five more tries at most."""

CLIPS_AT_ONCE: Final = 20
"""How many missing clips one sweep asks for."""

_ANEW: Final = {
    "outcome": "",
    "error_code": "",
    "attempt": 0,
    "stage": "",
    "percent": 0,
    "lease_token": None,
    "lease_until": None,
    "claimed_at": None,
    "finished_at": None,
    "file": "",
    "webm": "",
}
"""A job that nobody has tried."""

_FORMATS: Final[dict[str, Format]] = {K(name): name for name in FORMATS}


# --- asking -----------------------------------------------------------------------------------
def ask(submission: Submission, *, kind: KeepsakeKind) -> bool:
    """Have a solid made, once however often it is asked. Returns whether this put it to work.

    Raises NotHandedOut, TooLate, SelfieGone; then nothing was changed.
    """
    with transaction.atomic():
        current = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("campaign")
            .defer("face")
            .get(pk=submission.pk)
        )
        figurine = current.figurine
        if figurine is None or kind not in handed_out(current, figurine):
            raise NotHandedOut
        if current.state != S.APPROVED:
            raise TooLate(current.state)
        if not media.selfie_of(current):
            raise SelfieGone
        return _put_to_work(figurine, kind)


def handed_out(submission: Submission, figurine: Figurine) -> frozenset[KeepsakeKind]:
    """The solids that this campaign gives its visitors and this figurine's engine can make.

    The submission comes with its campaign.
    """
    campaign = submission.campaign
    switches = {K.GLB: campaign.offers_models, K.STL: campaign.offers_prints}
    if figurine.recipe.get("engine") not in SCULPTORS:
        return frozenset()
    return frozenset(kind for kind, is_on in switches.items() if is_on)


@receiver(signals.transitioned, sender=Submission, dispatch_uid="campaign.keepsakes.follow")
def follow(
    submission: Submission, transition: Transition, figurine: Figurine | None, **_: object
) -> None:
    """A clip for whatever goes up; none of what comes down, and nothing of what is turned down."""
    mine = Keepsake.objects.filter(figurine__submission=submission)
    if transition.from_state == S.APPROVED:
        forgetting.forget_keepsakes(mine.filter(Q(kind=K.CLIP) | Q(outcome="")))
    if submission.is_turned_down:
        forgetting.forget_keepsakes(mine)
    can_move = figurine and figurine.recipe and media.selfie_of(submission)
    if figurine and can_move and submission.campaign.makes_clips:
        _put_to_work(figurine, K.CLIP)


def want_missing_clips() -> int:
    """Have clips made of what is up without: approved by an earlier version, before its engine
    made any, before its campaign wanted any, or while something was the matter. Returns how many.
    """
    clips = Keepsake.objects.filter(figurine=OuterRef("pk"), kind=K.CLIP)
    not_made = clips.filter(
        Q(outcome=JobOutcome.CANCELLED, error_code=NOT_MADE_BY_ENGINE)
        | Q(
            outcome=JobOutcome.FAILED,
            error_code__in=MAY_PASS,
            finished_at__lt=timezone.now() - CLIP_RESTS,
            created_at__gt=timezone.now() - CLIP_IS_WANTED,
        )
    )
    without = Figurine.objects.filter(
        Exists(not_made) | ~Exists(clips),
        is_chosen=True,
        recipe__engine__in=ANIMATORS,
        submission__state=S.APPROVED,
        submission__campaign__makes_clips=True,
        submission__selfie_purge_at__gt=timezone.now(),
    ).exclude(submission__selfie="")
    opened = 0
    for pk, submission_id in list(without.values_list("pk", "submission_id")[:CLIPS_AT_ONCE]):
        with transaction.atomic():
            _locked(submission_id)
            figurine = without.filter(pk=pk).first()
            opened += figurine is not None and _put_to_work(figurine, K.CLIP, is_swept=True)
    return opened


def _put_to_work(figurine: Figurine, kind: KeepsakeKind, *, is_swept: bool = False) -> bool:
    """Open its job, or open it again. False where it is open or done.

    is_swept: nobody has asked anew, so one that failed has one more try and is as old as it was.
    """
    keepsake, is_new = Keepsake.objects.get_or_create(figurine=figurine, kind=kind)
    if not is_new:
        if keepsake.is_open or keepsake.is_done or is_hopeless(keepsake):
            return False
        over = Keepsake.objects.filter(pk=keepsake.pk, outcome=keepsake.outcome)
        anew = {**_ANEW, "created_at": timezone.now(), "ready_at": timezone.now()}
        if is_swept and keepsake.outcome == JobOutcome.FAILED:
            last_try = leases.MAX_ATTEMPTS - 1
            anew |= {"attempt": last_try, "created_at": keepsake.created_at}
        if not over.update(**anew):
            return False  # somebody was faster
        keepsake.refresh_from_db()
    signals.keepsake_wanted.send(sender=Keepsake, keepsake=keepsake)
    return True


def is_hopeless(keepsake: Keepsake) -> bool:
    """Failed for a reason that would be the same another time; a missing model can be installed."""
    refusal = refusal_of(keepsake.error_code)
    return (
        keepsake.outcome == JobOutcome.FAILED
        and issubclass(refusal, FigurineError)
        and refusal.permanent
        and refusal not in (FigurineError, MissingModel)
    )


# --- making -----------------------------------------------------------------------------------
def ready(kinds: Collection[KeepsakeKind]) -> QuerySet[Keepsake]:
    """Those that nobody holds, oldest first."""
    return leases.ready(Keepsake.objects.filter(kind__in=kinds))


def run_solid() -> bool:
    """Make one solid; while a figurine waits, one that gave way for SOLID_PATIENCE_S.

    Returns whether there was one, and the storage to keep it in.
    """
    waiting = ready(SOLID)
    if generation.ready_jobs().exists():
        asked_by = timezone.now() - timedelta(seconds=SOLID_PATIENCE_S)
        waiting = waiting.filter(created_at__lte=asked_by)
    return _run(waiting, alone_s=SOLID_LIMIT_S, friend_s=SOLID_LIMIT_S)


def run_clip() -> bool:
    """Make one clip, of those that were tried least the newest: whoever has just been approved is
    still there, and in a crowd clips take longer than people stay. Returns whether there was one,
    and the storage to keep it in."""
    waiting = ready({K.CLIP}).order_by("attempt", "-ready_at")
    return _run(waiting, alone_s=CLIP_LIMIT_S, friend_s=CLIP_FRIEND_LIMIT_S)


def _run(waiting: QuerySet[Keepsake], *, alone_s: float, friend_s: float) -> bool:
    """Make the first of those. It may take so long alone, and so much longer for each friend."""
    claims: list[Claim] = []
    is_found = False
    with transaction.atomic():
        found = waiting.select_related("figurine")
        for keepsake in leases.locked(found, of=("self",))[:1]:
            is_found = True
            if leases.is_worn_out(keepsake):
                _give_up(keepsake, code=keepsake.error_code or "worker_lost")
            else:
                submission_id = keepsake.figurine.submission_id
                claims.append(leases.take(keepsake, submission_id=submission_id))
    limit_s = alone_s + friend_s * (generation.most_faces(claims) - 1)
    with leases.renewed(claims, limit_s=limit_s):
        for claim in claims:
            with structlog.contextvars.bound_contextvars(submission=str(claim.submission_id)):
                if not _work(claim):
                    return False
    return is_found


def _work(claim: Claim) -> bool:
    """Whatever goes wrong is its own. False where the storage is away, which is everybody's."""
    keepsake = Keepsake.objects.select_related("figurine__submission").get(pk=claim.job_id)
    started_s = time.monotonic()
    try:
        files = _make(keepsake, claim)
        if files is None:
            leases.close(leases.held(claim), outcome=JobOutcome.CANCELLED, code=NOT_MADE_BY_ENGINE)
            return True
        _store(keepsake, files, claim)
    except Cancelled:
        log.info("keepsake stopped", kind=keepsake.kind)
    except FigurineError as error:
        _failed(claim, code=error.code, permanent=error.permanent)
    except SelfieGone as error:
        _failed(claim, code=error.code, permanent=True)
    except SelfieUnreadable as error:
        log.error("selfie not read", error=str(error))
        _failed(claim, code=error.code, permanent=False)
    except StorageAway as error:
        log.error("storage away, its work waits", code=error.code, error=str(error))
        leases.put_off(claim, code=error.code)
        return False
    except Exception:
        log.exception("keepsake broke", kind=keepsake.kind)
        _failed(claim, code="engine_broke", permanent=False)
    else:
        took_ms = round(1000 * (time.monotonic() - started_s))
        log.info("keepsake done", kind=keepsake.kind, took_ms=took_ms)
    return True


def _make(keepsake: Keepsake, claim: Claim) -> dict[str, ContentFile[bytes]] | None:
    """Its files by the model's field; None where the engine makes no such thing."""
    figurine = keepsake.figurine
    recipe = Recipe.from_json(figurine.recipe)
    engine = generation.engine(recipe.engine)
    kind = K(keepsake.kind)
    report = leases.reporter(claim, is_watched=kind in SOLID)
    if kind == K.CLIP:
        if not isinstance(engine, Animator):
            return None
        selfie = _selfie(figurine.submission)
        clip = engine.clip(selfie, recipe, seed=figurine.seed, progress=report)
        return {
            "file": ContentFile(clip.mp4, "clip.mp4"),
            "webm": ContentFile(clip.webm, "clip.webm"),
        }
    if not isinstance(engine, Sculptor):
        return None
    selfie = _selfie(figurine.submission)
    solid = engine.geometry(selfie, recipe, format=_FORMATS[kind], progress=report)
    return {"file": ContentFile(solid, f"figurine.{kind}")}


def _selfie(submission: Submission) -> Selfie:
    """Raises SelfieGone, past its day even if nobody was there to purge it; else as load_selfie."""
    if not media.selfie_of(submission):
        raise SelfieGone
    return screening.load_selfie(submission)


def _store(keepsake: Keepsake, files: dict[str, ContentFile[bytes]], claim: Claim) -> None:
    """Write files, then the row under the lease; take the files back if the lease was lost."""
    fields = {name: getattr(keepsake, name) for name in files}
    storage.write([(fields[name], content) for name, content in files.items()])
    try:
        with transaction.atomic():
            submission = _locked(claim.submission_id)
            named = {name: field.name for name, field in fields.items()}
            is_ours = leases.held(claim).update(
                outcome=JobOutcome.DONE,
                error_code="",
                finished_at=timezone.now(),
                percent=100,
                **named,
            )
            if not is_ours:
                raise Cancelled
            signals.keepsake_made.send(sender=Keepsake, submission=submission, keepsake=keepsake)
            _tell(submission.pk)
    except Cancelled:
        # After any other failure the commit's fate is unknown: the orphans' hour tidies up.
        storage.take_back(fields.values())
        raise


def _failed(claim: Claim, *, code: str, permanent: bool) -> None:
    """Give it back for another try, or give it up."""
    with transaction.atomic():
        _locked(claim.submission_id)
        keepsake = leases.held(claim).first()
        if not isinstance(keepsake, Keepsake):
            return
        if permanent or leases.is_worn_out(keepsake):
            _give_up(keepsake, code=code)
        else:
            leases.try_later(claim, attempt=keepsake.attempt, code=code)


def _give_up(keepsake: Keepsake, *, code: str) -> None:
    """End it, if the lease is still the one that `keepsake` was read with."""
    same = Keepsake.objects.filter(pk=keepsake.pk, lease_token=keepsake.lease_token)
    if not leases.close(same, outcome=JobOutcome.FAILED, code=code):
        return
    log.error("keepsake given up", kind=keepsake.kind, figurine=keepsake.figurine_id, code=code)
    _tell(keepsake.figurine.submission_id)


def _locked(submission_id: UUID) -> Submission:
    """Everyone locks the submission first."""
    return Submission.objects.select_for_update().defer("face").get(pk=submission_id)


def _tell(submission_id: UUID) -> None:
    transaction.on_commit(lambda: progress.nudge(submission_id), robust=True)
