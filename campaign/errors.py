"""What can be wrong with a request to take part. Same shape as figurine.errors."""

from __future__ import annotations

from typing import ClassVar

from figurine.errors import FigurineError


class IntakeError(Exception):
    """Base of all. The participant reads `sentence` and `advice`; the crew reads `code`."""

    code: ClassVar[str] = "intake_failed"
    status: ClassVar[int] = 422
    sentence: ClassVar[str] = "That did not reach us."
    advice: ClassVar[str] = "Send it again."


class CampaignClosed(IntakeError):
    code = "campaign_closed"
    status = 403
    sentence = "The box is closed for now."
    advice = "Come back when the crew opens it again."


class ConsentMissing(IntakeError):
    code = "consent_missing"
    sentence = "We need your yes before we touch your photo."
    advice = "Read the two lines and tick the box."


class ConsentOutdated(IntakeError):
    code = "consent_outdated"
    status = 409
    sentence = "The small print changed while you were here."
    advice = "Reload the page, read it again and tick the box."


class NoPhoto(IntakeError):
    code = "no_photo"
    sentence = "No photo came along."
    advice = "Take a selfie or choose a photo."


class SlowDown(IntakeError):
    code = "slow_down"
    status = 429
    sentence = "That is a lot of selfies from one phone."
    advice = "Take a breath and try again in a few minutes."


class Crowded(IntakeError):
    """Too many at once, nobody's fault: the phone sends the same selfie again by itself."""

    code = "crowded"
    status = 503
    sentence = "A lot of people want in right now."
    advice = "Hold on to your selfie and try again in a moment."


class WorkshopFull(IntakeError):
    """It would not be made before the selfie's day is over."""

    code = "workshop_full"
    status = 503
    sentence = "The workshop has more selfies than it can make in time."
    advice = "Keep yours and try again later: there will be room again."


class SelfieGone(IntakeError):
    """The photo was purged or erased before the work on it was done."""

    code = "selfie_gone"
    status = 410
    sentence = "Your selfie is deleted already, as promised."
    advice = "Take a new one if you want to be made again."


class SelfieUnreadable(IntakeError):
    """The storage does not give this photo, though it gives others: one of its own attempts."""

    code = "selfie_unreadable"
    status = 503
    sentence = "We cannot open your selfie."
    advice = "Try again, or take a new one."


class StorageAway(IntakeError):
    """The private storage gives or takes nothing just now. Nobody's picture is at fault, so it
    counts as nobody's attempt (leases.put_off)."""

    code = "storage_away"
    status = 503
    sentence = "We cannot reach our shelves just now."
    advice = "Try again in a moment."


class TooManyAtOnce(IntakeError):
    """More photos are on their way than the disk has room for (deploy/body_spool.py)."""

    code = "too_many_at_once"
    status = 503
    sentence = "A lot of photos are on their way just now."
    advice = "Try again in a moment."


class TooLate(IntakeError):
    code = "too_late"
    status = 409
    sentence = "It is out of our hands by now."
    advice = "Your page tells how it stands."


class OnTheDesk(IntakeError):
    """A moderator has claimed it."""

    code = "on_the_desk"
    status = 409
    sentence = "A person is looking at this one right now."
    advice = "Hold on: you hear in a moment."


class NoRerollsLeft(IntakeError):
    code = "no_rerolls_left"
    status = 409
    sentence = "That was your last one."
    advice = "It stands as it is. A person has a look now."


class NotHandedOut(IntakeError):
    """The campaign gives no such keepsake, or the figurine's engine has no geometry."""

    code = "not_handed_out"
    status = 404
    sentence = "That is not handed out here."
    advice = "Keep the picture, it is yours."


class IllegalTransition(Exception):
    """A move that the table in enums.py does not allow, or that somebody else made first."""

    code: ClassVar[str] = "illegal_transition"

    def __init__(self, submission_id: object, current: str, wanted: str) -> None:
        super().__init__(f"submission {submission_id}: {current} -> {wanted} is not a legal move")
        self.current = current
        self.wanted = wanted


Refusal = type[FigurineError] | type[IntakeError]


def refusal_of(code: str) -> Refusal:
    """The error class with this code, or the general one."""
    bases: tuple[Refusal, ...] = (FigurineError, IntakeError)
    known = {kind.code: kind for base in bases for kind in base.__subclasses__()}
    return known.get(code, FigurineError)
