"""The words of a submission's life, and which may follow which."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class SubmissionState(models.TextChoices):
    RECEIVED = "received", _("Received")
    SCREENING = "screening", _("Screening")
    HELD = "held", _("Held for a person")
    QUEUED = "queued", _("In the queue")
    GENERATING = "generating", _("Being made")
    REVIEW = "review", _("Waiting for review")
    APPROVED = "approved", _("Approved")
    RECALLED = "recalled", _("Recalled")
    REJECTED = "rejected", _("Rejected")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    ERASED = "erased", _("Erased")


S = SubmissionState

TRANSITIONS: Final[dict[SubmissionState, frozenset[SubmissionState]]] = {
    S.RECEIVED: frozenset({S.SCREENING, S.EXPIRED, S.ERASED}),
    S.SCREENING: frozenset({S.QUEUED, S.HELD, S.REJECTED, S.FAILED, S.EXPIRED, S.ERASED}),
    S.HELD: frozenset({S.QUEUED, S.REJECTED, S.EXPIRED, S.ERASED}),
    # From the queue and from the workshop back to review: a re-roll of which nothing came.
    # In the queue again: another engine takes over from one that failed.
    S.QUEUED: frozenset(
        {S.GENERATING, S.QUEUED, S.REVIEW, S.REJECTED, S.FAILED, S.EXPIRED, S.ERASED}
    ),
    # Back to the queue when a lease runs out or a worker gives up for now.
    S.GENERATING: frozenset({S.REVIEW, S.QUEUED, S.FAILED, S.EXPIRED, S.ERASED}),
    # Back to the queue is the participant's re-roll (rerolls.py). In review anew: a slower engine's
    # figurine takes the place of sculpt's (upgrades.py).
    S.REVIEW: frozenset({S.APPROVED, S.REJECTED, S.QUEUED, S.REVIEW, S.EXPIRED, S.ERASED}),
    # Back to review is the moderator's undo; it takes the figurine off the screens too.
    S.APPROVED: frozenset({S.RECALLED, S.REVIEW, S.EXPIRED, S.ERASED}),
    S.RECALLED: frozenset({S.REVIEW, S.EXPIRED, S.ERASED}),
    S.REJECTED: frozenset({S.REVIEW, S.HELD, S.EXPIRED, S.ERASED}),
    S.FAILED: frozenset({S.QUEUED, S.EXPIRED, S.ERASED}),
    S.EXPIRED: frozenset({S.ERASED}),
    S.ERASED: frozenset(),
}

IN_WORK: Final = frozenset({S.QUEUED, S.GENERATING})
"""States in which a figurine is made that somebody waits for."""

FINAL: Final = frozenset({S.RECALLED, S.REJECTED, S.FAILED, S.EXPIRED, S.ERASED})
"""States in which nothing more happens unless a person asks for it."""


class RejectReason(models.TextChoices):
    """Why a person (or the screening policy) said no. The participant reads REJECT_SENTENCES."""

    UNSAFE = "unsafe", _("Nudity or violence")
    NOT_A_PERSON = "not_a_person", _("Not a real person in front of the camera")
    MINOR = "minor", _("A child without a guardian's consent")
    SOMEONE_ELSE = "someone_else", _("A photo of somebody else")
    BAD_NAME = "bad_name", _("Name not fit for a street")
    POOR_LIKENESS = "poor_likeness", _("The figurine does not look like them")
    POOR_QUALITY = "poor_quality", _("Photo or figurine of poor quality")
    OTHER = "other", _("Something else")


REJECT_SENTENCES: Final = {
    RejectReason.UNSAFE: _("This one is not for the street. You are welcome to take another."),
    RejectReason.NOT_A_PERSON: _("We need a real face in front of the camera. Take a new selfie."),
    RejectReason.MINOR: _("Under 18? Please come back with a parent or guardian."),
    RejectReason.SOMEONE_ELSE: _("Only your own face, please. Take a new selfie of you."),
    RejectReason.BAD_NAME: _("That name cannot go up there. Try again with another one."),
    RejectReason.POOR_LIKENESS: _(
        "It did not look enough like you. Take another, in better light."
    ),
    RejectReason.POOR_QUALITY: _("It did not come out well. Take another, in better light."),
    RejectReason.OTHER: _("The crew could not put this one up. You are welcome to take another."),
}


class RecallReason(models.TextChoices):
    MODERATION = "moderation", _("Should not have been approved")
    PARTICIPANT = "participant", _("The participant asked")
    PRODUCER = "producer", _("The producer asked")
    TECHNICAL = "technical", _("Something is wrong with the picture")
    SOMEONE_ELSE = "someone_else", _("A photo of somebody else")
    MINOR = "minor", _("A child without a guardian's consent")


RECALL_SENTENCES: Final = {
    RecallReason.MODERATION: _(
        "It is off the screens: it should not have gone up. You are welcome to take another."
    ),
    RecallReason.SOMEONE_ELSE: _(
        "It is off the screens. Only your own face, please. Take a new selfie of you."
    ),
    RecallReason.MINOR: _(
        "It is off the screens. Under 18? Please come back with a parent or guardian."
    ),
}
"""What the participant reads where a recall is a rejection that came late: nothing of it is theirs
to keep (Submission.is_turned_down)."""


class HoldReason(models.TextChoices):
    SAFETY_UNSURE = "safety_unsure", _("The safety score is in between")
    QUALITY_UNSURE = "quality_unsure", _("The selfie is barely good enough")
    NOT_SCREENED = "not_screened", _("The safety check did not work")


class JobOutcome(models.TextChoices):
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class JobRole(models.TextChoices):
    """What a figurine is made for: to be the submission's, or to be shown until that is there."""

    MAIN = "main", _("The figurine")
    STAND_IN = "stand_in", _("Sculpt's, while a slower engine works")


class FigurineMark(models.TextChoices):
    """What the crew should look at before they approve. The values are figurine.marks'."""

    UNLIKE = "unlike", _("Not much like the selfie: look twice")
    NO_FACE_IN_FIGURINE = "no_face_in_figurine", _("No face was found in the figurine")
    NOT_MEASURED = "not_measured", _("Nobody has measured the likeness")


class KeepsakeKind(models.TextChoices):
    """What there is to take home beside the picture."""

    CLIP = "clip", _("Clip")
    GLB = "glb", _("3D model")
    STL = "stl", _("Print file")


SOLID: Final = frozenset({KeepsakeKind.GLB, KeepsakeKind.STL})
"""Made on request; a clip is made on approval."""


class WorkerState(models.TextChoices):
    """How an engine's worker process is, by its own word."""

    STARTING = "starting", _("Warming up")
    READY = "ready", _("Ready")
    STUCK = "stuck", _("Longer at one thing than it may be")
