"""How a screen is set up where it hangs: turned, framed, dimmed; the admin's words, read.

No row and no page in here: models.py validates with it, page.py passes on what it says.
"""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

SIDE: Final = re.compile(r"([0-9]{1,4})(px|%)|0")
SIDES_OF: Final = {1: (0, 0, 0, 0), 2: (0, 1, 0, 1), 3: (0, 1, 2, 1), 4: (0, 1, 2, 3)}
SIDE_MOST_PERCENT: Final = 30
"""Two sides of it leave 40 %: below, nothing is read from the street."""
SIDE_MOST_PX: Final = 2000

WINDOW: Final = re.compile(r"([0-9]{1,6}) +([0-9]{1,6}) +([1-9][0-9]{0,5}) +([1-9][0-9]{0,5})")

HOURS: Final = re.compile(r"([0-9]{1,2}) *- *([0-9]{1,2}) *: *([0-9]{1,3}) *%")
BRIGHTNESS_LEAST: Final = 10
"""Darker looks like a screen that is broken."""

WORDS_MOST: Final = 6
WORD_KEYS: Final = {"lang": 12, "headline": 60, "strapline": 160, "scan": 30, "enlisted": 40}
"""What may be said in another language, and the most characters of each."""
LANG: Final = re.compile(
    r"[a-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))?"
)
"""Language, script, region, variant: what browsers write words by (ECMA-402, section 6.2.1). They
take no variant twice, so that there is one at most."""


def sides(text: str) -> tuple[str, str, str, str]:
    """Top, right, bottom and left of a safe area, each as "40px" or "3%".

    Reads one to four values as CSS reads a margin. Raises ValidationError.
    """
    given = text.split() or ["0"]
    if len(given) > 4:
        raise ValidationError(_("At most four values: top, right, bottom, left."))
    for side in given:
        found = SIDE.fullmatch(side)
        if not found:
            raise ValidationError(_("“%(side)s” is not like 40px or 3%%."), params={"side": side})
        most = SIDE_MOST_PX if found[2] == "px" else SIDE_MOST_PERCENT
        if int(found[1] or 0) > most:
            raise ValidationError(_("“%(side)s” leaves too little."), params={"side": side})
    # As CSS does: right is as top, bottom as top, left as right, unless they are given.
    top, right, bottom, left = (given[i] for i in SIDES_OF[len(given)])
    return (top, right, bottom, left)


def window(text: str) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of "1920 0 1920 1080", or None. Raises ValidationError."""
    if not text.strip():
        return None
    found = WINDOW.fullmatch(text.strip())
    if not found:
        raise ValidationError(_("Four whole numbers: left, top, width, height."))
    left, top, width, height = (int(number) for number in found.groups())
    return (left, top, width, height)


def brightness(text: str) -> tuple[int, ...]:
    """Percent for each of the 24 hours, of "22-6: 40%, 6-8: 70%"; 100 where nothing is said.

    An hour that two ranges name has the later one's. Raises ValidationError.
    """
    hours = [100] * 24
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = HOURS.fullmatch(part)
        if not found:
            raise ValidationError(_("“%(part)s” is not like 22-6: 40%%."), params={"part": part})
        begin, end, percent = (int(number) for number in found.groups())
        if begin > 24 or end > 24 or begin == end:
            raise ValidationError(_("“%(part)s” names no hours of a day."), params={"part": part})
        if not BRIGHTNESS_LEAST <= percent <= 100:
            raise ValidationError(
                _("Between %(least)d %% and 100 %%."), params={"least": BRIGHTNESS_LEAST}
            )
        for hour in range(begin, end if end > begin else end + 24):
            hours[hour % 24] = percent
    return tuple(hours)


def validate_sides(text: str) -> None:
    sides(text)


def validate_window(text: str) -> None:
    window(text)


def validate_brightness(text: str) -> None:
    brightness(text)


def validate_words(words: object) -> None:
    """Refuse anything but a short list of languages with short, plain words."""
    if not isinstance(words, list) or len(words) > WORDS_MOST:
        raise ValidationError(
            _("A list of at most %(most)d languages."), params={"most": WORDS_MOST}
        )
    for each in words:
        if not isinstance(each, dict) or not {"lang", "headline"} <= each.keys():
            raise ValidationError(_("Each language needs “lang” and “headline”."))
        for key, text in each.items():
            most = WORD_KEYS.get(key)
            if most is None:
                raise ValidationError(_("“%(key)s” is not known."), params={"key": key})
            if not isinstance(text, str) or len(text) > most or not text.isprintable():
                raise ValidationError(_("“%(key)s” cannot be shown."), params={"key": key})
        if not LANG.fullmatch(each["lang"]) or not each["headline"].strip():
            raise ValidationError(_("“lang” is a code such as “ko”; “headline” is not empty."))
