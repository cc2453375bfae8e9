"""What a person must know who packs the machine up: whose selfies wait in its folder."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deploy.programs import ROOT

ELSEWHERE: Final = "Selfies are deleted in time only while Diorama runs somewhere."
"""What is said where the record is no file of this machine."""

_WAITING: Final = (
    "SELECT COUNT(*), MIN(selfie_purge_at) FROM campaign_submission WHERE selfie <> ''"
)


def word(var: Path) -> str:
    """How many selfies there are, when the first is due, and what to do; empty for none.

    Asks the file and not Django, which takes longer to load than a stop may.
    """
    try:
        with closing(
            sqlite3.connect(f"{(var / 'diorama.sqlite3').as_uri()}?mode=rw", uri=True)
        ) as db:
            count, first = db.execute(_WAITING).fetchone()
    except sqlite3.Error:  # stopped before there was a table
        return ""
    if not count:
        return ""
    due_at = datetime.fromisoformat(first).replace(tzinfo=UTC).astimezone()
    which = "" if var == ROOT / "var" else f"DIORAMA_VAR={shlex.quote(str(var))} "
    return (
        f"{'1 selfie is' if count == 1 else f'{count} selfies are'} kept here, the first due to be"
        f" deleted on {due_at:%a %d %b, %H:%M}. Start again by then, or delete all now:"
        f" {which}python manage.py purge --all"
    )
