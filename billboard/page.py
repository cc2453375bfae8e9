"""What stands around the figurines: words, colours, the QR that leads to the phone page."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from typing import Any, Final

import segno
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.urls import reverse

QR_INK: Final = "#14170f"
QR_GROUND: Final = "#faf6ea"
"""Not the theme's: many phones cannot read light on dark."""

PLAYER_FILES: Final = ("css/screen", "css/tokens.css", "js/screen/", "js/lib/")


@dataclass(frozen=True)
class Page:
    """All that a screen needs to know before its first figurine."""

    slug: str
    name: str
    headline: str
    strapline: str
    slot_s: int
    theme: dict[str, str]
    intake_url: str
    version: str
    """Of the player's own files, so that a screen loads them anew after an update."""

    @property
    def words(self) -> list[str]:
        """The headline's; the last one is set in the signal colour."""
        return self.headline.split()

    @property
    def fingerprint(self) -> str:
        """Changes whenever anything on the page would; a screen then loads it anew."""
        words = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def of(campaign: Any) -> Page:
    """`campaign` is campaign's row of that name."""
    return Page(
        slug=campaign.slug,
        name=campaign.name,
        headline=campaign.headline,
        strapline=campaign.strapline,
        slot_s=campaign.slot_s,
        theme=campaign.theme,
        intake_url=settings.PUBLIC_URL + reverse("campaign:intake", args=[campaign.slug]),
        version=_player_version(),
    )


@cache
def _player_version() -> str:
    """Of what a screen loads, whatever storage it lies in."""
    found = {
        path: storage
        for finder in get_finders()
        for path, storage in finder.list([])
        if path.startswith(PLAYER_FILES)
    }
    digest = hashlib.sha256()
    for path in sorted(found):
        with found[path].open(path) as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]


def qr_svg(url: str) -> bytes:
    """A QR code of level M with its quiet zone of four modules, as SVG that scales."""
    out = BytesIO()
    segno.make_qr(url, error="m").save(
        out, kind="svg", border=4, dark=QR_INK, light=QR_GROUND, omitsize=True
    )
    return out.getvalue()
