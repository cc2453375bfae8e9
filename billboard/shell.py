"""The shell: all that the player needs to start without a network, and the version it is all of.

The screen's service worker (static/js/screen/worker.js) fetches it as a whole and checks every file
against the digest given here, so that servers of two versions behind one address cannot mix theirs
in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.templatetags.static import static
from django.urls import reverse

from billboard import page

SHELL_FILES: Final = (
    *page.PLAYER_FILES,
    "img/mark.svg",
    "img/recruit.webp",
    "vendored/fonts/",
)
"""Where the player's files lie, and what stands in for figurines that are not there."""

WORKER: Final = "js/screen/worker.js"


@dataclass(frozen=True)
class File:
    """Something the page loads."""

    url: str
    integrity: str
    """As in the attribute of that name (Subresource Integrity); empty: not checked."""


@dataclass(frozen=True)
class Shell:
    """One version of the player for one screen."""

    version: str
    files: tuple[File, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def of(screen: Any, html: str) -> Shell:
    """The shell around the page as this screen gets it now; `screen` is a row of that name."""
    qr = page.qr_svg(page.of(screen).intake_url)
    files = (
        *(_static_files.__wrapped__() if settings.DEBUG else _static_files()),
        File(reverse("billboard:qr"), _integrity(qr)),
        # Its colours are in the page's fingerprint.
        File(reverse("campaign:theme", args=[screen.campaign.slug]), ""),
    )
    told = json.dumps([html, *map(asdict, files)])
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Shell(version=f"{screen.pk}-{digest}", files=files)


def worker() -> bytes:
    """The worker's own text. Raises FileNotFoundError."""
    for name, content in _contents():
        if name == WORKER:
            return content
    raise FileNotFoundError(WORKER)


@cache
def _static_files() -> tuple[File, ...]:
    found = {name: _integrity(content) for name, content in _contents() if name != WORKER}
    return tuple(File(static(name), found[name]) for name in sorted(found))


def _contents() -> Iterator[tuple[str, bytes]]:
    """From whatever storage they lie in."""
    for finder in get_finders():
        for name, storage in finder.list([]):
            if name.startswith(SHELL_FILES):
                with storage.open(name) as file:
                    yield name, file.read()


def _integrity(content: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"
