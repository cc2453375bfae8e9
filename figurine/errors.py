"""What can be wrong with a selfie or a recipe.

Each error carries a `code` for the crew, `permanent` for the queue (only transient ones are
retried), and for the participant a `sentence` (what happened) and an `advice` (what to do next).
"""

from __future__ import annotations

from typing import ClassVar


class FigurineError(Exception):
    """Base of all. `str(error)` is for the log; the participant never sees it."""

    code: ClassVar[str] = "figurine_failed"
    permanent: ClassVar[bool] = True
    sentence: ClassVar[str] = "Your figurine did not come out of the mould."
    advice: ClassVar[str] = "Try once more with another selfie."


class NotAnImage(FigurineError):
    code = "not_an_image"
    sentence = "That file is not a picture we can read."
    advice = "Send a JPEG, PNG, WebP or HEIC photo, or take one now."


class TooLarge(FigurineError):
    code = "too_large"
    sentence = "That photo is bigger than we can carry."
    advice = "Send one under 12 MB and 40 megapixels, or take one now."


class Undecodable(FigurineError):
    code = "undecodable"
    sentence = "That photo arrived damaged."
    advice = "Send it again, or take a new one."


class NoFace(FigurineError):
    code = "no_face"
    sentence = "We looked hard and saw no face."
    advice = "Face the camera, in good light, with nothing over your face, and take it again."


class ManyFaces(FigurineError):
    code = "many_faces"
    sentence = "More than one face here."
    advice = "Solo portraits only: step away from the squad and take it again."


class BigSquad(FigurineError):
    """More faces than a campaign's squads may have."""

    code = "big_squad"
    sentence = "That squad is too big for one base."
    advice = "Split up: send half of you first, then the other half."


class FaceTooSmall(FigurineError):
    code = "face_too_small"
    sentence = "Your face is too far away to sculpt."
    advice = "Come closer, until your face fills the oval."


class TooDark(FigurineError):
    code = "too_dark"
    sentence = "Too dark to see you."
    advice = "Turn towards the light and take it again."


class TooBlurred(FigurineError):
    code = "too_blurred"
    sentence = "The photo came out soft."
    advice = "Wipe the lens, hold still, and take it again."


class CutOff(FigurineError):
    code = "cut_off"
    sentence = "Part of your face is outside the picture."
    advice = "Fit your whole face in the oval, chin to brow."


class TurnedAway(FigurineError):
    code = "turned_away"
    sentence = "We see you from the side."
    advice = "Turn your face to the camera, both ears in sight, and take it again."


class FaceCovered(FigurineError):
    code = "face_covered"
    sentence = "Something is over your face."
    advice = "Hands down, mask off if you can, and take it again."


class EyesHidden(FigurineError):
    code = "eyes_hidden"
    sentence = "We cannot see your eyes."
    advice = "Push up the dark glasses and take it again. Clear ones may stay on."


class BadPlaque(FigurineError):
    code = "bad_plaque"
    sentence = "We cannot engrave that name."
    advice = "Use up to 16 letters or numbers, no emoji."


class UnknownKit(FigurineError):
    code = "unknown_kit"
    sentence = "That kit is not on the shelf."
    advice = "Pick one of the kits shown."


class MissingModel(FigurineError):
    """A model file or baked kit that must be installed is not there."""

    code = "missing_model"
    sentence = "The workshop is missing a tool."
    advice = "The crew has been told. Please try again later."


class NoGpu(FigurineError):
    """An engine that wants a GPU is on a machine without one, and was not told to do without."""

    code = "no_gpu"
    sentence = "The workshop is missing a tool."
    advice = "The crew has been told. Please try again later."


class DeviceLost(FigurineError):
    """The GPU answers this process no more: whoever holds it must end and begin anew."""

    code = "device_lost"
    permanent = False
    sentence = "The workshop is missing a tool."
    advice = "It is being tried again."


class LicenceMissing(FigurineError):
    """Weights that are not for commercial use, in production, without a licence bought for them."""

    code = "licence_missing"
    sentence = "The workshop is missing a tool."
    advice = "The crew has been told. Please try again later."


class NotSolid(FigurineError):
    """A kit's sculpt or a mesh made from it does not close, or falls into pieces."""

    code = "not_solid"
    sentence = "This figurine cannot be cast in one piece."
    advice = "The crew has been told. Try another kit."


class OutOfMemory(FigurineError):
    code = "out_of_memory"
    permanent = False
    sentence = "The workshop is very full."
    advice = "Hold on, we are trying again."


class EngineBroke(FigurineError):
    """An engine failed at this one in a way that nobody foresaw; the log has the rest."""

    code = "engine_broke"
    permanent = False
    sentence = "The mould cracked."
    advice = "Hold on, we are casting it again."


class NoFaceInFigurine(FigurineError):
    """What a diffusion engine made has no face that a detector finds. New seeds may help."""

    code = "no_face_in_figurine"
    permanent = False
    sentence = "The mould came out without your face."
    advice = "Hold on, we are casting it again."


class ProviderBusy(FigurineError):
    """The hosted engine takes no more, or does not answer."""

    code = "provider_busy"
    permanent = False
    sentence = "The workshop is very full."
    advice = "Hold on, we are trying again."


class ProviderTimeout(FigurineError):
    """The hosted engine took longer than it may."""

    code = "provider_timeout"
    permanent = False
    sentence = "The workshop takes longer than usual."
    advice = "Hold on, we are trying again."


class ProviderBroke(FigurineError):
    """The hosted engine answered with an error of its own, or with what is no picture."""

    code = "provider_broke"
    permanent = False
    sentence = "The mould cracked."
    advice = "Hold on, we are casting it again."


class ProviderRefused(FigurineError):
    """The hosted engine will not make this one, whoever asks again."""

    code = "provider_refused"
    sentence = "The workshop would not make this one."
    advice = "Try once more with another selfie."


class ProviderUnpaid(FigurineError):
    """The hosted engine does not know the key, or the account is empty. A crew's matter."""

    code = "provider_unpaid"
    sentence = "The workshop is missing a tool."
    advice = "The crew has been told. Please try again later."


class BudgetSpent(FigurineError):
    """The campaign has spent what it may on hosted figurines, for this hour or for good."""

    code = "budget_spent"
    sentence = "The workshop is closed for now."
    advice = "The crew has been told. Please try again later."


class Cancelled(FigurineError):
    """Somebody asked to stop (the participant left, or was erased)."""

    code = "cancelled"
    sentence = "Stopped, as asked."
    advice = "Start again whenever you like."


def by_code(code: str, detail: str) -> FigurineError:
    """Build the error that goes by this code, as when one was told across a process border."""
    kinds = {kind.code: kind for kind in FigurineError.__subclasses__()}
    return kinds.get(code, FigurineError)(detail)
