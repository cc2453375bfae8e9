"""What a participant's page says for a status: one scene at a time, in the house's voice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaign.enums import IN_WORK, SubmissionState
from campaign.queries import Status

S = SubmissionState

_SCENES: Final = {
    S.RECEIVED: "checking",
    S.SCREENING: "checking",
    S.HELD: "held",
    S.QUEUED: "moulding",
    S.GENERATING: "moulding",
    S.REVIEW: "review",
    S.REJECTED: "rejected",
    S.FAILED: "failed",
    S.RECALLED: "recalled",
    S.EXPIRED: "expired",
    S.ERASED: "erased",
}

_TITLES: Final = {
    "checking": gettext_lazy("Into the mould"),
    "moulding": gettext_lazy("Into the mould"),
    "preview": gettext_lazy("Your first cast"),
    "again": gettext_lazy("Back in the mould"),
    "held": gettext_lazy("Stand by"),
    "review": gettext_lazy("Fresh out of the mould"),
    "box": gettext_lazy("You are in the box"),
    "up": gettext_lazy("Look up!"),
    "seen": gettext_lazy("You were up there"),
    "rejected": gettext_lazy("Not this one"),
    "failed": gettext_lazy("The mould jammed"),
    "recalled": gettext_lazy("Back in barracks"),
    "expired": gettext_lazy("Dismissed"),
    "erased": gettext_lazy("All gone"),
}

_LEADS: Final = {
    "preview": gettext_lazy("The quick one. A finer one is being painted after it."),
    "held": gettext_lazy("Someone in the crew looks at your photo first. Stay on this page."),
    "box": gettext_lazy("Approved. Watch the screen: you are up soon."),
    "seen": gettext_lazy("The whole street saw it. Keep the picture, it is yours."),
    "recalled": gettext_lazy("Your figurine is off the screens. It is still yours to keep."),
    "expired": gettext_lazy(
        "Its time was up, so your photo and figurine are deleted, as promised."
    ),
    "erased": gettext_lazy(
        "Your photo, your figurine and your name are deleted, here and up there."
    ),
}

_NOTES: Final = {
    "moulding": gettext_lazy("Stay on this page: it tells you when to look up."),
    "preview": gettext_lazy("Stay on this page: it tells you when to look up."),
    "again": gettext_lazy("The one you have stays until the new one is out."),
    "review": gettext_lazy("Stay on this page: it tells you when to look up."),
    "box": gettext_lazy("Stay on this page: it tells you when to look up."),
}

_GONE: Final = gettext_lazy("Your photo and figurine are deleted, as promised.")

_NOW: Final = {
    "checking": 0,
    "moulding": 1,
    "preview": 1,
    "again": 1,
    "held": 0,
    "review": 2,
    "box": 3,
}
"""Which of the four lines is being worked on."""


STAGES: Final = {
    "": gettext_lazy("Being moulded"),
    "measuring": gettext_lazy("Taking your measure"),
    "sculpting": gettext_lazy("Sculpting your face"),
    "casting": gettext_lazy("Casting the plastic"),
    "posing": gettext_lazy("Striking your pose"),
    "waiting": gettext_lazy("Waiting for a free brush"),
    "painting": gettext_lazy("Painting you in"),
    "comparing": gettext_lazy("Checking the likeness"),
    "finishing": gettext_lazy("Trimming the edges"),
}
"""Words for the stages an engine reports; for one that is not here, the first."""


def stage_words() -> dict[str, str]:
    """STAGES in the language of the page, for the script that moves the words."""
    return {stage: str(words) for stage, words in STAGES.items()}


@dataclass(frozen=True)
class Line:
    """One of the four honest lines; `when` is done, now or next."""

    words: str
    when: str
    is_live: bool = False
    """The page moves these words between two drawings."""


@dataclass(frozen=True)
class Scene:
    name: str
    title: str
    lead: str
    note: str
    kept: str
    lines: tuple[Line, ...]


def of(status: Status) -> Scene:
    """The scene for a status. An approved figurine has three: in the box, up there, seen.

    A recall that says why is a rejection that came late; either stays one when its pictures are
    deleted. One that is made again has its own, with the figurine there is; so has one whose engine
    takes its time, with sculpt's.
    """
    state = S(status.state)
    if state == S.APPROVED:
        name = "up" if status.screens else "seen" if status.was_shown else "box"
    elif state in {S.RECALLED, S.EXPIRED} and status.sentence:
        name = "rejected"
    elif state in IN_WORK and status.cutout_url:
        name = "preview" if status.is_preview else "again"
    else:
        name = _SCENES[state]
    is_gone = name == "rejected" and state == S.EXPIRED
    return Scene(
        name=name,
        title=str(_TITLES[name]),
        lead=str(_LEADS.get(name, "")) or status.sentence,
        note=str(_GONE if is_gone else _NOTES.get(name, "")),
        kept=_kept(status),
        lines=_lines(name, status),
    )


def _kept(status: Status) -> str:
    if not status.kept_until:
        return ""
    day = localtime(datetime.fromisoformat(status.kept_until))
    return _("Kept until %s.") % date_format(day, "j F Y")


def _lines(name: str, status: Status) -> tuple[Line, ...]:
    now = _NOW.get(name)
    if now is None:
        return ()
    words = (
        _("Selfie checked, then deleted within a day") if now else _("Checking your selfie"),
        _moulding(name, status),
        _("A person is looking right now") if status.is_on_desk else _("A person has a look"),
        _("On the billboard"),
    )
    return tuple(
        Line(
            said,
            when="done" if place < now else "now" if place == now else "next",
            is_live=place == now == 1,
        )
        for place, said in enumerate(words)
    )


def _moulding(name: str, status: Status) -> str:
    if name in {"review", "box"}:
        return _("Moulded")
    if name not in {"moulding", "preview", "again"}:
        return _("Into the mould")
    if status.state == S.GENERATING:
        return f"{STAGES.get(status.stage, STAGES[''])} · {status.percent} %"
    return _("Next into the mould")
