"""The time zone that this machine is set to, by its name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOCALTIME: Final = Path("/etc/localtime")
"""A link into the folder of all zones. Source: localtime(5); macOS does the same."""
TIMEZONE: Final = Path("/etc/timezone")
"""Debian writes the name here, too, and may have a copy instead of the link."""


def own_zone() -> str:
    """Such as "Europe/Berlin"; "UTC" where the machine does not say, or says what nobody knows."""
    return next(filter(_is_known, _said()), "UTC")


def _said() -> list[str]:
    told = [os.environ.get("TZ", "").removeprefix(":")]
    with suppress(OSError):
        told.append(str(LOCALTIME.resolve()).rpartition("/zoneinfo/")[2])
    with suppress(OSError):
        told.append(TIMEZONE.read_text().strip())
    return told


def _is_known(name: str) -> bool:
    try:
        return bool(name) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
