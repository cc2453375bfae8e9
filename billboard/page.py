"""What stands around the figurines: words, colours, the QR that leads to the phone page."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from io import BytesIO
from typing import Final

import segno
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.urls import reverse
from django.utils.translation import gettext

from billboard import setting, walls
from billboard.models import Screen

QR_INK: Final = "#14170f"
QR_GROUND: Final = "#faf6ea"
"""Not the theme's: many phones cannot read light on dark."""

PLAYER_FILES: Final = ("css/screen", "css/tokens.css", "js/screen/", "js/lib/")


RTL: Final = ("ar", "arc", "dv", "fa", "he", "ku-arab", "ps", "sd", "ug", "ur", "yi")
"""Languages written from the right. Source: Unicode CLDR 46, characterOrder."""


@dataclass(frozen=True)
class Words:
    """The campaign's words in one language. `enlisted` has {} where the count goes."""

    lang: str
    headline: str
    strapline: str
    scan: str
    enlisted: str

    @property
    def dir(self) -> str:
        lang = self.lang.lower()
        return "rtl" if any(lang == rtl or lang.startswith(f"{rtl}-") for rtl in RTL) else "ltr"


@dataclass(frozen=True)
class Setting:
    """How the screen is set up where it hangs; see billboard.setting."""

    layout: str
    rotation: int
    safe_area: tuple[str, str, str, str]
    panels: tuple[int, int]
    """Across and down."""
    bezel_px: int
    brightness: tuple[int, ...]
    drift_px: int
    wall: walls.Picture | None = None
    """The one picture that this screen shows a part of."""

    @property
    def wall_json(self) -> str:
        return json.dumps(asdict(self.wall)) if self.wall else ""


@dataclass(frozen=True)
class Page:
    """All that a screen needs to know before its first figurine."""

    slug: str
    name: str
    words: tuple[Words, ...]
    """The campaign's own, then the screen's other languages."""
    setting: Setting
    slot_s: int
    keep_days: int
    """So long figurines are kept. A load begins with a snapshot, which tells all days anew."""
    theme: dict[str, str]
    intake_url: str
    version: str
    """Of the player's own files, so that a screen loads them anew after an update."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever a screen has to load its page anew."""
        told = asdict(self)
        # A running player is told of its layout (commands.py) and changes where it is.
        told["setting"].pop("layout")
        words = json.dumps(told, sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:16]


def of(screen: Screen) -> Page:
    """What stands on this screen."""
    campaign = screen.campaign
    return Page(
        slug=campaign.slug,
        name=campaign.name,
        words=_words(screen),
        setting=Setting(
            layout=screen.layout,
            rotation=screen.rotation,
            safe_area=setting.sides(screen.safe_area),
            panels=(screen.panels_across, screen.panels_down),
            bezel_px=screen.bezel_px,
            brightness=setting.brightness(screen.brightness),
            drift_px=screen.drift_px,
            wall=walls.picture(screen),
        ),
        slot_s=campaign.slot_s,
        keep_days=campaign.figurine_retention_days,
        theme=campaign.theme,
        intake_url=settings.PUBLIC_URL + reverse("campaign:intake", args=[campaign.slug]),
        version=_player_version(),
    )


def _words(screen: Screen) -> tuple[Words, ...]:
    """What another language leaves unsaid stays as the campaign says it."""
    own = Words(
        lang="en",
        headline=screen.campaign.headline,
        strapline=screen.campaign.strapline,
        scan=gettext("Scan to enlist"),
        enlisted=gettext("{} enlisted"),
    )
    return (own, *(replace(own, **other) for other in screen.words))


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
